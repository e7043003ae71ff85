import sys

import numpy as np
import pytest
from sklearn.cluster import DBSCAN, KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_music import VAE
from sklearn_music._inspection import (
    embed_and_cluster,
    find_embedders,
    find_failures,
    fitted_with_labels,
    flat_steps,
    is_embedder,
    iter_estimators,
    named_estimators,
    with_seed,
)
from sklearn_music.pipelines import SkipMissing


class Seen(FunctionTransformer):
    """Changes nothing, and keeps what it was fitted to."""

    def fit(self, X, y=None):
        self.seen_ = X.copy()
        return super().fit(X)

    def fit_transform(self, X, y=None):
        return self.fit(X).transform(X)


@pytest.fixture
def nested(blobs):
    """A fitted pipeline with a `Seen` in each kind of container."""
    X, _ = blobs
    blocks = ColumnTransformer(
        [
            ("scaled", make_pipeline("passthrough", StandardScaler(), Seen()), [1, 3, 8]),
            ("nothing", "drop", [0]),
            ("searched", GridSearchCV(Seen(), {}, scoring=lambda *_: 0.0, cv=2), slice(4, 7)),
        ]
    )
    union = make_union(Seen(), SkipMissing(Seen()), "drop")
    return make_pipeline(StandardScaler(), blocks, union, Seen(), KMeans(2, n_init=1)).fit(X), X


def test_every_estimator_is_found_with_its_input(nested):
    pipe, X = nested
    seen = [part for part in iter_estimators(pipe) if isinstance(part.estimator, Seen)]
    assert len(seen) == 5
    for part in seen:
        np.testing.assert_array_equal(part.get_input(X), part.estimator.seen_)
        assert part.path[0][0] is pipe
    names = [type(part.estimator).__name__ for part in iter_estimators(pipe)]
    assert names[:3] == ["Pipeline", "StandardScaler", "ColumnTransformer"]
    assert names[-2:] == ["Seen", "KMeans"]


def test_named_estimators_need_no_fit():
    pipe = make_pipeline(SkipMissing(PCA(2)), "passthrough", KMeans())
    found = named_estimators(pipe)
    assert list(found) == ["", "skipmissing", "kmeans", "skipmissing__estimator"]
    assert found["skipmissing__estimator"] is pipe[0].estimator
    assert named_estimators(PCA) == named_estimators("passthrough") == {}


def test_flat_steps():
    pca, scaler, kmeans = PCA(), StandardScaler(), KMeans()
    pipe = make_pipeline("passthrough", make_pipeline(scaler, make_pipeline(pca)), None, kmeans)
    assert flat_steps(pipe) == [scaler, pca, kmeans]
    assert flat_steps(pca) == [pca]
    assert flat_steps(pipe[:0]) == []


def test_embedders(blobs):
    X, _ = blobs
    vae = VAE(2, max_epochs=1)
    assert is_embedder(vae)
    assert not is_embedder(PCA())
    pipe = make_pipeline(PCA(4), SkipMissing(vae), KMeans(2, n_init=1)).fit(X)
    (part,) = find_embedders(pipe)
    assert part.estimator is pipe[1].estimator_
    np.testing.assert_array_equal(part.get_input(X), pipe[0].transform(X))
    assert find_embedders(PCA()) == []


def test_asking_for_embedders_does_not_load_them(monkeypatch):
    monkeypatch.delitem(sys.modules, "sklearn_music.embedding")
    assert not is_embedder(PCA())
    assert "sklearn_music.embedding" not in sys.modules


def test_failures_of_all_parts():
    class Failing(FunctionTransformer):
        pass

    first, second = Failing(), Failing()
    first.failures_, second.failures_ = {3: "no such file"}, {5: "not audio"}
    pipe = make_pipeline(make_union(first, second), PCA())
    assert find_failures(pipe) == {3: "no such file", 5: "not audio"}


def test_estimators_that_need_labels():
    pipe = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis())
    assert fitted_with_labels(pipe) == ["LinearDiscriminantAnalysis"]
    assert fitted_with_labels(make_pipeline(PCA(), KMeans())) == []


def test_seeds():
    pipe = make_pipeline(PCA(random_state=7), StandardScaler(), KMeans())
    copy = with_seed(pipe, 3, overwrite=False)
    assert (copy[0].random_state, copy[2].random_state) == (7, 3)
    assert with_seed(pipe, 5)[0].random_state == 5
    assert pipe[2].random_state is None
    assert with_seed("passthrough", 0).fit_transform([[1.0]]) == [[1.0]]


def test_latent_vectors_and_clusters(blobs):
    X, _ = blobs
    pipe = make_pipeline(PCA(2), KMeans(3, n_init=1)).fit(X)
    Z, clusters = embed_and_cluster(pipe, X[:5])
    np.testing.assert_array_equal(Z, pipe[0].transform(X[:5]))
    np.testing.assert_array_equal(clusters, pipe.predict(X[:5]))
    pipe = Pipeline([("pca", PCA(2)), ("cluster", DBSCAN())]).fit(X)
    assert embed_and_cluster(pipe, X)[1] is pipe["cluster"].labels_
    with pytest.raises(ValueError, match="no predict: pass the 90 tracks"):
        embed_and_cluster(pipe, X[:5])
    with pytest.raises(ValueError, match="expected a clusterer"):
        embed_and_cluster(make_pipeline(PCA(3), PCA(2)).fit(X), X)
    with pytest.raises(ValueError, match="expected a fitted Pipeline"):
        embed_and_cluster(KMeans(2), X)
