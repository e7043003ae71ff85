"""The terms of the negative ELBO: one value per row, summed over the row's dimensions."""

import math

import numpy as np
import torch
from torch import nn


def reconstruction_loss(x, x_hat):
    """Return the negative log-likelihood of a Gaussian of variance 1, less its constant."""
    return 0.5 * (x - x_hat).square().sum(dim=1)


def kl_divergence(mean, log_variance):
    """Return the divergence of the posterior from the standard normal prior, in nats.

    Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)


class NegativeELBO(nn.Module):
    """The loss ``reconstruction + beta * KL``, averaged over the batch.

    Parameters
    ----------
    beta : float
        Weight of the KL divergence (Higgins et al., 2017). Both terms are sums over
        their dimensions, so beta = 1 is the evidence lower bound, whatever the sizes.
    """

    def __init__(self, beta):
        super().__init__()
        self.beta = beta

    def forward(self, output, x):
        """Return the loss and its terms: reconstruction and KL, each a scalar."""
        x_hat, mean, log_variance = output
        reconstruction = reconstruction_loss(x, x_hat).mean()
        kl = kl_divergence(mean, log_variance).mean()
        return reconstruction + self.beta * kl, torch.stack([reconstruction, kl]).detach()


@torch.no_grad()
def elbo(network, x, nodes):
    """Return the evidence lower bound of each row of `x`, in nats, constants included."""
    mean, log_variance = network.encode(x)
    deviation = (0.5 * log_variance).exp()
    reconstruction = sum(
        reconstruction_loss(x, network.decode(mean + deviation * node)) for node in nodes
    ) / len(nodes)
    constant = 0.5 * x.shape[1] * math.log(2 * math.pi)
    return -(reconstruction + constant + kl_divergence(mean, log_variance))


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
