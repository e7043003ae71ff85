"""The clusters of the tracks, and what the page says about each."""

import warnings
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from .._inspection import embed_and_cluster, find_failures, tag_probabilities
from .._tables import as_labels, as_numbers, by_name, is_finite, is_present
from ..exploration import describe_clusters
from ..exploration.names import NO_CLUSTER
from ..features.text import why_no_lyrics
from ..metrics import check_confounders

NOISE = "noise"
_COLUMNS = ("audio", "lyrics", "title", "track_id", "filename", "artist", "album")

_N_TYPICAL = 5
_N_OUTLIERS = 3
_N_WORDS = 10
_UNKNOWN = "nothing is known of it, neither audio nor lyrics."
_NOT_FINITE = "its latent vector holds NaN or infinity: impute its missing features."


class Clustering(NamedTuple):
    """The clusters of all tracks."""

    Z: Any  # the latent vectors
    present: NDArray[np.bool_]  # whether each track has a cluster
    names: NDArray[np.object_]  # the name of each track's cluster, None where it has none
    order: list[str]  # the names, noise last
    table: pd.DataFrame  # what describes them, in this order
    missing: dict[int, str]  # why a track has no cluster, by row
    notes: list[str]


class Cluster(NamedTuple):
    """One cluster. Tracks are given by their rows."""

    name: str
    size: int
    composition: dict[str, dict[str, int]]  # for each target, the number of tracks by label
    tags: list[str]
    words: list[str]
    typical: list[int]  # the nearest to the centre first
    outliers: list[int]  # the farthest from the centre first


def find_clusters(pipeline, tracks, extractor) -> Clustering:
    """Return the clusters of tracks by a fitted pipeline, and warnings about them.

    The extractor determines what is read of the files to look for confounders.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        Z, labels = embed_and_cluster(pipeline, tracks)
        tags = tag_probabilities(pipeline, tracks)
    notes = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    Z, labels = as_numbers(Z), np.asarray(labels)
    present = is_finite(Z)
    if not present.any():
        raise ValueError(
            f"The pipeline has no latent vector of any of the {len(tracks)} tracks: pass some "
            "that can be read."
        )
    reasons = dict(enumerate(np.where(is_present(Z), _NOT_FINITE, _UNKNOWN).tolist()))
    reasons |= find_failures(pipeline)
    missing = {row: reasons[row] for row in np.flatnonzero(~present).tolist()}
    rows = np.flatnonzero(present)
    table = describe_clusters(
        labels[rows],
        tracks.iloc[rows],
        embedding=Z[rows],
        tags=None if tags is None else tags.iloc[rows],
        titles=rows.tolist(),
        n_words=_N_WORDS,
        n_typical=_N_TYPICAL,
        n_outliers=_N_OUTLIERS,
    )
    headings = dict(
        zip(table["cluster"], map(_heading, table["cluster"], table["name"]), strict=True)
    )
    order = list(headings.values())
    if len(order) == 1:
        notes.append(f"All tracks are in one cluster, {order[0]}.")
    if n := len(missing):
        notes.append(f"{n} of {len(tracks)} tracks have no cluster: they are listed below.")
    settings = {name: getattr(extractor, name) for name in ("sample_rate", "offset", "n_jobs")}
    labels = np.where(present, labels.astype(object), -1)
    confounders = check_confounders(tracks, labels, **settings)
    if confounders["is_strong"].any():
        notes += confounders.loc[confounders["is_strong"], "message"].tolist()
        notes.append(
            "So these clusters may follow how the tracks were recorded, or what is known of them, "
            "rather than the music."
        )
    names = np.full(len(tracks), None, dtype=object)
    names[rows] = [headings.get(label, NOISE) for label in labels[rows]]
    return Clustering(Z, present, names, order, table, missing, notes)


def _heading(cluster: Any, name: str) -> str:
    """Return what the page calls a cluster: its number, and its name if that says more."""
    if name == NO_CLUSTER:
        return NOISE
    return f"cluster {cluster}" if name == f"Cluster {cluster}" else f"cluster {cluster}: {name}"


def count(groups: Iterable[Any]) -> dict[str, int]:
    """Return the number of tracks of each group, the largest first, without missing ones."""
    return dict(Counter(group for group in groups if group is not None).most_common())


def summarize_clusters(found, tracks, targets) -> tuple[list[Cluster], list[str]]:
    """Return a description of each cluster, in order, and notes about the lyrics."""
    described = []
    for row in found.table.itertuples():
        name = found.order[row.Index]
        rows = np.flatnonzero(found.names == name)
        composition = {target: count(labels.iloc[rows]) for target, labels in targets.items()}
        lists = row.tags, row.words, row.typical, row.outliers
        described.append(Cluster(name, row.size, composition, *lists))
    reasons = [why_no_lyrics(text) for text in tracks.get("lyrics", ())]
    n = len(reasons) - reasons.count(None)
    # Where none has lyrics, there is nothing to warn of.
    some = 0 < n < len(reasons)
    return described, [f"{n} of {len(tracks)} tracks have no lyrics."] if some else []


def check_targets(y: Any, n_tracks: int) -> dict[str, pd.Series]:
    """Return labels by name: Series of strings, None where a label is missing."""
    targets = {}
    for name, values in ({} if y is None else by_name(y, "label")).items():
        if name == "cluster":
            raise ValueError('The name "cluster" is taken: give the target another name.')
        labels = as_labels(values)
        if len(labels) != n_tracks:
            raise ValueError(
                f"Got {len(labels)} labels of the target {name!r} for {n_tracks} tracks, expected "
                "one for each; None where it isn't known."
            )
        if labels.isna().all():
            raise ValueError(f"All labels of the target {name!r} are missing: leave it out.")
        targets[name] = labels
    return targets


def check_pipeline(pipeline: Any) -> None:
    """Raise if this is no fitted pipeline that ends in a clusterer."""
    expected = "expected a fitted Pipeline of transformers that ends in a clusterer"
    if not isinstance(pipeline, Pipeline):
        raise ValueError(
            f"Got a {type(pipeline).__name__}, {expected}; of a search that is its best_estimator_."
        )
    last = pipeline.steps[-1][1]
    if len(pipeline) < 2 or not (hasattr(last, "predict") or hasattr(last, "fit_predict")):
        raise ValueError(f"Got a Pipeline that is {pipeline!r}, {expected}, such as KMeans.")
    check_is_fitted(pipeline)


def check_table(tracks: Any) -> None:
    """Raise if the tracks are no table, or a column is there twice."""
    if not isinstance(tracks, pd.DataFrame):
        raise ValueError(
            f"Got a {type(tracks).__name__} as the 'tracks' parameter, expected a DataFrame."
        )
    for name in _COLUMNS:
        if (n_columns := tracks.columns.tolist().count(name)) > 1:
            raise ValueError(
                f"Got a table with {n_columns} columns {name!r}, expected one: rename the others."
            )
