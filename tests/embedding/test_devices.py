"""Memory and devices: what a fit takes, what it leaves behind, and GPUs."""

import gc
import os
import pickle
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_music import VAE, BetaCVAE, ConvVAE, SpectrogramExtractor
from sklearn_music.datasets import make_music
from sklearn_music.embedding.training import _data

gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]


def test_auto_device_is_resolved_in_fit_and_not_stored_back(blobs):
    vae = VAE(3, max_epochs=1).fit(blobs[0])
    assert vae.device == "auto"
    assert vae.device_ == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_net_fitted_on_a_gpu_loads_without_one(blobs):
    X, _ = blobs
    vae = VAE(3, max_epochs=1, device="cpu", random_state=0).fit(X)
    expected = vae.transform(X)
    vae.device_ = "cuda:7"  # as its pickle from a machine with eight of them says
    loaded = pickle.loads(pickle.dumps(vae))
    assert loaded.device_ == "cpu"
    np.testing.assert_array_equal(loaded.transform(X), expected)


def test_mixed_precision_stays_near_single_precision(embedder, blobs):
    X = np.tile(blobs[0], 3) * np.linspace(0.5, 1.5, 30, dtype=np.float32)
    embedder.set_params(n_components=3, max_epochs=20, batch_size=32, beta=0.1, device="cpu")
    exact = embedder.fit_transform(X)
    fast = embedder.set_params(amp=True).fit_transform(X)
    assert fast.dtype == np.float32
    assert not np.array_equal(fast, exact)
    # The distances, since rounding can rotate the latent space.
    distances = [np.linalg.norm(Z[:, None] - Z[None], axis=2).ravel() for Z in (exact, fast)]
    assert np.corrcoef(*distances)[0, 1] > 0.98


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=gpu)])
def test_samples_that_the_device_cannot_hold_reach_it_in_slices(blobs, monkeypatch, device):
    X, _ = blobs
    vae = VAE(3, max_epochs=2, batch_size=16, device=device, random_state=0)
    expected = vae.fit_transform(X)
    monkeypatch.setattr(_data, "_fits", lambda X, device: False)
    monkeypatch.setattr(_data, "_N_BATCHES", 2)
    tolerance = {"rtol": 1e-3, "atol": 1e-4} if device == "cuda" else {"rtol": 0}
    np.testing.assert_allclose(vae.fit_transform(X), expected, **tolerance)


def test_out_of_memory_names_batch_size_and_device_and_loses_nothing(blobs):
    X, _ = blobs
    vae = VAE(3, max_epochs=1, warm_start=True, device="cpu", random_state=0).fit(X)
    expected = vae.transform(X)
    vae.set_params(hidden_layer_sizes=(10**13,), warm_start=False)
    with pytest.raises(MemoryError, match=r"device='cpu' with batch_size=64"):
        vae.fit(X)
    np.testing.assert_array_equal(vae.transform(X), expected)
    vae.set_params(hidden_layer_sizes=(8,)).fit(X)


def test_a_net_is_freed_without_the_garbage_collector(embedder, samples):
    """So many fits take no more memory than one."""
    if "early_stopping" in embedder.get_params():
        embedder.set_params(early_stopping=True)
    embedder.fit(samples)
    network = weakref.ref(embedder.net_.module_)
    gc.collect()
    gc.disable()
    try:
        embedder.fit(samples)
        assert network() is None
    finally:
        gc.enable()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_memory_stays_flat_over_fifty_fits(rng):
    X = rng.standard_normal((100, 10_000)).astype(np.float32)  # 4 MB; the net takes 8 and more

    def memory():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    vae = VAE(2, hidden_layer_sizes=(100,), max_epochs=1, device="cpu", random_state=0)
    for _ in range(5):
        vae.fit(X)
    before = memory()
    for _ in range(50):
        vae.fit(X)
    assert memory() - before < 150e6  # if only the samples stayed, it would be 200 MB


class TestGPU:
    pytestmark = gpu

    @pytest.fixture(scope="class")
    def spectrograms(self):
        """Spectrograms of 32 x 44, scaled column by column."""
        music = make_music(60, duration=1.0, random_state=0)
        extractor = SpectrogramExtractor(n_mels=32, duration=1.0)
        X = extractor.fit_transform(music.data[["audio"]])
        return StandardScaler().fit_transform(X).astype(np.float32), extractor.image_shape_

    @pytest.mark.parametrize("kind", [VAE, ConvVAE, BetaCVAE])
    def test_cpu_and_gpu_agree(self, kind, spectrograms):
        X, image_shape = spectrograms
        embedder = kind(4, max_epochs=60, batch_size=16, random_state=0)
        if kind is not VAE:
            embedder.set_params(image_shape=image_shape)
        scores, clusters = [], []
        for device in ("cpu", "cuda"):
            Z = embedder.set_params(device=device).fit_transform(X)
            assert embedder.device_ == device
            scores.append(embedder.score(X))
            clusters.append(KMeans(6, n_init=10, random_state=0).fit_predict(Z))
        assert scores[1] == pytest.approx(scores[0], rel=0.02)
        assert adjusted_rand_score(*clusters) > 0.9

    def test_every_embedder_fits_on_a_gpu(self, embedder, samples):
        embedder.set_params(max_epochs=4, device="cuda").fit(samples)
        assert np.isfinite(embedder.score(samples))
        assert np.isfinite(embedder.transform(samples)).all()

    def test_pickles_cross_over(self, blobs):
        X, _ = blobs
        on_gpu = VAE(3, max_epochs=2, device="cuda", random_state=0).fit(X)
        loaded = pickle.loads(pickle.dumps(on_gpu))
        assert loaded.device_ == "cuda"
        np.testing.assert_allclose(loaded.transform(X), on_gpu.transform(X), rtol=1e-4, atol=1e-5)
        loaded.device_ = "cpu"
        on_cpu = pickle.loads(pickle.dumps(loaded))
        assert next(on_cpu.net_.module_.parameters()).device.type == "cpu"
        np.testing.assert_allclose(on_cpu.transform(X), on_gpu.transform(X), rtol=1e-2, atol=1e-3)

    def test_out_of_memory_leaves_the_estimator_usable(self, rng):
        X = rng.standard_normal((4096, 64)).astype(np.float32)
        vae = VAE(3, hidden_layer_sizes=(64,), max_epochs=1, device="cuda", random_state=0)
        vae.set_params(hidden_layer_sizes=(200_000, 200_000))  # 160 GB
        with pytest.raises(MemoryError, match=r"device='cuda' with batch_size=64"):
            vae.fit(X)
        vae.set_params(hidden_layer_sizes=(64,)).fit(X)
        assert torch.cuda.memory_allocated() < 100e6

    def test_a_search_keeps_the_memory_flat(self, blobs):
        X, y = blobs
        pipe = make_pipeline(VAE(max_epochs=1, device="cuda"), KMeans(3))
        grid = {"vae__n_components": [2, 4], "vae__beta": [0.1, 1, 4, 8, 16]}
        GridSearchCV(pipe, {"vae__n_components": [2]}, cv=2, scoring="rand_score").fit(X, y)
        gc.collect()
        before = torch.cuda.memory_allocated()
        search = GridSearchCV(pipe, grid, cv=5, scoring="rand_score", refit=False)
        search.fit(X, y)  # fifty fits
        assert torch.cuda.memory_allocated() <= before

    def test_mixed_precision_has_nearly_the_same_loss(self, blobs):
        X, _ = blobs
        vae = VAE(3, max_epochs=3, device="cuda", random_state=0).fit(X)
        exact = vae.history_[-1]["train_loss"]
        vae.set_params(amp=True).fit(X)
        assert vae.history_[-1]["train_loss"] == pytest.approx(exact, rel=0.05)
