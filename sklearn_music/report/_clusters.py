"""What the page says of each cluster."""

from collections import Counter
from typing import NamedTuple

import numpy as np
from sklearn import config_context

from .._tables import as_labels, by_name, is_clustered
from ..features import LyricVectorizer
from ..features.stop_words import BENGALI, ENGLISH

NOISE = "noise"

_N_TYPICAL = 5
_N_OUTLIERS = 3
_N_WORDS = 10


class Cluster(NamedTuple):
    """A cluster; tracks are given by their rows."""

    name: str
    size: int
    composition: dict[str, dict[str, int]]  # for each target, the tracks of each label
    words: list[str]
    typical: list[int]  # the nearest to the centre first
    outliers: list[int]  # the farthest from the centre first


def name_clusters(labels, present):
    """Return the name of each track's cluster, and the names in order, noise last.

    A track that is not present has none.
    """
    found = np.unique(labels[present])
    in_cluster = is_clustered(found)
    names = {label: f"cluster {label}" for label in found[in_cluster].tolist()}
    names |= dict.fromkeys(found[~in_cluster].tolist(), NOISE)
    clusters = [
        names[label] if is_present else None
        for label, is_present in zip(labels.tolist(), present, strict=True)
    ]
    return np.array(clusters, dtype=object), list(dict.fromkeys(names.values()))


def count(groups):
    """Return the number of tracks of each group that is known, the largest first."""
    return dict(Counter(group for group in groups if group is not None).most_common())


def describe_clusters(Z, clusters, order, targets, words):
    """Return a `Cluster` for each name in `order`.

    Parameters
    ----------
    Z : ndarray or sparse matrix of shape (n_tracks, n_components)
        What the clusterer was given.
    clusters : ndarray of shape (n_tracks,)
        The name of each track's cluster, None where it has none.
    order : list of str
        The names.
    targets : dict of str to Series of shape (n_tracks,)
        Labels; missing ones are not counted.
    words : dict of str to list of str
        The words of each cluster.
    """
    described = []
    for name in order:
        rows = np.flatnonzero(clusters == name)
        by_distance = rows[np.argsort(_distances(Z[rows]), kind="stable")]
        typical = by_distance[:_N_TYPICAL]
        outliers = by_distance[len(typical) :][::-1][:_N_OUTLIERS]
        if name == NOISE:  # which has no centre
            typical = outliers = rows[:0]
        composition = {target: count(labels.iloc[rows]) for target, labels in targets.items()}
        described.append(
            Cluster(
                name,
                len(rows),
                composition,
                words.get(name, []),
                typical.tolist(),
                outliers.tolist(),
            )
        )
    return described


def _distances(Z):
    """Return the distance of each row to the mean of the rows."""
    return np.linalg.norm(np.asarray(Z - Z.mean(axis=0)), axis=1)


@config_context(transform_output="default")
def top_words(lyrics, clusters, order):
    """Return the words that set each cluster's lyrics apart from all of them.

    They are those whose mean TF-IDF in the cluster exceeds that in all lyrics the most.

    Parameters
    ----------
    lyrics : Series of shape (n_tracks,)
        The lyrics.
    clusters : ndarray of shape (n_tracks,)
        The name of each track's cluster.
    order : list of str
        The names.

    Returns
    -------
    words : dict of str to list of str
        The words of each cluster, the most telling first.
    n_missing : int
        Number of tracks without lyrics.

    Raises
    ------
    ValueError
        If there is no word in all of the lyrics, or one of them is no text.
    """
    vectorizer = LyricVectorizer(stop_words=[*ENGLISH, *BENGALI])
    weights = vectorizer.fit_transform(lyrics)
    terms = vectorizer.get_feature_names_out()
    has_words = np.diff(weights.indptr) > 0
    mean = _mean(weights[has_words])
    words = {}
    for name in order:
        excess = _mean(weights[has_words & (clusters == name)]) - mean
        best = np.argsort(-excess, kind="stable")[:_N_WORDS]
        words[name] = [str(terms[i]) for i in best if excess[i] > 0]
    return words, vectorizer.n_missing_


def _mean(rows):
    return np.asarray(rows.sum(axis=0)).ravel() / max(1, rows.shape[0])


def check_targets(y, n_tracks):
    """Return labels by name: Series of strings, None where a label is missing."""
    if y is None:
        return {}
    targets = {}
    for name, labels in by_name(y, "label").items():
        if name == "cluster":
            raise ValueError('The name "cluster" is taken: call the target by another.')
        labels = as_labels(labels)
        if len(labels) != n_tracks:
            raise ValueError(
                f"Got {len(labels)} labels of the target {name!r} for {n_tracks} tracks, expected "
                "one for each; None where it isn't known."
            )
        if labels.isna().all():
            raise ValueError(f"All labels of the target {name!r} are missing: leave it out.")
        targets[name] = labels
    return targets
