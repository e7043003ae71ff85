"""Contrastive terms: each sample's positive is picked among those of the batch."""

import torch
from torch import Tensor
from torch.nn import functional


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
