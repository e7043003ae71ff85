"""A grid search that trains its networks together."""

from sklearn.model_selection import GridSearchCV

from ._batched import BatchedSearch


class BatchedGridSearchCV(BatchedSearch, GridSearchCV):
    """Grid search whose networks are trained together.

    Use it in place of GridSearchCV if the estimator is an embedder of this library, or has one
    inside (a Pipeline, ColumnTransformer or FeatureUnion): many small networks train faster
    together. The scores equal those of GridSearchCV up to rounding in float32, which a long
    training amplifies (see Notes).

    Parameters
    ----------
    estimator : estimator
        An embedder, or what has one inside.
    param_grid : dict of str -> sequence, or list of them
        The values of each parameter.
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
    error_score : "raise" or number, default=nan
        The score of a fit that fails.
    return_train_score : bool, default=False
        Whether to score the training rows too.

    Attributes
    ----------
    cv_results_ : dict of ndarray
        What GridSearchCV has there. The time of training networks together counts for the
        fit that asks first, so that ``mean_fit_time`` does not compare candidates.
    best_estimator_, best_params_, best_score_, best_index_, scorer_, n_splits_, refit_time_, \
multimetric_
        As in GridSearchCV.
    n_features_in_ : int
        Number of features of X in `fit`, where the refitted `best_estimator_` knows it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of these features, where X had names and `best_estimator_` knows them.

    Raises
    ------
    ValueError, TypeError
        As GridSearchCV does, from `fit`.

    See Also
    --------
    sklearn.model_selection.GridSearchCV : Fits one network after the other.
    BatchedRandomizedSearchCV : Draws candidates instead.

    Notes
    -----
    Networks are trained together where they differ in nothing but `beta`, `lr`, `kl_warmup`,
    `free_bits`, `random_state`, `n_components` (without `total_correlation`) and the rows.
    Others make stacks of their own; `hidden_layer_sizes`, for example. A fit with
    `early_stopping`, `callbacks`, `checkpoint_dir`, `amp` or `compile` is an ordinary one, and so
    is that of an embedder that trains in a way of its own (`TrackVAE`, `VaDE`) or from rows on
    disk, and each one of an estimator with several embedders, or with one in a ColumnTransformer
    that has `n_jobs`. On a CPU, the networks of a `ConvVAE` are trained side by side, one per
    thread.

    Some networks gain nothing and are trained separately: those of a VAE or BetaCVAE that are so
    wide that a step on a CPU takes more than 2**28 multiplications (some 16,000 columns by
    default). If that, or one of the reasons above, holds for all fits, the search says so in one
    UserWarning before it starts. It then does what GridSearchCV does, whose `n_jobs` are processes.

    A network that is trained separately gives exactly the scores of GridSearchCV. One that is
    trained together has the same initial weights, order of samples and noise as in a fit of its
    own, but sums are rounded in another order, as they would be on another machine. Training
    amplifies such differences: for few epochs they stay in the last digits, for many epochs
    clusters and scores can differ, and with them the best candidate. If two candidates change
    places, they are not told apart by one seed and these folds: add
    ``random_state: [0, 1, 2]`` of the embedder to the grid. :ref:`searching` has measurements.

    If the estimator is a clusterer and a scorer can't use the labels (all labels of a fold are
    missing, for example), `fit` raises the scorer's error before it trains anything, unless
    `error_score` is a number other than NaN.

    The steps before the embedder are fitted once per fold and setting of their parameters, even
    where their `random_state` is None. Their output is kept in memory while the search runs, up to
    2 GiB in all folds; fits beyond that are ordinary ones. A stack takes 1 GiB of a CPU's memory,
    or half of what is free of a GPU's; where more would be needed, there are several, one after
    another.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import Pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_music import VAE
    >>> from sklearn_music.model_selection import BatchedGridSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> pipe = Pipeline(
    ...     [
    ...         ("scale", StandardScaler()),
    ...         ("vae", VAE(2, max_epochs=10, random_state=0)),
    ...         ("cluster", KMeans(3, n_init=3, random_state=0)),
    ...     ]
    ... )
    >>> grid = {"vae__beta": [0.1, 10], "vae__n_components": [1, 2]}
    >>> search = BatchedGridSearchCV(pipe, grid, scoring="adjusted_rand_score", cv=3, verbose=1)
    >>> search.fit(X, y).best_params_["vae__beta"]
    Training 12 networks together
    Fitting 3 folds for each of 4 candidates, totalling 12 fits
    0.1
    """
