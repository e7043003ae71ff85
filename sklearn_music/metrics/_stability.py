"""Stability: whether a clustering comes out again."""

from itertools import combinations
from numbers import Integral, Real
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.metrics import adjusted_rand_score
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, validate_parameter_constraints
from sklearn.utils.validation import _num_samples

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
