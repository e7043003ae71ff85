"""A fit that is killed goes on from its last epoch."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from skorch.callbacks import GradientNormClipping

from sklearn_music import VAE, BetaCVAE, ConvVAE, TrackVAE, VaDE
from sklearn_music.embedding import _base

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


EMBEDDERS = [
    VAE(2, random_state=0),
    VaDE(2, n_components=2, random_state=0),
    ConvVAE(2, image_shape=(2, 4), random_state=0),
    BetaCVAE(2, image_shape=(2, 4), random_state=0),
    TrackVAE(2, image_shape=(2, 4), random_state=0),
]
# A value that is none of the defaults or of those above.
OTHER = {
    **dict.fromkeys(["n_components", "n_clusters", "n_init", "n_neighbors", "window_frames"], 3),
    **dict.fromkeys(["max_epochs", "pretrain_epochs", "kl_warmup", "batch_size"], 7),
    **dict.fromkeys(["beta", "free_bits", "total_correlation", "contrastive_weight", "lr"], 0.7),
    **dict.fromkeys(["auxiliary_weight", "cross_modal_weight", "temperature", "augmentation"], 0.7),
    "hidden_layer_sizes": [5],
    "channels": [5],
    "image_shape": (4, 2),
    "decoder_variance": "learned",
    "encode_condition": True,
    "amp": True,
}


@pytest.mark.parametrize("embedder", EMBEDDERS, ids=lambda embedder: type(embedder).__name__)
def test_the_key_holds_each_parameter_or_a_reason_is_given(blobs, tmp_path, monkeypatch, embedder):
    paths = []

    def of_fit(*args):
        checkpoint, _ = original(*args)
        paths.append(checkpoint.path)
        raise Stop

    original = _base.Checkpoint.of_fit
    monkeypatch.setattr(_base.Checkpoint, "of_fit", of_fit)

    def path(X, **params):
        with pytest.raises(Stop):
            clone(embedder).set_params(checkpoint_dir=tmp_path, **params).fit(X)
        return paths[-1]

    X = 10 * blobs[0]
    first = path(X)
    assert path(X) == first
    assert path(X, random_state=np.random.RandomState(0)) == first
    for name in embedder.get_params(deep=False):
        if name not in _base.NOT_IN_CHECKPOINT_KEY:
            assert path(X, **{name: OTHER[name]}) != first, name
    for others in ({"random_state": 1}, {"random_state": None}):
        assert path(X, **others) != first
    for rows in (X[:-1], X + 1, X[:, ::-1]):
        assert path(rows) != first
    if "condition_features" in embedder.get_params():
        assert path(X, condition_features=[0]) != first
        assert path(X, condition_features=[0]) != path(X, condition_features=[1])
        assert path(X, condition_features=lambda X: [0]) == path(X, condition_features=[0])


def test_each_reason_is_for_a_parameter():
    names = {name for embedder in EMBEDDERS for name in embedder.get_params()}
    assert set(_base.NOT_IN_CHECKPOINT_KEY) <= names
    assert all(_base.NOT_IN_CHECKPOINT_KEY.values())


@pytest.mark.parametrize("embedder", [VAE(2), VaDE(2, n_components=2, pretrain_epochs=4)], ids=str)
def test_other_neighbors_are_another_fit(blobs, tmp_path, interrupt, embedder):
    X, _ = blobs
    embedder.set_params(max_epochs=5, random_state=0, checkpoint_dir=tmp_path)
    interrupt(embedder.set_params(n_neighbors=10), X, epoch=4)
    places = embedder.set_params(n_neighbors=1).fit_transform(X)
    alone = embedder.set_params(checkpoint_dir=None).fit_transform(X)
    np.testing.assert_array_equal(places, alone)


def test_partial_fit_takes_no_checkpoint(blobs, tmp_path, interrupt):
    X, _ = blobs
    vae = VAE(2, max_epochs=4, random_state=0, checkpoint_dir=tmp_path)
    interrupt(vae, X, epoch=3)
    assert len(vae.partial_fit(X).history_) == 1
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("other", [{"beta": 2.0}, {"random_state": 1}, {"max_epochs": 3}, "rows"])
def test_another_fit_starts_anew(blobs, tmp_path, interrupt, other):
    X, _ = blobs
    vae = ConvVAE(
        2, image_shape=(2, -1), channels=(2,), max_epochs=4, random_state=0, checkpoint_dir=tmp_path
    )
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


def test_a_file_in_the_place_of_the_folder(blobs, tmp_path):
    (tmp_path / "kept").touch()
    with pytest.raises(NotADirectoryError, match="which is a file, expected a folder"):
        VAE(2, checkpoint_dir=tmp_path / "kept").fit(blobs[0])


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
