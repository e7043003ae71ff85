"""Memory-mapped data gives what an array gives, and is never read as a whole."""

import numpy as np
import pandas as pd
import pytest
import torch
from embedders import EMBEDDERS, make_embedder
from sklearn.base import clone

from sklearn_music import VAE
from sklearn_music.embedding.training import (
    Batches,
    OutOfCore,
    Samples,
    _data,
    _out_of_core,
    is_out_of_core,
)


@pytest.fixture(params=[*EMBEDDERS, "VAE, early stopping"])
def embedder(request):
    embedder = make_embedder(request.param)
    if request.param == "VAE, early stopping":
        embedder.set_params(contrastive_weight=0)
    return embedder


@pytest.fixture(autouse=True)
def small_buffer(monkeypatch):
    """Let memory hold 40 samples of 30 columns at a time."""
    for module in (_out_of_core, _data):
        monkeypatch.setattr(module, "N_BUFFERED", 1200)


@pytest.fixture
def samples(rng):
    return rng.standard_normal((203, 30)).astype(np.float32)


@pytest.fixture
def on_disk(tmp_path):
    def write(X):
        path = tmp_path / "samples"
        X.tofile(path)
        return np.memmap(path, X.dtype, mode="r", shape=X.shape)

    return write


@pytest.fixture
def in_chunks(samples, tmp_path):
    """The samples as an array of zarr, in five chunks."""
    zarr = pytest.importorskip("zarr")
    X = zarr.create_array(
        tmp_path / "samples.zarr", shape=samples.shape, chunks=(50, 30), dtype="f4"
    )
    X[:] = samples
    return X


@pytest.fixture
def count_reads(monkeypatch):
    """Return a function that lists the reads of out-of-core data, (start, stop) of each."""

    def count(X):
        reads, read = [], X.read
        monkeypatch.setattr(X, "read", lambda *bounds: reads.append(bounds) or read(*bounds))
        return reads

    return count


def test_as_in_memory(embedder, samples, on_disk):
    in_memory = clone(embedder).set_params(max_epochs=2).fit(samples)
    X = on_disk(samples)
    mapped = embedder.set_params(max_epochs=2).fit(X)
    np.testing.assert_array_equal(mapped.transform(X), in_memory.transform(samples))
    np.testing.assert_array_equal(mapped.score_samples(X), in_memory.score_samples(samples))
    np.testing.assert_array_equal(mapped.kl_per_component_, in_memory.kl_per_component_)


def test_half_precision_and_a_part_of_a_file(samples, on_disk):
    samples = samples.astype(np.float16)
    vae = VAE(3, max_epochs=2, random_state=0)
    part = on_disk(samples)[50:]
    np.testing.assert_array_equal(vae.fit_transform(part), vae.fit_transform(samples[50:]))


def test_a_copy_on_write_map_keeps_its_changes(samples, tmp_path):
    samples.tofile(tmp_path / "samples")
    X = np.memmap(tmp_path / "samples", np.float32, mode="c", shape=samples.shape)
    X[:, 0] = 7
    VAE(3, max_epochs=1, random_state=0).fit(X)
    assert (X[:, 0] == 7).all()


def test_zarr(samples, in_chunks):
    vae = VAE(3, max_epochs=2, random_state=0)
    Z = vae.fit(in_chunks).transform(in_chunks)
    np.testing.assert_array_equal(Z, vae.fit(samples).transform(samples))


def test_each_chunk_is_read_once(samples, in_chunks, rng, count_reads):
    X = OutOfCore(in_chunks, lambda block: block)
    reads = count_reads(X)
    wanted = rng.integers(len(samples), size=120)
    np.testing.assert_array_equal(X.take(wanted), samples[wanted])
    assert len(reads) == 5


def test_an_epoch_has_each_sample_once_in_few_reads(samples, on_disk, monkeypatch, count_reads):
    X = OutOfCore(on_disk(samples), lambda block: block)
    monkeypatch.setattr(_data, "_N_RUNS", 4)
    reads = count_reads(X)
    batches = Batches(Samples(X, "cpu"), batch_size=20, shuffle=True)
    torch.manual_seed(0)
    seen = torch.cat([x for (x,), _ in batches]).numpy()
    assert not np.array_equal(seen, samples)
    assert {sample.tobytes() for sample in seen} == {sample.tobytes() for sample in samples}
    assert len(reads) <= 6 * 5  # six buffers of four runs, one of which may be cut in two
    assert max(stop - start for start, stop in reads) >= 10


def test_an_interrupted_fit_goes_on(samples, on_disk, tmp_path, interrupt):
    vae = VAE(3, max_epochs=4, contrastive_weight=0, random_state=0, device="cpu")
    expected = vae.fit_transform(samples)
    vae = clone(vae).set_params(checkpoint_dir=tmp_path / "checkpoints")
    X = on_disk(samples)
    interrupt(vae, X, epoch=3)
    assert len(list((tmp_path / "checkpoints").iterdir())) == 1
    np.testing.assert_array_equal(vae.fit_transform(X), expected)


def test_nan_on_disk_is_found_before_the_training(samples, on_disk, no_training):
    samples[150, 3] = np.nan
    with pytest.raises(ValueError, match=r" of X from \d+, which is row 0 here, .* NaN"):
        VAE(3, max_epochs=1, contrastive_weight=0).fit(on_disk(samples))


def test_a_copy_of_a_map_is_in_memory(samples, on_disk):
    assert is_out_of_core(on_disk(samples))
    assert not is_out_of_core(on_disk(samples).copy())


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_column_of_any_name_is_a_column(embedder, kind, samples):
    """A table has its columns as attributes too, which must not pass for those of an array."""
    frames = pytest.importorskip(kind)
    names = ["chunks", "shape_", "_mmap", "dtype", "iloc", "ndim", "columns", "values", "size"]
    names += ["shape", "dtypes", *(f"c{i}" for i in range(19))]
    is_conditional = "condition_features" in embedder.get_params()
    if is_conditional:
        embedder.set_params(condition_features=[0, 3])
    expected = embedder.fit_transform(samples)
    table = frames.DataFrame(dict(zip(names, samples.T, strict=True)))
    np.testing.assert_array_equal(embedder.fit_transform(table), expected)
    if is_conditional:
        embedder.set_params(condition_features=["chunks", "dtype"])
        np.testing.assert_array_equal(embedder.fit_transform(table), expected)


def test_what_is_no_array_on_disk(samples):
    fields = [("_mmap", "f4"), ("chunks", "f4")]
    for X in (
        samples,
        samples.view(np.recarray),
        np.zeros(700, fields).view(np.recarray),
        pd.DataFrame(samples).set_axis([f"c{i}" for i in range(29)] + ["chunks"], axis=1),
        pd.Series(samples[0], index=[*range(29), "chunks"]),
        samples.tolist(),
    ):
        assert not is_out_of_core(X)


class Counted:
    """An array on disk that notes how many samples are read at a time."""

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


@pytest.mark.parametrize("missing", [False, True])
def test_nothing_reads_all_samples_at_once(embedder, missing, samples, monkeypatch):
    monkeypatch.setattr(_data, "_N_VALUES", 1200)
    if missing:
        samples[::10] = np.nan
    X, y = Counted(samples), np.arange(len(samples)) % 2
    embedder.partial_fit(X).partial_fit(X)
    embedder.set_params(warm_start=True).fit(X, y)
    embedder.transform(X)
    embedder.score_samples(X)
    embedder.score(X)
    if hasattr(embedder, "predict"):
        embedder.predict(X)
    assert 0 < X.most <= 40
