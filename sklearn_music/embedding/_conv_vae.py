"""Convolutional variational autoencoder over spectrograms."""

from collections.abc import Sequence
from numbers import Real
from os import PathLike
from typing import Any, Literal

import numpy as np
from sklearn.utils._param_validation import Interval

from .._docstrings import shared
from ._base import BaseEmbedder
from ._docstrings import EMBEDDER


@shared(EMBEDDER)
class ConvVAE(BaseEmbedder):
    """Convolutional variational autoencoder of spectrograms and auxiliary features.

    Each sample starts with a spectrogram, its first band first, as SpectrogramExtractor returns
    it. The columns behind it, if there are any, are auxiliary features (of the lyrics, for
    example): one latent space encodes both and decodes to both.

    Parameters
    ----------
    n_components : int, default=16
        Number of latent dimensions.
    image_shape : tuple of int, default=(1, -1)
        {image_shape}
    channels : sequence of int, default=(32, 64, 128)
        Channels of the encoder's convolutions, each of which halves the image; the
        decoder mirrors them.
    auxiliary_weight : float, default=1.0
        {auxiliary_weight}
    beta : float, default=1.0
        {beta}
    {elbo}
    {total_correlation}
    max_epochs : int, default=60
        Number of passes over the samples.
    {batch_size}
    {early_stopping}
    {training}

    Attributes
    ----------
    image_shape_ : tuple of int
        ``(n_bands, n_frames)`` of the image.
    {attributes}

    See Also
    --------
    VAE : For tables of features.
    BetaCVAE : With a condition, which the latent space need not represent.

    Notes
    -----
    The loss is that of `VAE` with ``contrastive_weight=0``. Its squared error is that of the
    image plus `auxiliary_weight` times that of the auxiliary features.

    If one auxiliary feature of a sample is NaN, its auxiliary features are missing: they are left
    out of its error, and the encoder sees zeros and a mark. If the whole image is NaN, the sample
    is missing, whatever its auxiliary features: the training leaves it out, and `transform`
    returns NaN for it.

    The convolutions have kernels of 3 and strides of 2. They halve an image of any size, rounding
    up, and the decoder restores exactly its size.

    References
    ----------
    See `VAE`.

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
        n_components: int = 16,
        *,
        image_shape: Sequence[int] = (1, -1),
        channels: Sequence[int] = (32, 64, 128),
        auxiliary_weight: float = 1.0,
        beta: float = 1.0,
        kl_warmup: int = 0,
        free_bits: float = 0.0,
        decoder_variance: Literal["unit", "learned", "optimal"] = "unit",
        total_correlation: float = 0.0,
        max_epochs: int = 60,
        batch_size: int = 64,
        lr: float = 1e-3,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        callbacks: Sequence[Any] | None = None,
        checkpoint_dir: str | PathLike[str] | None = None,
        device: str = "auto",
        amp: bool = False,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
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
