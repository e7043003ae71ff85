"""Variational autoencoder over a table of features."""

from collections.abc import Sequence
from numbers import Integral, Real
from os import PathLike
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from .._docstrings import shared
from ._base import BaseEmbedder
from ._docstrings import EMBEDDER
from .training import nearest_samples


@shared(EMBEDDER)
class VAE(BaseEmbedder):
    r"""Variational autoencoder: a latent space that can be clustered and decoded.

    It takes PCA's place in a pipeline. `transform` returns each sample's latent vector,
    `inverse_transform` decodes latent vectors. It also scores samples (`score_samples`) and
    generates new ones (`sample`).

    Parameters
    ----------
    n_components : int, default=16
        Number of latent dimensions.
    hidden_layer_sizes : sequence of int, default=(128, 64)
        Widths of the encoder's hidden layers; the decoder mirrors them.
    beta : float, default=0.25
        {beta}
    {elbo}
    {total_correlation}
    contrastive_weight : float, default=30.0
        Weight of the contrastive loss, which pulls each sample towards its nearest neighbours
        in X, so that clusters stay together in the latent space [3]_. 0 is the plain VAE.
    n_neighbors : int, default=10
        Number of nearest neighbours that each sample is pulled towards. The search takes a time
        quadratic in the number of samples. Memory-mapped samples are compared with 134 million
        numbers (512 MiB) of them at most: with a random sample, if there are more.
    max_epochs : int, default=60
        Number of passes over the samples.
    {batch_size}
    {early_stopping}
    {training}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    sklearn.decomposition.PCA : The linear embedding to compare with.

    Notes
    -----
    With ``contrastive_weight=0`` the loss is the negative evidence lower bound [1]_ of a Gaussian
    likelihood, without its constant, and with a weight on the KL divergence [2]_:

    .. math:: \tfrac12 \| x - \hat x \|^2
              + \beta \, \tfrac12 \sum_j (\mu_j^2 + \sigma_j^2 - 1 - \log \sigma_j^2)

    Both terms are summed over their dimensions and averaged over the batch, so beta means the
    same for every batch size.

    The contrastive loss is InfoNCE [3]_: of all samples in the batch, it picks the one that is
    among a sample's nearest neighbours. The similarity of two latent means is
    :math:`1 / (1 + e^s \| \mu_i - \mu_j \|^2)`, with s learnt.

    A sample that is NaN in all columns is missing: the training leaves it out, and `transform`
    returns NaN for it. A sample that is NaN in some columns only is an error.

    `score_samples` adds the constant and averages over the posterior by cubature.

    References
    ----------
    .. [1] D. P. Kingma and M. Welling, "Auto-Encoding Variational Bayes",
       ICLR 2014.
    .. [2] I. Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a
       Constrained Variational Framework", ICLR 2017.
    .. [3] S. Damrich et al., "From t-SNE to UMAP with contrastive learning",
       ICLR 2023.

    O. Rybkin et al., "Simple and Effective VAE Training with Calibrated Decoders", ICML 2021;
    R. T. Q. Chen et al., "Isolating Sources of Disentanglement in Variational Autoencoders",
    NeurIPS 2018; Y. Burda et al., "Importance Weighted Autoencoders", ICLR 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_music import VAE
    >>> X = StandardScaler().fit_transform(load_iris().data)
    >>> vae = VAE(n_components=2, max_epochs=20, random_state=0)
    >>> Z = vae.fit_transform(X)
    >>> Z.shape
    (150, 2)
    >>> vae.inverse_transform(Z).shape
    (150, 4)
    """

    _parameter_constraints: dict = {
        **BaseEmbedder._parameter_constraints,
        "hidden_layer_sizes": ["array-like"],
        "contrastive_weight": [Interval(Real, 0, None, closed="left")],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_components: int = 16,
        *,
        hidden_layer_sizes: Sequence[int] = (128, 64),
        beta: float = 0.25,
        kl_warmup: int = 0,
        free_bits: float = 0.0,
        decoder_variance: Literal["unit", "learned", "optimal"] = "unit",
        total_correlation: float = 0.0,
        contrastive_weight: float = 30.0,
        n_neighbors: int = 10,
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
        self.hidden_layer_sizes = hidden_layer_sizes
        self.beta = beta
        self.kl_warmup = kl_warmup
        self.free_bits = free_bits
        self.decoder_variance = decoder_variance
        self.total_correlation = total_correlation
        self.contrastive_weight = contrastive_weight
        self.n_neighbors = n_neighbors
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

    def _loss_settings(self) -> dict:
        weight = float(self.contrastive_weight)
        return super()._loss_settings() | {"contrastive_weight": weight}

    def _positives(self, X: Any) -> NDArray[np.int64] | None:
        return nearest_samples(X, self.n_neighbors) if self.contrastive_weight else None
