"""Nearest neighbours, of arrays and of memory-mapped data."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from sklearn_music.embedding.training import OutOfCore, _neighbors, _out_of_core, nearest_samples


@pytest.fixture(autouse=True)
def small_buffer(monkeypatch):
    """Let memory hold 40 samples of 30 columns at a time."""
    monkeypatch.setattr(_out_of_core, "N_BUFFERED", 1200)


@pytest.fixture
def sorted_by_class(rng):
    """200 samples of four classes, one class after the other, and the class of each."""
    labels = np.arange(200) // 50
    # The classes overlap: many a sample has a neighbour of another class.
    X = rng.standard_normal((200, 30)) + 0.3 * labels[:, None]
    return X.astype(np.float32), labels


def out_of_core(X):
    return OutOfCore(X, lambda block: block)


def exact(X, n_neighbors):
    distances = cdist(X, X)
    np.fill_diagonal(distances, np.inf)
    return distances.argsort(axis=1)[:, :n_neighbors]


@pytest.mark.parametrize("where", ["in memory", "out of core", "a part out of core"])
def test_neighbors_do_not_depend_on_the_order(sorted_by_class, where, rng):
    """Of a table larger than memory holds at a time, as one of spectrograms is."""
    X, _ = sorted_by_class
    assert X.size > 2 * _out_of_core.N_BUFFERED
    order = rng.permutation(len(X))
    near = []
    for samples in (X, X[order]):
        if where != "in memory":
            samples = out_of_core(samples)
        if where == "a part out of core":
            samples = _out_of_core.take(samples, np.arange(len(X)))
        near.append(nearest_samples(samples, 5))
    np.testing.assert_array_equal(near[0], exact(X, 5))
    np.testing.assert_array_equal(order[near[1]], near[0][order])


def test_neighbors_in_a_random_sample_of_a_large_file(sorted_by_class, rng, monkeypatch):
    X, labels = sorted_by_class
    monkeypatch.setattr(_neighbors, "_N_CHUNKS", 2)  # of five: 80 samples
    order = rng.permutation(len(X))
    shares = []
    for samples, classes in ((X, labels), (X[order], labels[order])):
        near = nearest_samples(out_of_core(samples), 5)
        candidates = np.unique(near)
        assert 40 < len(candidates) <= 80
        # From all of the file, whatever its order.
        assert np.histogram(candidates, bins=4, range=(0, 200))[0].min() >= 8
        assert not (near == np.arange(200)[:, None]).any()
        distances = cdist(samples, samples[candidates])
        distances[candidates[None] == np.arange(200)[:, None]] = np.inf
        found = np.take_along_axis(cdist(samples, samples), near, axis=1)
        np.testing.assert_allclose(found, np.sort(distances, axis=1)[:, :5], rtol=1e-5)
        shares.append((classes[near] == classes[:, None]).mean())
    assert shares[0] == pytest.approx(shares[1], abs=0.1)


def test_more_neighbors_than_a_buffer_holds(sorted_by_class, monkeypatch):
    X, _ = sorted_by_class
    monkeypatch.setattr(_neighbors, "_N_CHUNKS", 1)
    near = nearest_samples(out_of_core(X), 150)
    assert all(len(set(some)) == 150 for some in near)


def test_equal_samples_are_neighbors_of_others_only(sorted_by_class, monkeypatch):
    monkeypatch.setattr(_neighbors, "_N_CHUNKS", 1)
    near = nearest_samples(out_of_core(np.ones_like(sorted_by_class[0])), 5)
    assert all(len({*some, i}) == 6 for i, some in enumerate(near))


def test_fewer_samples_than_neighbors(rng):
    X = rng.standard_normal((4, 30))
    assert nearest_samples(X, 10).shape == (4, 3)
    assert nearest_samples(X[:1], 10) is None
