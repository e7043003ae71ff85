"""Chromium without a network, and how the tests use a report's page in it."""

import json

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

OPTIONS = (
    "headless=new",
    "no-sandbox",
    "disable-gpu",
    "enable-unsafe-swiftshader",  # WebGL without a GPU
    "disable-dev-shm-usage",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "window-size=1200,1000",
    # No name is found, and nothing listens at the proxy.
    "host-resolver-rules=MAP * ~NOTFOUND",
    "proxy-server=127.0.0.1:9",
)

# The place of a track on the screen.
PLACE = """
const [root] = Bokeh.index.roots, { left, top } = root.el.getBoundingClientRect();
const { x, y } = Bokeh.documents.at(-1).get_model_by_name("tracks").data;
const { x_scale, y_scale } = root.frame;
return [left + x_scale.compute(x[arguments[0]]), top + y_scale.compute(y[arguments[0]])];
"""
# The titles in the tooltips: Bokeh draws into shadow roots, within one another.
TOOLTIPS = """
const all = (node) => [node, ...[...node.children].flatMap(all),
                       ...(node.shadowRoot ? [...node.shadowRoot.children].flatMap(all) : [])];
return all(document.body).filter((node) => node.localName === "strong")
  .map((node) => node.textContent);
"""
DRAWN = (
    "return Boolean(document.documentElement.dataset.ready === '' && Bokeh.index.roots.length"
    " && Bokeh.documents.at(-1).is_idle)"
)


def wait(browser, script, *args):
    """Wait until a script returns something true, and return that."""
    return WebDriverWait(browser, 30).until(lambda browser: browser.execute_script(script, *args))


def open_page(browser, path):
    browser.get_log("performance")
    browser.get_log("browser")
    browser.get(path.as_uri())
    wait(browser, DRAWN)


def move_to(browser, row):
    """Move the mouse to a track on the map."""
    browser.execute_script("document.getElementById('map').scrollIntoView({block: 'center'})")
    x, y = browser.execute_script(PLACE, row)
    actions = ActionChains(browser)
    actions.w3c_actions.pointer_action.move_to_location(round(x), round(y))
    actions.perform()


def hover(browser, row):
    """Move the mouse to a track on the map, and return the titles in the tooltips."""
    move_to(browser, row)
    return wait(browser, f"const found = (() => {{{TOOLTIPS}}})(); return found.length && found")


def played_by(browser):
    """Return what the audio element plays, once it can."""
    audio = browser.find_element(By.ID, "audio")
    return wait(browser, "const [a] = arguments; return a.readyState >= 2 && a.src", audio)


def complaints(browser):
    return [entry for entry in browser.get_log("browser") if entry["level"] != "INFO"]


def requests(browser):
    """Return the addresses that the page asked for, cut short."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [
        message["params"]["request"]["url"][:200]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
        and not message["params"]["documentURL"].startswith("chrome")
    ]
