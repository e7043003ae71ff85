"""The clusters of the tracks, and what the page says about each."""

import warnings
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import config_context

from .._inspection import embed_and_cluster, find_failures
from .._tables import as_labels, as_numbers, by_name, is_clustered, is_finite, is_present
from ..features import LyricVectorizer
from ..features.stop_words import BENGALI, ENGLISH
from ..metrics import check_confounders

NOISE = "noise"

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
    missing: dict[int, str]  # why a track has no cluster, by row
    notes: list[str]


class Cluster(NamedTuple):
    """One cluster. Tracks are given by their rows."""

    name: str
    size: int
    composition: dict[str, dict[str, int]]  # for each target, the number of tracks by label
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
    found = np.unique(labels[present])
    in_cluster = is_clustered(found)
    names = {label: f"cluster {label}" for label in found[in_cluster].tolist()}
    names |= dict.fromkeys(found[~in_cluster].tolist(), NOISE)
    order = list(dict.fromkeys(names.values()))
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
    by_row = [names[label] if known else None for label, known in zip(labels, present, strict=True)]
    return Clustering(Z, present, np.array(by_row, dtype=object), order, missing, notes)


def count(groups: Iterable[Any]) -> dict[str, int]:
    """Return the number of tracks of each group, the largest first, without missing ones."""
    return dict(Counter(group for group in groups if group is not None).most_common())


def describe_clusters(found, tracks, targets) -> tuple[list[Cluster], list[str]]:
    """Return a description of each cluster, in order, and notes about the lyrics."""
    words, notes = _find_words(found, tracks)
    described = []
    for name in found.order:
        rows = np.flatnonzero(found.names == name)
        Z = found.Z[rows]
        distances = np.linalg.norm(np.asarray(Z - Z.mean(axis=0)), axis=1)
        by_distance = rows[np.argsort(distances, kind="stable")].tolist()
        typical = by_distance[:_N_TYPICAL]
        outliers = by_distance[len(typical) :][::-1][:_N_OUTLIERS]
        if name == NOISE:  # it has no centre
            typical = outliers = []
        composition = {target: count(labels.iloc[rows]) for target, labels in targets.items()}
        texts = words.get(name, [])
        described.append(Cluster(name, len(rows), composition, texts, typical, outliers))
    return described, notes


@config_context(transform_output="default")
def _find_words(found, tracks):
    """Return the words of each cluster, and notes about the lyrics.

    They are the words whose mean TF-IDF in the cluster exceeds that in all lyrics the most.
    """
    if "lyrics" not in tracks:
        return {}, []
    vectorizer = LyricVectorizer(stop_words=[*ENGLISH, *BENGALI])
    try:
        weights = vectorizer.fit_transform(tracks["lyrics"])
    except ValueError as error:
        return {}, [f"No words are shown: {error}"]
    terms = vectorizer.get_feature_names_out()
    has_words = np.diff(weights.indptr) > 0
    mean = _mean(weights[has_words])
    words = {}
    for name in found.order:
        excess = _mean(weights[has_words & (found.names == name)]) - mean
        best = np.argsort(-excess, kind="stable")[:_N_WORDS]
        words[name] = [str(terms[i]) for i in best if excess[i] > 0]
    n = vectorizer.n_missing_
    return words, [f"{n} of {len(tracks)} tracks have no lyrics."] if n else []


def _mean(weights):
    return np.asarray(weights.sum(axis=0)).ravel() / max(1, weights.shape[0])


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
