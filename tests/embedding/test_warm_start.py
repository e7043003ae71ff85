"""Training goes on with the same network, and only with the same."""

import pickle

import numpy as np
import pytest
from embedders import make_embedder
from sklearn.utils.estimator_checks import _NotAnArray

from sklearn_music import VAE

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def embedder(any_embedder):
    return any_embedder.set_params(warm_start=True)


def test_warm_start_goes_on(blobs):
    X, _ = blobs
    vae = VAE(3, max_epochs=3, warm_start=True, random_state=0).fit(X)
    first = vae.history_[0]["train_loss"]
    vae.fit(X)
    assert [epoch["epoch"] for epoch in vae.history_] == [1, 2, 3, 4, 5, 6]
    assert vae.history_[3]["train_loss"] < first


def test_partial_fit_is_one_epoch(blobs):
    X, _ = blobs
    vae = VAE(3, random_state=0)
    for _ in range(3):
        vae.partial_fit(X)
    assert len(vae.history_) == 3
    with pytest.raises(ValueError, match="expecting 10 features"):
        vae.partial_fit(X[:, :5])


def test_partial_fit_takes_a_new_learning_rate(blobs):
    X, _ = blobs
    vae = VAE(3, random_state=0).partial_fit(X)
    vae.set_params(lr=0.02).partial_fit(X)
    assert vae.net_.optimizer_.param_groups[0]["lr"] == 0.02


def test_a_warm_start_takes_new_neighbors(blobs):
    X, _ = blobs
    vae = VAE(2, max_epochs=2, warm_start=True, random_state=0).fit(X)
    assert len(vae.fit(X[:20]).history_) == len(vae.partial_fit(X[:3]).history_) - 1 == 4


def test_a_warm_start_may_turn_the_contrastive_loss_on_and_off(blobs):
    vae = VAE(2, contrastive_weight=0, max_epochs=1, warm_start=True, random_state=0).fit(blobs[0])
    vae.set_params(contrastive_weight=30.0).fit(blobs[0])
    assert ["contrastive" in epoch for epoch in vae.history_] == [False, True]
    pickle.loads(pickle.dumps(vae)).set_params(contrastive_weight=0).fit(blobs[0])


def test_training_goes_on_with_other_settings_of_the_training(embedder, samples):
    embedder.fit(samples)
    others = {"beta": 2.0, "free_bits": 0.1, "lr": 0.01, "batch_size": 8, "kl_warmup": 3}
    embedder.set_params(**others).fit(samples)
    assert len(embedder.history_) == 2


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_training_goes_on_with_what_is_no_array(embedder, method, samples):
    embedder.fit(_NotAnArray(samples))
    getattr(embedder, method)(_NotAnArray(samples))
    assert len(embedder.history_) == 2


# Changes after which no training can go on, and what the error says.
CHANGES = [
    ("VAE", {"n_components": 3}, "n_components from 2 to 3"),
    ("VAE", {"hidden_layer_sizes": (7,)}, r"hidden_layer_sizes from \[128, 64\] to \[7\]"),
    ("VAE", {"decoder_variance": "optimal"}, "decoder_variance from unit to optimal"),
    ("VAE", {"decoder_variance": "learned"}, "decoder_variance from unit to learned"),
    ("VaDE", {"n_clusters": 3}, "n_clusters from 2 to 3"),
    ("VaDE", {"n_components": 3}, "n_components from 2 to 3"),
    ("ConvVAE", {"image_shape": (6, 4)}, r"image_shape from \[4, 6\] to \[6, 4\]"),
    ("ConvVAE", {"image_shape": (4, 5)}, r"image_shape from \[4, 6\] to \[4, 5\]"),
    ("ConvVAE", {"image_shape": (40, 60)}, "needs 2400 columns"),
    ("ConvVAE", {"channels": (4, 4)}, r"channels from \[4, 8\] to \[4, 4\]"),
    ("BetaCVAE, image", {"image_shape": None}, r"image_shape from \[4, 6\] to None"),
    ("BetaCVAE, image", {"condition_features": [1]}, r"from the columns \[0, 3\] to \[1\]"),
    ("BetaCVAE, image", {"encode_condition": True}, "encode_condition from False to True"),
    ("BetaCVAE, no condition", {"image_shape": (4, 6)}, r"image_shape from None to \[4, 6\]"),
    ("BetaCVAE, no condition", {"condition_features": [1]}, "condition_features changed"),
    ("BetaCVAE", {"condition_features": [2]}, r"from the columns \[0\] to \[2\]"),
    ("BetaCVAE", {"condition_features": [0, 1]}, r"columns \[0\] to \[0, 1\]"),
    ("BetaCVAE", {"condition_features": None}, r"columns \[0\] to \[\]"),
    ("JointVAE", {"n_main": 20}, "n_main changed from 24 to 20"),
    ("JointVAE", {"n_main": None}, "n_main changed from 24 to 30"),
    ("JointVAE", {"hidden_layer_sizes": ()}, r"hidden_layer_sizes from \[8\] to \[\]"),
    ("TrackVAE", {"image_shape": (6, 4)}, r"image_shape from \[4, 6\] to \[6, 4\]"),
    ("TrackVAE", {"window_frames": 4}, "window_frames from 3 to 4"),
    ("TrackVAE", {"channels": (5,)}, r"channels from \[4\] to \[5\]"),
]


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(("name", "changes", "message"), CHANGES, ids=lambda v: str(v)[:60])
def test_no_training_goes_on_with_another_network(name, changes, message, method, samples):
    embedder = make_embedder(name, warm_start=True).fit(samples)
    before = embedder.transform(samples)
    embedder.set_params(**changes)
    with pytest.raises(ValueError, match=message):
        getattr(embedder, method)(samples)
    np.testing.assert_array_equal(embedder.transform(samples), before)
    if "needs" not in message:  # without a warm start, it trains another network
        embedder.set_params(warm_start=False).fit(samples)


def test_the_image_of_an_earlier_fit_is_forgotten(samples):
    cvae = make_embedder("BetaCVAE, image", condition_features=None).fit(samples)
    cvae.set_params(image_shape=None).fit(samples)
    assert not hasattr(cvae, "image_shape_")
    samples[3, 28] = np.nan  # was an auxiliary feature
    with pytest.raises(ValueError, match="row 3, column 28, in 1 of its 30 columns"):
        cvae.transform(samples)
