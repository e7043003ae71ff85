"""What the parameters alone tell is said before any work, and a fit goes on only where it can."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.estimator_checks import _NotAnArray
from skorch.callbacks import Checkpoint, EarlyStopping, GradientNormClipping, LRScheduler
from torch.optim.lr_scheduler import ReduceLROnPlateau

from sklearn_music import VAE, BetaCVAE, ConvVAE, TrackVAE, VaDE
from sklearn_music.embedding import _training

FEW = {"max_epochs": 1, "batch_size": 16, "random_state": 0}
EMBEDDERS = [
    VAE(2, **FEW),
    VaDE(2, n_components=2, pretrain_epochs=1, n_init=1, **FEW),
    ConvVAE(2, image_shape=(4, 6), channels=(4,), **FEW),
    BetaCVAE(2, image_shape=(4, 6), channels=(4,), **FEW),
    BetaCVAE(2, condition_features=[1], **FEW),
    TrackVAE(2, image_shape=(4, 6), window_frames=3, channels=(4,), **FEW),
]
embedders = pytest.mark.parametrize("embedder", EMBEDDERS, ids=lambda e: str(e)[:60])
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Untouched:
    """Samples that must not be looked at."""

    def __getattribute__(self, name):
        raise AssertionError(f"looked for {name}")


@pytest.fixture
def rows(rng):
    return (5 * rng.standard_normal((40, 30))).astype(np.float32)


WRONG = [
    ({"device": "cuda:77"}, "not there"),
    ({"device": "tpu"}, 'expected "auto"'),
    ({"checkpoint_dir": "kept", "callbacks": [GradientNormClipping()]}, "leave out either"),
    ({"checkpoint_dir": "kept", "early_stopping": True}, "leave out either"),
    ({"callbacks": [EarlyStopping()]}, "monitors valid_loss, but no rows are held out"),
    ({"callbacks": [("stop", EarlyStopping())]}, "monitors valid_loss, but no rows are held out"),
    ({"callbacks": [Checkpoint()]}, "monitors valid_loss_best, but no rows are held out"),
    (
        {"callbacks": [LRScheduler(ReduceLROnPlateau, monitor="valid_loss")]},
        "monitors valid_loss, but no rows are held out",
    ),
    ({"callbacks": ["early stopping"]}, "expected callbacks of skorch"),
    ({"callbacks": [print]}, "expected callbacks of skorch"),
    ({"hidden_layer_sizes": (8, 0)}, "hidden_layer_sizes"),
    ({"channels": ()}, "expected at least 1 size"),
    ({"channels": (8, -1)}, "channels"),
    ({"image_shape": (4, 6, 1)}, "expected two sizes"),
    ({"image_shape": (-1, -1)}, "only one may be -1"),
    ({"image_shape": (0, 6)}, "expected sizes from 1 up"),
    ({"beta": -1}, "'beta' parameter"),
    ({"batch_size": "many"}, "'batch_size' parameter"),
]


@pytest.mark.parametrize(("params", "message"), WRONG, ids=lambda value: str(value)[:50])
@embedders
def test_wrong_parameters_are_said_before_the_samples_are_looked_at(embedder, params, message):
    names = embedder.get_params()
    uses_image = getattr(embedder, "image_shape", None) is not None
    if not params.keys() <= names.keys() or (
        isinstance(embedder, BetaCVAE)
        and (
            ("channels" in params and not uses_image)
            or ("hidden_layer_sizes" in params and uses_image)
        )
    ):
        pytest.skip("has no such parameter, or makes no use of it")
    embedder = clone(embedder).set_params(**params)
    for call in (lambda: embedder.fit(Untouched()), embedder._check_settings):
        with pytest.raises((ValueError, TypeError, InvalidParameterError), match=message):
            call()
    assert not hasattr(embedder, "net_")


@embedders
def test_right_parameters_are_fine(embedder, tmp_path):
    embedder._check_settings()
    clone(embedder).set_params(checkpoint_dir=tmp_path / "new")._check_settings()
    callbacks = [LRScheduler(), ("clip", GradientNormClipping()), GradientNormClipping]
    clone(embedder).set_params(callbacks=callbacks)._check_settings()
    if "early_stopping" in embedder.get_params():
        patient = clone(embedder).set_params(callbacks=[EarlyStopping()], early_stopping=True)
        patient._check_settings()
        with pytest.raises(ValueError, match="no rows are held out"):
            patient.partial_fit(Untouched())


@pytest.mark.parametrize("n_rows", [1, 2])
def test_too_few_to_hold_some_out(rows, n_rows, monkeypatch):
    monkeypatch.setattr(_training.EmbeddingNet, "initialize", lambda self: pytest.fail("trains"))
    vae = VAE(2, early_stopping=True, validation_fraction=0.9, **FEW)
    with pytest.raises(ValueError, match=f"n_samples={n_rows}"):
        vae.fit(rows[:n_rows])


# From which settings to which others no training can go on, and what is said.
CHANGES = [
    (VAE(2), {"n_components": 3}, "n_components from 2 to 3"),
    (VAE(2), {"hidden_layer_sizes": (7,)}, r"hidden_layer_sizes from \[128, 64\] to \[7\]"),
    (VAE(2), {"decoder_variance": "optimal"}, "decoder_variance from unit to optimal"),
    (VaDE(2, n_components=2), {"n_clusters": 3}, "n_clusters from 2 to 3"),
    (VaDE(2, n_components=2), {"n_components": 3}, "n_components from 2 to 3"),
    (EMBEDDERS[2], {"image_shape": (6, 4)}, r"image_shape from \[4, 6\] to \[6, 4\]"),
    (EMBEDDERS[2], {"image_shape": (4, 5)}, r"image_shape from \[4, 6\] to \[4, 5\]"),
    (EMBEDDERS[2], {"image_shape": (40, 60)}, "needs 2400 columns"),
    (EMBEDDERS[2], {"channels": (4, 4)}, r"channels from \[4\] to \[4, 4\]"),
    (EMBEDDERS[3], {"image_shape": None}, r"image_shape from \[4, 6\] to None"),
    (EMBEDDERS[3], {"condition_features": [1]}, "condition_features changed"),
    (EMBEDDERS[3], {"encode_condition": True}, "encode_condition from False to True"),
    (BetaCVAE(2), {"image_shape": (4, 6)}, r"image_shape from None to \[4, 6\]"),
    (BetaCVAE(2), {"condition_features": [1]}, "condition_features changed"),
    (EMBEDDERS[4], {"condition_features": [2]}, r"changed from the columns \[1\] to \[2\]"),
    (EMBEDDERS[4], {"condition_features": [1, 2]}, r"columns \[1\] to \[1, 2\]"),
    (EMBEDDERS[4], {"condition_features": None}, r"columns \[1\] to \[\]"),
    (EMBEDDERS[5], {"image_shape": (6, 4)}, r"image_shape from \[4, 6\] to \[6, 4\]"),
    (EMBEDDERS[5], {"window_frames": 4}, "window_frames from 3 to 4"),
    (EMBEDDERS[5], {"channels": (5,)}, r"channels from \[4\] to \[5\]"),
]


@pytest.mark.parametrize("way", ["fit", "partial_fit"])
@pytest.mark.parametrize(("embedder", "changes", "message"), CHANGES, ids=lambda v: str(v)[:60])
def test_no_training_goes_on_with_another_network(embedder, changes, message, way, rows):
    embedder = clone(embedder).set_params(warm_start=True, **FEW).fit(rows)
    before = embedder.transform(rows)
    embedder.set_params(**changes)
    with pytest.raises(ValueError, match=message):
        getattr(embedder, way)(rows)
    np.testing.assert_array_equal(embedder.transform(rows), before)
    # Anew, it is another network.
    if "needs" not in message:
        embedder.set_params(warm_start=False).fit(rows)


@embedders
def test_training_goes_on_with_other_settings_of_the_training(embedder, rows):
    embedder = clone(embedder).set_params(warm_start=True).fit(rows)
    others = {"beta": 2.0, "free_bits": 0.1, "lr": 0.01, "batch_size": 8, "kl_warmup": 3}
    embedder.set_params(**others).fit(rows)
    assert len(embedder.history_) == 2


@embedders
@pytest.mark.parametrize("way", ["fit", "partial_fit"])
def test_goes_on_with_what_is_no_array(embedder, way, rows):
    embedder = clone(embedder).set_params(warm_start=True).fit(_NotAnArray(rows))
    getattr(embedder, way)(_NotAnArray(rows))
    assert len(embedder.history_) == 2


def test_an_image_of_an_earlier_fit_is_forgotten(rows):
    cvae = clone(EMBEDDERS[3]).fit(rows)
    cvae.set_params(image_shape=None).fit(rows)
    assert not hasattr(cvae, "image_shape_")
    rows[3, 28] = np.nan  # was a side feature
    with pytest.raises(ValueError, match="row 3, column 28, in 1 of its 30 columns"):
        cvae.transform(rows)
