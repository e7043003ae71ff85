import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.datasets import make_blobs
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score
from sklearn.mixture import GaussianMixture

from sklearn_music.model_selection import choose_n_clusters
from sklearn_music.pipelines import SkipMissing

RULES = {
    "auto",
    "silhouette",
    "calinski_harabasz",
    "davies_bouldin",
    "stability",
    "bic",
    "gap",
    "elbow",
}


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
    choice = choose_n_clusters(five, n_clusters=range(2, 9), clusterer=clusterer, n_seeds=3)
    found = {rule for rule, n_clusters in choice.by_rule.items() if n_clusters == 5}
    assert choice.by_rule.keys() == RULES
    assert found >= RULES - {"stability", "elbow"}
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
