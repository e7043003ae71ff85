"""Stability: whether a clustering, and each of its clusters, comes out again."""

from itertools import combinations
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score
from sklearn.utils import _safe_indexing, check_random_state, column_or_1d
from sklearn.utils._param_validation import HasMethods, Interval, validate_parameter_constraints
from sklearn.utils.validation import _num_samples, check_consistent_length

from .._docstrings import shared
from .._inspection import with_seed
from .._tables import is_clustered
from ._docstrings import TEXTS

_CONSTRAINTS = {
    "estimator": [HasMethods(["fit_predict"])],
    "n_seeds": [Interval(Integral, 2, None, closed="left")],
    "subsample": [Interval(Real, 0.5, 1, closed="right")],
    "random_state": ["random_state"],
    "n_jobs": [Integral, None],
}


@shared(TEXTS)
def stability_score(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    n_seeds: int = 10,
    subsample: float = 0.8,
    random_state: int | np.random.RandomState | None = 0,
    n_jobs: int | None = None,
) -> float:
    """Return how far clusterings with other seeds, of other parts of the tracks, agree.

    Copies of the estimator are fitted with different seeds to random parts of the samples. Each
    two clusterings are compared on the samples that they share. As ``scoring=`` of a search
    without labels, use it with ``cv=`` :class:`~sklearn_music.model_selection.NoSplit`.

    Parameters
    ----------
    estimator : clusterer
        A clusterer or a pipeline that ends in one. It is copied, and not fitted itself.
    {samples}
    {n_seeds}
    subsample : float, default=0.8
        Share of the samples in each fit, above .5; 1 leaves only the seeds to differ.
    {random_state}
    {n_jobs}

    Returns
    -------
    stability : float
        The mean adjusted Rand index of all pairs: 1 if all agree, about 0 by chance. Samples that
        are in no cluster of any fit (missing or noise) are left out; 0 if that leaves none.

    Raises
    ------
    ValueError
        If X is so small that two parts may share fewer than two samples.

    Notes
    -----
    {stability_notes}

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn_music.metrics import stability_score
    >>> X, _ = make_blobs(60, centers=3, cluster_std=0.5, random_state=0)
    >>> [round(stability_score(KMeans(k), X), 1) for k in (3, 6)]
    [1.0, 0.5]
    """
    validate_parameter_constraints(_CONSTRAINTS, locals(), caller_name="stability_score")
    fits = _draw_parts(_num_samples(X), subsample, n_seeds, check_random_state(random_state))
    clusterings = Parallel(n_jobs=n_jobs)(delayed(_cluster)(estimator, X, *fit) for fit in fits)
    return _mean_agreement([rows for rows, _ in fits], clusterings, _num_samples(X))


@shared(TEXTS)
def cluster_stability_scores(
    estimator: Any,
    X: Any,
    clusters: Any,
    *,
    n_seeds: int = 10,
    subsample: float = 0.8,
    random_state: int | np.random.RandomState | None = 0,
    n_jobs: int | None = None,
) -> pd.Series:
    """Return how far each cluster comes out again with other seeds, of other parts of the tracks.

    Copies of the estimator are fitted with different seeds to random parts of the samples. In each,
    a cluster is compared with the one that it has most in common with.

    Parameters
    ----------
    estimator : clusterer
        A clusterer or a pipeline that ends in one. It is copied, and not fitted itself.
    X : array-like or DataFrame of length n_samples
        The samples.
    clusters : array-like of shape (n_samples,)
        The cluster of each sample, that the fitted estimator has found. Samples with a negative
        number are in none.
    {n_seeds}
    subsample : float, default=0.8
        Share of the samples in each fit, above .5; 1 leaves only the seeds to differ.
    {random_state}
    {n_jobs}

    Returns
    -------
    stabilities : Series
        By cluster, the mean over the fits of the largest Jaccard index with a cluster of the fit:
        the samples that both have, over those that either has, among the samples of the fit. 1 is a
        cluster that always comes out again.

    Raises
    ------
    ValueError
        If X is so small that two parts may share fewer than two samples.

    See Also
    --------
    stability_score : One number for the clustering as a whole.

    Notes
    -----
    By Hennig [1]_ and the manual of his R package fpc, a cluster is stable from 0.75 on. From 0.6
    on, it shows a pattern, but which samples belong to it is doubtful. Below, it should not be
    trusted. He draws bootstrap samples; here, parts without replacement are drawn, so that no
    sample is there twice.

    References
    ----------
    .. [1] C. Hennig, "Cluster-wise assessment of cluster stability",
       Computational Statistics & Data Analysis 52, 2007.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn_music.metrics import cluster_stability_scores
    >>> X, _ = make_blobs(60, centers=[[0, 0], [20, 0]], random_state=0)
    >>> kmeans = KMeans(3, random_state=0)  # cuts one of the two in halves
    >>> cluster_stability_scores(kmeans, X, kmeans.fit_predict(X)).round(1).sort_values().tolist()
    [0.5, 0.7, 0.8]
    """
    constraints = _CONSTRAINTS | {"clusters": ["array-like"]}
    validate_parameter_constraints(constraints, locals(), caller_name="cluster_stability_scores")
    clusters = column_or_1d(np.asarray(clusters))
    check_consistent_length(X, clusters)
    fits = _draw_parts(_num_samples(X), subsample, n_seeds, check_random_state(random_state))
    found = Parallel(n_jobs=n_jobs)(delayed(_cluster)(estimator, X, *fit) for fit in fits)
    names = np.unique(clusters[is_clustered(clusters)])
    best = [
        [_best_match(clusters[rows] == name, other) for name in names]
        for (rows, _), other in zip(fits, found, strict=True)
    ]
    return pd.DataFrame(best, columns=names, dtype=float).mean().rename("stability")


def _best_match(inside: NDArray[np.bool_], clusters: Any) -> float:
    """Return the largest Jaccard index of a cluster with one of others; NaN if it is not there."""
    if not inside.any():
        return np.nan
    clusters = np.asarray(clusters)
    others = (clusters == name for name in np.unique(clusters[is_clustered(clusters)]))
    return max(((inside & other).sum() / (inside | other).sum() for other in others), default=0.0)


def _draw_parts(n_samples, subsample, n_seeds, rng):
    """Return the samples and the seed of each fit."""
    size = round(subsample * n_samples)
    if 2 * size - n_samples < 2:
        raise ValueError(
            f"Got {n_samples} samples and subsample={subsample}, so that two parts of {size} "
            "may not share two samples to compare them by: raise subsample, or pass more samples."
        )
    return [
        (np.sort(rng.permutation(n_samples)[:size]), int(rng.randint(np.iinfo(np.int32).max)))
        for _ in range(n_seeds)
    ]


def _cluster(estimator, X, rows, seed):
    return with_seed(estimator, seed).fit_predict(_safe_indexing(X, rows))


def _mean_agreement(parts, clusterings, n_samples):
    # A missing sample has the same negative label each time, which is no agreement.
    in_cluster = np.zeros(n_samples, dtype=bool)
    for rows, clusters in zip(parts, clusterings, strict=True):
        in_cluster[rows[is_clustered(clusters)]] = True
    agreements = []
    for (i, rows), (j, others) in combinations(enumerate(parts), 2):
        common, here, there = np.intersect1d(rows, others, assume_unique=True, return_indices=True)
        here, there = here[in_cluster[common]], there[in_cluster[common]]
        if len(here):
            agreements.append(adjusted_rand_score(clusterings[i][here], clusterings[j][there]))
    return float(np.mean(agreements)) if agreements else 0.0
