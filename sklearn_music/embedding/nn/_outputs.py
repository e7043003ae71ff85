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
    """Outputs of a network for a batch.

    Parameters
    ----------
    posterior : Posterior
        Of each sample.
    z : Tensor of shape (n_samples, n_components)
        A draw from it.
    error : Tensor of shape (n_samples,)
        Squared error of the reconstruction, summed over the observed features.
    n_observed : Tensor of shape (n_samples,)
        Number of features that it sums over, weighted as the error is.
    pairs : dict of str to Pair
        Positive pairs by the name of their contrastive term.
    """

    posterior: Posterior
    z: Tensor
    error: Tensor
    n_observed: Tensor
    pairs: dict[str, Pair] = field(default_factory=dict)


@dataclass
class LossOutput:
    """Loss of a batch.

    Parameters
    ----------
    loss : Tensor of shape ()
        What is minimised.
    terms : dict of str to Tensor of shape ()
        Its terms before they are weighted, each averaged over the batch, for the log.
    sums : dict of str to Tensor
        Statistics summed over the samples, for the log: those of `posterior_sums` and of the
        prior.
    """

    loss: Tensor
    terms: dict[str, Tensor]
    sums: dict[str, Tensor]


def posterior_sums(kl: Tensor, mean: Tensor) -> dict[str, Tensor]:
    """Return sums over samples by component: KL divergence, posterior mean and its square."""
    sums = torch.stack([kl.sum(dim=0), mean.sum(dim=0), mean.square().sum(dim=0)])
    return {"posterior": sums}
