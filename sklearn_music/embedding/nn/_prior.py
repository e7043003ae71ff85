"""Priors of the latent space."""

import math

import torch
from torch import Tensor, nn

from ..losses import kl_divergence
from ._outputs import Posterior


class StandardNormalPrior(nn.Module):
    """The standard normal distribution."""

    def kl(self, posterior: Posterior) -> Tensor:
        """Return the KL divergence from it, in nats, by sample and component."""
        return kl_divergence(*posterior)

    def sums(self, posterior: Posterior) -> dict[str, Tensor]:
        """Return statistics of a batch for the log: none."""
        return {}


class GaussianMixturePrior(StandardNormalPrior):
    """A mixture of Gaussians with diagonal covariances, one per cluster.

    Until `begin` is called it is the standard normal.

    Parameters
    ----------
    n_clusters, n_components : int
        Numbers of clusters and of latent dimensions.
    """

    def __init__(self, n_clusters: int, n_components: int) -> None:
        super().__init__()
        zeros = torch.zeros(n_clusters, n_components, dtype=torch.float32)
        self.logits = nn.Parameter(zeros[:, 0].clone())
        self.means = nn.Parameter(zeros)
        self.log_variances = nn.Parameter(zeros.clone())
        # No tensor: one would have to come back from the device for each batch.
        self.has_begun = False

    def get_extra_state(self) -> bool:
        """Return what is saved with the weights."""
        return self.has_begun

    def set_extra_state(self, state: bool) -> None:
        """Set what was saved with the weights."""
        self.has_begun = state

    def kl(self, posterior: Posterior) -> Tensor:
        """Return the KL divergence from it, in nats, by sample and component.

        Jiang et al., "Variational Deep Embedding", 2017, equation 12: the divergences from the
        clusters, weighted by the responsibilities, and the divergence of these from the
        clusters' weights. The latter belongs to no component: each bears an equal part of it.
        """
        if not self.has_begun:
            return super().kl(posterior)
        mean, log_variance = posterior
        log_resp = self._log_responsibilities(mean)
        resp = log_resp.exp()
        kl = kl_divergence(self._standardized(mean), log_variance[:, None] - self.log_variances)
        of_resp = (resp * (log_resp - self.logits.log_softmax(dim=0))).sum(dim=1)
        return (resp[:, :, None] * kl).sum(dim=1) + of_resp[:, None] / mean.shape[1]

    def sums(self, posterior: Posterior) -> dict[str, Tensor]:
        """Return the number of samples in each cluster, shape (n_clusters,)."""
        if not self.has_begun:
            return {}
        resp = self.responsibilities(posterior.mean)
        return {"cluster_sizes": (resp == resp.amax(dim=1, keepdim=True)).sum(dim=0)}

    def responsibilities(self, mean: Tensor) -> Tensor:
        """Return each cluster's responsibility for latent vectors, (n_samples, n_clusters)."""
        return self._log_responsibilities(mean).exp()

    def _log_responsibilities(self, mean: Tensor) -> Tensor:
        squares = self._standardized(mean).square() + self.log_variances
        return (self.logits - 0.5 * squares.sum(dim=2)).log_softmax(dim=1)

    def _standardized(self, mean: Tensor) -> Tensor:
        return (mean[:, None] - self.means) * (-0.5 * self.log_variances).exp()

    @torch.no_grad()
    def begin(self, weights: Tensor, means: Tensor, variances: Tensor) -> None:
        """Make these clusters the prior."""
        self.logits.copy_(weights.log())
        self.means.copy_(means)
        self.log_variances.copy_(variances.log())
        self.has_begun = True

    @torch.no_grad()
    def split(self, largest: int, empty: int) -> None:
        """Give an empty cluster one half of the largest, cut across its longest axis."""
        for part in (self.logits, self.means, self.log_variances):
            part[empty] = part[largest]
        self.logits[[empty, largest]] -= math.log(2)
        axis = self.log_variances[largest].argmax()
        # The mean of half a normal distribution.
        shift = math.sqrt(2 / math.pi) * (0.5 * self.log_variances[largest, axis]).exp()
        self.means[largest, axis] -= shift
        self.means[empty, axis] += shift
