"""What the modules of two modalities share: auxiliary features that may be missing."""

from typing import Any

import torch
from torch import Tensor

from ._module import VAEModule


class AuxiliaryModule(VAEModule):
    """Network over `n_main` main columns, and auxiliary features behind them.

    The error of the auxiliary features is multiplied by `auxiliary_weight`.
    """

    def __init__(
        self,
        n_features: int,
        n_components: int,
        n_main: int,
        auxiliary_weight: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_features, n_components, **kwargs)
        self.auxiliary_weight = auxiliary_weight
        self.n_main = n_main
        self.n_auxiliary = self.n_inputs - n_main

    def auxiliary(self, x: Tensor) -> Tensor:
        """Return the auxiliary features, (n_samples, n_auxiliary)."""
        return x[:, self.n_main : self.n_inputs]

    def has_auxiliary(self, x: Tensor) -> Tensor:
        """Return whether none of a sample's auxiliary features is missing, (n_samples, 1)."""
        return ~self.auxiliary(x).isnan().any(dim=1, keepdim=True)

    def has_main(self, x: Tensor) -> Tensor:
        """Return whether a sample has the main columns, (n_samples, 1)."""
        return ~x[:, :1].isnan()

    def n_observed(self, x: Tensor, auxiliary_weight: float | None = None) -> Tensor:
        """Return the number of each sample's features that are not missing, weighted as `error`."""
        weight = self.auxiliary_weight if auxiliary_weight is None else auxiliary_weight
        main, auxiliary = (has(x)[:, 0].to(x.dtype) for has in (self.has_main, self.has_auxiliary))
        return self.n_main * main + weight * self.n_auxiliary * auxiliary

    def error(self, x: Tensor, x_hat: Tensor, auxiliary_weight: float | None = None) -> Tensor:
        """Return the squared error of each sample's input; what is missing has none."""
        weight = self.auxiliary_weight if auxiliary_weight is None else auxiliary_weight
        x = x[:, : self.n_inputs]
        # Before the difference: the gradient of a NaN that is dropped later is NaN too.
        error = (torch.where(x.isnan(), x_hat, x) - x_hat).square()
        auxiliary = weight * error[:, self.n_main :] * self.has_auxiliary(x)
        return error[:, : self.n_main].sum(dim=1) + auxiliary.sum(dim=1)
