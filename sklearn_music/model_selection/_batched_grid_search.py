"""A grid search that trains its networks together."""

from sklearn.model_selection import GridSearchCV

from .._docstrings import shared
from ._batched import BatchedSearch
from ._docstrings import SEARCH


@shared(SEARCH)
class BatchedGridSearchCV(BatchedSearch, GridSearchCV):
    """Grid search whose networks are trained together.

    Use it in place of GridSearchCV if the embedder is a `VAE`, or a `BetaCVAE` without
    `image_shape`, on up to some hundred columns: many small networks train faster together. The
    scores equal those of GridSearchCV up to rounding in float32, which a long training amplifies
    (see Notes).

    Parameters
    ----------
    {estimator}
    param_grid : dict of str -> sequence, or list of them
        The values of each parameter.
    {scoring}
    {error_score}

    Attributes
    ----------
    {attributes}

    Raises
    ------
    ValueError, TypeError
        As GridSearchCV does, from `fit`.

    See Also
    --------
    sklearn.model_selection.GridSearchCV : Trains one network after the other.
    BatchedRandomizedSearchCV : Draws candidates instead.

    Notes
    -----
    Networks are trained together if they differ in nothing but `beta`, `lr`, `kl_warmup`,
    `random_state`, `n_components` (without `total_correlation` and `free_bits`) and the samples,
    of which there must be equally many. Others are trained in groups of their own, or separately:
    :ref:`searching` lists them. If all are trained separately, the search says so in a UserWarning
    before it starts, and does what GridSearchCV does.

    A network that is trained separately gives exactly the scores of GridSearchCV. One that is
    trained together has the same initial weights, order of samples and noise as in a fit of its
    own, but sums are rounded in another order, as on another machine. After many epochs clusters
    and scores can differ for this reason, and with them the best candidate. One seed does not tell
    two such candidates apart: add ``random_state: [0, 1, 2]`` of the embedder to the grid.

    If the estimator is a clusterer and a scorer can't use the labels (all labels of a fold are
    missing, for example), `fit` raises the scorer's error before it trains anything, unless
    `error_score` is a number other than NaN.

    The steps before the embedder are fitted once per fold and setting of their parameters, even
    where their `random_state` is None. Their output is kept in memory while the search runs, up to
    2 GiB in all folds; fits beyond that are trained separately.

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
