"""The terms of the negative ELBO: one value per row, summed over the row's dimensions."""

import math

import numpy as np
import torch
from torch import nn


def kl_divergence(mean, log_variance):
    """Return the divergence of the posterior from the standard normal prior, in nats.

    One value per row and component: Kingma and Welling, "Auto-Encoding Variational
    Bayes", 2014, appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def total_correlation(z, mean, log_variance, n_rows):
    """Return how far the latent components are from independent, in nats.

    Estimated from a batch by minibatch-weighted sampling: Chen et al., "Isolating
    Sources of Disentanglement in Variational Autoencoders", 2018, equation 4.
    """
    deviation = z[:, None] - mean[None]
    log_densities = -0.5 * (
        deviation.square() / log_variance.exp() + log_variance + math.log(2 * math.pi)
    )
    log_size = math.log(n_rows * len(z))
    joint = log_densities.sum(dim=2).logsumexp(dim=1) - log_size
    marginals = (log_densities.logsumexp(dim=1) - log_size).sum(dim=1)
    return (joint - marginals).mean()


def info_nce(similarity):
    """Return how badly each row's positive is told from those of the other rows, in nats.

    Van den Oord et al., "Representation Learning with Contrastive Predictive Coding", 2018,
    equation 4.

    Parameters
    ----------
    similarity : Tensor of shape (n_rows, n_rows)
        Of each row and each positive; that of a row with its own stands on the diagonal.
    """
    which = torch.arange(len(similarity), device=similarity.device)
    # A batch may have no pair.
    total = nn.functional.cross_entropy(similarity, which, reduction="sum")
    return total / max(1, len(similarity))


def heavy_tailed_similarity(mean, positive, log_scale):
    """Return the logarithm of 1 / (1 + d²) of all pairs, where d is their scaled distance.

    That of t-SNE, as Damrich et al., "From t-SNE to UMAP with contrastive learning", 2023,
    have it.

    Parameters
    ----------
    mean, positive : Tensor of shape (n_rows, n_components)
        The places of the rows, and of the positive of each.
    log_scale : Tensor of shape ()
        Logarithm of what the squared distances are multiplied by.
    """
    # By differences: products would cancel where rows are close together.
    distance = torch.cdist(mean, positive, compute_mode="donot_use_mm_for_euclid_dist")
    return -torch.log1p(log_scale.exp() * distance.square())


def cosine_similarity(mean, positive, temperature):
    """Return the cosine of all pairs of places, divided by a temperature.

    Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", 2020,
    equation 1.
    """
    mean, positive = (nn.functional.normalize(places, dim=1) for places in (mean, positive))
    return mean @ positive.T / temperature


class NegativeELBO(nn.Module):
    """The loss ``reconstruction + beta * KL``, averaged over the batch.

    Both terms are sums over their dimensions, so beta = 1 is the evidence lower bound,
    whatever the numbers of features, components and rows.

    Parameters
    ----------
    beta : float
        Weight of the KL divergence (Higgins et al., 2017).
    free_bits : float, default=0.0
        Nats per component below which the KL divergence, as the batch's mean, is not
        lowered any further (Kingma et al., 2016).
    decoder_variance : {"unit", "learned", "optimal"}, default="unit"
        The variance of the likelihood: 1, a parameter, or for each batch the value
        that maximises its likelihood (Rybkin et al., 2021).
    total_correlation : float, default=0.0
        Weight of the total correlation (Chen et al., 2018).
    contrastive_weight : float, default=0.0
        Weight of the term that ties each row to its positive, where there are positives.
    cross_modal_weight : float, default=0.0
        Weight, within that term, of the tie to a second positive, where there are such.
    temperature : float, default=None
        Of the cosine similarity in that term; None takes the heavy-tailed one, whose scale
        is learnt.
    """

    def __init__(
        self,
        beta,
        free_bits=0.0,
        decoder_variance="unit",
        total_correlation=0.0,
        contrastive_weight=0.0,
        cross_modal_weight=0.0,
        temperature=None,
    ):
        super().__init__()
        self.beta = beta
        self.free_bits = free_bits
        self.decoder_variance = decoder_variance
        self.total_correlation = total_correlation
        self.contrastive_weight = contrastive_weight
        self.cross_modal_weight = cross_modal_weight
        self.temperature = temperature
        # Always there, so that a warm start may turn the contrastive_weight on.
        self.log_scale = nn.Parameter(torch.zeros((), dtype=torch.float32))
        if decoder_variance == "learned":
            self.log_variance = nn.Parameter(torch.zeros((), dtype=torch.float32))
        self.kl_share_ = 1.0  # of beta, while it rises in the first epochs
        self.n_rows_ = None  # that the batches are drawn from

    def forward(self, output, n_inputs):
        """Return the loss, and for the log the sums of its terms over the batch.

        Parameters
        ----------
        output : tuple of Tensor
            What the network returns: each row's squared error, draw from the posterior,
            mean and log-variance, and where there are positives, two places that belong
            together, and perhaps another two.
        n_inputs : float or Tensor of shape ()
            The number of columns that the squared errors sum over, the mean of the rows.
        """
        error, z, mean, log_variance, *places = output
        terms = {"reconstruction": self._reconstruction(error.mean(), n_inputs)}
        kl = self.kl(mean, log_variance)
        kl_of_batch = kl.mean(dim=0).clamp(min=self.free_bits)
        beta = self.beta * (self.kl_share_ if self.training else 1.0)
        loss = terms["reconstruction"] + beta * kl_of_batch.sum()
        if self.total_correlation:
            n_rows = self.n_rows_ or len(z)
            terms["total_correlation"] = total_correlation(z, mean, log_variance, n_rows)
            loss = loss + self.total_correlation * terms["total_correlation"]
        if places:
            terms["contrastive"] = info_nce(self._similarity(*places[:2]))
            loss = loss + self.contrastive_weight * terms["contrastive"]
        if places[2:]:
            terms["cross_modal"] = info_nce(self._similarity(*places[2:]))
            weight = self.contrastive_weight * self.cross_modal_weight
            loss = loss + weight * terms["cross_modal"]
        with torch.no_grad():
            sums = posterior_sums(kl, mean)
        return loss, ({name: term.detach() * len(z) for name, term in terms.items()}, sums)

    def kl(self, mean, log_variance):
        """Return the divergence from the prior, in nats, a value per row and component."""
        return kl_divergence(mean, log_variance)

    def _similarity(self, mean, positive):
        if self.temperature is None:
            return heavy_tailed_similarity(mean, positive, self.log_scale)
        return cosine_similarity(mean, positive, self.temperature)

    def _reconstruction(self, error, n_inputs):
        """Return the mean negative log-likelihood less its constant, from the squared error."""
        if self.decoder_variance == "unit":
            return 0.5 * error
        if self.decoder_variance == "learned":
            return 0.5 * (error / self.log_variance.exp() + n_inputs * self.log_variance)
        # The optimal variance is error / n_inputs; a perfect reconstruction has none.
        # A batch may hold nothing.
        variance = (error / (n_inputs + (n_inputs == 0))).clamp(min=1e-6)
        return 0.5 * n_inputs * (variance.log() + 1)


def posterior_sums(kl, mean):
    """Return the sums over rows of KL divergence, mean and squared mean, (3, n_components)."""
    return torch.stack([kl.sum(dim=0), mean.sum(dim=0), mean.square().sum(dim=0)])


def is_active(means, squared_means):
    """Tell which components use the data: the variance of their mean is above 0.01.

    Burda et al., "Importance Weighted Autoencoders", 2016, section 5.
    """
    return squared_means - means**2 > 0.01


@torch.no_grad()
def elbo(network, x, nodes, variance=1.0, divergence=kl_divergence):
    """Return the evidence lower bound of each row of `x`, in nats, constants included."""
    mean, log_variance = network.encode(x)
    deviation = (0.5 * log_variance).exp()
    condition = network.condition(x)
    errors = [
        # Of side features as of pixels: weighed, it would bound no likelihood.
        network.error(x, network.decode(mean + deviation * node, condition), auxiliary_weight=1.0)
        for node in nodes
    ]
    error = torch.stack(errors).mean(dim=0)
    constant = network.n_observed(x) * math.log(2 * math.pi * variance)
    kl = divergence(mean, log_variance).sum(dim=1)
    return -0.5 * (error / variance + constant) - kl


def cubature_nodes(n_components, rng, n_nodes_min=64):
    """Return points whose mean replaces that over a standard normal, shape (n_nodes, n_components).

    They are those of the third-degree spherical-radial rule (Arasaratnam and Haykin,
    2009), turned at random: exact where the integrand is a polynomial of degree 3, as
    with a linear decoder, and the same for every row, so that a row's value does not
    depend on the rows beside it.
    """
    n_turns = -(-n_nodes_min // (2 * n_components))
    turns = np.linalg.qr(rng.standard_normal((n_turns, n_components, n_components)))[0]
    axes = np.sqrt(n_components) * turns.reshape(-1, n_components)
    return np.concatenate([axes, -axes]).astype(np.float32)
