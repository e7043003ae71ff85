import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import DBSCAN, HDBSCAN, AgglomerativeClustering, KMeans
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import adjusted_rand_score, make_scorer
from sklearn.metrics.cluster import contingency_matrix
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_music._tables import as_labels, is_clustered
from sklearn_music.exceptions import LabelLeakageWarning
from sklearn_music.metrics import (
    CLUSTERING_SCORERS,
    clustering_accuracy_score,
    purity_score,
)
from sklearn_music.model_selection import NoSplit

labels = st.lists(st.sampled_from(["rock", "folk", "গান"]), min_size=1, max_size=30)


def test_purity_by_hand():
    assert purity_score(["a", "a", "b", "b", "b"], [0, 0, 0, 1, 1]) == 4 / 5
    assert purity_score([1, 1, 2], ["x", "y", "y"]) == 2 / 3


@given(labels)
def test_purity_has_its_bounds(y):
    assert purity_score(y, range(len(y))) == 1
    assert purity_score(y, y) == 1
    most = max(y.count(label) for label in set(y))
    assert purity_score(y, [0] * len(y)) == pytest.approx(most / len(y))


@given(labels, st.randoms())
def test_purity_does_not_depend_on_the_order_or_the_names(y, random):
    clusters = [random.randrange(3) for _ in y]
    order = random.sample(range(len(y)), len(y))
    shuffled = purity_score([y[i] for i in order], [["p", "q", "r"][clusters[i]] for i in order])
    assert purity_score(y, clusters) == pytest.approx(shuffled)


def test_accuracy_by_hand():
    # Cluster 0 is "b", cluster 1 "a": the best pairing, not the first.
    assert clustering_accuracy_score(["a", "a", "b", "b", "b"], [0, 1, 0, 0, 1]) == 3 / 5
    # Two clusters of one label: only one of them is matched, where the purity takes both.
    assert clustering_accuracy_score(["a", "a", "a"], [7, 7, -1]) == 2 / 3
    assert purity_score(["a", "a", "a"], [7, 7, -1]) == 1


@given(labels, st.randoms())
def test_accuracy_is_bounded_by_the_purity_and_ignores_names(y, random):
    clusters = [random.randrange(3) for _ in y]
    accuracy = clustering_accuracy_score(y, clusters)
    assert 0 < accuracy <= purity_score(y, clusters)
    assert clustering_accuracy_score(y, ["xyz"[cluster] for cluster in clusters]) == accuracy
    assert clustering_accuracy_score(clusters, y) == accuracy


@pytest.mark.parametrize("score", [purity_score, clustering_accuracy_score])
def test_a_score_of_nothing_and_of_unequal_lengths(score):
    with pytest.raises(ValueError, match="no labels"):
        score([], [])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        score([1, 2], [1])


@pytest.mark.parametrize("kind", [str, int])
def test_the_scorers_in_a_search(blobs, rng, kind):
    X, y = blobs
    y, order = y.astype(kind), rng.permutation(90)
    pipe = make_pipeline(PCA(2), KMeans(n_init=2, random_state=0))
    search = GridSearchCV(
        pipe, {"kmeans__n_clusters": [2, 3]}, scoring=CLUSTERING_SCORERS, refit="ari", cv=3
    ).fit(X[order], y[order])
    assert search.best_params_ == {"kmeans__n_clusters": 3}
    for name in CLUSTERING_SCORERS:
        assert np.isfinite(search.cv_results_[f"mean_test_{name}"]).all()


def test_a_scorer_predicts_and_never_refits(blobs):
    X, y = blobs
    predicted = []

    class Watched(KMeans):
        def fit(self, X, y=None, sample_weight=None):
            self.fitted_rows_ = len(X)
            return super().fit(X)

        def predict(self, X):
            predicted.append(len(X))
            return super().predict(X)

    fitted = Watched(3, n_init=2, random_state=0).fit(X[:60])
    expected = purity_score(y[60:], KMeans.predict(fitted, X[60:]))
    assert CLUSTERING_SCORERS["purity"](fitted, X[60:], y[60:]) == expected
    assert fitted.fitted_rows_ == 60
    predicted.clear()
    cross_validate(fitted, X, y, scoring=CLUSTERING_SCORERS, cv=3)
    assert predicted == [30, 30, 30]  # once for all of them


def test_one_cluster_and_one_class_have_defined_scores(blobs):
    X, y = blobs
    one, three = KMeans(1).fit(X), KMeans(3, n_init=2, random_state=0).fit(X)
    same = np.zeros(len(y))
    scores = {
        name: (scorer(one, X, y), scorer(three, X, same), scorer(one, X, same))
        for name, scorer in CLUSTERING_SCORERS.items()
    }
    assert scores == {
        "purity": (1 / 3, 1, 1),
        "nmi": (0, 0, 1),
        "ami": (0, 0, 1),
        "ari": (0, 0, 1),
    }


@pytest.mark.parametrize("estimator", [DBSCAN(), Pipeline([("cluster", DBSCAN())])])
def test_a_clusterer_without_predict_has_no_clusters_of_other_samples(blobs, estimator):
    X, y = blobs
    with pytest.raises(AttributeError, match=r"DBSCAN has no predict.*cv=NoSplit\(\)"):
        CLUSTERING_SCORERS["ari"](estimator.fit(X), X[:80], y[:80])
    with pytest.raises(AttributeError, match="DBSCAN has no predict"):
        cross_validate(estimator, X, y, scoring=CLUSTERING_SCORERS, error_score="raise")
    with pytest.warns(UserWarning, match="DBSCAN has no predict"):
        scores = cross_validate(estimator, X, y, scoring=CLUSTERING_SCORERS)
    assert np.isnan(scores["test_ari"]).all()


@pytest.mark.parametrize("clusterer", [HDBSCAN(copy=True), AgglomerativeClustering(3)])
def test_a_clusterer_without_predict_is_scored_by_the_samples_of_its_fit(blobs, clusterer):
    X, y = blobs
    estimator = Pipeline([("scale", StandardScaler()), ("cluster", clusterer)])
    scores = cross_validate(estimator, X, y, scoring=CLUSTERING_SCORERS, cv=NoSplit())
    labels = estimator.fit(X)[-1].labels_
    assert scores["test_ari"] == [adjusted_rand_score(y, labels)]
    assert scores["test_purity"] == [purity_score(y, labels)]


def test_no_labels_is_a_clear_error(blobs):
    X, _ = blobs
    with pytest.raises(ValueError, match="y=None"):
        CLUSTERING_SCORERS["nmi"](KMeans(2).fit(X), X)


@pytest.mark.parametrize("score", [purity_score, clustering_accuracy_score])
@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_a_score_of_missing_labels_is_a_clear_error(score, missing):
    with pytest.raises(ValueError, match="1 of 3 labels are missing, so their clusters"):
        score(["a", missing, "b"], [0, 0, 1])


def with_gaps(kind, labels, gaps):
    """Return labels in a container of users', some of them missing."""
    cells = [None if i in gaps else label for i, label in enumerate(labels)]
    if kind == "polars":
        return pytest.importorskip("polars").Series(cells)
    if kind == "pyarrow":
        return pytest.importorskip("pyarrow").array(cells)
    if kind == "pandas over pyarrow":
        pytest.importorskip("pyarrow")
        dtype = "string[pyarrow]" if isinstance(labels[0], str) else "int64[pyarrow]"
        return pd.Series(cells, dtype=dtype)
    if kind == "categories":
        return pd.Series(pd.Categorical(cells))
    if kind == "nullable":
        return pd.Series(cells, dtype="string" if isinstance(labels[0], str) else "Int64")
    return {"list": list, "NaN": pd.Series}[kind](cells)


KINDS = ["list", "NaN", "nullable", "categories", "polars", "pyarrow", "pandas over pyarrow"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("labels", [["folk", "rock", "গান"] * 30, list(range(3)) * 30])
def test_scorers_leave_out_tracks_without_a_label(blobs, rng, kind, labels):
    X, _ = blobs
    fitted = KMeans(4, n_init=1, random_state=0).fit(X)
    gaps = set(rng.choice(90, 25, replace=False).tolist())
    known = [i for i in range(90) if i not in gaps]
    for name, scorer in CLUSTERING_SCORERS.items():
        expected = scorer(fitted, X[known], [labels[i] for i in known])
        assert scorer(fitted, X, with_gaps(kind, labels, gaps)) == expected, name


def test_a_search_over_labels_with_gaps(blobs, rng):
    X, y = blobs
    order = rng.permutation(90)
    X, labels = X[order], pd.Series(y[order]).astype(str).astype(object)
    complete = cross_validate(KMeans(3, n_init=2), X, labels, scoring=CLUSTERING_SCORERS, cv=3)
    labels[rng.choice(90, 30, replace=False)] = None
    # A scorer of scikit-learn's beside them: both take the clusters that are predicted once.
    scoring = {**CLUSTERING_SCORERS, "n": make_scorer(lambda _, clusters: len(clusters))}
    scores = cross_validate(KMeans(3, n_init=2), X, labels, scoring=scoring, cv=3)
    assert scores["test_n"].tolist() == [30, 30, 30]
    for name in CLUSTERING_SCORERS:
        np.testing.assert_allclose(scores[f"test_{name}"], complete[f"test_{name}"])

    labels[:30] = np.nan  # all of the first fold
    with pytest.raises(ValueError, match="All 30 labels are missing"):
        cross_validate(KMeans(3), X, labels, scoring=CLUSTERING_SCORERS, cv=3, error_score="raise")
    with pytest.warns(UserWarning, match="All 30 labels are missing"):
        scores = cross_validate(KMeans(3, n_init=2), X, labels, scoring=CLUSTERING_SCORERS, cv=3)
    assert np.isnan(scores["test_ari"]).tolist() == [True, False, False]


def test_the_accuracy_is_that_of_the_hungarian_method(rng):
    for _ in range(200):
        n_samples = rng.integers(1, 40)
        y, clusters = rng.integers(rng.integers(1, 9, size=2)[:, None], size=(2, n_samples))
        table = contingency_matrix(y, clusters)
        expected = table[linear_sum_assignment(table, maximize=True)].sum() / n_samples
        assert clustering_accuracy_score(y, clusters) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("score", [purity_score, clustering_accuracy_score])
def test_scores_of_very_many_labels(score):
    labels = np.arange(30_000)  # a dense table of them has 7 GB
    assert score(labels, labels[::-1]) == 1
    assert score(labels // 2, labels) == (1 if score is purity_score else 0.5)


def test_a_step_that_is_fitted_with_labels_is_a_warning(blobs):
    X, y = blobs
    pipe = make_pipeline(LinearDiscriminantAnalysis(), KMeans(3, n_init=1)).fit(X, y)
    with pytest.warns(LabelLeakageWarning, match="LinearDiscriminantAnalysis can't be fitted"):
        CLUSTERING_SCORERS["nmi"](pipe, X, y)


def test_labels_that_are_equal_are_one():
    labels = [0.0, -0.0, 1, 1.0, True, "1", None, float("nan"), "a"]
    assert as_labels(labels).tolist() == ["0.0", "0.0", *["1"] * 4, None, None, "a"]
    assert as_labels(labels[::-1]).tolist() == as_labels(labels).tolist()[::-1]


def test_clusters_of_noise_and_missing_samples():
    assert is_clustered([0, -1, -2, -3, 5]).tolist() == [True, False, False, False, True]
    labels = np.array(["a", None, float("nan"), pd.NA, -3, True, (1, 2), -0.0], dtype=object)
    assert is_clustered(labels).tolist() == [True, *[False] * 4, True, True, True]
