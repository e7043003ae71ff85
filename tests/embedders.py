"""The embedders that the tests run on. A new embedder gets an entry in EMBEDDERS.

The tests in `tests/embedding` fit them to samples of 30 columns, which are images of 4 x 6 and six
auxiliary features where there is an image. `tests/test_common.py` runs scikit-learn's checks on
them, and `tests/test_types.py` has mypy check their constructors and `fit`.
"""

from sklearn.base import clone

from sklearn_music import VAE, BetaCVAE, ConvVAE, JointVAE, TrackVAE, VaDE

IMAGE = (4, 6)

# One of each class, by its name. Tiny networks.
EMBEDDERS = {
    "VAE": VAE(2, n_neighbors=3),
    "VaDE": VaDE(2, n_components=2, pretrain_epochs=1, n_init=1),
    "ConvVAE": ConvVAE(2, image_shape=IMAGE, channels=(4, 8)),
    "BetaCVAE": BetaCVAE(2, condition_features=[0]),
    "JointVAE": JointVAE(2, n_main=24, hidden_layer_sizes=(8,)),
    "TrackVAE": TrackVAE(2, image_shape=IMAGE, window_frames=3, channels=(4,)),
}

# The same classes with parameters that lead another way through the code.
VARIANTS = {
    "VAE, early stopping": VAE(2, early_stopping=True, n_iter_no_change=1),
    "BetaCVAE, no condition": BetaCVAE(2),
    "BetaCVAE, image": BetaCVAE(2, condition_features=[0, 3], image_shape=IMAGE, channels=(4,)),
    "JointVAE, one block": JointVAE(2, hidden_layer_sizes=()),
    "TrackVAE, audio only": TrackVAE(2, image_shape=(5, 6), window_frames=3, channels=(4,)),
}

# Variants for scikit-learn's checks, whose samples have any number of columns.
CHECKED_VARIANTS = {
    "VAE, defaults": VAE(hidden_layer_sizes=[5], batch_size=7),
    "VAE, linear, early stopping": VAE(
        2, hidden_layer_sizes=(), early_stopping=True, n_iter_no_change=1
    ),
    "VaDE, defaults": VaDE(2, hidden_layer_sizes=[5]),  # the mixture begins with the end
    "ConvVAE, one pixel": ConvVAE(2, image_shape=(1, 1), channels=(8,)),
    "BetaCVAE, no condition": BetaCVAE(2),
    "BetaCVAE, encoded condition": BetaCVAE(2, condition_features=[0], encode_condition=True),
    "BetaCVAE, image": BetaCVAE(2, condition_features=[-1], image_shape=(1, -1), channels=(2,)),
    "JointVAE, two blocks": JointVAE(2, n_main=1),
    "TrackVAE, reconstruction only": TrackVAE(
        2, channels=(2, 3), window_frames=1, contrastive_weight=0, augmentation=0
    ),
}


def make_embedder(name, **params):
    """Return a new embedder of a table, for a short training."""
    short = {"max_epochs": 1, "batch_size": 16, "random_state": 0}
    return clone((EMBEDDERS | VARIANTS)[name]).set_params(**short | params)


def for_checks():
    """Return an instance of each entry that takes samples of any number of columns, by name."""
    instances = {}
    for name, embedder in (EMBEDDERS | CHECKED_VARIANTS).items():
        instances[name] = clone(embedder).set_params(max_epochs=2)
        if name in EMBEDDERS:
            for parameter in {"image_shape", "n_main"} & embedder.get_params().keys():
                instances[name].set_params(**{parameter: getattr(type(embedder)(), parameter)})
    return instances
