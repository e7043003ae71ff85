"""Layers."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ._outputs import Posterior

# Log-variances above this bound are compressed logarithmically, so that the loss stays finite.
MAX_LOG_VARIANCE = 2.0


def layer(kind: type[nn.Module], *sizes: int, **kwargs: Any) -> nn.Module:
    """Return a layer in float32, whatever torch's default dtype is."""
    return kind(*sizes, **kwargs, dtype=torch.float32)


def perceptron(sizes: Sequence[int]) -> nn.Sequential:
    """Return linear layers of these sizes with ReLU between them."""
    layers = []
    for n_in, n_out in pairwise(sizes):
        layers += [layer(nn.Linear, n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def as_posterior(head: Tensor) -> Posterior:
    """Return the posterior of which an encoder's head gives means, then log-variances.

    The first steps of Adam on thousands of columns can throw log-variances up to where their
    exponential overflows. A posterior wider than the prior is of no use anyway.
    """
    mean, log_variance = head.chunk(2, dim=1)
    excess = (log_variance - MAX_LOG_VARIANCE).clamp(min=0)
    return Posterior(mean, torch.minimum(log_variance, MAX_LOG_VARIANCE + excess.log1p()))
