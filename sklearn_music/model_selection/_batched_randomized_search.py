"""A randomized search that trains its networks together."""

from sklearn.model_selection import RandomizedSearchCV

from ._batched import BatchedSearch


class BatchedRandomizedSearchCV(BatchedSearch, RandomizedSearchCV):
    """Randomized search whose networks are trained together.

    Use it in place of RandomizedSearchCV if the estimator is an embedder of this library, or has
    one inside (a Pipeline, ColumnTransformer or FeatureUnion): many small networks train faster
    together. The scores equal those of RandomizedSearchCV up to rounding in float32, which a long
    training amplifies (see the Notes of `BatchedGridSearchCV`).

    Parameters
    ----------
    estimator : estimator
        An embedder, or what has one inside.
    param_distributions : dict of str -> sequence or distribution, or list of them
        What each parameter is drawn from.
    n_iter : int, default=10
        Number of candidates.
    scoring : str, callable, list, tuple or dict, default=None
        How the held-out rows are scored; None is the estimator's own ``score``. Several scores
        are a list or dict.
    n_jobs : int, default=None
        Number of threads for what is not trained together: the steps after the embedder, and
        scoring. The networks are trained by as many threads as ``torch.get_num_threads()``.
    refit : bool, str or callable, default=True
        Whether to fit the best candidate on all rows. With several scores, by which of them.
    cv : int, splitter or iterable, default=None
        The folds; None is five. See `NoSplit` for a search over the whole set.
    verbose : int, default=0
        Tells from 1 up how many networks are trained together, and why others are not.
    pre_dispatch : int or str, default="2*n_jobs"
        How many fits are handed out in advance.
    random_state : int, RandomState instance or None, default=None
        What the candidates are drawn by.
    error_score : "raise" or number, default=nan
        The score of a fit that fails.
    return_train_score : bool, default=False
        Whether to score the training rows too.

    Attributes
    ----------
    cv_results_ : dict of ndarray
        What RandomizedSearchCV has there. The time of training networks together counts for the
        fit that asks first, so that ``mean_fit_time`` does not compare candidates.
    best_estimator_, best_params_, best_score_, best_index_, scorer_, n_splits_, refit_time_, \
multimetric_
        As in RandomizedSearchCV.
    n_features_in_ : int
        Number of features of X in `fit`, where the refitted `best_estimator_` knows it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of these features, where X had names and `best_estimator_` knows them.

    Raises
    ------
    ValueError, TypeError
        As RandomizedSearchCV does, from `fit`.

    See Also
    --------
    sklearn.model_selection.RandomizedSearchCV : Fits one network after the other.
    BatchedGridSearchCV : Tries all candidates of a grid.

    Notes
    -----
    See `BatchedGridSearchCV` for what is trained together, and what it takes.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import Pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_music import VAE
    >>> from sklearn_music.model_selection import BatchedRandomizedSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> pipe = Pipeline(
    ...     [
    ...         ("scale", StandardScaler()),
    ...         ("vae", VAE(2, max_epochs=10, random_state=0)),
    ...         ("cluster", KMeans(3, n_init=3, random_state=0)),
    ...     ]
    ... )
    >>> search = BatchedRandomizedSearchCV(
    ...     pipe,
    ...     {"vae__beta": loguniform(0.01, 10), "vae__lr": loguniform(1e-4, 1e-2)},
    ...     n_iter=4,
    ...     scoring="adjusted_rand_score",
    ...     cv=3,
    ...     random_state=0,
    ... )
    >>> sorted(search.fit(X, y).best_params_)
    ['vae__beta', 'vae__lr']
    """
