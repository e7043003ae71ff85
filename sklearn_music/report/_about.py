"""How the clusters were made: for the foot of the page."""

import platform
import sys
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from typing import Any

from .. import __version__

# torch only if the pipeline uses it.
_PACKAGES = ("scikit-learn", "numpy", "torch", "librosa")


def describe_run(pipeline: Any, settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return date, versions, seeds, settings and a citation."""
    now = datetime.now().astimezone()
    loaded = [name for name in _PACKAGES if name != "torch" or "torch" in sys.modules]
    versions = {name: version(name) for name in loaded}
    seeds = {
        name: value
        for name, value in pipeline.get_params().items()
        if name.rpartition("__")[2] == "random_state" and value is not None
    }
    return {
        "date": f"{now:%Y-%m-%d %H:%M %Z}",
        "versions": {"sklearn_music": __version__, "Python": platform.python_version()} | versions,
        "seeds": seeds,
        "settings": {
            name: ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
            for name, value in (settings or {}).items()
        },
        "citation": _cite(now.year),
    }


def _cite(year: int) -> str:
    return (
        "@software{sklearn_music,\n"
        "  author  = {{The sklearn\\_music developers}},\n"
        "  title   = {sklearn\\_music: unsupervised music clustering in scikit-learn's manner},\n"
        f"  version = {{{__version__}}},\n"
        f"  year    = {{{year}}}\n"
        "}"
    )
