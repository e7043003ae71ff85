"""Scores of a clustering against labels."""

import warnings

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    normalized_mutual_info_score,
)
from sklearn.metrics._scorer import _Scorer
from sklearn.metrics.cluster import contingency_matrix
from sklearn.utils.validation import check_consistent_length, column_or_1d

from ..exceptions import LabelLeakageWarning, warn_of_leakage
from ._parts import fitted_with_labels, parts


def purity_score(labels_true, labels_pred):
    """Return the share of tracks that have their cluster's most frequent label.

    It can only rise with the number of clusters, up to 1 where every track has a
    cluster of its own, so read it beside a score that is adjusted for chance.

    Parameters
    ----------
    labels_true : array-like of shape (n_samples,)
        The labels: strings or integers.
    labels_pred : array-like of shape (n_samples,)
        The clusters. Noise (-1, of DBSCAN) counts as one cluster.

    Returns
    -------
    purity : float
        In (0, 1]; 1 is best.

    Raises
    ------
    ValueError
        If there are no labels, some are missing, or the lengths differ.

    See Also
    --------
    sklearn.metrics.adjusted_rand_score : Agreement adjusted for chance.

    References
    ----------
    C. D. Manning, P. Raghavan and H. Schütze, "Introduction to Information
    Retrieval", 2008, section 16.3.

    Examples
    --------
    >>> from sklearn_music.metrics import purity_score
    >>> purity_score(["rock", "rock", "folk", "folk"], [0, 0, 0, 1])
    0.75
    """
    table = _contingency(labels_true, labels_pred)
    return float(table.max(axis=0).sum() / table.sum())


def clustering_accuracy_score(labels_true, labels_pred):
    """Return the share of tracks in the right cluster, clusters and labels matched one to one.

    Each cluster is matched to at most one label, and each label to at most one cluster, so
    that most tracks are right (the Hungarian method). Unlike the purity, it does not rise
    with the number of clusters by itself.

    Parameters
    ----------
    labels_true : array-like of shape (n_samples,)
        The labels: strings or integers.
    labels_pred : array-like of shape (n_samples,)
        The clusters. Noise (-1, of DBSCAN) counts as one cluster.

    Returns
    -------
    accuracy : float
        In (0, 1]; 1 is best. It is not adjusted for chance.

    Raises
    ------
    ValueError
        If there are no labels, some are missing, or the lengths differ.

    See Also
    --------
    purity_score : Several clusters may share a label.

    References
    ----------
    J. Xie, R. Girshick and A. Farhadi, "Unsupervised Deep Embedding for Clustering
    Analysis", 2016, equation 10.

    Examples
    --------
    >>> from sklearn_music.metrics import clustering_accuracy_score
    >>> clustering_accuracy_score(["rock", "rock", "folk", "folk"], [1, 1, 0, 2])
    0.75
    """
    table = _contingency(labels_true, labels_pred)
    return float(table[linear_sum_assignment(table, maximize=True)].sum() / table.sum())


def _contingency(labels_true, labels_pred):
    """Return the number of tracks of each label in each cluster."""
    labels_true, labels_pred = column_or_1d(labels_true), column_or_1d(labels_pred)
    check_consistent_length(labels_true, labels_pred)
    if len(labels_true) == 0:
        raise ValueError("Got no labels, expected at least one.")
    check_no_label_is_missing(labels_true)
    return contingency_matrix(labels_true, labels_pred)


def check_no_label_is_missing(labels):
    """Raise where a label is None, NaN or NA."""
    n_missing = int(np.sum(pd.isna(np.asarray(labels, dtype=object))))
    if n_missing:
        raise ValueError(
            f"{n_missing} of {len(labels)} labels are missing: drop those tracks, since whether "
            "their clusters are right can't be told."
        )


def check_predicts(estimator):
    """Raise where an estimator can't tell the clusters of rows it may not know."""
    if not hasattr(estimator, "predict"):
        last = estimator[-1] if hasattr(estimator, "__getitem__") else estimator
        raise AttributeError(
            f"{type(last).__name__} has no predict, so it cannot tell the clusters of held-out "
            "tracks. Use a clusterer that has (KMeans, GaussianMixture, ...), or score its "
            "labels_ with purity_score and scikit-learn's metrics."
        )


class _ClusteringScorer(_Scorer):
    """A scorer of the clusters that a fitted estimator predicts for tracks it may not know."""

    def _score(self, method_caller, estimator, X, y_true=None, **kwargs):
        if y_true is None:
            raise ValueError(
                "This scorer compares clusters with labels, but got y=None: pass the labels as y "
                "(they don't enter the training), or use a score without labels."
            )
        check_predicts(estimator)
        check_no_label_is_missing(y_true)
        for part, rows in parts(estimator, lambda: X):
            if getattr(part, "encode_condition", False):
                # Of the tracks at hand, and of those of the fit, if it was given labels.
                told = part._leakage(rows(), y_true), getattr(part, "condition_leakage_", None)
                warn_of_leakage(max((value for value in told if value), default=None))
        if names := fitted_with_labels(estimator):
            warnings.warn(
                f"{', '.join(names)} can't be fitted without labels: where they are those that the "
                "clusters are scored against, the scores are not those of an unsupervised model.",
                LabelLeakageWarning,
                stacklevel=3,
            )
        return super()._score(method_caller, estimator, X, y_true, **kwargs)

    def __call__(self, estimator, X, y_true=None, sample_weight=None, **kwargs):
        return super().__call__(estimator, X, y_true, sample_weight=sample_weight, **kwargs)


CLUSTERING_SCORES = {
    "purity": purity_score,
    "nmi": normalized_mutual_info_score,
    "ami": adjusted_mutual_info_score,
    "ari": adjusted_rand_score,
}

#: Scorers for ``scoring=`` of a search or of `cross_validate`: purity, normalised and
#: adjusted mutual information, adjusted Rand index. Each asks the fitted pipeline for the
#: clusters of the held-out tracks, and so needs a clusterer with `predict`, and labels y without
#: a missing one. They warn where a `BetaCVAE` encodes what tells y, and where a step is fitted with
#: labels; `compare_embeddings` looks for columns that tell them, too.
CLUSTERING_SCORERS = {
    # A search asks for the method first, with an error of its own where there is none; every
    # estimator has `fit`, which is never called: `_score` has refused it by then.
    name: _ClusteringScorer(score, 1, {}, ("predict", "fit"))
    for name, score in CLUSTERING_SCORES.items()
}
