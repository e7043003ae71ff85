"""Variational autoencoder whose prior is a mixture of clusters."""

import warnings
from collections.abc import Sequence
from numbers import Integral
from os import PathLike
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import ClusterMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from skorch.callbacks import Callback

from .._docstrings import shared
from ._docstrings import EMBEDDER
from ._vae import VAE
from .nn import VAEModule
from .training import Batches, Samples, Trainer


@shared(EMBEDDER)
class VaDE(ClusterMixin, VAE):
    r"""Variational deep embedding: a latent space whose prior is a mixture of clusters.

    It takes the place of a `VAE` and the clusterer behind it: one Gaussian per cluster is
    learnt together with the latent space [1]_. `predict_proba` returns soft assignments;
    `transform`, `inverse_transform`, `score_samples` and `sample` are those of the VAE.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    n_components : int, default=16
        Number of latent dimensions.
    hidden_layer_sizes : sequence of int, default=(128, 64)
        Widths of the encoder's hidden layers; the decoder mirrors them.
    pretrain_epochs : int, default=60
        Number of epochs before the mixture begins, in which the prior is the standard normal. The
        mixture begins with the best of `n_init` fits of scikit-learn's GaussianMixture in the
        latent space. If `max_epochs` is not higher, that is also where it ends.
    n_init : int, default=10
        Number of these fits, each from other centres.
    beta : float, default=0.25
        {beta}
    {elbo}
    contrastive_weight : float, default=30.0
        Weight of the contrastive loss, which pulls each sample towards its nearest neighbours in
        X (see `VAE`). 0 is the VaDE of the paper.
    n_neighbors : int, default=10
        Number of nearest neighbours that each sample is pulled towards (see `VAE`).
    max_epochs : int, default=100
        Number of passes over the samples, pretraining included.
    {batch_size}
    {training}

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,), int64
        Cluster of each sample seen in `fit`.
    weights_ : ndarray of shape (n_clusters,)
        Weights of the clusters; they sum to 1.
    means_ : ndarray of shape (n_clusters, n_components)
        Centres of the clusters in the latent space: `inverse_transform` decodes them.
    covariances_ : ndarray of shape (n_clusters, n_components)
        Variances of the clusters along the latent dimensions.
    {attributes}

    See Also
    --------
    VAE : The latent space alone, for a clusterer of your choice behind it.
    sklearn.mixture.GaussianMixture : The same mixture over the columns themselves.

    Notes
    -----
    On 502 songs' MFCCs it does not beat KMeans, and it beats a `VAE` with KMeans behind it by
    little or nothing: the user guide has the numbers (:ref:`defaults`).

    The clusters have weights :math:`\pi_c` and Gaussians :math:`p_c`. The KL divergence of a
    posterior :math:`q` with the mean :math:`\mu` from the prior is [1]_

    .. math:: \sum_c \gamma_c \left( \mathrm{KL}(q \| p_c) + \log \frac{\gamma_c}{\pi_c} \right)
              \quad \text{with} \quad \gamma_c \propto \pi_c \, p_c(\mu)

    The responsibilities :math:`\gamma` are what `predict_proba` returns. The paper takes them at
    a draw from the posterior, not at its mean.

    A sample that is NaN in all columns is missing: the training leaves it out, `predict` returns
    -1 for it, and `transform` NaN.

    If a cluster is empty at the end of an epoch, it gets one half of the largest.

    References
    ----------
    .. [1] Z. Jiang et al., "Variational Deep Embedding: An Unsupervised and Generative
       Approach to Clustering", IJCAI 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_music import VaDE
    >>> X = StandardScaler().fit_transform(load_iris().data)
    >>> vade = VaDE(3, n_components=2, pretrain_epochs=20, max_epochs=30, random_state=0).fit(X)
    >>> vade.predict_proba(X).shape
    (150, 3)
    >>> vade.inverse_transform(vade.means_).shape
    (3, 4)
    """

    _parameter_constraints: dict = {
        name: constraint
        for name, constraint in VAE._parameter_constraints.items()
        if name
        not in ("early_stopping", "validation_fraction", "n_iter_no_change", "total_correlation")
    } | {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "pretrain_epochs": [Interval(Integral, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
    }

    # No parameters: the loss changes its level where the mixture begins, and clustered components
    # are not independent.
    early_stopping = False
    total_correlation = 0.0

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        n_components: int = 16,
        hidden_layer_sizes: Sequence[int] = (128, 64),
        pretrain_epochs: int = 60,
        n_init: int = 10,
        beta: float = 0.25,
        kl_warmup: int = 0,
        free_bits: float = 0.0,
        decoder_variance: Literal["unit", "learned", "optimal"] = "unit",
        contrastive_weight: float = 30.0,
        n_neighbors: int = 10,
        max_epochs: int = 100,
        batch_size: int = 64,
        lr: float = 1e-3,
        callbacks: Sequence[Any] | None = None,
        checkpoint_dir: str | PathLike[str] | None = None,
        device: str = "auto",
        amp: bool = False,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.pretrain_epochs = pretrain_epochs
        self.n_init = n_init
        self.beta = beta
        self.kl_warmup = kl_warmup
        self.free_bits = free_bits
        self.decoder_variance = decoder_variance
        self.contrastive_weight = contrastive_weight
        self.n_neighbors = n_neighbors
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.amp = amp
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Return the most probable cluster of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int64
            Numbers of clusters, from 0; -1 where a sample is missing.
        """
        proba = self.predict_proba(X)
        return np.where(np.isnan(proba[:, 0]), -1, proba.argmax(axis=1))

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Return the responsibility of each cluster for each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_clusters), float32
            The responsibilities of a sample sum to 1; they are NaN where it is missing.
        """

        def responsibilities(x: torch.Tensor) -> torch.Tensor:
            module = self.net_.module_
            return module.prior.responsibilities(module.embed(x).mean)

        return self._map_samples(responsibilities, X)

    def _train(self, X: Any, **kwargs: Any) -> None:
        super()._train(X, **kwargs)
        prior = self.net_.module_.prior
        parts = (prior.logits.softmax(dim=0), prior.means, prior.log_variances.exp())
        self.weights_, self.means_, self.covariances_ = (
            part.detach().cpu().numpy().copy() for part in parts
        )
        self.labels_ = self.predict(X)

    def _find_flaws(self) -> list[tuple[str, type[Warning]]]:
        n_found = len(np.unique(self.labels_[self.labels_ >= 0]))
        if n_found == self.n_clusters:
            return super()._find_flaws()
        message = (
            f"Only {n_found} of n_clusters={self.n_clusters} clusters have samples. There may be "
            "no more, or too many samples are alike: lower n_clusters, or train for longer."
        )
        return [*super()._find_flaws(), (message, ConvergenceWarning)]

    def _training_samples(self, X: Any, *, reset: bool) -> Any:
        X = super()._training_samples(X, reset=reset)
        if reset and len(X) < max(2, self.n_clusters):
            raise ValueError(
                f"Got n_samples={len(X)} rows for n_clusters={self.n_clusters}, expected at least "
                "as many rows as clusters, and two: lower n_clusters, or pass more rows."
            )
        return X

    def _draw_latent(self, n_samples: int, random_state: Any) -> NDArray:
        rng = check_random_state(self.random_state if random_state is None else random_state)
        normal = super()._draw_latent(n_samples, rng)
        clusters = rng.choice(len(self.weights_), size=n_samples, p=self.weights_)
        return self.means_[clusters] + np.sqrt(self.covariances_[clusters]) * normal

    def _module(self, n_features: int) -> tuple[type[VAEModule], dict]:
        module, settings = super()._module(n_features)
        return module, settings | {"n_clusters": int(self.n_clusters)}

    def _callbacks(self) -> list:
        return [("mixture", _MixtureStart(int(self.pretrain_epochs), int(self.n_init)))]


class _MixtureStart(Callback):
    """Begins the mixture after the pretraining, and splits clusters where others are empty.

    If the training ends before, the mixture begins with its end, and a further training goes on
    with the pretraining.
    """

    def __init__(self, pretrain_epochs: int, n_init: int) -> None:
        self.pretrain_epochs = pretrain_epochs
        self.n_init = n_init

    def on_epoch_begin(self, net: Trainer, dataset_train: Samples, **kwargs: Any) -> None:
        prior = net.module_.prior
        if len(net.history) <= self.pretrain_epochs:
            prior.has_begun = False  # the end of an earlier training began it for `predict`
        elif not prior.has_begun:
            self._begin(net, dataset_train)

    def on_epoch_end(self, net: Trainer, **kwargs: Any) -> None:
        sizes = net.epoch_.sums.get("cluster_sizes")
        if sizes is not None:
            sizes = sizes.double()
            for empty in (sizes == 0).nonzero().flatten().tolist():
                largest = int(sizes.argmax())
                net.module_.prior.split(largest, empty)
                sizes[largest] /= 2

    def on_train_end(self, net: Trainer, X: Samples, **kwargs: Any) -> None:
        if not net.module_.prior.has_begun:
            self._begin(net, X)

    @torch.no_grad()
    def _begin(self, net: Trainer, samples: Samples) -> None:
        module = net.module_
        posteriors = [module.encode(x) for (x, *_), _ in Batches(samples, net.batch_size)]
        mean, log_variance = (
            torch.cat(parts).cpu().double() for parts in zip(*posteriors, strict=True)
        )
        mixture = GaussianMixture(
            len(module.prior.logits),
            covariance_type="diag",
            # As wide as the posteriors are, but not so wide that all clusters become one.
            reg_covar=1e-6 + min(log_variance.exp().mean(), 0.1 * mean.var(0).mean()).item(),
            n_init=self.n_init,
            random_state=int(torch.randint(2**31, ())),
        )
        with warnings.catch_warnings():
            # It is only a start, and `fit` warns of empty clusters.
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(mean.numpy())
        parts = (mixture.weights_, mixture.means_, mixture.covariances_)
        module.prior.begin(*(torch.from_numpy(part) for part in parts))
