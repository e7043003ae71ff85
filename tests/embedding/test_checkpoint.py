"""A fit that is killed goes on from its last epoch."""

import subprocess
import sys

import numpy as np
import pytest
from embedders import EMBEDDERS, make_embedder
from sklearn.base import clone

from sklearn_music import VAE
from sklearn_music.embedding._fitting import NOT_IN_CHECKPOINT_KEY
from sklearn_music.embedding.training import Checkpoint

# Kills itself in the middle of an epoch.
SCRIPT = """
import os, signal, sys
import numpy as np
from sklearn_music import VAE
from sklearn_music.embedding.training import Trainer

begin = Trainer.on_batch_begin

def on_batch_begin(net, *args, **kwargs):
    begin(net, *args, **kwargs)
    if len(net.history) == int(sys.argv[3]) and len(net.history[-1]["batches"]) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

Trainer.on_batch_begin = on_batch_begin
X = np.load(sys.argv[1])
vae = VAE(3, max_epochs=6, batch_size=16, kl_warmup=4, random_state=0, checkpoint_dir=sys.argv[2])
vae.fit(X)
"""


def test_a_killed_fit_ends_as_an_uninterrupted_one(blobs, tmp_path):
    X, _ = blobs
    np.save(tmp_path / "X.npy", X)
    kept = tmp_path / "kept"
    vae = VAE(3, max_epochs=6, batch_size=16, kl_warmup=4, random_state=0, device="cpu")
    expected = clone(vae).fit(X)
    script = [sys.executable, "-c", SCRIPT, tmp_path / "X.npy", kept, 4]
    killed = subprocess.run([str(part) for part in script], check=False)
    assert killed.returncode == -9
    assert len(list(kept.glob("*.checkpoint"))) == 1
    resumed = vae.set_params(checkpoint_dir=kept).fit(X)
    np.testing.assert_array_equal(resumed.transform(X), expected.transform(X))
    assert [epoch["train_loss"] for epoch in resumed.history_] == [
        epoch["train_loss"] for epoch in expected.history_
    ]
    assert not list(kept.iterdir())


class Found(Exception):
    """Ends a fit once it has found its checkpoint."""


# A value that is neither a default nor one of those above.
OTHER = {
    **dict.fromkeys(["n_components", "n_clusters", "n_init", "n_neighbors", "window_frames"], 4),
    **dict.fromkeys(["max_epochs", "pretrain_epochs", "kl_warmup", "batch_size"], 7),
    **dict.fromkeys(["beta", "free_bits", "total_correlation", "contrastive_weight", "lr"], 0.7),
    **dict.fromkeys(["auxiliary_weight", "cross_modal_weight", "augmentation"], 0.7),
    "hidden_layer_sizes": [5],
    "channels": [5],
    "image_shape": (6, 4),
    "decoder_variance": "learned",
    "encode_condition": True,
    "amp": True,
}


def test_the_key_holds_each_parameter_or_a_reason_is_given(
    embedder, samples, tmp_path, monkeypatch
):
    paths = []
    original = Checkpoint.of_fit

    def of_fit(*args):
        checkpoint, _ = original(*args)
        paths.append(checkpoint.path)
        raise Found

    monkeypatch.setattr(Checkpoint, "of_fit", of_fit)

    def path(X, **params):
        with pytest.raises(Found):
            clone(embedder).set_params(checkpoint_dir=tmp_path, **params).fit(X)
        return paths[-1]

    X = samples
    first = path(X)
    assert path(X) == first
    assert path(X, random_state=np.random.RandomState(0)) == first
    for name in embedder.get_params(deep=False):
        if name not in NOT_IN_CHECKPOINT_KEY:
            assert name in OTHER, f"{name} is new: give it another value in OTHER."
            assert path(X, **{name: OTHER[name]}) != first, name
    for others in ({"random_state": 1}, {"random_state": None}):
        assert path(X, **others) != first
    for other in (X[:-1], X + 1, X[:, ::-1]):
        assert path(other) != first
    if "condition_features" in embedder.get_params():
        assert path(X, condition_features=[1]) != path(X, condition_features=[2])
        assert path(X, condition_features=[1]) != path(X, condition_features=None)
        assert path(X, condition_features=lambda X: [1]) == path(X, condition_features=[1])
    if "n_main" in embedder.get_params():
        assert path(X, n_main=20) != path(X, n_main=21)
        assert path(X, n_main=lambda X: 20) == path(X, n_main=20)


def test_each_reason_is_for_a_parameter():
    names = {name for embedder in EMBEDDERS.values() for name in embedder.get_params()}
    assert set(NOT_IN_CHECKPOINT_KEY) <= names
    assert all(NOT_IN_CHECKPOINT_KEY.values())


@pytest.mark.parametrize("epoch", [2, 3, 4])
def test_an_interrupted_fit_goes_on(samples, tmp_path, interrupt, embedder, epoch):
    embedder.set_params(max_epochs=4, batch_size=20, device="cpu")
    if "pretrain_epochs" in embedder.get_params():
        embedder.set_params(pretrain_epochs=2)
    expected = clone(embedder).fit(samples)
    interrupt(embedder.set_params(checkpoint_dir=tmp_path), samples, epoch)
    resumed = embedder.fit(samples)
    np.testing.assert_array_equal(resumed.transform(samples), expected.transform(samples))
    if hasattr(embedder, "predict_proba"):
        np.testing.assert_array_equal(
            resumed.predict_proba(samples), expected.predict_proba(samples)
        )


def test_partial_fit_takes_no_checkpoint(blobs, tmp_path, interrupt):
    X, _ = blobs
    vae = VAE(2, max_epochs=4, random_state=0, checkpoint_dir=tmp_path)
    interrupt(vae, X, epoch=3)
    assert len(vae.partial_fit(X).history_) == 1
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["VAE", "VaDE"])
@pytest.mark.parametrize(
    "other", [{"beta": 2.0}, {"n_neighbors": 1}, {"random_state": 1}, {"max_epochs": 5}, "samples"]
)
def test_another_fit_starts_anew(samples, tmp_path, interrupt, name, other):
    X = samples
    embedder = make_embedder(name, max_epochs=6, checkpoint_dir=tmp_path)
    if name == "VaDE":
        embedder.set_params(pretrain_epochs=4)
    interrupt(embedder, X, epoch=5)
    (path,) = tmp_path.iterdir()
    if other == "samples":
        X = X[::-1]
    else:
        embedder.set_params(**other)
    Z = embedder.fit_transform(X)
    assert path.exists()
    np.testing.assert_array_equal(Z, embedder.set_params(checkpoint_dir=None).fit_transform(X))


def test_without_a_random_state_the_interrupted_seed_goes_on(blobs, tmp_path, interrupt):
    X, _ = blobs
    vae = VAE(2, max_epochs=4, checkpoint_dir=tmp_path)
    interrupt(vae, X, epoch=3)
    vae.fit(X)
    assert len(vae.history_) == 4
    assert not list(tmp_path.iterdir())


def test_a_damaged_checkpoint_is_a_warning_and_the_fit_starts_anew(blobs, tmp_path, interrupt):
    X, _ = blobs
    vae = VAE(2, max_epochs=3, random_state=0, checkpoint_dir=tmp_path)
    interrupt(vae, X, epoch=2)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.warns(RuntimeWarning, match="starts anew"):
        vae.fit(X)
    assert len(vae.history_) == 3
