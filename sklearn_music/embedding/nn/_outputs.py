"""What the modules return."""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor


class Posterior(NamedTuple):
    """Gaussian posteriors with diagonal covariance, each tensor (n_samples, n_components)."""

    mean: Tensor
    log_variance: Tensor

    def float(self) -> "Posterior":
        """Return it in single precision."""
        return Posterior(self.mean.float(), self.log_variance.float())

    def sample(self, noise: Tensor | None = None) -> Tensor:
        """Return a draw from each; the noise is torch's next where it is not given."""
        if noise is None:
            noise = self.mean.new_empty(self.mean.shape).normal_()
        return self.mean + (0.5 * self.log_variance).exp() * noise


class Pair(NamedTuple):
    """Positive pairs of a contrastive term: latent vectors of shape (n_pairs, n_components)."""

    anchor: Tensor
    positive: Tensor


@dataclass
class Outputs:
    """Outputs of a network for a batch."""

    posterior: Posterior
    z: Tensor  # a draw from it, (n_samples, n_components)
    error: Tensor  # squared error, summed over the observed features, (n_samples,)
    n_observed: Tensor  # number of these features, weighted as the error is, (n_samples,)
    pairs: dict[str, Pair] = field(default_factory=dict)  # by the name of the contrastive term


@dataclass
class LossOutput:
    """Loss of a batch, and what is logged of it."""

    loss: Tensor
    terms: dict[str, Tensor]  # before they are weighted, averaged over the batch
    sums: dict[str, Tensor]  # sums over the samples: `posterior_sums`, and those of the prior


def posterior_sums(kl: Tensor, mean: Tensor) -> dict[str, Tensor]:
    """Return sums over samples by component: KL divergence, posterior mean and its square."""
    sums = torch.stack([kl.sum(dim=0), mean.sum(dim=0), mean.square().sum(dim=0)])
    return {"posterior": sums}
