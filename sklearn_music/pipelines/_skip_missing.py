"""A meta-estimator that leaves missing samples out."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, MetaEstimatorMixin, _fit_context, clone
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils._set_output import _safe_set_output
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_method_params, check_is_fitted

from .._docstrings import shared
from .._tables import is_present
from ._docstrings import SKIP_MISSING


def _has(method: str) -> Callable[[Any], bool]:
    return lambda self: hasattr(getattr(self, "estimator_", self.estimator), method)


class SkipMissing(MetaEstimatorMixin, BaseEstimator):
    """Leave missing samples out: a transformer gives them NaN, a clusterer the label -1.

    A sample is missing if all of its features are NaN, such as those that
    ``SpectrogramExtractor(on_error="nan")`` returns for a file that can't be read. The wrapped
    estimator never sees such samples. Samples with only some features NaN are passed on. Without
    this wrapper, most clusterers refuse missing samples, and scikit-learn's HDBSCAN gives them the
    label -3.

    Parameters
    ----------
    estimator : transformer or clusterer
        What is fitted to the other samples.

    Attributes
    ----------
    estimator_ : estimator
        The fitted one.
    labels_ : ndarray of shape (n_samples,)
        The label of each sample of `fit`, -1 where it is missing, if the estimator has `labels_`.

    See Also
    --------
    TrackPipeline : A pipeline that says which tracks are missing, and why.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.cluster import KMeans
    >>> from sklearn_music.pipelines import SkipMissing
    >>> X = np.array([[0.0, 0.1], [np.nan, np.nan], [5.0, 5.1], [5.2, 5.0]])
    >>> SkipMissing(KMeans(2, n_init=1, random_state=0)).fit_predict(X).tolist()
    [1, -1, 0, 0]
    """

    _parameter_constraints: dict = {"estimator": [HasMethods("fit")]}

    def __init__(self, estimator: Any):
        self.estimator = estimator

    @_fit_context(prefer_skip_nested_validation=False)
    @shared(SKIP_MISSING)
    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Fit the estimator to the samples that are not missing.

        {X, y}

        Returns
        -------
        self : SkipMissing
            The fitted estimator.

        Raises
        ------
        ValueError
            If all samples are missing, or fewer than the number of clusters are not.
        """
        _, present = self._fit("fit", X, y, params)
        if hasattr(self.estimator_, "labels_"):
            self.labels_ = _spread(np.asarray(self.estimator_.labels_), present, -1)
        return self

    @available_if(_has("fit_predict"))
    @_fit_context(prefer_skip_nested_validation=False)
    @shared(SKIP_MISSING)
    def fit_predict(self, X: Any, y: Any = None, **params: Any) -> NDArray[Any]:
        """Fit, and return the label of each sample.

        {X, y}

        {labels}
        """
        labels, present = self._fit("fit_predict", X, y, params)
        self.labels_ = _spread(np.asarray(labels), present, -1)
        return self.labels_.copy()

    @available_if(_has("predict"))
    @shared(SKIP_MISSING)
    def predict(self, X: Any) -> NDArray[Any]:
        """Return the label of each sample.

        {X}

        {labels}
        """
        return self._apply("predict", X, -1)

    @available_if(_has("predict_proba"))
    @shared(SKIP_MISSING)
    def predict_proba(self, X: Any) -> NDArray[np.floating]:
        """Return the probability of each cluster.

        {X}

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_clusters)
            NaN where a sample is missing.
        """
        return self._apply("predict_proba", X, np.nan)

    @available_if(_has("transform"))
    @shared(SKIP_MISSING)
    def transform(self, X: Any) -> Any:
        """Transform each sample.

        {X}

        {X_new}
        """
        return self._apply("transform", X, np.nan)

    @available_if(_has("transform"))
    @shared(SKIP_MISSING)
    def fit_transform(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Fit, and transform each sample.

        {X, y}

        {X_new}
        """
        return self.fit(X, y, **params).transform(X)

    @available_if(_has("inverse_transform"))
    def inverse_transform(self, X: Any) -> Any:
        """Transform samples back.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_out)
            Samples such as `transform` returns.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            NaN where a sample is missing.
        """
        return self._apply("inverse_transform", X, np.nan)

    @available_if(_has("score"))
    @shared(SKIP_MISSING)
    def score(self, X: Any, y: Any = None, **params: Any) -> float:
        """Return the estimator's score of the samples that are not missing.

        {X, y}

        Returns
        -------
        score : float
            The score.
        """
        check_is_fitted(self)
        present = is_present(X)
        params = _check_method_params(X, params, np.flatnonzero(present))
        return self.estimator_.score(*_select(present, X, y), **params)

    @available_if(_has("get_feature_names_out"))
    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the features that `transform` returns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the input features.

        Returns
        -------
        names : ndarray of str objects
            The estimator's.
        """
        check_is_fitted(self)
        return self.estimator_.get_feature_names_out(input_features)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Set the container that `transform` returns.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            As in scikit-learn's `set_output`.

        Returns
        -------
        self : SkipMissing
            The estimator.
        """
        for estimator in (self.estimator, getattr(self, "estimator_", self.estimator)):
            _safe_set_output(estimator, transform=transform)
        return self

    @property
    def n_features_in_(self) -> int:
        """Number of features seen in `fit`."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self) -> NDArray[np.object_]:
        """Names of the features seen in `fit`, if they were strings."""
        return self.estimator_.feature_names_in_

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self):
        # Those of the estimator: it also decides whether some features may be NaN.
        return get_tags(self.estimator)

    def _fit(self, method: str, X: Any, y: Any, params: dict[str, Any]) -> tuple[Any, NDArray]:
        """Fit a clone to the samples that are present; return what the method returns, and them."""
        present = is_present(X)
        n_clusters = getattr(self.estimator, "n_clusters", None)
        needed = n_clusters if isinstance(n_clusters, (int, np.integer)) else 1
        if present.sum() < needed and not present.all():
            raise ValueError(
                f"{len(present) - present.sum()} of {len(present)} samples are missing (all of "
                f"their features are NaN), which leaves {present.sum()}; "
                f"{type(self.estimator).__name__} needs at least {needed}."
            )
        estimator = clone(self.estimator)
        params = _check_method_params(X, params, np.flatnonzero(present))
        result = getattr(estimator, method)(*_select(present, X, y), **params)
        self.estimator_ = estimator
        return result, present

    def _apply(self, method: str, X: Any, fill_value: float) -> Any:
        check_is_fitted(self)
        present = is_present(X)
        apply = getattr(self.estimator_, method)
        if present.all():
            return apply(X)
        if present.any():
            result = apply(*_select(present, X))
        else:
            # Only by a sample can the estimator show the shape of its result.
            sample = np.zeros((1, np.shape(X)[1]), dtype=np.float32)
            is_table = isinstance(X, pd.DataFrame)
            result = apply(pd.DataFrame(sample, columns=X.columns) if is_table else sample)[:0]
        return _spread(result, present, fill_value, index=getattr(X, "index", None))


def _select(present: NDArray, *arrays: Any) -> Any:
    """Return the samples that are present, of each array."""
    if present.all():
        return arrays
    rows = np.flatnonzero(present)
    return [None if array is None else _safe_indexing(array, rows) for array in arrays]


def _spread(result: Any, present: NDArray, fill_value: float, index: Any = None) -> Any:
    """Return the results of the samples that are present, in a row for each of all samples."""
    if sparse.issparse(result):
        result = result.toarray()
    values = np.asarray(result)
    if values.dtype.kind not in "biuf":
        dtype = np.dtype(object)
    else:
        dtype = np.result_type(values.dtype, np.int8 if fill_value == -1 else np.float16)
    everything = np.full((len(present), *values.shape[1:]), fill_value, dtype)
    everything[present] = values
    if isinstance(result, pd.DataFrame):
        return pd.DataFrame(everything, columns=result.columns, index=index)
    if hasattr(result, "to_numpy"):  # polars
        return type(result)(everything, schema=list(result.columns))
    return everything
