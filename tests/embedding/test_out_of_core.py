import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn_music.embedding._checkpoint import Checkpoint

from sklearn_music import VAE, BetaCVAE, ConvVAE, TrackVAE, VaDE
from sklearn_music.embedding import _mapped_rows, _neighbors, _training

EMBEDDERS = [
    VAE(3, hidden_layer_sizes=[8], n_neighbors=3),
    VAE(3, hidden_layer_sizes=[8], contrastive_weight=0, early_stopping=True, n_iter_no_change=1),
    ConvVAE(3, image_shape=(4, 6), channels=[4]),
    BetaCVAE(3, hidden_layer_sizes=[8], condition_features=[0, 3]),
    TrackVAE(3, image_shape=(4, 6), window_frames=3, channels=[4]),
]


@pytest.fixture(autouse=True)
def small_buffer(monkeypatch):
    """Let memory hold 40 rows of 30 columns."""
    for module in (_mapped_rows, _training):
        monkeypatch.setattr(module, "N_BUFFERED", 1200)


@pytest.fixture
def rows(rng):
    return rng.standard_normal((203, 30)).astype(np.float32)


@pytest.fixture
def on_disk(tmp_path):
    def write(X):
        path = tmp_path / "rows"
        X.tofile(path)
        return np.memmap(path, X.dtype, mode="r", shape=X.shape)

    return write


@pytest.mark.parametrize("embedder", EMBEDDERS, ids=str)
def test_as_in_memory(embedder, rows, on_disk):
    embedder = clone(embedder).set_params(max_epochs=2, batch_size=16, random_state=0)
    in_memory = clone(embedder).fit(rows)
    mapped = embedder.fit(on_disk(rows))
    np.testing.assert_array_equal(mapped.transform(on_disk(rows)), in_memory.transform(rows))
    np.testing.assert_array_equal(
        mapped.score_samples(on_disk(rows)), in_memory.score_samples(rows)
    )
    np.testing.assert_array_equal(mapped.kl_per_component_, in_memory.kl_per_component_)


def test_half_precision_and_a_part_of_a_file(rows, on_disk):
    rows = rows.astype(np.float16)
    vae = VAE(3, max_epochs=2, random_state=0)
    part = on_disk(rows)[50:]
    np.testing.assert_array_equal(vae.fit_transform(part), vae.fit_transform(rows[50:]))


def test_a_copy_on_write_map_keeps_its_changes(rows, tmp_path):
    rows.tofile(tmp_path / "rows")
    X = np.memmap(tmp_path / "rows", np.float32, mode="c", shape=rows.shape)
    X[:, 0] = 7
    VAE(3, max_epochs=1, random_state=0).fit(X)
    assert (X[:, 0] == 7).all()


@pytest.fixture
def in_chunks(rows, tmp_path):
    """The rows as an array of zarr, in five chunks."""
    zarr = pytest.importorskip("zarr")
    X = zarr.create_array(tmp_path / "rows.zarr", shape=rows.shape, chunks=(50, 30), dtype="f4")
    X[:] = rows
    return X


def test_zarr(rows, in_chunks):
    vae = VAE(3, max_epochs=2, random_state=0)
    np.testing.assert_array_equal(
        vae.fit(in_chunks).transform(in_chunks), vae.fit(rows).transform(rows)
    )


def test_each_chunk_is_read_once(rows, in_chunks, rng, monkeypatch):
    mapped = _mapped_rows.MappedRows(in_chunks, lambda block: block)
    reads = []
    read = mapped.read
    monkeypatch.setattr(mapped, "read", lambda *bounds: reads.append(bounds) or read(*bounds))
    wanted = rng.integers(len(rows), size=120)
    np.testing.assert_array_equal(mapped.take(wanted), rows[wanted])
    assert len(reads) == 5


def test_every_row_once_in_an_epoch_from_few_stretches(rows, on_disk, monkeypatch):
    mapped = _mapped_rows.MappedRows(on_disk(rows), lambda block: block)
    monkeypatch.setattr(_training, "_N_RUNS", 4)
    reads = []
    read = mapped.read
    monkeypatch.setattr(mapped, "read", lambda *bounds: reads.append(bounds) or read(*bounds))
    batches = _training.Batches(_training.Rows(mapped, "cpu"), batch_size=20, shuffle=True)
    torch.manual_seed(0)
    seen = torch.cat([x for (x,), _ in batches]).numpy()
    assert not np.array_equal(seen, rows)
    assert {row.tobytes() for row in seen} == {row.tobytes() for row in rows}
    assert len(reads) <= 6 * 5  # six buffers of four runs, one of which may be cut in two
    assert max(stop - start for start, stop in reads) >= 10


def test_a_killed_fit_goes_on(rows, on_disk, tmp_path, monkeypatch):
    class Killed(Exception):
        pass

    vae = VAE(3, max_epochs=4, contrastive_weight=0, random_state=0)
    whole = vae.fit(rows).transform(rows)
    vae = clone(vae).set_params(checkpoint_dir=tmp_path / "checkpoints")
    X = on_disk(rows)
    finished, on_epoch_end = [], Checkpoint.on_epoch_end

    def end_after_two(self, net, **kwargs):
        on_epoch_end(self, net, **kwargs)
        finished.append(1)
        if len(finished) == 2:
            raise Killed

    monkeypatch.setattr(Checkpoint, "on_epoch_end", end_after_two)
    with pytest.raises(Killed):
        vae.fit(X)
    assert len(list((tmp_path / "checkpoints").iterdir())) == 1
    np.testing.assert_array_equal(vae.fit(X).transform(X), whole)


def test_nan_on_disk_is_found_before_the_training(rows, on_disk, monkeypatch):
    monkeypatch.setattr(_training.EmbeddingNet, "initialize", lambda self: pytest.fail("trains"))
    rows[150, 3] = np.nan
    with pytest.raises(ValueError, match=r"rows of X from \d+, which is row 0 here, .* NaN"):
        VAE(3, max_epochs=1, contrastive_weight=0).fit(on_disk(rows))


def test_a_copy_of_a_map_is_in_memory(rows, on_disk):
    vae = VAE(3, max_epochs=1, random_state=0)
    np.testing.assert_array_equal(vae.fit_transform(on_disk(rows).copy()), vae.fit_transform(rows))


@pytest.mark.parametrize("embedder", [*EMBEDDERS, VaDE(2, n_components=3)], ids=str)
@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_column_of_any_name_is_a_column(embedder, kind, rows):
    """A table has its columns as attributes, too, which is not what tells an array on disk."""
    frames = pytest.importorskip(kind)
    names = ["chunks", "shape_", "_mmap", "dtype", "iloc", "ndim", "columns", "values", "size"]
    names += ["shape", "dtypes", *(f"c{i}" for i in range(19))]
    embedder = clone(embedder).set_params(max_epochs=1, random_state=0)
    expected = embedder.fit_transform(rows)
    table = frames.DataFrame(dict(zip(names, rows.T, strict=True)))
    np.testing.assert_array_equal(embedder.fit_transform(table), expected)
    if "condition_features" in embedder.get_params():
        embedder.set_params(condition_features=["chunks", "dtype"])
        np.testing.assert_array_equal(embedder.fit_transform(table), expected)


def test_what_is_no_array_on_disk(rows):
    fields = [("_mmap", "f4"), ("chunks", "f4")]
    for X in (
        rows,
        rows.view(np.recarray),
        np.zeros(700, fields).view(np.recarray),
        pd.DataFrame(rows).set_axis([f"c{i}" for i in range(29)] + ["chunks"], axis=1),
        pd.Series(rows[0], index=[*range(29), "chunks"]),
        rows.tolist(),
    ):
        assert not _mapped_rows.is_mapped(X)


@pytest.fixture
def sorted_by_class(rng):
    """200 rows of four classes, one class after the other, and the class of each."""
    labels = np.arange(200) // 50
    # Classes that overlap: with all rows to choose from, many a neighbour is of another class.
    X = rng.standard_normal((200, 30)) + 0.3 * labels[:, None]
    return X.astype(np.float32), labels


def exact(X, n_neighbors):
    distances = cdist(X, X)
    np.fill_diagonal(distances, np.inf)
    return distances.argsort(axis=1)[:, :n_neighbors]


@pytest.mark.parametrize("where", ["in memory", "on disk", "some of a file"])
def test_neighbors_do_not_depend_on_the_order(sorted_by_class, where, rng, on_disk):
    """Of a table above what memory holds at a time, as large as one of spectrograms is."""
    X, _ = sorted_by_class
    assert X.size > 2 * _mapped_rows.N_BUFFERED
    order = rng.permutation(len(X))
    near = []
    for rows in (X, X[order]):
        if where != "in memory":
            rows = _mapped_rows.MappedRows(on_disk(rows), lambda block: block)
        if where == "some of a file":
            rows = rows.part(np.arange(len(X)))
        near.append(_neighbors.nearest_rows(rows, 5))
    np.testing.assert_array_equal(near[0], exact(X, 5))
    np.testing.assert_array_equal(order[near[1]], near[0][order])


def test_neighbors_in_a_sample_of_a_large_file(sorted_by_class, rng, on_disk, monkeypatch):
    X, labels = sorted_by_class
    monkeypatch.setattr(_neighbors, "_N_CHUNKS", 2)  # of five: 80 rows
    order = rng.permutation(len(X))
    shares = []
    for rows, kinds in ((X, labels), (X[order], labels[order])):
        mapped = _mapped_rows.MappedRows(on_disk(rows), lambda block: block)
        near = _neighbors.nearest_rows(mapped, 5)
        candidates = np.unique(near)
        assert 40 < len(candidates) <= 80
        # From all of the file, whatever its order.
        assert np.histogram(candidates, bins=4, range=(0, 200))[0].min() >= 8
        assert not (near == np.arange(200)[:, None]).any()
        distances = cdist(rows, rows[candidates])
        distances[candidates[None] == np.arange(200)[:, None]] = np.inf
        found = np.take_along_axis(cdist(rows, rows), near, axis=1)
        np.testing.assert_allclose(found, np.sort(distances, axis=1)[:, :5], rtol=1e-5)
        shares.append((kinds[near] == kinds[:, None]).mean())
    assert shares[0] == pytest.approx(shares[1], abs=0.1)


def test_more_neighbors_than_a_sample_holds(sorted_by_class, on_disk, monkeypatch):
    X, _ = sorted_by_class
    monkeypatch.setattr(_neighbors, "_N_CHUNKS", 1)
    mapped = _mapped_rows.MappedRows(on_disk(X), lambda block: block)
    near = _neighbors.nearest_rows(mapped, 150)
    assert all(len(set(row)) == 150 for row in near)
    same = _mapped_rows.MappedRows(on_disk(np.ones_like(X)), lambda block: block)
    near = _neighbors.nearest_rows(same, 5)
    assert all(len({*row, i}) == 6 for i, row in enumerate(near))


class Counted:
    """An array out of core, which counts how many rows are read at a time."""

    def __init__(self, X):
        self.X = X
        self.most = 0

    shape = property(lambda self: self.X.shape)
    ndim = property(lambda self: self.X.ndim)
    dtype = property(lambda self: self.X.dtype)
    chunks = property(lambda self: (20, 30))

    def __len__(self):
        return len(self.X)

    def __getitem__(self, key):
        part = self.X[key]
        self.most = max(self.most, len(part))
        return part

    def __array__(self, dtype=None, copy=None):
        self.most = len(self.X)
        return np.asarray(self.X, dtype)


@pytest.mark.parametrize("embedder", [*EMBEDDERS, VaDE(2, n_components=3)], ids=str)
@pytest.mark.parametrize("missing", [False, True])
def test_nothing_reads_all_rows_at_once(embedder, missing, rows, monkeypatch):
    monkeypatch.setattr(_training, "_N_VALUES", 1200)
    if missing:
        rows = rows.copy()
        rows[::10] = np.nan
    X, y = Counted(rows), np.arange(len(rows)) % 2
    embedder = clone(embedder).set_params(max_epochs=1, batch_size=16, random_state=0)
    embedder.partial_fit(X).partial_fit(X)
    embedder.set_params(warm_start=True).fit(X, y)
    embedder.transform(X)
    embedder.score_samples(X)
    embedder.score(X)
    if hasattr(embedder, "predict"):
        embedder.predict(X)
    assert 0 < X.most <= 40
