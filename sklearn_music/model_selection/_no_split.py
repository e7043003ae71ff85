"""A search over the whole set."""

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils.validation import _num_samples


class NoSplit(BaseCrossValidator):
    """One fold, of all rows: fitted on them, and scored on the same ones.

    For ``cv=`` of a search where all tracks are to be clustered and none are to come. What
    is lost are the held-out rows: a model that learnt the rows by heart is scored by the
    same rows. That matters little to a silhouette or a stability, and much to a likelihood:
    search by `elbo_scorer` with ``cv=5``, say.

    See Also
    --------
    sklearn_music.metrics.stability_score : Needs no held-out rows.
    sklearn_music.metrics.silhouette_scorer : Needs no labels.

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

    def get_n_splits(self, X=None, y=None, groups=None):
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

    def split(self, X, y=None, groups=None):
        """Yield all rows, for training and for testing.

        Parameters
        ----------
        X : array-like of length n_samples
            The rows.
        y, groups : object
            Ignored.

        Yields
        ------
        train, test : ndarray of shape (n_samples,)
            The numbers of all rows, twice.
        """
        rows = np.arange(_num_samples(X))
        yield rows, rows.copy()
