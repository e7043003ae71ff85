import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn.cluster import DBSCAN, KMeans
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

from sklearn_music.exploration import similar_tracks


@pytest.fixture
def table(rng):
    titles = [f"song {i}" for i in range(30)]
    return pd.DataFrame(rng.standard_normal((30, 4)), columns=list("abcd"), index=titles)


@pytest.fixture
def pipe(table):
    return make_pipeline(PCA(3), KMeans(3, n_init=1, random_state=0)).fit(table)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_neighbours_in_the_latent_space(pipe, table, metric):
    Z = pipe[:-1].transform(table)
    distances = cdist(Z, Z, metric)
    found = similar_tracks(pipe, table, ["song 7", "song 2"], n_neighbors=4, metric=metric)
    assert found["query"].tolist() == ["song 7"] * 4 + ["song 2"] * 4
    assert found["rank"].tolist() == [1, 2, 3, 4] * 2
    for row, part in ((7, found[:4]), (2, found[4:])):
        expected = np.argsort(distances[row])[1:5]
        assert part["track"].tolist() == table.index[expected].tolist()
        np.testing.assert_allclose(part["distance"], distances[row][expected], rtol=1e-6)
        assert part["cluster"].tolist() == pipe.predict(table)[expected].tolist()
    alone = similar_tracks(Z, table, "song 7", n_neighbors=4, metric=metric)
    pd.testing.assert_frame_equal(alone, found[:4].drop(columns="cluster"))


def test_new_tracks(pipe, table):
    new = table.iloc[[3, 5]].set_axis(["x", "y"])
    found = similar_tracks(pipe, table, new, n_neighbors=1)
    assert found["query"].tolist() == ["x", "y"]
    assert found["track"].tolist() == ["song 3", "song 5"]  # which they are, but nobody knows
    np.testing.assert_allclose(found["distance"], 0, atol=1e-6)
    Z = pipe[:-1].transform(table)
    by_vectors = similar_tracks(Z, table, Z[[3, 5]], n_neighbors=1)
    assert by_vectors["track"].tolist() == ["song 3", "song 5"]
    assert by_vectors["query"].tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"latent vectors of shape \(30,\)"):
        similar_tracks(Z[:, 0], table)


def test_missing_tracks_are_no_neighbours_and_have_none(table):
    Z = table.to_numpy(copy=True)
    Z[4] = np.nan
    Z[9, 0] = np.inf
    found = similar_tracks(Z, table, n_neighbors=100)
    present = set(table.index) - {"song 4", "song 9"}
    assert set(found["query"]) == set(found["track"]) == present
    assert len(found) == 28 * 27  # all there are, but itself
    assert (found["query"] != found["track"]).all()
    assert similar_tracks(Z, table, "song 4").empty
    assert list(similar_tracks(Z, table, "song 4")) == ["query", "rank", "track", "distance"]
    assert similar_tracks(Z * np.nan, table).empty
    assert similar_tracks(Z[:1], table[:1]).empty


def test_a_track_is_not_its_own_neighbour_but_its_copies_are():
    Z = np.zeros((8, 20))
    found = similar_tracks(Z, range(8), n_neighbors=3)
    assert found["query"].value_counts().tolist() == [3] * 8
    assert (found["query"] != found["track"]).all()


def test_labels_of_the_index():
    Z = np.arange(4.0)[:, None]
    twice = pd.DataFrame(index=["a", "a", "b", "c"])
    found = similar_tracks(Z, twice, "a", n_neighbors=1)
    assert found["query"].tolist() == ["a", "a"]
    assert found["track"].tolist() == ["a", "a"]
    pairs = pd.DataFrame(index=pd.MultiIndex.from_tuples([(0, 0), (0, 1), (1, 0), (1, 1)]))
    assert similar_tracks(Z, pairs, (1, 1), n_neighbors=1)["track"].tolist() == [(1, 0)]
    assert similar_tracks(Z, pairs, [(1, 1), (0, 0)], n_neighbors=1)["track"].tolist() == [
        (1, 0),
        (0, 1),
    ]
    rows = similar_tracks(Z, list("wxyz"), np.array([3]), n_neighbors=2)
    assert rows["track"].tolist() == [2, 1]
    with pytest.raises(ValueError, match="Got the query 'd', expected a label of the index"):
        similar_tracks(Z, twice, ["a", "d"])
    with pytest.raises(ValueError, match="Got a mask as queries"):
        similar_tracks(Z, twice, twice.index == "a")
    with pytest.raises(ValueError, match="has no tracks"):
        similar_tracks(Z[:0], twice[:0], "a")


def test_what_is_wrong_is_said(table):
    with pytest.raises(ValueError, match="expected a fitted Pipeline"):
        similar_tracks(PCA(2), table)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        similar_tracks(np.ones((3, 2)), table)
    with pytest.raises(ValueError, match="'n_neighbors' parameter"):
        similar_tracks(table, table, n_neighbors=0)


def test_collections_of_other_libraries(table):
    polars = pytest.importorskip("polars")
    other = polars.DataFrame({name: table[name].tolist() for name in table})
    pipe = make_pipeline(PCA(3), DBSCAN(eps=9)).fit(other)  # no predict
    found = similar_tracks(pipe, other, 7, n_neighbors=3)
    expected = similar_tracks(pipe, table.reset_index(drop=True), 7, n_neighbors=3)
    pd.testing.assert_frame_equal(found, expected)
    new = similar_tracks(pipe, other, other[:2], n_neighbors=1)
    assert new["query"].tolist() == new["track"].tolist() == [0, 1]
    Z = sparse.coo_matrix(table.to_numpy())
    assert len(similar_tracks(Z, table, "song 1", n_neighbors=3)) == 3


@given(
    st.lists(st.sampled_from([0.0, 1.0, 2.5, np.nan]), min_size=1, max_size=12),
    st.integers(1, 15),
)
def test_all_neighbours_and_only_those(positions, n):
    Z = np.array(positions)[:, None]
    found = similar_tracks(Z, range(len(Z)), n_neighbors=n)
    present = np.flatnonzero(~np.isnan(Z[:, 0]))
    for row in present:
        part = found[found["query"] == row]
        distances = np.sort(np.abs(Z[present[present != row], 0] - Z[row]))[:n]
        np.testing.assert_array_equal(part["distance"], distances)
        assert part["rank"].tolist() == list(range(1, len(distances) + 1))
        assert part["track"].is_unique
    assert set(found["query"]) <= set(present)
