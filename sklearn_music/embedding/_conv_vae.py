"""The variational autoencoder over spectrograms."""

import math
from numbers import Real

from sklearn.utils._param_validation import Interval

from ._base import (
    BaseEmbedder,
    check_image_shape,
    check_nan,
    check_widths,
    learn_image_shape,
    resolve_image_shape,
)


class ConvVAE(BaseEmbedder):
    """Convolutional variational autoencoder of spectrograms, with side features if there are any.

    Each row starts with an image, its first band first, as SpectrogramExtractor lays it
    out. The columns behind it, if there are any, are side features (of the lyrics, say):
    they are encoded beside the convolutions and decoded too, so that one latent space
    serves both.

    Parameters
    ----------
    n_components : int, default=16
        Number of latent dimensions.
    image_shape : tuple of int, default=(1, -1)
        ``(n_bands, n_frames)``. One of them may be -1, as in `numpy.reshape`: the image
        then takes all columns. The default, of one band, is hardly ever right: it warns.
    channels : sequence of int, default=(32, 64, 128)
        Channels of the encoder's convolutions, each of which halves the image; the
        decoder mirrors them.
    auxiliary_weight : float, default=1.0
        Weight of the side features' squared error; that of the image is 1. There are many
        more pixels than side features, so it may have to be large.
    beta : float, default=1.0
        Weight of the KL divergence. 1 is the evidence lower bound; more of it makes
        the latent dimensions independent and few, less makes the reconstruction sharp.
    kl_warmup : int, default=0
        Number of epochs over which the weight of the KL divergence rises to beta, which
        it never reaches where `max_epochs` is lower.
    free_bits : float, default=0.0
        Nats per latent dimension below which its KL divergence is not lowered further.
    decoder_variance : {"unit", "learned", "optimal"}, default="unit"
        The variance of the likelihood: 1, a parameter of the network, or the value that
        maximises the likelihood of each batch.
    total_correlation : float, default=0.0
        Weight of the total correlation of the latent dimensions, on top of beta.
    max_epochs : int, default=60
        Number of passes over the rows.
    batch_size : int, default=64
        Number of rows per step.
    lr : float, default=1e-3
        Learning rate of Adam.
    early_stopping : bool, default=False
        Whether to hold out rows, stop when their loss has stopped falling, and go
        back to the epoch in which it was lowest.
    validation_fraction : float, default=0.1
        The share of rows held out, where `early_stopping`.
    n_iter_no_change : int, default=10
        The number of epochs to wait for a lower loss, where `early_stopping`.
    callbacks : list of skorch.callbacks.Callback, default=None
        Further callbacks. Copies of them are used: those of a fit are in ``net_.callbacks_``.
    checkpoint_dir : str or path, default=None
        A folder in which `fit` keeps the state after each epoch. The same call after a
        crash goes on from there, and ends with the same weights on a CPU.
        With ``random_state=None``, fits that run at the same time need a folder each.
    device : str, default="auto"
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; ``"auto"`` is CUDA where there
        is one, else the CPU.
    amp : bool, default=False
        Whether to train with layers in bfloat16 (automatic mixed precision): faster on
        a recent GPU, less exact. Falls back to float32, with a warning, where a GPU has none.
    warm_start : bool, default=False
        Whether `fit` goes on from where the last one ended.
    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, the order of the rows and the draws from the
        posterior. An int gives the same embedding each time.
    verbose : int, default=0
        Prints a line per epoch where not 0.

    Attributes
    ----------
    image_shape_ : tuple of int
        ``(n_bands, n_frames)`` of the image.
    net_ : skorch.NeuralNet
        The trained net; its network is ``net_.module_``.
    history_ : list of dict
        One per epoch: ``epoch``, ``train_loss``, ``reconstruction``, ``kl`` (in nats),
        ``active_units``, ``dur`` (in seconds) and, where they are used,
        ``total_correlation`` and ``valid_loss``.
    kl_per_component_ : ndarray of shape (n_components,)
        Each latent dimension's KL divergence, the mean over the rows, in nats.
    active_units_ : int
        Number of latent dimensions that tell the rows apart: the variance of their
        posterior mean is above 0.01.
    beta_norm_ : float
        ``beta * n_components / n_features``, to compare beta across sizes.
    noise_variance_ : float
        The variance of the likelihood.
    device_ : str
        Where the net is.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns seen in `fit`, where they were strings.

    See Also
    --------
    VAE : For rows that are no images.
    BetaCVAE : With a condition that the latent space need not hold.

    Notes
    -----
    The loss is that of `VAE` without `contrastive_weight`, with the squared error of the image
    plus `auxiliary_weight` times that of the side features. A row one of whose side features
    is NaN has none: they are left out of its error and encoded as absent, by a column of
    their own that says so. A row whose whole image is NaN is missing: the training leaves
    it out, and `transform` gives it NaN, whatever its side features.

    A convolution is three wide and two apart, so that an image of any size is halved,
    rounding up, and brought back to exactly its size.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_music import ConvVAE
    >>> X = np.random.default_rng(0).standard_normal((20, 12 * 9 + 3))
    >>> X[:5, -3:] = np.nan  # the lyrics of five tracks are missing
    >>> vae = ConvVAE(4, image_shape=(12, 9), beta=0.1, max_epochs=5, random_state=0)
    >>> vae.fit_transform(X).shape
    (20, 4)
    >>> vae.inverse_transform(vae.transform(X)).shape
    (20, 111)
    """

    _parameter_constraints: dict = {
        **BaseEmbedder._parameter_constraints,
        "image_shape": ["array-like"],
        "channels": ["array-like"],
        "auxiliary_weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_components=16,
        *,
        image_shape=(1, -1),
        channels=(32, 64, 128),
        auxiliary_weight=1.0,
        beta=1.0,
        kl_warmup=0,
        free_bits=0.0,
        decoder_variance="unit",
        total_correlation=0.0,
        max_epochs=60,
        batch_size=64,
        lr=1e-3,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        callbacks=None,
        checkpoint_dir=None,
        device="auto",
        amp=False,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.image_shape = image_shape
        self.channels = channels
        self.auxiliary_weight = auxiliary_weight
        self.beta = beta
        self.kl_warmup = kl_warmup
        self.free_bits = free_bits
        self.decoder_variance = decoder_variance
        self.total_correlation = total_correlation
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.amp = amp
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def _check_settings(self, *, partial=False):
        super()._check_settings(partial=partial)
        check_image_shape(self.image_shape)
        check_widths(self.channels, "channels", n_min=1)

    def _learn_columns(self, X):
        self.image_shape_ = learn_image_shape(self.image_shape, X.shape[1])

    def _lay_out(self, X):
        n_pixels = math.prod(self.image_shape_)
        check_nan(X, n_pixels, X.shape[1] - n_pixels)
        return X

    def _network_settings(self, n_features):
        return conv_settings(self, n_features)


def conv_settings(embedder, n_inputs):
    """Return the arguments of a `ConvNetwork` over so many inputs."""
    return {
        "image_shape": resolve_image_shape(embedder.image_shape, n_inputs),
        "channels": check_widths(embedder.channels, "channels", n_min=1),
        "auxiliary_weight": float(embedder.auxiliary_weight),
    }
