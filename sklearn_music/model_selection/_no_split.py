"""A search over the whole set."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils.validation import _num_samples


class NoSplit(BaseCrossValidator):
    """Splitter with one fold: a search fits on all samples, and scores the same ones.

    Use it as ``cv=`` of a search where all tracks are to be clustered and none are to come.
    Without held-out samples, a model that learnt the samples by heart is scored by the same
    samples. That matters little to a silhouette or a stability, and much to a likelihood: with
    `elbo_scorer`, search with ``cv=5``, for example. Clusterers without `predict`, such as HDBSCAN,
    can be scored in no other way.

    See Also
    --------
    sklearn_music.metrics.stability_score : Needs no held-out samples.
    sklearn_music.metrics.silhouette_scorer : Needs no labels.
    choose_n_clusters : Chooses the number of clusters.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_music.metrics import silhouette_scorer
    >>> from sklearn_music.model_selection import NoSplit
    >>> X, _ = make_blobs(60, centers=3, cluster_std=0.5, random_state=0)
    >>> search = GridSearchCV(
    ...     KMeans(random_state=0),
    ...     {"n_clusters": [2, 3, 4]},
    ...     scoring=silhouette_scorer(),
    ...     cv=NoSplit(),
    ... )
    >>> search.fit(X).best_params_
    {'n_clusters': 3}
    """

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds: 1.

        Parameters
        ----------
        X, y, groups : object
            Ignored.

        Returns
        -------
        n_splits : int
            1.
        """
        return 1

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Yield all samples, for training and for testing.

        Parameters
        ----------
        X : array-like of length n_samples
            The samples.
        y, groups : object
            Ignored.

        Yields
        ------
        train, test : ndarray of shape (n_samples,)
            The numbers of all samples, twice.
        """
        samples = np.arange(_num_samples(X))
        yield samples, samples.copy()
