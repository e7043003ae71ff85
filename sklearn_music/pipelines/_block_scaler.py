"""Scale a block of columns as a whole."""

from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from .._typing import fit_context


class BlockScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Centre a block of columns, and scale it by one number, for its first principal component.

    Use it on each block that stands beside another one, such as the vectors of an encoder and the
    features of the lyrics. The strongest direction of each block then has the same variance,
    whatever the units and the number of the columns are, so that no block decides alone. In
    contrast to a StandardScaler, columns keep their proportions.

    Parameters
    ----------
    variance : float, default=1.0
        Variance of the first principal component after scaling.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,)
        Mean of each column, NaN left out.
    scale_ : float
        What the centred columns are divided by: the standard deviation of the first principal
        component, over the square root of `variance`.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns seen in `fit`, if they were strings.

    See Also
    --------
    sklearn.preprocessing.StandardScaler : Scales each column by itself.

    Notes
    -----
    This is the scaling of multiple factor analysis [1]_. NaN stays NaN. Rows with NaN are left out
    of the principal component. A block without variance is only centred.

    References
    ----------
    .. [1] B. Escofier and J. Pagès, "Multiple factor analysis (AFMULT package)", Computational
       Statistics & Data Analysis 18(1), 1994.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_music.pipelines import BlockScaler
    >>> X = np.array([[0.0, 1.0], [8.0, 7.0], [np.nan, np.nan]])
    >>> BlockScaler().fit_transform(X)
    array([[-0.8, -0.6],
           [ 0.8,  0.6],
           [ nan,  nan]])
    """

    _parameter_constraints: dict = {"variance": [Interval(Real, 0, None, closed="neither")]}

    def __init__(self, variance: float = 1.0) -> None:
        self.variance = variance

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the means and the scale.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The block; it may contain NaN.
        y : None
            Ignored.

        Returns
        -------
        self : BlockScaler
            The fitted transformer.
        """
        X = self._check(X, reset=True).astype(np.float64)
        is_known = ~np.isnan(X)
        n_known = np.maximum(1, is_known.sum(axis=0))
        self.mean_ = np.where(is_known, X, 0).sum(axis=0) / n_known
        rows = X[is_known.all(axis=1)] - self.mean_
        # Of the smaller one of the two products, which share their largest eigenvalue.
        products = rows.T @ rows if rows.shape[0] > rows.shape[1] else rows @ rows.T
        largest = np.linalg.eigvalsh(products)[-1] / len(rows) if len(rows) else 0.0
        self.scale_ = float(np.sqrt(max(0.0, largest) / self.variance)) or 1.0
        return self

    def transform(self, X: Any) -> NDArray[np.floating]:
        """Centre and scale the block.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The block.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features)
            The scaled block.
        """
        check_is_fitted(self)
        X = self._check(X)
        return ((X - self.mean_) / self.scale_).astype(X.dtype)

    def inverse_transform(self, X: Any) -> NDArray[np.floating]:
        """Undo the scaling.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            A scaled block.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            The block in its own units.
        """
        check_is_fitted(self)
        X = self._check(X)
        return (X * self.scale_ + self.mean_).astype(X.dtype)

    def _check(self, X: Any, reset: bool = False) -> NDArray[Any]:
        return validate_data(
            self, X, reset=reset, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan"
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
