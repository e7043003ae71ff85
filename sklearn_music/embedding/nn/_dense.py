"""The network over a table of features."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ._layers import as_posterior, perceptron
from ._module import VAEModule
from ._outputs import Posterior


class DenseModule(VAEModule):
    """Variational autoencoder whose encoder and decoder are perceptrons that mirror each other."""

    def __init__(
        self, n_features: int, n_components: int, hidden_layer_sizes: Sequence[int], **kwargs: Any
    ) -> None:
        super().__init__(n_features, n_components, **kwargs)
        n_encoded = n_features if self.encode_condition else self.n_inputs
        self.encoder = perceptron([n_encoded, *hidden_layer_sizes, 2 * n_components])
        self.decoder = perceptron(
            [n_components + self.n_condition, *reversed(hidden_layer_sizes), self.n_inputs]
        )

    def encode(self, x: Tensor) -> Posterior:
        """Return the posterior of each sample."""
        return as_posterior(self.encoder(x if self.encode_condition else x[:, : self.n_inputs]))

    def decode(self, z: Tensor, condition: Tensor) -> Tensor:
        """Return the mean of the likelihood, (n_samples, n_inputs)."""
        return self.decoder(torch.cat([z, condition], dim=1))
