"""What can be known from the parameters alone is an error before the samples are read."""

import pytest
from embedders import EMBEDDERS, VARIANTS, make_embedder
from sklearn.base import clone
from sklearn.utils._param_validation import InvalidParameterError
from skorch.callbacks import Checkpoint, EarlyStopping, GradientNormClipping, LRScheduler
from torch.optim.lr_scheduler import ReduceLROnPlateau

from sklearn_music import VAE

# Of those without early stopping, which some wrong parameters need.
NAMES = [
    name
    for name, embedder in (EMBEDDERS | VARIANTS).items()
    if not getattr(embedder, "early_stopping", False)
]


@pytest.fixture(params=NAMES)
def embedder(request):
    return make_embedder(request.param)


class Untouched:
    """Samples that must not be read."""

    def __getattribute__(self, name):
        raise AssertionError(f"looked for {name}")


WRONG = [
    ({"device": "cuda:77"}, "not there"),
    ({"device": "tpu"}, 'expected "auto"'),
    ({"checkpoint_dir": "kept", "callbacks": [GradientNormClipping()]}, "leave out either"),
    ({"checkpoint_dir": "kept", "early_stopping": True}, "leave out either"),
    ({"callbacks": [EarlyStopping()]}, "monitors valid_loss, but no samples are held out"),
    ({"callbacks": [("stop", EarlyStopping())]}, "monitors valid_loss, but no samples are held"),
    ({"callbacks": [Checkpoint()]}, "monitors valid_loss_best, but no samples are held out"),
    (
        {"callbacks": [LRScheduler(ReduceLROnPlateau, monitor="valid_loss")]},
        "monitors valid_loss, but no samples are held out",
    ),
    ({"callbacks": ["early stopping"]}, "expected callbacks of skorch"),
    ({"callbacks": [print]}, "expected callbacks of skorch"),
    ({"hidden_layer_sizes": (8, 0)}, "hidden_layer_sizes"),
    ({"channels": ()}, r"Got channels=\(\), expected at least 1 size"),
    ({"channels": (8, -1)}, "channels"),
    ({"image_shape": (88,)}, "expected two sizes"),
    ({"image_shape": (4, 6, 1)}, "expected two sizes"),
    ({"image_shape": (-1, -1)}, "only one may be -1"),
    ({"image_shape": (0, 6)}, "expected sizes from 1 up"),
    ({"beta": -1}, "'beta' parameter"),
    ({"batch_size": "many"}, "'batch_size' parameter"),
]
CASES = [
    (name, params, message)
    for name in NAMES
    for params, message in WRONG
    if params.keys() <= make_embedder(name).get_params().keys()
]


@pytest.mark.parametrize(("name", "params", "message"), CASES, ids=lambda value: str(value)[:50])
def test_wrong_parameters_are_errors_before_the_samples_are_read(name, params, message):
    embedder = make_embedder(name, **params)
    for call in (lambda: embedder.fit(Untouched()), embedder.check_settings):
        with pytest.raises((ValueError, TypeError, InvalidParameterError), match=message):
            call()
    assert not hasattr(embedder, "net_")


def test_right_parameters_are_fine(embedder, tmp_path):
    embedder.check_settings()
    clone(embedder).set_params(checkpoint_dir=tmp_path / "new").check_settings()
    callbacks = [LRScheduler(), ("clip", GradientNormClipping()), GradientNormClipping]
    clone(embedder).set_params(callbacks=callbacks).check_settings()
    if "early_stopping" in embedder.get_params():
        embedder.set_params(callbacks=[EarlyStopping()], early_stopping=True).check_settings()
        with pytest.raises(ValueError, match="no samples are held out"):
            embedder.partial_fit(Untouched())


def test_a_checkpoint_dir_that_is_a_file(embedder, tmp_path):
    (tmp_path / "kept").touch()
    with pytest.raises(NotADirectoryError, match="which is a file, expected a folder"):
        embedder.set_params(checkpoint_dir=tmp_path / "kept").fit(Untouched())


@pytest.mark.parametrize("n_samples", [1, 2])
def test_too_few_samples_to_hold_some_out(samples, n_samples, no_training):
    vae = VAE(2, early_stopping=True, validation_fraction=0.9)
    with pytest.raises(ValueError, match=f"n_samples={n_samples}"):
        vae.fit(samples[:n_samples])
