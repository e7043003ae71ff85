"""Terms of the loss, as pure functions of tensors."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

# Terms of the evidence lower bound: one value per sample, summed over its dimensions.


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the KL divergence of Gaussians from the standard normal, in nats, by component.

    Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def negative_log_likelihood(
    error: Tensor, n_observed: Tensor, decoder_variance: str, log_variance: Tensor | None = None
) -> Tensor:
    """Return the negative log-likelihood of a Gaussian decoder, without its constant.

    Parameters
    ----------
    error : Tensor of shape ()
        Squared error, summed over the features, averaged over the samples.
    n_observed : Tensor of shape ()
        Number of features that it sums over, averaged over the samples.
    decoder_variance : {"unit", "learned", "optimal"}
        Variance of the decoder: 1, the exponential of `log_variance`, or the one that maximises
        the likelihood of the batch (Rybkin et al., "Simple and Effective VAE Training with
        Calibrated Decoders", 2021).
    log_variance : Tensor of shape (), default=None
        The learned one.
    """
    if decoder_variance == "unit":
        return 0.5 * error
    if log_variance is not None:
        return 0.5 * (error / log_variance.exp() + n_observed * log_variance)
    # A batch may have no observed feature, and a perfect reconstruction has no variance.
    variance = (error / (n_observed + (n_observed == 0))).clamp(min=1e-6)
    return 0.5 * n_observed * (variance.log() + 1)


def gaussian_log_likelihood(error: Tensor, n_observed: Tensor, variance: float) -> Tensor:
    """Return the log-likelihood of each sample, its constant included."""
    return -0.5 * (error / variance + n_observed * math.log(2 * math.pi * variance))


def total_correlation(z: Tensor, mean: Tensor, log_variance: Tensor, n_samples: int) -> Tensor:
    """Return how far the latent components are from independent, in nats.

    Estimated from a batch by minibatch-weighted sampling: Chen et al., "Isolating Sources of
    Disentanglement in Variational Autoencoders", 2018, equation 4. `n_samples` is the size of
    the data set.
    """
    deviation = z[:, None] - mean[None]
    log_densities = -0.5 * (
        deviation.square() / log_variance.exp() + log_variance + math.log(2 * math.pi)
    )
    log_size = math.log(n_samples * len(z))
    joint = log_densities.sum(dim=2).logsumexp(dim=1) - log_size
    marginals = (log_densities.logsumexp(dim=1) - log_size).sum(dim=1)
    return (joint - marginals).mean()


def cubature_nodes(
    n_components: int, rng: np.random.Generator, n_nodes_min: int = 64
) -> NDArray[np.float32]:
    """Return points over which a mean replaces one over the standard normal.

    They are those of the third-degree spherical-radial rule (Arasaratnam and Haykin, "Cubature
    Kalman Filters", 2009), in random rotations: exact for polynomials of degree 3, as with a
    linear decoder. All samples share them, so that a sample's score does not depend on others.

    Returns
    -------
    nodes : ndarray of shape (n_nodes, n_components)
        The points.
    """
    n_rotations = -(-n_nodes_min // (2 * n_components))
    rotations = np.linalg.qr(rng.standard_normal((n_rotations, n_components, n_components)))[0]
    axes = np.sqrt(n_components) * rotations.reshape(-1, n_components)
    return np.concatenate([axes, -axes]).astype(np.float32)


# Contrastive terms: each sample's positive is picked among those of the batch.


def info_nce(similarity: Tensor) -> Tensor:
    """Return the InfoNCE loss in nats.

    It is the cross-entropy of picking each sample's positive among all in the batch: van den
    Oord et al., "Representation Learning with Contrastive Predictive Coding", 2018, equation 4.

    Parameters
    ----------
    similarity : Tensor of shape (n_samples, n_samples)
        Of each sample and each positive. A sample's own positive is on the diagonal.
    """
    own = torch.arange(len(similarity), device=similarity.device)
    # A batch may have no pair.
    return functional.cross_entropy(similarity, own, reduction="sum") / max(1, len(similarity))


def heavy_tailed_similarity(anchor: Tensor, positive: Tensor, log_scale: Tensor) -> Tensor:
    """Return log(1 / (1 + scale * distance²)) of all pairs, the similarity of t-SNE.

    Damrich et al., "From t-SNE to UMAP with contrastive learning", 2023.

    Parameters
    ----------
    anchor, positive : Tensor of shape (n_samples, n_components)
        Latent vectors of the samples, and of the positive of each.
    log_scale : Tensor of shape ()
        Logarithm of the scale.
    """
    # Matrix products would cancel where vectors are close together.
    distance = torch.cdist(anchor, positive, compute_mode="donot_use_mm_for_euclid_dist")
    return -torch.log1p(log_scale.exp() * distance.square())


def cosine_similarity(anchor: Tensor, positive: Tensor, temperature: float) -> Tensor:
    """Return the cosine of all pairs, divided by a temperature.

    Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", 2020,
    equation 1.
    """
    anchor, positive = (functional.normalize(part, dim=1) for part in (anchor, positive))
    return anchor @ positive.T / temperature
