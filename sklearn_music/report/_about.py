"""How the clusters were made: notes about the training, and the foot of the page."""

import platform
import sys
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from numbers import Integral
from typing import Any

from sklearn import config_context
from sklearn.pipeline import Pipeline

from .. import __version__
from .._inspection import fitted_with_labels

# torch only if something has loaded it.
_PACKAGES = ("scikit-learn", "numpy", "torch", "librosa")


def check_training(pipeline: Pipeline, embedders: list[Any]) -> list[str]:
    """Return warnings about embedders that learnt little, or from labels."""
    notes = [
        f"{type(embedder).__name__}: {advice}"
        for embedder in embedders
        if (advice := embedder.collapse_advice())
    ]
    if names := fitted_with_labels(pipeline):
        notes.append(f"{', '.join(names)} learnt from labels: these clusters are supervised.")
    return notes


def describe_run(
    pipeline: Pipeline, settings: Mapping[str, Any] | None, random_state: Any
) -> dict[str, Any]:
    """Return date, versions, seeds, settings, the pipeline and a citation.

    The random state is that of the page itself.
    """
    now = datetime.now().astimezone()
    loaded = [name for name in _PACKAGES if name != "torch" or "torch" in sys.modules]
    versions = {name: version(name) for name in loaded}
    seeds = {
        name: value
        for name, value in pipeline.get_params().items()
        if name.rpartition("__")[2] == "random_state"
    } | {"this page": random_state}
    with config_context(print_changed_only=True):
        # A plain repr leaves out the middle of a long pipeline.
        shown = pipeline.__repr__(N_CHAR_MAX=1_000_000)
    return {
        "date": f"{now:%Y-%m-%d %H:%M %Z}",
        "versions": {"sklearn_music": __version__, "Python": platform.python_version()} | versions,
        # A RandomState is shown with its address, which says nothing.
        "seeds": {
            name: value if isinstance(value, Integral) else type(value).__name__
            for name, value in seeds.items()
            if value is not None
        },
        "settings": {
            name: ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
            for name, value in (settings or {}).items()
            if value is not None
        },
        "pipeline": shown,
        "citation": f"The sklearn_music developers ({now.year}). sklearn_music, version "
        f"{__version__}. Software.",
        "bibtex": _as_bibtex(now.year),
    }


def _as_bibtex(year: int) -> str:
    return (
        "@software{sklearn_music,\n"
        "  author  = {{The sklearn\\_music developers}},\n"
        "  title   = {sklearn\\_music: unsupervised music clustering in scikit-learn's manner},\n"
        f"  version = {{{__version__}}},\n"
        f"  year    = {{{year}}}\n"
        "}"
    )
