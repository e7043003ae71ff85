"""The variational autoencoder over tracks of many windows."""

import math
import warnings
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import Interval, StrOptions

from ._base import (
    BaseEmbedder,
    check_image_shape,
    check_nan,
    check_widths,
    is_nan,
    learn_image_shape,
    resolve_image_shape,
)
from ._mapped_rows import MappedRows
from ._objective import elbo
from ._track_network import frames_before_padding
from ._training import row_batches


class TrackVAE(BaseEmbedder):
    r"""Variational autoencoder of windows of tracks, two of which find each other again.

    A whole spectrogram's reconstruction spends the latent space on where the notes fall.
    Here the network sees a short window of each track at a time, drawn anew in each epoch,
    and a second term of the loss, `contrastive_weight`, ties two windows of one track, or of two
    tracks that are neighbours: what they share is how they sound. `transform` gives one place
    per track.

    Each row starts with a spectrogram as SpectrogramExtractor lays it out, unscaled: it is
    standardised band by band and levelled track by track here. The columns behind it, if
    there are any, are side features (of the lyrics, say). The posterior of a track is the
    product of what its spectrogram and its side features each say (a product of experts),
    so that either may be missing: all of it is NaN then. Side features of which one is NaN
    count as missing too. A track that has neither is missing as a whole: the training leaves it
    out, and `transform` gives it NaN.

    Parameters
    ----------
    n_components : int, default=32
        Number of latent dimensions.
    image_shape : tuple of int, default=(1, -1)
        ``(n_bands, n_frames)``. One of them may be -1, as in `numpy.reshape`: the image
        then takes all columns. The default, of one band, is hardly ever right: it warns.
    window_frames : int, default=32
        Length of a window, in frames. A shorter track is repeated until it fills one.
    channels : sequence of int, default=(16, 32, 64)
        Channels of the encoder's convolutions, each of which halves the window; the
        decoder mirrors them.
    auxiliary_weight : float, default=30.0
        Weight of the side features' squared error; that of the window is 1. It is the one
        weight of the fusion: the more, the more of the latent space the side features have.
        At the default both have some, where the side features of a row are as long as a
        row of lyrics, 1, and a window has 2,000 pixels.
    augmentation : float, default=2.0
        How much the windows that the encoder sees in training are changed, so that they are
        not told by what any recording has: a smooth random equaliser (a tenth of a band's
        standard deviation per wave), a shift by up to one of 64 bands, and masks over up to
        an eighth of the bands and of the frames, each times this. 0 changes nothing.
    beta : float, default=1.0
        Weight of the KL divergence. 1 is the evidence lower bound; more of it makes
        the latent dimensions independent and few, less makes the reconstruction sharp.
    contrastive_weight : float, default=300.0
        Weight of the term that ties two windows of a track, or of neighbours. At 0 there is
        none.
    cross_modal_weight : float, default=0.1
        How much the tie of a window to the side features of its track counts beside that to
        another window. The more, the more the latent space is about what the two have in
        common, and the less about what either has of its own (the language of the lyrics).
    temperature : float, default=0.2
        What the cosine of two places is divided by in that term: the lower it is, the more
        count the tracks that are most alike.
    n_neighbors : int, default=5
        After a quarter of `max_epochs`, half of the windows are tied to one of another track:
        of the so many nearest ones in the latent space, which are found anew every five epochs.
        At 0 none is.
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
    max_epochs : int, default=80
        Number of passes over the tracks, one window of each at a time.
    batch_size : int or "auto", default="auto"
        Number of rows per step, and of tracks among which each finds its other window.
        ``"auto"`` is 64, or a seventh of the tracks where these are fewer, but 8 at least: few
        tracks would make too few steps.
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
        ``(n_bands, n_frames)`` of the spectrogram.
    band_mean_ : ndarray of shape (n_bands,)
        The mean of each band over the frames of all tracks; of those of the first `fit` or
        `partial_fit`, where others go on from it.
    band_scale_ : ndarray of shape (n_bands,)
        The standard deviation of each band over them; 1 where it is 0.
    net_ : skorch.NeuralNet
        The trained net; its network is ``net_.module_``.
    history_ : list of dict
        One per epoch: ``epoch``, ``train_loss``, ``reconstruction``, ``kl`` and
        ``contrastive`` (in nats), ``active_units``, ``dur`` (in seconds) and, where they
        are used, ``cross_modal``, ``total_correlation`` and ``valid_loss``.
    kl_per_component_ : ndarray of shape (n_components,)
        Each latent dimension's KL divergence, the mean over a window of each row, in nats.
    active_units_ : int
        Number of latent dimensions that tell the rows apart: the variance of their
        posterior mean is above 0.01.
    beta_norm_ : float
        ``beta * n_components`` per number of a window and its side features.
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
    ConvVAE : Of whole spectrograms, whose reconstruction keeps their order in time.
    VAE : Of rows that are no spectrograms.

    Notes
    -----
    The loss is that of `VAE`, of a window in place of a row. `contrastive_weight` adds that many
    times the InfoNCE loss [1]_ of telling, by the cosine of their latent means [3]_, another
    window of the same track or of a neighbour [4]_ from those of the other tracks of the batch;
    neither mean knows the side features, which would give the track away, though the
    neighbours are those by all that is there. Where there are side features,
    `cross_modal_weight` times that is the weight of the same loss of telling, from the mean of a
    window, that of the side features of its track from those of the others [5]_: it draws to the
    fore what the two have in common, and puts a track that lacks one where the other says.

    A cosine leaves the lengths free: how large the latent space is, reconstruction and KL
    divergence decide, and it is not the same for each collection. Look at its variance where
    other columns come beside it.

    What one part says alone, the window or the side features, is the posterior
    :math:`N(\mu_i, 1 / (1 + \lambda_i))`. Together they are the product of the two over the
    prior [2]_, of precision :math:`1 + \sum_i \lambda_i` and mean
    :math:`\sum_i (1 + \lambda_i) \mu_i / (1 + \sum_i \lambda_i)`. The windows of a track, which
    say nearly the same, count as one expert: the geometric mean of theirs. A quarter of the
    tracks of a step, drawn at random, hide their window from the encoder, another quarter their
    side features, so that each expert learns to do alone.

    Padding is found by the frames at the end of a row that are equal to one another, which they
    no longer are once each column has been scaled by itself: `fit` warns of such columns.

    `inverse_transform` returns the window that a place stands for, over and over. A place does
    not tell the level of a track: `levels` does.

    Where all windows of a track are taken, they begin half a window apart; of the last frames,
    up to half a window is in none.

    `score_samples` is the mean over the windows of a row, with its side features beside each, in
    units of `band_scale_`: compare it among models of the same windows and training rows only.
    What is missing in a row is not scored: a row without a spectrogram has a far higher one.

    References
    ----------
    .. [1] A. van den Oord, Y. Li and O. Vinyals, "Representation Learning with
       Contrastive Predictive Coding", 2018.
    .. [2] M. Wu and N. Goodman, "Multimodal Generative Models for Scalable
       Weakly-Supervised Learning", NeurIPS 2018.
    .. [3] T. Chen et al., "A Simple Framework for Contrastive Learning of Visual
       Representations", ICML 2020.
    .. [4] D. Dwibedi et al., "With a Little Help from My Friends: Nearest-Neighbor
       Contrastive Learning of Visual Representations", ICCV 2021.
    .. [5] A. Radford et al., "Learning Transferable Visual Models From Natural Language
       Supervision", ICML 2021.

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
        "auxiliary_weight": [Interval(Real, 0, None, closed="left")],
        "augmentation": [Interval(Real, 0, None, closed="left")],
        "contrastive_weight": [Interval(Real, 0, None, closed="left")],
        "cross_modal_weight": [Interval(Real, 0, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "n_neighbors": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_components=32,
        *,
        image_shape=(1, -1),
        window_frames=32,
        channels=(16, 32, 64),
        auxiliary_weight=30.0,
        augmentation=2.0,
        beta=1.0,
        contrastive_weight=300.0,
        cross_modal_weight=0.1,
        temperature=0.2,
        n_neighbors=5,
        kl_warmup=0,
        free_bits=0.0,
        decoder_variance="unit",
        total_correlation=0.0,
        max_epochs=80,
        batch_size="auto",
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
        self.window_frames = window_frames
        self.channels = channels
        self.auxiliary_weight = auxiliary_weight
        self.augmentation = augmentation
        self.beta = beta
        self.contrastive_weight = contrastive_weight
        self.cross_modal_weight = cross_modal_weight
        self.temperature = temperature
        self.n_neighbors = n_neighbors
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

    def _is_missing(self, x):
        side = x[:, math.prod(self.image_shape_) :]
        # Without side features, none of them is there.
        return is_nan(x[:, 0]) & (is_nan(side).any(1) | (not side.shape[1]))

    def _learn_rows(self, X):
        n_bands, n_frames = self.image_shape_
        if not isinstance(X, MappedRows):  # scikit-learn's scalers make arrays in memory
            warn_of_scaled_columns(X[:, : n_bands * n_frames])
        scaler = StandardScaler()
        for rows in row_batches(X, "cpu"):
            images = rows[:, : n_bands * n_frames].reshape(-1, n_bands, n_frames)
            is_track = torch.arange(n_frames) < frames_before_padding(images)[:, None]
            frames = images.transpose(1, 2)[is_track & ~images[:, 0, :1].isnan()]
            if len(frames):
                scaler.partial_fit(frames.numpy())
        self.band_mean_ = getattr(scaler, "mean_", np.zeros(n_bands))
        self.band_scale_ = getattr(scaler, "scale_", np.ones(n_bands))

    def _settings(self, n_rows, n_features):
        return super()._settings(n_rows, n_features) | {
            "criterion__contrastive_weight": float(self.contrastive_weight),
            "criterion__cross_modal_weight": float(self.cross_modal_weight),
            "criterion__temperature": float(self.temperature),
            "callbacks__neighbors__n_neighbors": int(self.n_neighbors)
            if self.contrastive_weight
            else 0,
            "callbacks__neighbors__first_epoch": math.ceil(self.max_epochs / 4),
        }

    def _n_rows_per_step(self, n_rows):
        if self.batch_size == "auto":
            # Fewer steps an epoch would learn nothing, fewer rows a step have no contrast.
            return min(64, max(8, n_rows // 7))
        return super()._n_rows_per_step(n_rows)

    def _network_settings(self, n_features):
        # Of the parameter, so that a warm start with another one is an error.
        image_shape = resolve_image_shape(self.image_shape, n_features)
        return {
            "image_shape": image_shape,
            "window_frames": int(min(self.window_frames, image_shape[1])),
            "channels": check_widths(self.channels, "channels", n_min=1),
            "auxiliary_weight": float(self.auxiliary_weight),
            "augmentation": float(self.augmentation),
            "ties_windows": self.contrastive_weight > 0,
            "ties_side": self.cross_modal_weight > 0,
            "band_mean": self.band_mean_.tolist(),
            "band_scale": self.band_scale_.tolist(),
        }

    def _encode(self, rows):
        return self.net_.module_.encode_track(rows)[0]

    def _elbo(self, rows, nodes):
        views, weights = self.net_.module_.views(rows)
        of_views = elbo(self.net_.module_, views.flatten(0, 1), nodes, self.noise_variance_)
        return (of_views.view(weights.shape) * weights).sum(dim=1)

    def levels(self, X):
        """Return the level of each track, which its place does not tell.

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
        return self._map_rows(lambda rows: self.net_.module_.levelled(rows)[1], X)

    def inverse_transform(self, X, level=0.0):
        """Return the mean of the likelihood at places in the latent space.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Places in the latent space, such as `transform` returns.
        level : float or array-like of shape (n_samples,), default=0.0
            The level of each track, such as `levels` returns; 0, and NaN, are the mean one.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features), float32
            The rows that the decoder makes of them: one window, over and over.
        """
        Z = self._check_places(X)
        level = np.asarray(level, dtype=np.float32)
        if level.shape not in ((), (len(Z),)):
            raise ValueError(
                f"Got a level of shape {level.shape}, expected one number, or one of each of the "
                f"{len(Z)} tracks."
            )
        return self._decode(Z, np.broadcast_to(np.nan_to_num(level), len(Z))[:, None])

    def _decode_rows(self, z, condition):
        return self.net_.module_.decode_track(z, level=condition[:, 0])


def warn_of_scaled_columns(X):
    """Warn where each column seems to have been scaled by itself, over the samples."""
    some = X[:, :: max(1, X.shape[1] // 64)].astype(np.float64)
    some = some[~np.isnan(some[:, 0])]
    if not len(some):
        return
    first, median, third = np.percentile(some, [25, 50, 75], axis=0)
    for centre, spread in (some.mean(axis=0), some.std(axis=0)), (median, third - first):
        varies = spread > 0  # what does not is scaled by 1
        if varies.any() and max(abs(centre).max(), abs(spread[varies] - 1).max()) < 1e-3:
            warnings.warn(
                "Each column of the spectrograms looks as if it had been scaled by itself (by a "
                "StandardScaler, for example). Then the frames of silence behind a short track "
                "can't be told from music, and neither can the level of a track. Pass the "
                "spectrograms as SpectrogramExtractor makes them: TrackVAE standardises each band.",
                UserWarning,
                stacklevel=2,
            )
            return
