"""The table of all tracks: to read on the page, and as data."""

import os
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from .._tables import readable
from ..exploration import similar_tracks
from ..exploration.titles import find_songs, find_titles
from ._clusters import NOISE, Clustering

UNCLUSTERED = "no cluster"

_IS_NOISE = "noise: the clusterer put it in no cluster."
_N_SIMILAR = 8
# Copies of a song are listed once: more are searched than are shown.
_N_SEARCHED = 30
# On the page. The rest is in its file of comma-separated values.
_HIDDEN = ("album", "cluster", "reason", "audio")


def tabulate_tracks(
    found: Clustering, tracks: pd.DataFrame, targets: dict[str, pd.Series]
) -> pd.DataFrame:
    """Return a table of all tracks, in their order, with their clusters and labels.

    The columns are those that `ClusterReport.to_frame` describes.
    """
    columns: dict[str, list[Any]] = {"title": find_titles(tracks)}
    for name in ("artist", "album"):
        if name in tracks and tracks[name].notna().any():
            columns[name] = [_text(cell) for cell in tracks[name]]
    numbers = dict(zip(found.order, found.table["cluster"], strict=True))
    names = dict(zip(found.order, found.table["name"], strict=True)) | {NOISE: NOISE}
    columns["cluster"] = [numbers.get(heading, -1) for heading in found.names]
    columns["name"] = [names.get(heading, UNCLUSTERED) for heading in found.names]
    last: dict[str, Any] = {
        "distance": measure_distances(found),
        "reason": [
            found.missing.get(row, _IS_NOISE if heading == NOISE else None)
            for row, heading in enumerate(found.names)
        ],
    }
    if "audio" in tracks:
        is_path = [isinstance(audio, (str, os.PathLike)) for audio in tracks["audio"]]
        last["audio"] = [
            os.fspath(audio) if known else None
            for audio, known in zip(tracks["audio"], is_path, strict=True)
        ]
    for target, labels in targets.items():
        name = target
        while name in columns or name in last:
            name = f"label {name}"
        columns[name] = list(labels)
    # As objects: pandas may keep strings in pyarrow, which refuses unpaired surrogates.
    return pd.DataFrame(
        {
            name: values if name in ("cluster", "distance") else pd.array(values, dtype=object)
            for name, values in (columns | last).items()
        },
    ).set_axis(tracks.index)


def _text(cell: Any) -> str | None:
    return None if pd.isna(cell) else readable(cell).strip() or None


def measure_distances(found: Clustering) -> NDArray[np.float64]:
    """Return each track's distance to the mean of its cluster; NaN where it is in none."""
    distances = np.full(len(found.names), np.nan)
    for heading in found.order:
        rows = np.flatnonzero(found.names == heading)
        if heading != NOISE and len(rows):
            vectors = found.Z[rows].toarray() if sparse.issparse(found.Z) else found.Z[rows]
            center = vectors.mean(axis=0, dtype=np.float64)
            distances[rows] = np.linalg.norm(vectors - center, axis=1)
    return distances


def find_similar(found: Clustering, tracks: pd.DataFrame) -> list[list[int]]:
    """Return the rows of the songs most like each track, the nearest first, each song once."""
    songs = find_songs(tracks)
    table = similar_tracks(found.Z, np.arange(len(tracks)), n_neighbors=_N_SEARCHED)
    similar: list[list[int]] = [[] for _ in songs]
    seen = [{song} for song in songs]
    for row, other in zip(table["query"].tolist(), table["track"].tolist(), strict=True):
        if len(similar[row]) < _N_SIMILAR and songs[other] not in seen[row]:
            seen[row].add(songs[other])
            similar[row].append(other)
    return similar


def _as_json(cell: Any) -> Any:
    # Six digits are enough, and half as long.
    return None if pd.isna(cell) else float(f"{cell:.6g}") if isinstance(cell, float) else cell


def as_page_data(frame: pd.DataFrame, found: Clustering, **columns: list[Any]) -> dict[str, Any]:
    """Return what the page's scripts have to know of each track, for JSON.

    The frame is that of `tabulate_tracks`. The columns are more of each track, by name.
    """
    order = {name: i for i, name in enumerate(found.order)}
    names = frame.columns.tolist()
    lists = [frame[name].tolist() for name in names]
    return {
        "columns": names,
        "hidden": [name for name in _HIDDEN if name in names],
        "labels": names[names.index("name") + 1 : names.index("distance")],
        "rows": [list(map(_as_json, cells)) for cells in zip(*lists, strict=True)],
        # The place of each track's cluster in the legend.
        "groups": [order.get(name, len(order)) for name in found.names],
        **columns,
    }
