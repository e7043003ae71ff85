"""Terms of the loss, as pure functions of tensors."""

from ._contrastive import cosine_similarity, heavy_tailed_similarity, info_nce
from ._elbo import (
    cubature_nodes,
    gaussian_log_likelihood,
    kl_divergence,
    negative_log_likelihood,
    total_correlation,
)

__all__ = [
    "cosine_similarity",
    "cubature_nodes",
    "gaussian_log_likelihood",
    "heavy_tailed_similarity",
    "info_nce",
    "kl_divergence",
    "negative_log_likelihood",
    "total_correlation",
]
