"""A meta-estimator that leaves missing samples out."""

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator, MetaEstimatorMixin, _fit_context, clone
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils._set_output import _safe_set_output
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_method_params, check_is_fitted

from .._tables import is_present


def _has(method):
    def check(self):
        return hasattr(getattr(self, "estimator_", self.estimator), method)

    return check


class SkipMissing(MetaEstimatorMixin, BaseEstimator):
    """Leave missing samples out: a transformer gives them NaN, a clusterer the label -1.

    A sample is missing if all of its features are NaN, as those of a file that can't be read
    are behind ``SpectrogramExtractor(on_error="nan")``. The wrapped estimator never sees such
    samples. A sample of which only some features are NaN is passed on. Without this wrapper,
    most clusterers refuse missing samples, and scikit-learn's HDBSCAN gives them the label -3.

    Parameters
    ----------
    estimator : transformer or clusterer
        What is fitted to the other samples.

    Attributes
    ----------
    estimator_ : estimator
        The fitted one.
    labels_ : ndarray of shape (n_samples,)
        The label of each sample of `fit`, where the estimator has `labels_`; -1 where it is
        missing.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen in `fit`, where they were strings.

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

    def __init__(self, estimator):
        self.estimator = estimator

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **params):
        """Fit the estimator to the samples that are not missing.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.
        y : array-like of shape (n_samples,), default=None
            Passed on to the estimator.
        **params : dict
            Passed on to the estimator's `fit`.

        Returns
        -------
        self : SkipMissing
            The fitted estimator.

        Raises
        ------
        ValueError
            If all samples are missing, or there are fewer others than clusters.
        """
        _, present = self._fit("fit", X, y, params)
        if hasattr(self.estimator_, "labels_"):
            self.labels_ = _spread(np.asarray(self.estimator_.labels_), present, -1)
        return self

    @available_if(_has("fit_predict"))
    @_fit_context(prefer_skip_nested_validation=False)
    def fit_predict(self, X, y=None, **params):
        """Fit, and return the label of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.
        y : array-like of shape (n_samples,), default=None
            Passed on to the estimator.
        **params : dict
            Passed on to the estimator's `fit_predict`.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            -1 where a sample is missing.
        """
        labels, present = self._fit("fit_predict", X, y, params)
        self.labels_ = _spread(np.asarray(labels), present, -1)
        return self.labels_.copy()

    @available_if(_has("predict"))
    def predict(self, X):
        """Return the label of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            -1 where a sample is missing.
        """
        return self._apply("predict", X, -1)

    @available_if(_has("predict_proba"))
    def predict_proba(self, X):
        """Return the probability of each cluster.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_clusters)
            NaN where a sample is missing.
        """
        return self._apply("predict_proba", X, np.nan)

    @available_if(_has("transform"))
    def transform(self, X):
        """Transform each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        X_new : ndarray or DataFrame of shape (n_samples, n_features_out)
            NaN where a sample is missing.
        """
        return self._apply("transform", X, np.nan)

    @available_if(_has("transform"))
    def fit_transform(self, X, y=None, **params):
        """Fit, and transform each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.
        y : array-like of shape (n_samples,), default=None
            Passed on to the estimator.
        **params : dict
            Passed on to the estimator's `fit`.

        Returns
        -------
        X_new : ndarray or DataFrame of shape (n_samples, n_features_out)
            NaN where a sample is missing.
        """
        return self.fit(X, y, **params).transform(X)

    @available_if(_has("inverse_transform"))
    def inverse_transform(self, X):
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
    def score(self, X, y=None, **params):
        """Return the estimator's score of the samples that are not missing.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.
        y : array-like of shape (n_samples,), default=None
            Passed on to the estimator.
        **params : dict
            Passed on to the estimator's `score`.

        Returns
        -------
        score : float
            The score.
        """
        check_is_fitted(self)
        present = is_present(X)
        params = _check_method_params(X, params, np.flatnonzero(present))
        return self.estimator_.score(*_present(present, X, y), **params)

    @available_if(_has("get_feature_names_out"))
    def get_feature_names_out(self, input_features=None):
        """Return the names of the features that `transform` makes.

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

    def set_output(self, *, transform=None):
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
        _safe_set_output(self.estimator, transform=transform)
        if hasattr(self, "estimator_"):
            _safe_set_output(self.estimator_, transform=transform)
        return self

    @property
    def n_features_in_(self):
        """Number of features seen in `fit`."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the features seen in `fit`."""
        return self.estimator_.feature_names_in_

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self):
        # allow_nan too: NaN in some features only is up to the estimator.
        return get_tags(self.estimator)

    def _fit(self, method, X, y, params):
        """Fit a clone to the samples that are present; return what the method does, and them."""
        present = is_present(X)
        self._check_enough(present)
        estimator = clone(self.estimator)
        params = _check_method_params(X, params, np.flatnonzero(present))
        result = getattr(estimator, method)(*_present(present, X, y), **params)
        self.estimator_ = estimator
        return result, present

    def _check_enough(self, present):
        n_clusters = getattr(self.estimator, "n_clusters", None)
        needed = n_clusters if isinstance(n_clusters, (int, np.integer)) else 1
        if present.sum() < needed and not present.all():
            raise ValueError(
                f"{len(present) - present.sum()} of {len(present)} samples are missing (all of "
                f"their features are NaN), which leaves {present.sum()}; "
                f"{type(self.estimator).__name__} needs {needed} at least."
            )

    def _apply(self, method, X, fill_value):
        check_is_fitted(self)
        present = is_present(X)
        if present.all():
            return getattr(self.estimator_, method)(X)
        if not present.any():
            # What the estimator returns has a shape that only a sample can show.
            like = np.zeros((1, np.shape(X)[1]), dtype=np.float32)
            result = getattr(self.estimator_, method)(_like(like, X))[:0]
        else:
            result = getattr(self.estimator_, method)(_safe_indexing(X, np.flatnonzero(present)))
        return _spread(result, present, fill_value, index=getattr(X, "index", None))


def _present(present, *arrays):
    if present.all():
        return arrays
    rows = np.flatnonzero(present)
    return [None if array is None else _safe_indexing(array, rows) for array in arrays]


def _like(values, X):
    return type(X)(values, columns=X.columns) if isinstance(X, pd.DataFrame) else values


def _spread(result, present, fill_value, index=None):
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
