from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_music.datasets import make_music
from sklearn_music.model_selection import choose_n_clusters
from sklearn_music.model_selection._rules import RULES, separated_and_stable
from sklearn_music.pipelines import SkipMissing, make_pca_pipeline


@pytest.fixture(scope="module")
def five():
    """Latent vectors in five clear clusters."""
    return make_blobs(150, n_features=6, centers=5, cluster_std=0.6, random_state=4)[0]


@pytest.mark.parametrize(
    "clusterer",
    [
        KMeans(n_init=3),
        GaussianMixture(),
        AgglomerativeClustering(),
        SkipMissing(AgglomerativeClustering()),
        SkipMissing(GaussianMixture(covariance_type="diag")),
    ],
)
def test_clear_clusters_are_found(five, clusterer):
    choice = choose_n_clusters(five, n_clusters=range(3, 8), clusterer=clusterer, n_seeds=2)
    found = {rule for rule, n_clusters in choice.by_rule.items() if n_clusters == 5}
    assert choice.by_rule.keys() == RULES.keys()
    assert found >= RULES.keys() - {"stability", "elbow"}
    assert choice.n_clusters == 5
    assert choice.reason.startswith("5 clusters: ")
    assert not hasattr(clusterer, "labels_")


def test_criteria_are_those_of_scikit_learn(five):
    kmeans = KMeans(n_init=3, random_state=7)
    choice = choose_n_clusters(
        five, n_clusters=[3, 2, 4], clusterer=kmeans, n_seeds=3, random_state=1
    )
    table = choice.table.set_index("n_clusters")
    assert table.index.tolist() == [2, 3, 4]
    labels = clone(kmeans).set_params(n_clusters=3).fit(five).labels_
    row = table.loc[3]
    assert row["silhouette"] == pytest.approx(silhouette_score(five, labels))
    assert row["calinski_harabasz"] == pytest.approx(calinski_harabasz_score(five, labels))
    assert row["davies_bouldin"] == pytest.approx(davies_bouldin_score(five, labels))
    assert row["smallest"] == np.bincount(labels).min()
    assert table["stability"].between(0, 1).all()
    np.testing.assert_array_equal(choice.embedding, five)
    np.testing.assert_allclose(table["auto"], table["silhouette"] * table["stability"])


def test_auto_takes_separate_and_stable_clusters_from_four_up():
    table = pd.DataFrame(
        {
            "n_clusters": [2, 3, 4, 5, 6],
            "silhouette": [0.9, 0.8, 0.3, 0.5, 0.6],
            "stability": [1.0, 1.0, 0.9, 0.8, 0.5],
        }
    )
    table["auto"] = separated_and_stable(table)
    assert RULES["auto"](table) == 5
    assert RULES["auto"](table[:2]) == 2
    # Of tracks without any cluster structure: the product of two bad scores is no good one.
    table["silhouette"] = [-0.1, -0.1, -0.1, -0.2, -0.3]
    table["stability"] = [0.9, 0.9, 0.9, 0.1, 0.1]
    table["auto"] = separated_and_stable(table)
    assert RULES["auto"](table) == 4


def test_rules_by_hand():
    table = pd.DataFrame(
        {
            "n_clusters": [2, 3, 4, 5],
            "stability": [0.95, 0.7, 0.92, 0.6],
            "gap": [0.1, 0.5, 0.52, 0.4],
            "gap_error": [0.01, 0.01, 0.03, 0.01],
            "inertia": [100.0, 40.0, 30.0, 28.0],
            "bic": [np.nan, 3.0, 1.0, 2.0],
        }
    )
    expected = {"stability": 4, "gap": 3, "elbow": 3, "bic": 4}
    assert {rule: RULES[rule](table) for rule in expected} == expected
    falling = table.assign(stability=[0.8, 0.6, 0.5, 0.4], gap=[0.1, 0.5, 0.6, 0.7])
    assert RULES["stability"](falling) == 2
    assert RULES["gap"](falling) == 5
    assert RULES["elbow"](table[:2]) == 2
    assert RULES["bic"](table[:1]) == 2


def quick(estimator, X=None, *, n_clusters=(2, 3, 5), **kwargs):
    kwargs = {"clusterer": KMeans(n_init=2), "n_seeds": 2} | kwargs
    return choose_n_clusters(estimator, X, n_clusters=n_clusters, **kwargs)


def test_the_bic_is_that_of_a_mixture(five):
    mixture = GaussianMixture(covariance_type="tied", random_state=3)
    choice = quick(five, clusterer=mixture)
    expected = [clone(mixture).set_params(n_components=k).fit(five).bic(five) for k in (2, 3, 5)]
    np.testing.assert_allclose(choice.table["bic"], expected)


def test_the_gap_is_about_zero_where_there_are_no_clusters(rng):
    # A rectangle: the principal components of a square may be its diagonals.
    X = rng.uniform(size=(300, 2)) * [5, 1]
    gaps = quick(X, n_clusters=[2, 3, 4]).table["gap"]
    assert gaps.abs().max() < 0.1


def test_the_same_random_state_gives_the_same_choice(five):
    state = np.random.get_state()[1].copy()
    tables = [quick(five, n_clusters=[2, 6], n_jobs=n_jobs).table for n_jobs in (None, 1, 2)]
    for table in tables[1:]:
        pd.testing.assert_frame_equal(tables[0], table)
    other = quick(five, n_clusters=[2, 6], random_state=1).table
    assert (other["stability"] != tables[0]["stability"]).any()
    np.testing.assert_array_equal(np.random.get_state()[1], state)


class _Counts(PCA):
    calls: ClassVar[list] = []

    def fit_transform(self, X, y=None):
        self.calls.append("fit_transform")
        return super().fit_transform(X, y)

    def transform(self, X):
        self.calls.append("transform")
        return super().transform(X)


def test_tracks_are_embedded_once(five):
    pipe = make_pipeline(StandardScaler(), _Counts(2), KMeans(4, n_init=2, random_state=0))
    _Counts.calls.clear()
    choice = choose_n_clusters(pipe, five, n_clusters=[2, 3], n_seeds=2)
    assert _Counts.calls == ["fit_transform"]
    assert not hasattr(pipe[0], "mean_")
    scaled = StandardScaler().fit_transform(five)
    np.testing.assert_allclose(choice.embedding, PCA(2).fit_transform(scaled))

    pipe.fit(five)
    _Counts.calls.clear()
    choice = choose_n_clusters(pipe, five[:50], n_clusters=[2, 3], n_seeds=2)
    assert _Counts.calls == ["transform"]
    np.testing.assert_allclose(choice.embedding, pipe[:-1].transform(five[:50]))
    assert pipe[-1].n_clusters == 4


def test_random_steps_without_a_seed_get_one(five):
    pipe = make_pipeline(PCA(2, svd_solver="randomized"), KMeans(n_init=1))
    first, second = (
        choose_n_clusters(pipe, five, n_clusters=[7, 8], n_seeds=2).table for _ in range(2)
    )
    pd.testing.assert_frame_equal(first, second)


def test_a_clusterer_alone_clusters_the_samples(five):
    table = quick(five).table
    kmeans = KMeans(n_init=2)
    for estimator in (kmeans, make_pipeline(kmeans), make_pipeline("passthrough", kmeans)):
        alone = choose_n_clusters(estimator, five, n_clusters=[2, 3, 5], n_seeds=2)
        pd.testing.assert_frame_equal(alone.table, table)
    pd.testing.assert_frame_equal(quick(pd.DataFrame(five)).table, table)
    pd.testing.assert_frame_equal(quick(five.tolist()).table, table)


def test_a_table_of_tracks(five):
    tracks = make_music(20, duration=0.5, random_state=0).data
    tracks.loc[3, "audio"] = None
    pipe = make_pca_pipeline(30, duration=0.5, random_state=0)
    with pytest.warns(UserWarning, match="1 of 20"):
        choice = choose_n_clusters(pipe, tracks, n_clusters=[2, 40], n_seeds=2)
    assert choice.n_clusters == 2
    assert choice.reason.startswith(
        "2 clusters: the largest product of silhouette and stability, of"
    )
    assert np.flatnonzero(np.isnan(choice.embedding).all(axis=1)).tolist() == [3]
    assert len(choice.embedding) == 20


def test_tracks_without_a_latent_vector_are_left_out(five):
    gaps = np.insert(five, [0, 9, 150], [[np.nan], [np.inf], [np.nan]], axis=0)
    choice = quick(gaps)
    pd.testing.assert_frame_equal(choice.table, quick(five).table)
    assert choice.embedding.shape == (153, 6)


def test_numbers_too_large_for_the_tracks_are_left_out(five):
    choice = quick(five[:8], n_clusters=range(2, 60))
    assert choice.table["n_clusters"].tolist() == [2, 3, 4, 5]
    assert "2 to 5" in choice.reason
    copies = np.repeat(five[:3], 10, axis=0)
    assert quick(copies, n_clusters=range(2, 60)).table["n_clusters"].tolist() == [2, 3]
    with pytest.raises(ValueError, match=r"\[20, 30\] for 20 tracks .* of at most 15"):
        quick(five[:20], n_clusters=[20, 30])


def test_of_many_tracks_a_part_is_clustered(five):
    choice = quick(five, n_clusters=[2], max_tracks=40)
    assert choice.table["smallest"].item() <= 20
    assert len(choice.embedding) == 150


@pytest.mark.parametrize(
    ("estimator", "X", "kwargs", "message"),
    [
        (np.eye(3), None, {}, "Got 3 tracks with a latent vector"),
        (np.full((9, 2), np.nan), None, {}, r"Got 0 tracks .* \(9 without\)"),
        (np.ones((9, 2)), None, {}, "All 9 latent vectors are equal"),
        (np.ones(9), None, {}, "latent vectors of shape"),
        (csr_array(np.eye(9)), None, {}, "sparse matrix of 9 columns .* TruncatedSVD"),
        (np.eye(9), np.eye(9), {}, "Got latent vectors and X"),
        (KMeans(), None, {}, "Got KMeans and no X"),
        (HDBSCAN(), np.eye(9), {"clusterer": None}, r"HDBSCAN\(\), expected .*=KMeans\(\)"),
        (make_pipeline(PCA(2)), np.eye(9), {"clusterer": None}, r"PCA\(n_components=2\)"),
        (make_pipeline(PCA(2), "passthrough"), np.eye(9), {"clusterer": None}, "'passthrough'"),
        (np.eye(9), None, {"n_clusters": [1, 2]}, "integers from 2 up"),
        (np.eye(9), None, {"n_clusters": [2.5]}, "integers from 2 up"),
        (np.eye(9), None, {"n_clusters": []}, "integers from 2 up"),
        (np.eye(9), None, {"rule": "best"}, "'rule' parameter"),
        (np.eye(9), None, {"clusterer": PCA()}, "'clusterer' parameter"),
    ],
    ids=[
        "three tracks",
        "all missing",
        "all equal",
        "one column",
        "sparse",
        "vectors and X",
        "no X",
        "HDBSCAN",
        "no clusterer",
        "passthrough",
        "one cluster",
        "fraction",
        "no number",
        "rule",
        "transformer",
    ],
)
def test_what_can_not_work_is_a_clear_error(estimator, X, kwargs, message):
    with pytest.raises(ValueError, match=message):
        quick(estimator, X, **kwargs)


def test_a_progress_bar(five, capfd):
    quick(five, verbose=1)
    assert "Numbers of clusters" in capfd.readouterr().err
