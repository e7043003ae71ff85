"""The variational autoencoder whose prior is a mixture of clusters."""

import warnings
from numbers import Integral

import numpy as np
from sklearn.base import ClusterMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from ._mixture import MixtureELBO, MixtureStart
from ._vae import VAE


class VaDE(ClusterMixin, VAE):
    r"""Variational deep embedding: a latent space whose prior is a mixture of clusters.

    It takes the place of a `VAE` and the clusterer behind it: one Gaussian per cluster is
    learnt together with the latent space [1]_. `predict_proba` gives soft assignments;
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
        How many of the epochs come before the mixture, which is then begun with the best of
        `n_init` fits of scikit-learn's GaussianMixture in the latent space. Until then the
        prior is the standard normal. Where `max_epochs` is not more than that, the clusters
        stay as they were begun.
    n_init : int, default=10
        Number of these fits, each from other centres.
    beta : float, default=0.25
        Weight of the KL divergence. 1 is the evidence lower bound.
    kl_warmup : int, default=0
        Number of epochs over which the weight of the KL divergence rises to beta.
    free_bits : float, default=0.0
        Nats per latent dimension below which its KL divergence is not lowered further.
    decoder_variance : {"unit", "learned", "optimal"}, default="unit"
        The variance of the likelihood: 1, a parameter of the network, or the value that
        maximises the likelihood of each batch.
    contrastive_weight : float, default=30.0
        Weight of the term that ties each row to its nearest neighbours in X (see `VAE`). 0
        is the VaDE of the paper.
    n_neighbors : int, default=10
        Number of nearest neighbours that each sample is pulled towards (see `VAE`).
    max_epochs : int, default=100
        Number of passes over the rows, those of the pretraining included.
    batch_size : int, default=64
        Number of rows per step.
    lr : float, default=1e-3
        Learning rate of Adam.
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
        Whether to train with layers in bfloat16 (automatic mixed precision). Falls back to
        float32, with a warning, where a GPU has none.
    warm_start : bool, default=False
        Whether `fit` goes on from where the last one ended, its clusters included.
    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, the order of the rows, the draws from the posterior
        and the clusters' start. An int gives the same clusters each time.
    verbose : int, default=0
        Prints a line per epoch where not 0.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,), int64
        The cluster of each row seen in `fit`.
    weights_ : ndarray of shape (n_clusters,)
        The weights of the clusters; they sum to 1.
    means_ : ndarray of shape (n_clusters, n_components)
        The centres of the clusters in the latent space: `inverse_transform` decodes them.
    covariances_ : ndarray of shape (n_clusters, n_components)
        The variances of the clusters along the latent dimensions.
    net_ : skorch.NeuralNet
        The trained net; its network is ``net_.module_``, the mixture is in
        ``net_.criterion_``.
    history_ : list of dict
        One per epoch: ``epoch``, ``train_loss``, ``reconstruction``, ``kl`` (from the
        standard normal in the pretraining, then from the mixture) and ``contrastive`` (in
        nats), ``active_units``, ``dur`` (in seconds).
    kl_per_component_ : ndarray of shape (n_components,)
        Each latent dimension's part of the KL divergence, the mean over the rows, in nats.
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
    VAE : The latent space alone, for a clusterer of your choice behind it.
    sklearn.mixture.GaussianMixture : The same mixture over the columns themselves.

    Notes
    -----
    On 502 songs' MFCCs it does not beat KMeans, and it beats a `VAE` with KMeans behind it by
    little or nothing: the user guide has the numbers (:ref:`defaults`).

    With the clusters' weights :math:`\pi_c` and Gaussians :math:`p_c`, the KL divergence of a
    row's posterior :math:`q`, of mean :math:`\mu`, from the prior is [1]_

    .. math:: \sum_c \gamma_c \left( \mathrm{KL}(q \| p_c) + \log \frac{\gamma_c}{\pi_c} \right)
              \quad \text{with} \quad \gamma_c \propto \pi_c \, p_c(\mu)

    The shares :math:`\gamma` are what `predict_proba` returns. The paper takes them at a draw
    from the posterior, not at its mean.

    A sample that is NaN in all columns is missing: the training leaves it out, `predict` gives it
    -1, and `transform` NaN.

    At the end of an epoch, a cluster that no row was in takes one half of the largest.

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

    # No parameters here: the loss falls to another level where the mixture begins, and what
    # is clustered is not independent.
    early_stopping = False
    total_correlation = 0.0

    def __init__(
        self,
        n_clusters=8,
        *,
        n_components=16,
        hidden_layer_sizes=(128, 64),
        pretrain_epochs=60,
        n_init=10,
        beta=0.25,
        kl_warmup=0,
        free_bits=0.0,
        decoder_variance="unit",
        contrastive_weight=30.0,
        n_neighbors=10,
        max_epochs=100,
        batch_size=64,
        lr=1e-3,
        callbacks=None,
        checkpoint_dir=None,
        device="auto",
        amp=False,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
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

    def fit(self, X, y=None):
        """Train the network and the clusters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples, each column on a scale of about 1 (see StandardScaler). Missing ones,
            which are NaN, are left out.
        y : None
            Ignored: no label enters the training.

        Returns
        -------
        self : VaDE
            The fitted clusterer.

        Raises
        ------
        ValueError
            If there are fewer samples than clusters, or only one, that are not missing.
        DivergenceError
            If the loss becomes NaN or infinite.
        """
        super().fit(X)
        n_found = len(np.unique(self.labels_[self.labels_ >= 0]))
        if n_found < self.n_clusters:
            warnings.warn(
                f"Only {n_found} of n_clusters={self.n_clusters} clusters have rows. There may be "
                "no more, or too many rows are alike: lower n_clusters, or train for longer.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def predict(self, X):
        """Return the cluster of each row: the one with its largest share.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int64
            Numbers of clusters, from 0; -1 where a sample is missing.
        """
        proba = self.predict_proba(X)
        return np.where(np.isnan(proba[:, 0]), -1, proba.argmax(axis=1))

    def predict_proba(self, X):
        """Return the share of each row in each cluster.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_clusters), float32
            The shares of a sample sum to 1; they are NaN where it is missing.
        """
        return self._map_rows(lambda rows: self.net_.criterion_.shares(self._encode(rows)), X)

    def _train(self, X, **kwargs):
        super()._train(X, **kwargs)
        mixture = self.net_.criterion_
        parts = (mixture.logits.softmax(dim=0), mixture.means, mixture.log_variances.exp())
        self.weights_, self.means_, self.covariances_ = (
            part.detach().cpu().numpy().copy() for part in parts
        )
        self.labels_ = self.predict(X)
        return self

    def _training_rows(self, X, *, reset):
        X = super()._training_rows(X, reset=reset)
        if reset and len(X) < max(2, self.n_clusters):
            raise ValueError(
                f"Got n_samples={len(X)} rows for n_clusters={self.n_clusters}, expected at least "
                "as many rows as clusters, and two: lower n_clusters, or pass more rows."
            )
        return X

    def _prior(self, n_samples, random_state):
        check_is_fitted(self)
        rng = check_random_state(self.random_state if random_state is None else random_state)
        normal = super()._prior(n_samples, rng)
        clusters = rng.choice(len(self.weights_), size=n_samples, p=self.weights_)
        return self.means_[clusters] + np.sqrt(self.covariances_[clusters]) * normal

    def _settings(self, n_rows, n_features):
        return super()._settings(n_rows, n_features) | {
            "criterion__n_clusters": int(self.n_clusters),
            "criterion__n_components": int(self.n_components),
            "callbacks__mixture__pretrain_epochs": int(self.pretrain_epochs),
            "callbacks__mixture__n_init": int(self.n_init),
        }

    def _initialized_net(self, settings, device, *, callbacks=(), **kwargs):
        return super()._initialized_net(
            settings,
            device,
            criterion=MixtureELBO,
            callbacks=[("mixture", MixtureStart()), *callbacks],
            **kwargs,
        )
