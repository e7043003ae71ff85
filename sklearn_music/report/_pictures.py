"""The pictures of the page, by the displays of `sklearn_music.plotting`."""

import io
from typing import Any

import pandas as pd

from ..plotting import NClustersDisplay, ReconstructionDisplay, TrainingHistoryDisplay
from ..plotting.style import import_pyplot
from ._clusters import Cluster
from ._media import as_uri

_N_RECONSTRUCTIONS = 4


def draw_reconstructions(
    embedding: Any, tracks: pd.DataFrame, clusters: list[Cluster]
) -> dict[str, Any] | None:
    """Return a picture of a typical track of each of some clusters, and their rows."""
    rows = {cluster.name: cluster.typical[0] for cluster in clusters if cluster.typical}
    rows = dict(list(rows.items())[:_N_RECONSTRUCTIONS])
    if not rows:
        return None
    # Without the words: the pictures are small.
    names = [name.partition(":")[0] for name in rows]
    some = tracks.iloc[list(rows.values())]
    try:
        display = ReconstructionDisplay.from_estimator(embedding, some, names=names)
    except ValueError:  # nothing in the pipeline decodes spectrograms
        return None
    return {"picture": _as_png(display), "rows": rows}


def draw_training(embedder: Any) -> str:
    """Return a picture of the training of an embedder."""
    return _as_png(TrainingHistoryDisplay.from_estimator(embedder))


def draw_curve(choice: Any) -> dict[str, str] | None:
    """Return a picture of the criteria for each number of clusters, and why one was chosen."""
    if choice is None:
        return None
    return {"picture": _as_png(NClustersDisplay.from_choice(choice)), "reason": choice.reason}


def _as_png(display: Any) -> str:
    file = io.BytesIO()
    display.figure_.savefig(file, format="png", dpi=90)
    import_pyplot().close(display.figure_)
    return as_uri(file.getvalue(), "image/png")
