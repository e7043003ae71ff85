"""Descriptions that the embedders share, in the order of the signatures: loss, training, device."""

EMBEDDER = {
    "beta": """
Weight of the KL divergence. 1 is the evidence lower bound. A higher weight makes the latent
dimensions independent and few, a lower one makes the reconstruction sharp.
""",
    "elbo": """
kl_warmup : int, default=0
    Number of epochs over which the weight of the KL divergence rises to beta. It does not
    get there if `max_epochs` is lower.
free_bits : float, default=0.0
    Nats per latent dimension below which its KL divergence is not reduced further.
decoder_variance : {"unit", "learned", "optimal"}, default="unit"
    Variance of the likelihood: 1, a parameter of the network, or the value that maximises
    the likelihood of each batch (Rybkin et al., 2021).
""",
    "total_correlation": """
total_correlation : float, default=0.0
    Weight of the total correlation of the latent dimensions, in addition to beta (Chen et
    al., 2018).
""",
    "auxiliary_weight": """
Weight of the auxiliary features' squared error; that of the image is 1. There are many more
pixels than auxiliary features, so it may have to be large.
""",
    "image_shape": """
``(n_bands, n_frames)``. One of them may be -1, as in `numpy.reshape`: the image then takes
all columns. The default, a single band, is hardly ever right: it warns.
""",
    "batch_size": """
batch_size : int, default=64
    Number of samples per step.
lr : float, default=1e-3
    Learning rate of Adam.
""",
    "early_stopping": """
early_stopping : bool, default=False
    Whether to hold out samples, stop when their loss no longer falls, and go back to the
    epoch in which it was lowest.
validation_fraction : float, default=0.1
    Share of the samples that `early_stopping` holds out.
n_iter_no_change : int, default=10
    Number of epochs that `early_stopping` waits for a lower loss.
""",
    "training": """
callbacks : list of skorch.callbacks.Callback, default=None
    Further callbacks. Copies of them are used: those of a fit are in ``net_.callbacks_``.
checkpoint_dir : str or path, default=None
    Folder in which `fit` saves its state after each epoch. After a crash, the same call goes
    on from there, and ends with the same weights on a CPU. With ``random_state=None``, fits
    that run at the same time need a folder each.
device : str, default="auto"
    ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; ``"auto"`` is CUDA if there is one, else
    the CPU.
amp : bool, default=False
    Whether to train with layers in bfloat16 (automatic mixed precision), which is faster on a
    recent GPU and less exact. Warns and trains in float32 where a GPU has no bfloat16.
warm_start : bool, default=False
    Whether `fit` goes on from where the last one ended.
random_state : int, RandomState instance or None, default=None
    Determines the initial weights, the order of the samples and the draws from the posterior.
    With an int, each fit gives the same embedding.
verbose : int, default=0
    1 shows a progress bar with the time left, 2 prints a line per epoch.
""",
    "attributes": """
net_ : skorch.NeuralNet
    The trained net; its module is ``net_.module_``.
history_ : list of dict
    One per epoch: ``epoch``, ``train_loss``, ``active_units``, ``dur`` (in seconds), the terms
    of the loss before they are weighted (``reconstruction``, ``kl``, ``contrastive``,
    ``cross_modal``, ``total_correlation``; in nats), and ``valid_loss`` with `early_stopping`.
kl_per_component_ : ndarray of shape (n_components,)
    KL divergence of each latent dimension, in nats, averaged over the samples.
active_units_ : int
    Number of latent dimensions whose posterior mean has a variance above 0.01 (Burda et al.,
    2016): the others are the same for all samples.
beta_norm_ : float
    ``beta * n_components / n_inputs`` (Higgins et al., 2017), to compare beta across sizes.
noise_variance_ : float
    Variance of the likelihood.
device_ : str
    Where the net is.
n_features_in_ : int
    Number of columns seen in `fit`.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Names of the columns seen in `fit`, if they were strings.
""",
}
