"""The variational autoencoder over dense columns."""

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval

from ._base import BaseEmbedder, check_widths
from ._neighbors import nearest_rows


class VAE(BaseEmbedder):
    r"""Variational autoencoder: a latent space that can be clustered and decoded.

    It takes PCA's place in a pipeline: `transform` gives each row's place in the
    latent space, the mean of its posterior; `inverse_transform` goes back. It also
    scores rows (`score_samples`) and makes new ones (`sample`).

    Parameters
    ----------
    n_components : int, default=16
        Number of latent dimensions.
    hidden_layer_sizes : sequence of int, default=(128, 64)
        Widths of the encoder's hidden layers; the decoder mirrors them.
    beta : float, default=0.25
        Weight of the KL divergence. 1 is the evidence lower bound; more of it makes
        the latent dimensions independent and few, less makes the reconstruction sharp.
    kl_warmup : int, default=0
        Number of epochs over which the weight of the KL divergence rises to beta, which
        it never reaches where `max_epochs` is lower.
    free_bits : float, default=0.0
        Nats per latent dimension below which its KL divergence is not lowered further.
    decoder_variance : {"unit", "learned", "optimal"}, default="unit"
        The variance of the likelihood: 1, a parameter of the network, or the value that
        maximises the likelihood of each batch [3]_.
    total_correlation : float, default=0.0
        Weight of the total correlation of the latent dimensions, on top of beta [4]_.
    contrastive_weight : float, default=30.0
        Weight of the term that ties each row to its nearest neighbours in X, so that
        clusters stay together in the latent space [6]_. 0 is the plain VAE.
    n_neighbors : int, default=10
        Number of nearest neighbours that each sample is pulled towards. They are searched
        among all samples of an array, which takes a time quadratic in their number.
        Memory-mapped samples are compared with
        134 million numbers (512 MiB) of them at most; where there are more, with a random sample.
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
    net_ : skorch.NeuralNet
        The trained net; its network is ``net_.module_``.
    history_ : list of dict
        One per epoch: ``epoch``, ``train_loss``, ``reconstruction``, ``kl`` and
        ``contrastive`` (in nats), ``active_units``, ``dur`` (in seconds) and, where they
        are used, ``total_correlation`` and ``valid_loss``.
    kl_per_component_ : ndarray of shape (n_components,)
        Each latent dimension's KL divergence, the mean over the rows, in nats.
    active_units_ : int
        Number of latent dimensions that tell the rows apart: the variance of their
        posterior mean is above 0.01 [5]_.
    beta_norm_ : float
        ``beta * n_components / n_features`` [2]_, to compare beta across sizes.
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
    sklearn.decomposition.PCA : The linear embedding to compare with.

    Notes
    -----
    Without `contrastive_weight`, the loss is the negative evidence lower bound [1]_, with
    a Gaussian likelihood of variance 1 (its constant left out) and a weight on the KL
    divergence [2]_, both terms summed over their dimensions:

    .. math:: \tfrac12 \| x - \hat x \|^2
              + \beta \, \tfrac12 \sum_j (\mu_j^2 + \sigma_j^2 - 1 - \log \sigma_j^2)

    So beta means the same for every batch size, and columns that are standardised
    weigh as much as the prior expects of them.

    `contrastive_weight` adds that many times the InfoNCE loss [6]_ of telling, by its latent
    mean, one of a row's nearest neighbours from those of the other rows of the batch; two
    rows are alike as :math:`1 / (1 + e^s \| \mu_i - \mu_j \|^2)`, with s learnt.

    A sample that is NaN in all columns is missing: the training leaves it out, and `transform`
    gives it NaN. One that is NaN in some columns only is an error.

    `score_samples` adds the constant and takes the mean over the posterior by cubature.

    References
    ----------
    .. [1] D. P. Kingma and M. Welling, "Auto-Encoding Variational Bayes",
       ICLR 2014.
    .. [2] I. Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a
       Constrained Variational Framework", ICLR 2017.
    .. [3] O. Rybkin, K. Daniilidis and S. Levine, "Simple and Effective VAE Training
       with Calibrated Decoders", ICML 2021.
    .. [4] R. T. Q. Chen et al., "Isolating Sources of Disentanglement in Variational
       Autoencoders", NeurIPS 2018.
    .. [5] Y. Burda, R. Grosse and R. Salakhutdinov, "Importance Weighted
       Autoencoders", ICLR 2016.
    .. [6] S. Damrich et al., "From t-SNE to UMAP with contrastive learning",
       ICLR 2023.

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
        n_components=16,
        *,
        hidden_layer_sizes=(128, 64),
        beta=0.25,
        kl_warmup=0,
        free_bits=0.0,
        decoder_variance="unit",
        total_correlation=0.0,
        contrastive_weight=30.0,
        n_neighbors=10,
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

    def _check_settings(self, *, partial=False):
        super()._check_settings(partial=partial)
        check_widths(self.hidden_layer_sizes, "hidden_layer_sizes")

    def _settings(self, n_rows, n_features):
        settings = super()._settings(n_rows, n_features)
        return settings | {"criterion__contrastive_weight": float(self.contrastive_weight)}

    def _positives(self, X):
        return nearest_rows(X, self.n_neighbors) if self.contrastive_weight else None

    def _network_settings(self, n_features):
        return {"hidden_layer_sizes": check_widths(self.hidden_layer_sizes, "hidden_layer_sizes")}
