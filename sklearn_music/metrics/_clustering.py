"""Scores of a clustering against labels."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from sklearn.base import clone
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    normalized_mutual_info_score,
)
from sklearn.metrics._scorer import _Scorer
from sklearn.metrics.cluster import contingency_matrix
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples, check_consistent_length, column_or_1d

from .._docstrings import shared
from .._inspection import find_embedders, fitted_with_labels, warn_of_leakage
from .._tables import drop_unlabelled
from ..exceptions import LabelLeakageWarning
from ._docstrings import TEXTS

# Rounding may move a few samples, where a transformer's `transform` is not its `fit_transform`.
_SAME = 0.9


@shared(TEXTS)
def purity_score(labels_true: Any, labels_pred: Any) -> float:
    """Return the share of tracks that have their cluster's most frequent label.

    It can only rise with the number of clusters, up to 1 if every track has a cluster of its
    own. Read it together with a score that is adjusted for chance, such as
    :func:`sklearn.metrics.adjusted_rand_score`.

    Parameters
    ----------
    {labels}

    Returns
    -------
    purity : float
        In (0, 1]; 1 is best.

    Raises
    ------
    {labels_raises}

    References
    ----------
    C. D. Manning et al., "Introduction to Information Retrieval", 2008, section 16.3.

    Examples
    --------
    >>> from sklearn_music.metrics import purity_score
    >>> purity_score(["rock", "rock", "folk", "folk"], [0, 0, 0, 1])
    0.75
    """
    table = _contingency(labels_true, labels_pred)
    return float(table.max(axis=0).sum() / table.sum())


@shared(TEXTS)
def clustering_accuracy_score(labels_true: Any, labels_pred: Any) -> float:
    """Return the share of tracks in the right cluster, clusters and labels matched one to one.

    Each cluster is matched to at most one label, and each label to at most one cluster, so
    that most tracks are right (the Hungarian method). Unlike `purity_score`, which lets clusters
    share a label, it does not automatically rise with the number of clusters.

    Parameters
    ----------
    {labels}

    Returns
    -------
    accuracy : float
        In (0, 1]; 1 is best. It is not adjusted for chance.

    Raises
    ------
    {labels_raises}

    References
    ----------
    J. Xie et al., "Unsupervised Deep Embedding for Clustering Analysis", 2016, equation 10.

    Examples
    --------
    >>> from sklearn_music.metrics import clustering_accuracy_score
    >>> clustering_accuracy_score(["rock", "rock", "folk", "folk"], [1, 1, 0, 2])
    0.75
    """
    table = _contingency(labels_true, labels_pred).astype(np.float64)
    n_labels, n_clusters = table.shape
    # The graph is sparse: a dense table of many labels and clusters does not fit into memory. Each
    # of them may be matched to a dummy; the dummies of two that are matched are matched, too. Every
    # edge gets 1 more, since scipy drops edges of 0: all matchings have as many edges.
    table.data += 1
    links = table.astype(bool).astype(np.float64).T
    graph = sparse.block_array(
        [[table, sparse.eye_array(n_labels)], [sparse.eye_array(n_clusters), links]], format="csr"
    )
    matched = graph[min_weight_full_bipartite_matching(graph, maximize=True)].sum()
    return float((matched - n_labels - n_clusters) / len(labels_true))


def _contingency(labels_true: Any, labels_pred: Any) -> Any:
    """Return the number of tracks of each label in each cluster, a sparse matrix."""
    # As objects: in a list of strings, numpy would turn a missing one into the string "nan".
    labels_true = column_or_1d(np.asarray(labels_true, dtype=object))
    labels_pred = column_or_1d(labels_pred)
    check_consistent_length(labels_true, labels_pred)
    if len(labels_true) == 0:
        raise ValueError("Got no labels, expected at least one.")
    n_missing = int(np.sum(pd.isna(labels_true)))
    if n_missing:
        raise ValueError(
            f"{n_missing} of {len(labels_true)} labels are missing, so their clusters can't be "
            "scored: drop those tracks."
        )
    return contingency_matrix(labels_true, labels_pred, sparse=True)


def predict_clusters(estimator: Any, X: Any) -> NDArray[Any]:
    """Return the clusters of samples by a fitted estimator, with `predict` or without.

    Without `predict`, they have to be the samples that it was fitted to.
    """
    if hasattr(estimator, "predict"):
        return np.asarray(estimator.predict(X))
    last, Z = estimator, X
    if isinstance(estimator, Pipeline):
        last = estimator[-1]
        Z = estimator[:-1].transform(X) if len(estimator) > 1 else X
    labels = np.asarray(getattr(last, "labels_", ()))
    # Two halves of a collection are equally long: only its own samples give the same clusters
    # again.
    if len(labels) == _num_samples(Z):
        again = clone(last).fit_predict(Z)
        if adjusted_rand_score(labels, again) > _SAME:
            return labels
    raise AttributeError(
        f"{type(last).__name__} has no predict, so it has clusters only for the samples that it "
        "was fitted to, and these are others (or random_state=None makes its clusters differ each "
        "time). Search with cv=NoSplit(), or use a clusterer that has predict (KMeans, "
        "GaussianMixture, ...)."
    )


class _ClusteringScorer(_Scorer):
    """A scorer of the clusters that a fitted estimator predicts, with warnings of leakage."""

    def _score(self, method_caller, estimator, X, y_true=None, **kwargs):
        if y_true is None:
            raise ValueError(
                "This scorer compares clusters with labels, but got y=None: pass the labels as y "
                "(they don't enter the training), or use a score without labels."
            )
        own = None if hasattr(estimator, "predict") else predict_clusters(estimator, X)
        labels, known = drop_unlabelled(y_true)
        for part in find_embedders(estimator):
            if getattr(part.estimator, "encode_condition", False):
                inputs = _safe_indexing(part.get_input(X), known)
                # Of these tracks, and of those of the fit, if it was given labels.
                leakages = (
                    part.estimator.label_leakage(inputs, pd.factorize(labels)[0]),
                    part.estimator.condition_leakage_,
                )
                warn_of_leakage(max(filter(None, leakages), default=None))
        if names := fitted_with_labels(estimator):
            warnings.warn(
                f"{', '.join(names)} can't be fitted without labels. If those are the labels that "
                "the clusters are scored against, the scores are not those of an unsupervised "
                "model.",
                LabelLeakageWarning,
                stacklevel=3,
            )

        def known_clusters(*args, **kwargs):
            # scikit-learn keeps the clusters of all tracks for the other scorers.
            clusters = method_caller(*args, **kwargs) if own is None else own
            return np.asarray(clusters)[known]

        return super()._score(known_clusters, estimator, X, labels, **kwargs)

    def __call__(self, estimator, X, y_true=None, sample_weight=None, **kwargs):
        return super().__call__(estimator, X, y_true, sample_weight=sample_weight, **kwargs)


class ClusteringScore(NamedTuple):
    """A score of clusters against labels, and its heading in tables."""

    heading: str
    function: Callable[[Any, Any], float]


# The scorers, the comparison, the report and the docs take the scores from here.
CLUSTERING_SCORES = {
    "purity": ClusteringScore("purity", purity_score),
    "nmi": ClusteringScore("NMI", normalized_mutual_info_score),
    "ami": ClusteringScore("AMI", adjusted_mutual_info_score),
    "ari": ClusteringScore("ARI", adjusted_rand_score),
}

#: Scorers for ``scoring=`` of a search or of `cross_validate`, by name. Each takes the clusters
#: that the fitted pipeline predicts for the held-out tracks. A clusterer without `predict` (such as
#: HDBSCAN) can be scored with ``cv=NoSplit()``, on the tracks that it was fitted to.
#: Tracks whose label is missing (None, NaN) are left out of the score, not of the training: count
#: them by ``y.isna().sum()``. A fold in which all labels are missing is an error, which a search
#: turns into a score of NaN (its ``error_score``). Tracks with the label -1 (noise, or missing)
#: count as one cluster. The scorers warn of label leakage if the encoder of a `BetaCVAE` is
#: conditioned on what predicts y, or if a step is fitted with labels. `compare_embeddings` finds
#: more of it.
CLUSTERING_SCORERS: dict[str, Any] = {
    # A search asks for the method first, with an error of its own if there is none; every
    # estimator has `fit`, which is never called: `_score` takes the clusters itself by then.
    name: _ClusteringScorer(score.function, 1, {}, ("predict", "fit"))
    for name, score in CLUSTERING_SCORES.items()
}
