"""A randomized search that trains its networks together."""

from sklearn.model_selection import RandomizedSearchCV

from .._docstrings import shared
from ._batched import BatchedSearch
from ._docstrings import SEARCH


@shared(SEARCH)
class BatchedRandomizedSearchCV(BatchedSearch, RandomizedSearchCV):
    """Randomized search whose networks are trained together.

    Use it in place of RandomizedSearchCV where `BatchedGridSearchCV` takes the place of
    GridSearchCV. Its Notes hold for this search too.

    Parameters
    ----------
    {estimator}
    param_distributions : dict of str -> sequence or distribution, or list of them
        What each parameter is drawn from.
    n_iter : int, default=10
        Number of candidates.
    {scoring}
    random_state : int, RandomState instance or None, default=None
        Determines which candidates are drawn.
    {error_score}

    Attributes
    ----------
    {attributes}

    Raises
    ------
    ValueError, TypeError
        As RandomizedSearchCV does, from `fit`.

    See Also
    --------
    sklearn.model_selection.RandomizedSearchCV : Trains one network after the other.
    BatchedGridSearchCV : Tries all candidates of a grid.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_music import VAE
    >>> from sklearn_music.model_selection import BatchedRandomizedSearchCV
    >>> X, _ = load_iris(return_X_y=True)
    >>> distributions = {"beta": loguniform(0.01, 10), "lr": loguniform(1e-4, 1e-2)}
    >>> vae = VAE(2, max_epochs=10, random_state=0)
    >>> search = BatchedRandomizedSearchCV(vae, distributions, n_iter=4, cv=3, random_state=0)
    >>> sorted(search.fit(X).best_params_)
    ['beta', 'lr']
    """
