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
    """Centre a block of columns, and scale it by one number to a given total variance.

    Use it on each block that stands beside another one, such as the vectors of an encoder and the
    features of the lyrics: each then counts as much as its variance says, whatever its units and
    its number of columns are. In contrast to a StandardScaler, columns keep their proportions.

    Parameters
    ----------
    variance : float, default=1.0
        Sum of the variances of all columns after scaling.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,)
        Mean of each column, NaN left out.
    scale_ : float
        What the centred columns are divided by.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns seen in `fit`, if they were strings.

    See Also
    --------
    sklearn.preprocessing.StandardScaler : Scales each column by itself.

    Notes
    -----
    NaN stays NaN and is left out of the statistics. A block without variance is only centred.

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
        squares = np.where(is_known, X - self.mean_, 0) ** 2
        total = float((squares.sum(axis=0) / n_known).sum())
        self.scale_ = float(np.sqrt(total / self.variance)) or 1.0
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
