"""Missing samples are left out, and come back as NaN or -1."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone, is_clusterer
from sklearn.cluster import DBSCAN, HDBSCAN, AgglomerativeClustering, KMeans
from sklearn.decomposition import PCA
from sklearn.impute import KNNImputer
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_music.pipelines import SkipMissing

CLUSTERERS = [
    KMeans(3, n_init=2, random_state=0),
    GaussianMixture(3, random_state=0),
    AgglomerativeClustering(3),
    DBSCAN(eps=2),
    HDBSCAN(copy=True),
]


@pytest.fixture
def gaps(blobs):
    """The blobs and some missing samples: X, and which samples are present."""
    X, _ = blobs
    present = np.ones(len(X) + 4, dtype=bool)
    present[[0, 17, 50, -1]] = False
    with_gaps = np.full((len(present), X.shape[1]), np.nan, dtype=X.dtype)
    with_gaps[present] = X
    return with_gaps, present


@parametrize_with_checks(
    [SkipMissing(KMeans(3, n_init=1, random_state=0)), SkipMissing(StandardScaler())]
)
def test_check_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("clusterer", CLUSTERERS, ids=str)
def test_other_samples_get_the_labels_that_they_get_alone(clusterer, gaps):
    X, present = gaps
    labels = SkipMissing(clusterer).fit_predict(X)
    np.testing.assert_array_equal(labels[present], clone(clusterer).fit_predict(X[present]))
    assert (labels[~present] == -1).all()
    if hasattr(clusterer, "predict"):
        fitted = SkipMissing(clusterer).fit(X)
        np.testing.assert_array_equal(fitted.predict(X), labels)
        np.testing.assert_array_equal(fitted.predict(X[~present]), -1)
    else:
        assert not hasattr(SkipMissing(clusterer).fit(X), "predict")


@pytest.mark.parametrize("transformer", [PCA(3, random_state=0), StandardScaler()], ids=str)
@pytest.mark.parametrize("container", ["default", "pandas"])
def test_other_samples_are_transformed_as_they_are_alone(transformer, container, gaps):
    X, present = gaps
    index = np.arange(len(X))[::-1]
    X = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])], index=index)
    skip = SkipMissing(clone(transformer)).set_output(transform=container)
    Z = skip.fit_transform(X)
    expected = clone(transformer).fit_transform(X[present])
    np.testing.assert_allclose(np.asarray(Z)[present], expected, atol=1e-4)
    assert np.isnan(np.asarray(Z)[~present]).all()
    nothing = skip.transform(X[~present])
    assert nothing.shape == (4, expected.shape[1])
    assert np.isnan(np.asarray(nothing)).all()
    if container == "pandas":
        assert Z.index.equals(X.index)
        assert list(Z) == list(skip.get_feature_names_out())
    back = skip.inverse_transform(np.asarray(Z))
    assert np.isnan(back[~present]).all()
    assert np.isfinite(back[present]).all()


def test_a_sample_with_some_features_is_not_missing(gaps):
    X, _ = gaps
    X[:, :2] = 1.0
    filled = SkipMissing(KNNImputer(n_neighbors=1)).fit_transform(X)
    assert np.isfinite(filled).all()


def test_labels_of_fit_scores_and_weights(gaps):
    X, present = gaps
    weights = np.random.default_rng(0).random(len(X))
    skip = SkipMissing(KMeans(3, n_init=2, random_state=0)).fit(X, sample_weight=weights)
    alone = KMeans(3, n_init=2, random_state=0).fit(X[present], sample_weight=weights[present])
    np.testing.assert_array_equal(skip.labels_[present], alone.labels_)
    assert skip.score(X) == pytest.approx(alone.score(X[present]))
    assert skip.n_features_in_ == X.shape[1]


def test_a_search_sees_the_parameters_of_what_is_wrapped(gaps):
    X, _ = gaps
    skip = SkipMissing(KMeans(n_init=1, random_state=0))
    search = GridSearchCV(skip, {"estimator__n_clusters": [2, 3]}, cv=2).fit(X)
    assert search.best_params_ == {"estimator__n_clusters": 3}
    loaded = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(loaded.predict(X), search.predict(X))
    assert is_clusterer(skip)


def test_too_few_samples_are_an_error_that_counts_them(gaps):
    X, present = gaps
    with pytest.raises(ValueError, match="4 of 4 samples are missing"):
        SkipMissing(PCA()).fit(X[~present])
    few = np.vstack([X[~present], X[present][:2]])
    with pytest.raises(ValueError, match=r"4 of 6 .* leaves 2; KMeans needs at least 3"):
        SkipMissing(KMeans(3)).fit(few)


def test_sparse_samples_are_never_missing(blobs):
    X = sparse.csr_matrix(np.maximum(blobs[0], 0))
    labels = SkipMissing(KMeans(3, n_init=2, random_state=0)).fit_predict(X)
    np.testing.assert_array_equal(labels, KMeans(3, n_init=2, random_state=0).fit_predict(X))


class Named(KMeans):
    def fit_predict(self, X, y=None):
        return self.dtype(super().fit_predict(X))


@pytest.mark.parametrize(
    ("dtype", "missing"),
    [(lambda x: x.astype(str), -1), (lambda x: x.astype(np.uint8), -1), (lambda x: x > 0, -1)],
)
def test_labels_of_any_type_have_room_for_the_missing(dtype, missing, gaps, monkeypatch):
    X, present = gaps
    monkeypatch.setattr(Named, "dtype", staticmethod(dtype), raising=False)
    labels = SkipMissing(Named(3, n_init=1, random_state=0)).fit_predict(X)
    assert all(label == missing for label in labels[~present])
    alone = Named(3, n_init=1, random_state=0).fit_predict(X[present])
    np.testing.assert_array_equal(labels[present], alone)
