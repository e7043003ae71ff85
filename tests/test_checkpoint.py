"""A fit that is killed goes on from its last epoch."""

import subprocess
import sys

import numpy as np
import pytest
from skorch.callbacks import GradientNormClipping

from sklearn_music import VAE, ConvVAE, TrackVAE, VaDE

# Kills itself where it is said to, in the middle of an epoch.
SCRIPT = """
import os, signal, sys
import numpy as np
from skorch.callbacks import Callback
import sklearn_music.embedding._training as training
from sklearn_music import VAE

class Killer(training.TermsLog):
    def on_batch_begin(self, net, **kwargs):
        if len(net.history) == int(sys.argv[3]) and len(net.history[-1]["batches"]) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

training.TermsLog = Killer
X = np.load(sys.argv[1])
vae = VAE(3, max_epochs=6, batch_size=16, kl_warmup=4, random_state=0, checkpoint_dir=sys.argv[2])
vae.fit(X)
"""


def test_a_killed_fit_ends_as_an_uninterrupted_one(blobs, tmp_path):
    X, _ = blobs
    np.save(tmp_path / "X.npy", X)
    kept = tmp_path / "kept"
    vae = VAE(3, max_epochs=6, batch_size=16, kl_warmup=4, random_state=0, device="cpu")
    expected = vae.fit(X)
    expected_places, expected_history = expected.transform(X), expected.history_
    script = [sys.executable, "-c", SCRIPT, tmp_path / "X.npy", kept, 4]
    killed = subprocess.run([str(part) for part in script], check=False)
    assert killed.returncode == -9
    assert len(list(kept.glob("*.checkpoint"))) == 1
    resumed = vae.set_params(checkpoint_dir=kept).fit(X)
    np.testing.assert_array_equal(resumed.transform(X), expected_places)
    assert [epoch["train_loss"] for epoch in resumed.history_] == [
        epoch["train_loss"] for epoch in expected_history
    ]
    assert not list(kept.iterdir())


class Stop(Exception):
    pass


@pytest.mark.parametrize("other", [{"beta": 2.0}, {"random_state": 1}, {"max_epochs": 3}, "rows"])
def test_another_fit_starts_anew(blobs, tmp_path, interrupt, other):
    X, _ = blobs
    vae = ConvVAE(2, image_shape=(2, -1), channels=(2,), max_epochs=4, random_state=0, checkpoint_dir=tmp_path)
    interrupt(vae, X, epoch=2)
    (path,) = tmp_path.iterdir()
    if other == "rows":
        X = X[::-1]
    else:
        vae.set_params(**other)
    places = vae.fit_transform(X)
    assert path.exists()
    np.testing.assert_array_equal(places, vae.set_params(checkpoint_dir=None).fit_transform(X))


def test_without_a_random_state_the_interrupted_seed_goes_on(blobs, tmp_path, interrupt):
    X, _ = blobs
    vae = VAE(2, max_epochs=4, checkpoint_dir=tmp_path)
    interrupt(vae, X, epoch=3)
    vae.fit(X)
    assert len(vae.history_) == 4
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("epoch", [2, 3, 4])
def test_a_mixture_goes_on_too(blobs, tmp_path, interrupt, epoch):
    X, _ = blobs
    vade = VaDE(3, n_components=2, pretrain_epochs=2, max_epochs=4, random_state=0, device="cpu")
    expected = vade.fit(X).predict_proba(X)
    interrupt(vade.set_params(checkpoint_dir=tmp_path), X, epoch)
    np.testing.assert_array_equal(vade.fit(X).predict_proba(X), expected)


@pytest.mark.parametrize("epoch", [2, 4, 9])
def test_neighbors_in_the_latent_space_go_on_too(blobs, tmp_path, interrupt, epoch):
    X = 10 * blobs[0]  # columns of variance 1 are no spectrogram
    vae = TrackVAE(
        2, image_shape=(2, -1), window_frames=2, channels=(4,), max_epochs=10, random_state=0
    )
    expected = vae.set_params(device="cpu").fit_transform(X)
    interrupt(vae.set_params(checkpoint_dir=tmp_path), X, epoch)
    np.testing.assert_array_equal(vae.fit_transform(X), expected)


def test_a_damaged_checkpoint_is_said_and_left(blobs, tmp_path, interrupt):
    X, _ = blobs
    vae = VAE(2, max_epochs=3, random_state=0, checkpoint_dir=tmp_path)
    interrupt(vae, X, epoch=2)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.warns(RuntimeWarning, match="starts anew"):
        vae.fit(X)
    assert len(vae.history_) == 3


def test_callbacks_would_lose_their_state(blobs, tmp_path):
    for params in ({"early_stopping": True}, {"callbacks": [GradientNormClipping()]}):
        with pytest.raises(ValueError, match="leave out either"):
            VAE(2, checkpoint_dir=tmp_path, **params).fit(blobs[0])


@pytest.fixture
def interrupt(monkeypatch):
    """Let a fit fail at the start of an epoch."""

    def fit(embedder, X, epoch):
        from sklearn_music.embedding import _training

        begin = _training.TermsLog.on_epoch_begin

        def failing(self, net, **kwargs):
            if len(net.history) == epoch:
                raise Stop
            begin(self, net, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(_training.TermsLog, "on_epoch_begin", failing)
            with pytest.raises(Stop):
                embedder.fit(X)

    return fit
