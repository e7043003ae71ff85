"""The page's template and libraries, and how a file is written."""

import os
import re
import secrets
from functools import cache
from pathlib import Path
from typing import Any


def import_page() -> tuple[Any, Any]:
    """Return the environment of the page's template and the module that draws the map."""
    try:
        import itables  # noqa: F401
        import jinja2

        from . import _map
    except ImportError as error:
        raise ImportError(
            "The report needs Bokeh, itables, Jinja and matplotlib. Install them with: "
            'pip install "sklearn-music[report]"'
        ) from error
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, "page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    # Bangla as it is has half the length of its escapes.
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    return environment, _map


@cache
def table_script() -> str:
    """Return DataTables as a script that defines the global ``jQuery``, from the package itables.

    It is a module there, whose names only another module can import, and the page's content
    security policy lets no script import anything.
    """
    import itables

    folder = Path(itables.__file__).parent
    text = (folder / "html" / "dt_bundle.js").read_text(encoding="utf-8")
    # All that stands behind the list of exports are comments.
    module, _, exports = text.rpartition("export{")
    found = re.search(r"([\w$]+) as jQuery\b", exports)
    if found is None:
        raise ImportError(
            f"Got itables {itables.__version__}, whose dt_bundle.js exports no jQuery. Install "
            'another version: pip install "itables>=2.9,<3"'
        )
    # A comment of HTML would change how the browser reads the rest of the page.
    module = module.replace("</script", r"<\/script").replace("<!--", r"<\!--")
    return f'const jQuery = (() => {{ "use strict"; {module}\nreturn {found[1]}; }})();'


def write_file(path: str | os.PathLike[str], text: str) -> Path:
    """Write a text as UTF-8, in place of the file that is there."""
    path = Path(path)
    # Under another name at first, so that no reader finds half of a file.
    unfinished = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        unfinished.write_text(text, encoding="utf-8", newline="")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path
