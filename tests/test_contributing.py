"""CONTRIBUTING.md names every module, and no file that isn't there."""

import re
from pathlib import Path

import sklearn_music

PACKAGE = Path(sklearn_music.__file__).parent
ROOT = PACKAGE.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
# Parts of a path, with an ending or a slash at the end.
PATH = re.compile(r"[\w.*/-]+(\.(py|md|rst|toml|txt|yaml|cfg|css|js|html)|/)")


def quoted(text):
    """Return what stands in backticks on a line, without the blocks of code."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def files():
    """Yield the path of each file and folder from the root, without those of tools."""
    for path in ROOT.iterdir():
        yield path.relative_to(ROOT)
        if path.is_dir() and not path.name.startswith("."):
            yield from (below.relative_to(ROOT) for below in path.rglob("*"))


def is_example(name):
    """Whether a name stands for any name: `_x.py`, `test_x_vae.py`."""
    return "x" in re.split(r"[/_.]", name)


def test_every_module_has_its_place():
    _, found, section = TEXT.partition("## Where things are\n")
    assert found, 'CONTRIBUTING.md has no section "Where things are"'
    section = section.partition("\n## ")[0]
    words = set(re.findall(r"\w+", " ".join(quoted(section))))
    missing = [
        path.relative_to(PACKAGE).as_posix()
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.stem != "__init__" and path.stem not in words
    ]
    assert not missing, f'"Where things are" in CONTRIBUTING.md leaves out {", ".join(missing)}'


def test_every_named_file_is_there():
    """By its whole path or the end of one, with or without the name of the package."""
    paths = [Path("/", path) for path in files()]
    gone = [
        name
        for name in dict.fromkeys(quoted(TEXT))
        if PATH.fullmatch(name) and not is_example(name)
        if not any(path.match(name) for path in paths)
    ]
    assert not gone, f"CONTRIBUTING.md names what is not there: {', '.join(gone)}"


def test_no_conflict_of_a_merge_is_left():
    """In the pages at the root and in the guide."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.rst"), *(ROOT / "docs/guide").glob("*")]
    marker = re.compile(r"^(<{7} |>{7} )", re.MULTILINE)
    left = [str(page) for page in pages if marker.search(page.read_text(encoding="utf-8"))]
    assert not left, f"Markers of a merge conflict stand in {', '.join(left)}"
