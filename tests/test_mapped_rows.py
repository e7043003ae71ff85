import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_music import VAE, BetaCVAE, ConvVAE, TrackVAE
from sklearn_music.embedding import _mapped_rows, _training
from sklearn_music.embedding._checkpoint import Checkpoint

EMBEDDERS = [
    VAE(3, hidden_layer_sizes=[8], n_neighbors=3),
    VAE(3, hidden_layer_sizes=[8], consistency=0, early_stopping=True, n_iter_no_change=1),
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

    vae = VAE(3, max_epochs=4, consistency=0, random_state=0)
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
        VAE(3, max_epochs=1, consistency=0).fit(on_disk(rows))


def test_a_copy_of_a_map_is_in_memory(rows, on_disk):
    vae = VAE(3, max_epochs=1, random_state=0)
    np.testing.assert_array_equal(vae.fit_transform(on_disk(rows).copy()), vae.fit_transform(rows))
