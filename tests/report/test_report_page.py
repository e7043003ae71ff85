"""What a reader does with the page: search, sort, download, play, by mouse and by keyboard."""

import csv
import re

import numpy as np
import pandas as pd
import pytest
from chromium import complaints, move_to, open_page, played_by, requests, wait
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait
from sklearn.cluster import HDBSCAN
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_music.datasets import make_music
from sklearn_music.report import ClusterReport, _map

SCRIPT = "<script>alert(1)</script>"
BANGLA = "ভৌতিক, গল্প"
ODD = [SCRIPT, BANGLA, "=1+1", 'a "quoted", name', "two\nlines", "&amp; <!-- no comment -->"]
NOISE, MISSING = 30, 31


def take_numbers(table):
    return table[["a", "b"]].to_numpy(np.float64)


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    """Two clusters of 15, a track of noise, one without features, and a copy of a song."""
    rng = np.random.default_rng(0)
    Z = rng.normal(0, 0.1, (32, 2)) + np.repeat([0.0, 9.0], 16)[:, None]
    Z = np.r_[Z[:15], Z[16:31], [[90, -90]], [[np.nan, np.nan]]]
    Z[20] = Z[21]
    folder = tmp_path_factory.mktemp("tracks")
    audio = make_music(4, duration=2, directory=folder, random_state=0).data["audio"].tolist()
    titles = [*ODD, *(f"Song {i}" for i in range(6, 32))]
    titles[20] = titles[21] = "Twice"
    return pd.DataFrame(
        {
            "a": Z[:, 0],
            "b": Z[:, 1],
            "title": titles,
            "artist": [None, BANGLA, *(f"Artist {i}" for i in range(2, 30)), None, "x" * 300],
            "album": "One",
            "lyrics": "the river sings",
            "audio": [audio[i % 4] for i in range(32)],
            "year": 1990,
        },
        index=[f"id {i}" for i in range(32)],
    ).replace({"artist": {"Artist 20": "Artist 21"}})


@pytest.fixture(scope="module")
def report(tracks):
    pipe = make_pipeline(FunctionTransformer(take_numbers), HDBSCAN(min_cluster_size=5, copy=True))
    y = {"genre": [SCRIPT, "rock", None, "folk"] * 8, "title": ["x", "y"] * 16}
    numbers = FunctionTransformer(take_numbers)
    return ClusterReport(pipe.fit(tracks), tracks, y, features=numbers, n_seeds=1)


@pytest.fixture(scope="module")
def path(report, tmp_path_factory):
    return report.to_html(tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture
def page(browser, path):
    """The page, just opened; nothing on it may complain."""
    open_page(browser, path)
    yield browser
    assert complaints(browser) == []


def find(page, selector):
    return page.find_element(By.CSS_SELECTOR, selector)


def shown(page):
    """Return the titles in the table, from the top."""
    buttons = page.find_elements(By.CSS_SELECTOR, "#tracks tbody .track")
    return [button.get_property("textContent") for button in buttons]


def focused(page):
    return page.execute_script("return document.activeElement.id")


def selected(page):
    """Return the row that the map marks, and the one that the table marks."""
    return page.execute_script("""
      const row = document.querySelector("#tracks tr[aria-current] .track");
      const { indices } = Bokeh.documents.at(-1).get_model_by_name("tracks").selected;
      return [indices, row && Number(row.dataset.row)];
    """)


def played(page):
    return find(page, "#track-title").get_property("textContent")


def press(page, *keys):
    ActionChains(page).send_keys(*keys).perform()


# The table as data


def test_the_table_as_data(report, tracks):
    frame = report.to_frame()
    labels = ["genre", "label title"]
    columns = ["title", "artist", "album", "cluster", "name", *labels, "distance", "reason"]
    assert frame.columns.tolist() == [*columns, "audio"]
    assert frame.index.equals(tracks.index)
    assert frame["title"].tolist() == tracks["title"].tolist()
    assert frame["artist"].isna().tolist() == tracks["artist"].isna().tolist()
    assert frame["audio"].tolist() == tracks["audio"].tolist()
    clusters = frame["cluster"].to_numpy()
    assert set(clusters[:15]) | set(clusters[15:30]) == {0, 1}
    for rows in (slice(0, 15), slice(15, 30)):
        Z = take_numbers(tracks)[rows]
        assert len(set(clusters[rows])) == 1
        expected = np.sqrt(((Z - Z.mean(axis=0)) ** 2).sum(axis=1))
        np.testing.assert_allclose(frame["distance"].iloc[rows], expected)
    assert clusters[30:].tolist() == [-1, -1]
    assert frame["name"].iloc[30:].tolist() == ["noise", "no cluster"]
    assert frame["distance"].iloc[30:].isna().all()
    assert frame["reason"].iloc[:30].isna().all()
    assert "noise" in frame["reason"].iloc[30]
    assert "nothing is known of it" in frame["reason"].iloc[31]
    assert frame["genre"].isna().sum() == 8
    frame["title"] = "changed"
    assert report.to_frame()["title"].iloc[0] == SCRIPT


def test_the_table_as_a_file(report, tmp_path):
    path = report.to_csv(tmp_path / "tracks.csv")
    assert path.read_bytes().startswith(b"\xef\xbb\xbftitle,artist")
    read = pd.read_csv(path, keep_default_na=True)
    expected = report.to_frame().reset_index(drop=True)
    pd.testing.assert_frame_equal(read, expected, check_dtype=False, rtol=1e-5)


def test_any_text_can_be_written(tmp_path):
    table = pd.DataFrame({"a": [0.0, 1, 9, 10], "b": 0.0})
    table["title"] = pd.Series(["half \ud83d", "caf\udce9", "nul \0", "\r\n"], dtype=object)
    table["audio"] = pd.Series(["caf\udce9.wav", "b", None, "d"], dtype=object)
    pipe = make_pipeline(FunctionTransformer(take_numbers), HDBSCAN(min_cluster_size=2, copy=True))
    report = ClusterReport(pipe.fit(table), table)
    text = report.to_csv(tmp_path / "tracks.csv").read_text(encoding="utf-8-sig")
    assert "caf\N{REPLACEMENT CHARACTER}.wav" in text
    assert report.to_frame()["audio"].iloc[0] == "caf\udce9.wav"
    assert [file.name for file in tmp_path.iterdir()] == ["tracks.csv"]


# The table on the page


def test_search_filter_sort_and_pages(page, report):
    frame = report.to_frame()
    assert shown(page) == frame["title"].tolist()[:25]
    # As text, not as markup.
    assert find(page, "#tracks tbody").get_property("textContent").count(SCRIPT) > 1

    search = find(page, ".dt-search input")
    assert search.accessible_name == "Search"
    for text, titles in [("ভৌতিক", [BANGLA]), ('"artist 7"', ["Song 7"]), ("=1", ["=1+1"])]:
        search.clear()
        search.send_keys(text)
        assert shown(page) == titles
    search.clear()
    search.send_keys("no such thing")
    assert "No track matches" in find(page, "#tracks tbody").text
    search.send_keys(Keys.ESCAPE)
    assert "1 to 25 of 32 tracks" in find(page, ".dt-info").text

    cluster = Select(find(page, "#cluster-filter select"))
    assert [option.text.rpartition(" ")[2] for option in cluster.options] == [
        *("all", "(15)", "(15)", "(1)", "(1)"),
    ]
    for i in range(2):
        cluster.select_by_index(1 + i)
        assert shown(page) == frame["title"][frame["cluster"] == i].tolist()
    cluster.select_by_visible_text("no cluster (1)")
    assert shown(page) == ["Song 31"]
    cluster.select_by_index(0)

    def sort_by(name):
        headings = page.find_elements(By.CSS_SELECTOR, "#tracks thead th")
        heading = next(heading for heading in headings if heading.text.strip() == name)
        heading.find_element(By.CSS_SELECTOR, "[role=button]").send_keys(Keys.ENTER)
        return heading.get_attribute("aria-sort")

    Select(find(page, ".dt-length select")).select_by_visible_text("all")
    assert sort_by("distance") == "ascending"
    assert shown(page)[:30] == frame.sort_values("distance")["title"].tolist()[:30]
    assert sort_by("distance") == "descending"
    assert sort_by("title") == "ascending"
    songs = [title for title in shown(page) if title.startswith("Song")]
    assert songs == sorted(songs, key=lambda title: int(title.split()[1]))
    assert sort_by("artist") == "ascending"
    assert set(shown(page)[-2:]) == {SCRIPT, "Song 30"}  # of unknown artists

    Select(find(page, ".dt-length select")).select_by_visible_text("25")
    find(page, ".dt-paging [aria-label=Next]").click()
    assert len(shown(page)) == 7


def read_csv(path):
    """Return the cells of a file, numbers rounded."""

    def plain(cell):
        return f"{float(cell):.5g}" if re.fullmatch(r"-?\d+(\.\d+)?", cell) else cell

    with path.open(encoding="utf-8-sig", newline="") as file:
        return [list(map(plain, row)) for row in csv.reader(file)]


def download(browser, folder):
    """Press the button, and return the file."""
    settings = {"behavior": "allow", "downloadPath": str(folder)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", settings)
    find(browser, ".dt-buttons button").click()
    file = folder / "tracks.csv"
    wait(browser, "return true")
    for _ in range(100):
        if file.exists() and file.stat().st_size:
            break
        browser.execute_async_script("setTimeout(arguments[0], 100)")
    return file


def test_the_download_is_the_table(page, report, tmp_path):
    file = download(page, tmp_path)
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    assert read_csv(file) == read_csv(report.to_csv(tmp_path / "expected.csv"))
    file.unlink()
    find(page, ".dt-search input").send_keys('"song 1"')
    rows = read_csv(download(page, tmp_path))
    assert [row[0] for row in rows[1:]] == [f"Song {i}" for i in range(10, 20)]


def test_the_table_works_in_a_notebook(browser, report, tmp_path):
    notebook = tmp_path / "notebook.html"
    frame = report._repr_html_()
    notebook.write_text(f"<!DOCTYPE html><body>{frame}</body>", encoding="utf-8")
    browser.get_log("browser")
    browser.get(notebook.as_uri())
    browser.switch_to.frame(0)
    wait(browser, "return document.documentElement.dataset.ready === ''")
    assert len(shown(browser)) == 25
    expected = read_csv(report.to_csv(tmp_path / "expected.csv"))
    assert read_csv(download(browser, tmp_path)) == expected
    assert complaints(browser) == []


# Keyboard


def test_the_player_by_keyboard(page, tracks):
    Select(find(page, "#cluster-filter select")).select_by_index(1)
    titles = shown(page)
    button = page.find_elements(By.CSS_SELECTOR, "#tracks tbody .track")[3]
    row = int(button.get_attribute("data-row"))
    button.send_keys(Keys.ENTER)
    assert played_by(page).endswith(tracks["audio"].iloc[row])
    assert focused(page) == "player"
    assert selected(page) == [[row], row]
    player = find(page, "#player").text
    for text in (titles[3].split()[0], tracks["artist"].iloc[row], "genre: ", "cluster 0"):
        assert text in player

    paused = "return document.getElementById('audio').paused"
    wait(page, f"return !({paused.removeprefix('return ')})")
    press(page, Keys.SPACE)
    assert page.execute_script(paused)
    press(page, Keys.SPACE)
    assert not page.execute_script(paused)

    press(page, Keys.ARROW_RIGHT)
    assert played(page) == titles[4]
    press(page, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert played(page) == titles[2]
    assert focused(page) == "player"
    for _ in titles:
        press(page, Keys.ARROW_RIGHT)  # stops at the last one
    assert played(page) == titles[-1]

    press(page, Keys.ESCAPE)
    assert not find(page, "#player").is_displayed()
    assert page.switch_to.active_element == button
    assert page.execute_script(paused)
    assert selected(page) == [[], None]


def test_similar_songs_play(page, report, tracks):
    row = 19
    page.execute_script("select(arguments[0])", row)
    similar = page.find_elements(By.CSS_SELECTOR, "#similar .track")
    titles = [button.get_property("textContent") for button in similar]
    Z = take_numbers(tracks)[:30]
    order = [i for i in np.argsort(((Z - Z[row]) ** 2).sum(axis=1)) if i not in (row, 21)]
    assert titles == tracks["title"].iloc[order[:8]].tolist()
    similar[1].send_keys(Keys.ENTER)
    assert played(page) == titles[1]
    assert focused(page) == "player"
    # A copy is no song of its own.
    page.execute_script("select(20)")
    assert "Twice" not in find(page, "#similar").text
    page.execute_script(f"select({MISSING})")
    assert not find(page, "#similar").is_displayed()


LABELLED = "button, input, select, a[href], audio, [role=button]"


def test_tab_reaches_all_and_shows_where_it_is(page):
    find(page, ".dt-search input").send_keys("lines")
    find(page, "#tracks tbody .track").send_keys(Keys.ENTER)
    page.execute_script("document.activeElement.blur(); getSelection().empty(); scrollTo(0, 0)")
    page.execute_script("document.body.tabIndex = -1; document.body.focus()")
    reached, unnamed, unseen = [], [], []
    while len(reached) < 200:
        press(page, Keys.TAB)
        at, style, width = page.execute_script("""
          const at = document.activeElement, style = getComputedStyle(at);
          return [at, style.outlineStyle, style.outlineWidth];
        """)
        if at.tag_name == "body" or (reached and at == reached[0]):
            break
        reached += [at] if at not in reached else []
        if not at.accessible_name and at.tag_name != "audio":
            unnamed.append(at.get_attribute("outerHTML")[:200])
        # The browser's own controls show it themselves.
        if at.tag_name != "audio" and (style == "none" or width == "0px"):
            unseen.append(at.get_attribute("outerHTML")[:200])
    assert unnamed == []
    assert unseen == []
    wanted = [e for e in page.find_elements(By.CSS_SELECTOR, LABELLED) if e.is_displayed()]
    wanted = [e for e in wanted if e.is_enabled() and e.get_attribute("aria-disabled") != "true"]
    missed = [e.get_attribute("outerHTML")[:200] for e in wanted if e not in reached]
    assert missed == []
    # The map is a picture for a screen reader: nothing in it takes the focus.
    inside = page.execute_script(
        "return arguments[0].filter((e) => document.getElementById('map').contains(e)).length",
        reached,
    )
    assert inside == 0


# Map


def scroll(page, by=300):
    """Turn the wheel over the middle of the map; return where the page was and is."""
    before = page.execute_script("return scrollY")
    origin = ScrollOrigin.from_element(find(page, "#map"))
    ActionChains(page).scroll_from_origin(origin, 0, by).perform()
    page.execute_async_script("setTimeout(arguments[0], 300)")
    return before, page.execute_script("return scrollY")


RANGE = "const { start, end } = Bokeh.index.roots[0].model.x_range; return end - start"


def test_the_wheel_scrolls_until_it_is_to_zoom(page):
    page.execute_script("document.getElementById('map').scrollIntoView({block: 'center'})")
    width = page.execute_script(RANGE)
    before, after = scroll(page)
    assert after > before
    assert page.execute_script(RANGE) == width
    page.execute_script("document.getElementById('map').scrollIntoView({block: 'center'})")
    find(page, "#wheel").click()
    before, after = scroll(page)
    assert after == before
    assert page.execute_script(RANGE) != pytest.approx(width)
    find(page, "#wheel").click()
    before, after = scroll(page)
    assert after > before

    find(page, "#whole-map").send_keys(Keys.ENTER)
    assert page.execute_script(RANGE) == pytest.approx(width)
    find(page, "#zoom-in").send_keys(Keys.ENTER)
    assert page.execute_script(RANGE) == pytest.approx(width / 1.5)
    find(page, "#zoom-out").send_keys(Keys.ENTER)
    assert page.execute_script(RANGE) == pytest.approx(width)


def test_a_second_click_or_one_beside_the_points_clears_the_selection(page):
    def click(row, rows):
        move_to(page, row)
        ActionChains(page).click().perform()
        WebDriverWait(page, 30).until(lambda page: selected(page)[0] == rows)
        # Soon after one another, two clicks are a double click.
        page.execute_async_script("setTimeout(arguments[0], 500)")

    click(NOISE, [NOISE])
    assert focused(page) == "player"
    click(NOISE, [])
    assert not find(page, "#player").is_displayed()
    click(NOISE, [NOISE])
    x, y = page.execute_script("""
      const [root] = Bokeh.index.roots, { left, top } = root.el.getBoundingClientRect();
      return [left + root.frame.bbox.left + 9, top + root.frame.bbox.top + 9];
    """)
    actions = ActionChains(page)
    actions.w3c_actions.pointer_action.move_to_location(round(x), round(y)).click()
    actions.perform()
    wait(page, "return document.getElementById('player').hidden")
    assert selected(page)[0] == []
    click(NOISE, [NOISE])
    press(page, Keys.ESCAPE)
    assert selected(page) == [[], None]


def test_labels_do_not_look_like_clusters():
    names = np.array([f"cluster {i}" for i in range(20)], dtype=object)
    found = type("Found", (), {"names": names, "order": names.tolist()})
    legends, _ = _map.color(found, {"genre": pd.Series([f"genre {i}" for i in range(20)])})
    clusters, genres = legends["cluster"], legends["genre"]
    for column in (1, 2, 3):  # colour, marker, character
        assert not {look[column] for look in clusters} & {look[column] for look in genres}
    assert len({look[1:4] for look in genres}) == 20


def test_the_legend_says_what_the_colours_are(page):
    for name in ("cluster", "genre", "title"):
        Select(find(page, "#coloring")).select_by_visible_text(name)
        legends = page.find_elements(By.CLASS_NAME, "legend")
        (legend,) = (legend for legend in legends if legend.is_displayed())
        assert legend.text.startswith(f"Coloured by: {name}")


# Everywhere


@pytest.mark.parametrize("width", [390, 700, 1400])
def test_the_page_fits(browser, path, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        open_page(browser, path)
        browser.execute_script(f"select({MISSING})")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        assert complaints(browser) == []
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_without_a_network(browser, path, tmp_path):
    browser.get_log("performance")
    with pytest.raises(Exception, match="ERR_PROXY_CONNECTION_FAILED"):
        browser.get("http://example.org/")
    open_page(browser, path)
    find(browser, "#tracks tbody .track").click()
    played_by(browser)
    find(browser, ".dt-search input").send_keys("song")
    download(browser, tmp_path)
    asked = requests(browser)
    assert asked
    assert {url.split(":")[0] for url in asked} <= {"file", "data", "blob"}
    assert complaints(browser) == []


def test_no_address_that_would_be_fetched(path):
    page = path.read_text(encoding="utf-8")
    fetched = r"""(?:
          \b(?:src|href|srcset|poster|action)\s*=\s*["']? | url\(\s*["']?
        | @import\s*(?:url\()? | \bimport\s*\(?\s*["'] | \b(?:fetch|importScripts)\(\s*["']
        )\s*(?:https?:|wss?:|//)[^\s"']*"""
    assert re.findall(fetched, page, flags=re.VERBOSE) == []
    assert "default-src 'none'" in page
    assert "connect-src" not in page
