"""Variational autoencoder of two blocks of columns, either of which may be missing."""

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from os import PathLike
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from .._docstrings import shared
from ._base import BaseEmbedder
from ._docstrings import EMBEDDER
from ._layout import Layout, check_widths
from .nn import JointModule, VAEModule


@shared(EMBEDDER)
class JointVAE(BaseEmbedder):
    r"""Variational autoencoder of vectors and auxiliary features, either of which may be missing.

    Use it behind a pretrained encoder: the vectors of the audio and the features of the lyrics
    get one latent space. If a track lacks one of them, its latent vector comes from the other. In
    contrast to the other embedders, distances between latent vectors are those between
    reconstructions: what varies most in the data varies most in the latent space, as with PCA.

    Parameters
    ----------
    n_components : int, default=16
        Number of latent dimensions.
    n_main : int or callable, default=None
        Number of the first columns that are the vectors, or a function of X that returns it. The
        columns behind them are auxiliary features: of the lyrics, for example. None means that
        all columns are vectors.
    hidden_layer_sizes : sequence of int, default=(128, 64)
        Widths of the hidden layers of each of the two encoders. The decoder is linear.
    auxiliary_weight : float, default=1.0
        Weight of the auxiliary features' squared error; that of the vectors is 1.
    beta : float, default=0.25
        {beta}
    kl_warmup : int, default=0
        Number of epochs over which the weight of the KL divergence rises to beta. It does not
        get there if `max_epochs` is lower.
    free_bits : float, default=0.0
        Nats per latent dimension below which its KL divergence is not reduced further.
    decoder_variance : {"optimal", "unit", "learned"}, default="optimal"
        Variance of the likelihood: the value that maximises the likelihood of each batch
        (Rybkin et al., 2021), 1, or a parameter of the network.
    {total_correlation}
    max_epochs : int, default=60
        Number of passes over the samples.
    {batch_size}
    {early_stopping}
    {training}

    Attributes
    ----------
    n_main_ : int
        Number of columns that are the vectors.
    {attributes}

    See Also
    --------
    TrackVAE : The joint model of spectrograms and lyrics.
    sklearn_music.pipelines.BlockScaler : Scales each block as a whole, so that both count.
    sklearn_music.pipelines.make_encoder_pipeline : A pipeline with this and a pretrained encoder.

    Notes
    -----
    Each block has an encoder that gives a Gaussian posterior, and the two are multiplied with the
    prior [1]_. What is missing is left out of the product, and of the error. In training, half of
    the samples that have both show one of them only, so that each encoder learns to stand alone.

    The prior of a variational autoencoder whitens: each active latent dimension has a variance of
    about 1, even one that hardly changes the reconstruction, and KMeans counts all alike. So
    `transform` returns posterior means :math:`z` along the principal axes of the decoder. With the
    singular value decomposition :math:`U S V^\top` of its weights, they are :math:`z V S`, and the
    distance of two of them is that of their reconstructions. `inverse_transform` expects such
    vectors. `kl_per_component_` and `active_units_` are about :math:`z`.

    The vectors of a sample are NaN in all columns or in none. Its auxiliary features are left out
    if any of them is NaN. A sample that lacks both blocks is missing: the training leaves it out,
    and `transform` returns NaN for it.

    References
    ----------
    .. [1] M. Wu and N. Goodman, "Multimodal Generative Models for Scalable Weakly-Supervised
       Learning", NeurIPS 2018.

    J. Lucas et al., "Don't Blame the ELBO! A Linear VAE Perspective on Posterior Collapse",
    NeurIPS 2019; O. Rybkin et al., "Simple and Effective VAE Training with Calibrated Decoders",
    ICML 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_music import JointVAE
    >>> X = np.random.default_rng(0).standard_normal((20, 8 + 3))
    >>> X[:5, -3:] = np.nan  # the lyrics of five tracks are missing
    >>> X[5:8, :-3] = np.nan  # the audio of three others
    >>> vae = JointVAE(4, n_main=8, max_epochs=5, random_state=0)
    >>> vae.fit_transform(X).shape
    (20, 4)
    >>> vae.inverse_transform(vae.transform(X)).shape
    (20, 11)
    """

    _parameter_constraints: dict = {
        **BaseEmbedder._parameter_constraints,
        "n_main": [Interval(Integral, 1, None, closed="left"), callable, None],
        "hidden_layer_sizes": ["array-like"],
        "auxiliary_weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_components: int = 16,
        *,
        n_main: int | Callable[[Any], int] | None = None,
        hidden_layer_sizes: Sequence[int] = (128, 64),
        auxiliary_weight: float = 1.0,
        beta: float = 0.25,
        kl_warmup: int = 0,
        free_bits: float = 0.0,
        decoder_variance: Literal["unit", "learned", "optimal"] = "optimal",
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
        self.n_main = n_main
        self.hidden_layer_sizes = hidden_layer_sizes
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

    def _find_layout(self, X: Any) -> Layout:
        self.n_main_ = self._count_main(X)
        return Layout(X.shape[1], self.n_main_, main_may_miss=True)

    def _check_columns(self, X: Any) -> None:
        n_main = self._count_main(X)
        if n_main != self.n_main_:
            raise ValueError(
                "Training can go on with the same network only, but n_main changed from "
                f"{self.n_main_} to {n_main}. Set warm_start=False to train a new one."
            )

    def _count_main(self, X: Any) -> int:
        n_features = X.shape[1]
        if self.n_main is None:
            return n_features
        n_main: Any = self.n_main(X) if callable(self.n_main) else self.n_main
        if isinstance(n_main, (int, np.integer)) and 1 <= n_main <= n_features:
            return int(n_main)
        returned = f", which returned {n_main!r}" if callable(self.n_main) else ""
        raise ValueError(
            f"Got n_main={self.n_main!r}{returned}, but X has {n_features} columns: expected an "
            f"int from 1 to {n_features}."
        )

    def _module(self, n_features: int) -> tuple[type[VAEModule], dict]:
        return JointModule, {
            "n_main": self.n_main_,
            "hidden_layer_sizes": check_widths(self.hidden_layer_sizes, "hidden_layer_sizes"),
        }

    def _loss_settings(self) -> dict:
        return super()._loss_settings() | {"auxiliary_weight": float(self.auxiliary_weight)}

    def _draw_latent(self, n_samples: int, random_state: Any) -> NDArray:
        Z = super()._draw_latent(n_samples, random_state)
        return Z @ self.net_.module_.axes().numpy(force=True)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.n_main is not None
        return tags
