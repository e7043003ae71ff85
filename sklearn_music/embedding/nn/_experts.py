"""Product of experts: each modality has a Gaussian posterior, and what is missing has none."""

from typing import NamedTuple

import torch
from torch import Tensor

from ._layers import as_posterior
from ._outputs import Posterior

# An expert of lower variance would overflow the sum of precisions.
_MIN_LOG_VARIANCE = -20.0

# Share of the samples of a step that show one modality only, so that each expert learns to stand
# alone.
_SHARE_ALONE = 0.5


class Expert(NamedTuple):
    """A modality's Gaussian expert: its precision, and its mean times that; zeros if missing."""

    precision: Tensor
    evidence: Tensor


def expert(head: Tensor, is_there: Tensor) -> Expert:
    """Return the expert whose product with the prior alone has the mean that the head gives."""
    mean, log_variance = as_posterior(head).float()
    precision = (-log_variance.clamp(min=_MIN_LOG_VARIANCE)).exp()
    return Expert(precision * is_there, (1 + precision) * mean * is_there)


def product(*experts: Expert) -> Posterior:
    """Return the product of the standard normal prior and the experts.

    Wu and Goodman, "Multimodal Generative Models for Scalable Weakly-Supervised Learning",
    2018, section 2.2.
    """
    precision = 1 + torch.stack([expert.precision for expert in experts]).sum(dim=0)
    evidence = torch.stack([expert.evidence for expert in experts]).sum(dim=0)
    return Posterior(evidence / precision, -precision.log())


def hide_some(experts: list[Expert], has_both: Tensor) -> list[Expert]:
    """Return the two experts; of some samples that have both only one of them, at random."""
    if len(experts) == 1:
        return experts
    draw = torch.rand_like(experts[0].precision[:, :1])
    is_hidden = draw < _SHARE_ALONE / 2, draw >= 1 - _SHARE_ALONE / 2
    return [
        Expert(*(part * ~(has_both & hidden) for part in expert))
        for expert, hidden in zip(experts, is_hidden, strict=True)
    ]
