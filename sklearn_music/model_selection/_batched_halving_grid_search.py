"""A grid search by successive halving that trains its networks together."""

# From where it is usable without scikit-learn's switch for what is experimental.
from sklearn.model_selection._search_successive_halving import HalvingGridSearchCV

from ._batched import BatchedSearch


class BatchedHalvingGridSearchCV(BatchedSearch, HalvingGridSearchCV):
    """Successive halving over a grid, whose networks are trained together.

    All candidates are trained for a few epochs, the best third of them for three times as many,
    and so on [1]_. Use it in place of HalvingGridSearchCV if the estimator is an embedder of this
    library, or has one inside: many small networks train faster together. The scores equal those
    of HalvingGridSearchCV up to rounding in float32, which a long training amplifies (see the
    Notes of `BatchedGridSearchCV`).

    Parameters
    ----------
    estimator : estimator
        An embedder, or what has one inside.
    param_grid : dict of str -> sequence, or list of them
        The values of each parameter.
    factor : number, default=3
        How many times fewer the candidates become from round to round, and greater the resource.
    resource : str, default="n_samples"
        What a round gives more of: rows, or an integer parameter of the estimator, such as
        ``"vae__max_epochs"``.
    max_resources : int or "auto", default="auto"
        The most of the resource that a candidate gets; "auto" is the number of rows, where they
        are the resource.
    min_resources : {"exhaust", "smallest"} or int, default="exhaust"
        How much of it each gets in the first round. "exhaust" lets the last round have
        `max_resources`, or nearly.
    aggressive_elimination : bool, default=False
        Whether to drop candidates in further rounds with the least of the resource, where there
        is too little of it for all rounds.
    cv : int, splitter or iterable, default=5
        The folds, which have to be the same each time. See `NoSplit` for a search over the
        whole set.
    scoring : str or callable, default=None
        How the held-out rows are scored; None is the estimator's own ``score``.
    refit : bool, default=True
        Whether to fit the best candidate on all rows, with as much of the resource as it had.
    error_score : "raise" or number, default=nan
        The score of a fit that fails.
    return_train_score : bool, default=True
        Whether to score the training rows too.
    random_state : int, RandomState instance or None, default=None
        Which rows a round has, where they are the resource.
    n_jobs : int, default=None
        Number of threads for what is not trained together: the steps after the embedder, and
        scoring. The networks are trained by as many threads as ``torch.get_num_threads()``.
    verbose : int, default=0
        Tells from 1 up how many networks are trained together, and why others are not.

    Attributes
    ----------
    cv_results_ : dict of ndarray
        What scikit-learn's search has there. The time of training networks together counts for
        the fit that asks first, so that ``mean_fit_time`` does not compare candidates.
    best_estimator_, best_params_, best_score_, best_index_, scorer_, n_splits_, refit_time_, \
multimetric_, n_resources_, n_candidates_, n_remaining_candidates_, max_resources_, \
min_resources_, n_iterations_, n_possible_iterations_, n_required_iterations_
        As in HalvingGridSearchCV.
    n_features_in_ : int
        Number of features of X in `fit`, where the refitted `best_estimator_` knows it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of these features, where X had names and `best_estimator_` knows them.

    Raises
    ------
    ValueError, TypeError
        As HalvingGridSearchCV does, from `fit`.

    See Also
    --------
    sklearn.model_selection.HalvingGridSearchCV : Fits one network after the other.
    BatchedGridSearchCV : Trains all candidates to the end.
    BatchedHalvingRandomSearchCV : Draws candidates instead.

    Notes
    -----
    scikit-learn calls its own search experimental: it may change from version to version, and
    this one with it. ``enable_halving_search_cv`` is not needed here.

    The networks of a round are trained together. See `BatchedGridSearchCV` for which can be, and
    what it takes. Each round trains its networks anew, as scikit-learn does. Mind that `kl_warmup`
    counts epochs: with fewer of them in a round, beta is not reached there.

    References
    ----------
    .. [1] K. Jamieson and A. Talwalkar, "Non-stochastic best arm identification and
       hyperparameter optimization", AISTATS 2016.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import Pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_music import VAE
    >>> from sklearn_music.model_selection import BatchedHalvingGridSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> pipe = Pipeline(
    ...     [
    ...         ("scale", StandardScaler()),
    ...         ("vae", VAE(2, random_state=0)),
    ...         ("cluster", KMeans(3, n_init=3, random_state=0)),
    ...     ]
    ... )
    >>> search = BatchedHalvingGridSearchCV(
    ...     pipe,
    ...     {"vae__beta": [0.1, 1, 10], "vae__n_components": [1, 2]},
    ...     resource="vae__max_epochs",
    ...     max_resources=9,
    ...     scoring="adjusted_rand_score",
    ...     cv=3,
    ... )
    >>> search.fit(X, y).n_resources_, search.n_candidates_
    ([3, 9], [6, 2])
    """
