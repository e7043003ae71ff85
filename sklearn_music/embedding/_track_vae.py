"""Variational autoencoder over windows of tracks."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral, Real
from os import PathLike
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import Interval, StrOptions

from .._docstrings import shared
from ._base import BaseEmbedder
from ._docstrings import EMBEDDER
from ._layout import Layout
from .nn import TrackModule, VAEModule, frames_before_padding
from .training import OutOfCore, sample_batches

# Temperature of the cosine similarity. 0.1 and 0.5 score the same on the songs of the user guide.
_TEMPERATURE = 0.2


@shared(EMBEDDER)
class TrackVAE(BaseEmbedder):
    r"""Variational autoencoder on spectrogram windows, with a contrastive loss.

    The network sees a short random window of each track in each epoch. The contrastive loss gives
    two windows of one track similar latent vectors, so the latent space represents how a track
    sounds and not where its notes fall. `transform` returns one latent vector per track.

    Each sample starts with a spectrogram as SpectrogramExtractor returns it, unscaled: here each
    band is standardised and each track is loudness-normalised. The columns behind it, if there
    are any, are auxiliary features (of the lyrics, for example). Audio and auxiliary features
    each give a Gaussian posterior, and the two are multiplied (product of experts). Either may be
    missing (NaN): it is left out then. A track that lacks both is missing: the training leaves
    it out, and `transform` returns NaN for it.

    Parameters
    ----------
    n_components : int, default=32
        Number of latent dimensions.
    image_shape : tuple of int, default=(1, -1)
        {image_shape}
    window_frames : int, default=32
        Length of a window, in frames. A shorter track is repeated until it fills one.
    channels : sequence of int, default=(16, 32, 64)
        Channels of the encoder's convolutions, each of which halves the window; the
        decoder mirrors them.
    augmentation : float, default=2.0
        Strength of the data augmentation, which hides what is typical of a recording: a random
        smooth equaliser (per wave, a tenth of a band's standard deviation), a shift by up to one
        of 64 bands, and masks over up to an eighth of the bands and of the frames, each times
        this. 0 is none.
    auxiliary_weight : float, default=30.0
        Weight of the auxiliary features' squared error; that of the window is 1. With a higher
        weight, more of the latent space represents the auxiliary features. The default suits
        lyrics, whose vectors have a length of 1, and windows of 2,000 pixels.
    beta : float, default=1.0
        {beta}
    {elbo}
    {total_correlation}
    contrastive_weight : float, default=300.0
        Weight of the contrastive loss between two windows of a track. 0 is none.
    cross_modal_weight : float, default=0.1
        Weight of the contrastive loss between a window and the auxiliary features of its track,
        relative to `contrastive_weight`. With a higher weight, the latent space is more about
        what both have in common, and less about what only one has (the language of the lyrics).
    max_epochs : int, default=80
        Number of passes over the tracks, one window of each at a time.
    batch_size : int or "auto", default="auto"
        Number of tracks per step, among which the contrastive loss picks each one's other
        window. ``"auto"`` is 64, or a seventh of the tracks if they are fewer, but at least 8.
    lr : float, default=1e-3
        Learning rate of Adam.
    {early_stopping}
    {training}

    Attributes
    ----------
    image_shape_ : tuple of int
        ``(n_bands, n_frames)`` of the spectrogram.
    band_mean_, band_scale_ : ndarray of shape (n_bands,)
        Mean and standard deviation of each band over the frames of all tracks of the first `fit`
        or `partial_fit`; the scale of a constant band is 1.
    {attributes}

    See Also
    --------
    ConvVAE : Of whole spectrograms, whose reconstruction keeps their order in time.
    VAE : For tables of features.

    Notes
    -----
    The loss is that of `VAE`, of a window in place of a sample. The contrastive loss is InfoNCE
    [1]_ with the cosine of the latent means [2]_ divided by a temperature of 0.2: of all tracks in
    the batch, it picks the other window of the same track. Both windows are encoded without the
    auxiliary features, which would identify the track. The cross-modal term is the same loss
    between a window and the auxiliary features [3]_.

    A cosine leaves the lengths of the latent vectors free, so the variance of the latent space
    differs between collections. Look at it before you put other columns beside it.

    One modality alone gives the posterior :math:`N(\mu_i, 1 / (1 + \lambda_i))`. The product of
    both over the prior [4]_ has the precision :math:`1 + \sum_i \lambda_i` and the mean
    :math:`\sum_i (1 + \lambda_i) \mu_i / (1 + \sum_i \lambda_i)`. The windows of a track are
    nearly alike, so they count as one expert, their geometric mean. In a step, a random quarter
    of the tracks hides its window from the encoder and another quarter its auxiliary features, so
    that each encoder learns to stand alone.

    Padding is found as equal frames at the end of a track. Once each column has been scaled by
    itself they are no longer equal: `fit` warns of such columns.

    `inverse_transform` repeats the window that a latent vector decodes to. The latent vector does
    not represent the level of a track: see `levels`.

    `transform` averages over windows half a window apart; up to half a window at the end of a
    track is in none. `score_samples` is the mean over the windows, in units of `band_scale_`:
    compare it only among models of the same windows and training samples. What is missing is not
    scored, so a track without a spectrogram has a far higher score.

    References
    ----------
    .. [1] A. van den Oord, Y. Li and O. Vinyals, "Representation Learning with
       Contrastive Predictive Coding", 2018.
    .. [2] T. Chen et al., "A Simple Framework for Contrastive Learning of Visual
       Representations", ICML 2020.
    .. [3] A. Radford et al., "Learning Transferable Visual Models From Natural Language
       Supervision", ICML 2021.
    .. [4] M. Wu and N. Goodman, "Multimodal Generative Models for Scalable
       Weakly-Supervised Learning", NeurIPS 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_music import TrackVAE
    >>> X = np.random.default_rng(0).standard_normal((20, 12 * 90 + 3))
    >>> X[:5, -3:] = np.nan  # the lyrics of five tracks are missing
    >>> vae = TrackVAE(4, image_shape=(12, 90), max_epochs=2, random_state=0)
    >>> vae.fit_transform(X).shape
    (20, 4)
    """

    _parameter_constraints: dict = {
        **BaseEmbedder._parameter_constraints,
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "image_shape": ["array-like"],
        "window_frames": [Interval(Integral, 1, None, closed="left")],
        "channels": ["array-like"],
        "augmentation": [Interval(Real, 0, None, closed="left")],
        "auxiliary_weight": [Interval(Real, 0, None, closed="left")],
        "contrastive_weight": [Interval(Real, 0, None, closed="left")],
        "cross_modal_weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_components: int = 32,
        *,
        image_shape: Sequence[int] = (1, -1),
        window_frames: int = 32,
        channels: Sequence[int] = (16, 32, 64),
        augmentation: float = 2.0,
        auxiliary_weight: float = 30.0,
        beta: float = 1.0,
        kl_warmup: int = 0,
        free_bits: float = 0.0,
        decoder_variance: Literal["unit", "learned", "optimal"] = "unit",
        total_correlation: float = 0.0,
        contrastive_weight: float = 300.0,
        cross_modal_weight: float = 0.1,
        max_epochs: int = 80,
        batch_size: int | Literal["auto"] = "auto",
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
        self.window_frames = window_frames
        self.channels = channels
        self.augmentation = augmentation
        self.auxiliary_weight = auxiliary_weight
        self.beta = beta
        self.kl_warmup = kl_warmup
        self.free_bits = free_bits
        self.decoder_variance = decoder_variance
        self.total_correlation = total_correlation
        self.contrastive_weight = contrastive_weight
        self.cross_modal_weight = cross_modal_weight
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

    def levels(self, X: Any) -> NDArray[np.float32]:
        """Return the mean level of each track, which its latent vector does not represent.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        levels : ndarray of shape (n_samples,), float32
            The mean of the standardised bands over all frames, in standard deviations; NaN
            where there is no spectrogram.
        """
        return self._map_samples(lambda x: self.net_.module_.normalized(x)[1], X)

    def inverse_transform(self, X: Any, level: Any = 0.0) -> NDArray[np.float32]:
        """Decode latent vectors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Latent vectors, such as `transform` returns.
        level : float or array-like of shape (n_samples,), default=0.0
            The level of each track, such as `levels` returns; 0, and NaN, are the mean one.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features), float32
            The means of the likelihood: one window, repeated.
        """
        Z = self._check_latent(X)
        level = np.asarray(level, dtype=np.float32)
        if level.shape not in ((), (len(Z),)):
            raise ValueError(
                f"Got a level of shape {level.shape}, expected one number, or one for each of the "
                f"{len(Z)} tracks."
            )
        return self._decode(Z, np.broadcast_to(np.nan_to_num(level), len(Z))[:, None])

    def _find_layout(self, X: Any) -> Layout:
        return replace(super()._find_layout(X), main_may_miss=True)

    def _learn_scale(self, X: Any) -> None:
        n_bands, n_frames = self.image_shape_
        if not isinstance(X, OutOfCore):  # scikit-learn's scalers return arrays in memory
            _warn_of_scaled_columns(X[:, : n_bands * n_frames])
        scaler = StandardScaler()
        for x in sample_batches(X, "cpu"):
            images = x[:, : n_bands * n_frames].reshape(-1, n_bands, n_frames)
            is_track = torch.arange(n_frames) < frames_before_padding(images)[:, None]
            frames = images.transpose(1, 2)[is_track & ~images[:, 0, :1].isnan()]
            if len(frames):
                scaler.partial_fit(frames.numpy())
        self.band_mean_ = getattr(scaler, "mean_", np.zeros(n_bands))
        self.band_scale_ = getattr(scaler, "scale_", np.ones(n_bands))

    def _module(self, n_features: int) -> tuple[type[VAEModule], dict]:
        _, settings = super()._module(n_features)
        for name in ("n_condition", "encode_condition"):
            del settings[name]
        return TrackModule, settings | {
            "window_frames": int(min(self.window_frames, settings["image_shape"][1])),
            "band_mean": self.band_mean_.tolist(),
            "band_scale": self.band_scale_.tolist(),
        }

    def _loss_settings(self) -> dict:
        return super()._loss_settings() | {
            "augmentation": float(self.augmentation),
            "contrastive_weight": float(self.contrastive_weight),
            "cross_modal_weight": float(self.cross_modal_weight),
            "temperature": _TEMPERATURE,
        }

    def _batch_size(self, n_samples: int) -> int:
        if self.batch_size == "auto":
            # A larger batch would make too few steps an epoch, a smaller one has no contrast.
            return min(64, max(8, n_samples // 7))
        return super()._batch_size(n_samples)


def _warn_of_scaled_columns(X: NDArray) -> None:
    some = X[:, :: max(1, X.shape[1] // 64)].astype(np.float64)
    some = some[~np.isnan(some[:, 0])]
    if not len(some):
        return
    first, median, third = np.percentile(some, [25, 50, 75], axis=0)
    for centre, scale in (some.mean(axis=0), some.std(axis=0)), (median, third - first):
        varies = scale > 0  # a constant column is scaled by 1
        if varies.any() and max(abs(centre).max(), abs(scale[varies] - 1).max()) < 1e-3:
            warnings.warn(
                "Each column of the spectrograms looks as if it had been scaled by itself (by a "
                "StandardScaler, for example). Then the padding of a short track looks like music, "
                "and the level of a track can't be removed. Pass the spectrograms as "
                "SpectrogramExtractor makes them: TrackVAE standardises each band.",
                UserWarning,
                stacklevel=2,
            )
            return
