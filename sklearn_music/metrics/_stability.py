"""Whether a clustering comes out again."""

from itertools import combinations
from numbers import Integral, Real

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, validate_params
from sklearn.utils.validation import _num_samples

from .._inspection import with_seed
from .._tables import is_clustered


@validate_params(
    {
        "estimator": [HasMethods(["fit_predict"])],
        "n_seeds": [Interval(Integral, 2, None, closed="left")],
        "subsample": [Interval(Real, 0.5, 1, closed="right")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=True,
)
def stability_score(
    estimator, X, y=None, *, n_seeds=10, subsample=0.8, random_state=0, n_jobs=None
):
    """Return how far clusterings agree that differ by seed and by part of the tracks.

    The estimator is fitted several times, each time with another seed to another random
    part of the rows. Each two of the clusterings are compared on the rows that they share.

    It can be passed as ``scoring=`` of a search, without labels: it then fits copies of
    the candidate to the rows that are scored, so that ``cv=NoSplit()`` suits it.
    ``functools.partial(stability_score, n_seeds=5)`` is a scorer with other options.

    Parameters
    ----------
    estimator : clusterer
        A clusterer or a pipeline that ends in one. It is copied, and not fitted itself.
    X : array-like or DataFrame of length n_samples
        The rows.
    y : None
        Ignored.
    n_seeds : int, default=10
        Number of fits.
    subsample : float, default=0.8
        The share of the rows that each is fitted to, above .5 so that each two share
        some; 1 leaves only the seeds to differ.
    random_state : int, RandomState instance or None, default=0
        Determines the seeds and the parts.
    n_jobs : int, default=None
        Number of fits at a time. The score doesn't depend on it.

    Returns
    -------
    stability : float
        The mean adjusted Rand index of all pairs: 1 where all agree, 0 where they agree by
        chance only. Samples that no fit puts into a cluster (a negative label: missing
        samples, or noise) are left out; 0 if that leaves none.

    Raises
    ------
    ValueError
        If parts of X are so small that two of them may not share two rows.

    See Also
    --------
    sklearn_music.model_selection.NoSplit : A search over the whole set.

    Notes
    -----
    The scheme is that of Ben-Hur et al. [1]_, with the adjusted Rand index for its
    similarity; see [2]_ for what it can tell. A single cluster is perfectly stable, so
    search for the number of clusters from 2 up, and read it beside another score: a
    stable clustering need not be a good one.

    References
    ----------
    .. [1] A. Ben-Hur, A. Elisseeff and I. Guyon, "A stability based method for discovering
       structure in clustered data", Pacific Symposium on Biocomputing, 2002.
    .. [2] U. von Luxburg, "Clustering Stability: An Overview", Foundations and Trends in
       Machine Learning 2(3), 2010.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn_music.metrics import stability_score
    >>> X, _ = make_blobs(60, centers=3, cluster_std=0.5, random_state=0)
    >>> [round(stability_score(KMeans(k), X), 1) for k in (3, 6)]
    [1.0, 0.5]
    """
    n_samples = _num_samples(X)
    size = round(subsample * n_samples)
    if 2 * size - n_samples < 2:
        raise ValueError(
            f"Got {n_samples} rows and subsample={subsample}, so that two parts of {size} rows may "
            "not share two rows to compare them by: raise subsample, or pass more rows."
        )
    rng = check_random_state(random_state)
    fits = [
        (np.sort(rng.permutation(n_samples)[:size]), int(rng.randint(np.iinfo(np.int32).max)))
        for _ in range(n_seeds)
    ]
    clusterings = Parallel(n_jobs=n_jobs)(
        delayed(_clusters)(estimator, X, rows, seed) for rows, seed in fits
    )
    # What is missing has the same negative label each time, which is no agreement.
    in_cluster = np.zeros(n_samples, dtype=bool)
    for (rows, _), clusters in zip(fits, clusterings, strict=True):
        in_cluster[rows[is_clustered(clusters)]] = True
    agreements = []
    for (i, (rows, _)), (j, (others, _)) in combinations(enumerate(fits), 2):
        shared, here, there = np.intersect1d(rows, others, assume_unique=True, return_indices=True)
        here, there = here[in_cluster[shared]], there[in_cluster[shared]]
        if len(here):
            agreements.append(adjusted_rand_score(clusterings[i][here], clusterings[j][there]))
    return float(np.mean(agreements)) if agreements else 0.0


def _clusters(estimator, X, rows, seed):
    return with_seed(clone(estimator), seed).fit_predict(_safe_indexing(X, rows))
