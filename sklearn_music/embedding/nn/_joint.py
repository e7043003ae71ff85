"""The network over two blocks of columns, either of which may be missing."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ._auxiliary import AuxiliaryModule
from ._experts import Expert, expert, hide_some, product
from ._layers import layer, perceptron
from ._outputs import Outputs, Posterior


class JointModule(AuxiliaryModule):
    """Variational autoencoder of vectors and auxiliary features: one latent space for both.

    Each has an encoder of its own, and their posteriors are multiplied. The decoder is linear, so
    that distances between reconstructions are those between latent vectors along `axes`.
    """

    def __init__(
        self,
        n_features: int,
        n_components: int,
        hidden_layer_sizes: Sequence[int],
        **kwargs: Any,
    ) -> None:
        super().__init__(n_features, n_components, **kwargs)
        sizes = [*hidden_layer_sizes, 2 * n_components]
        self.encoder = perceptron([self.n_main, *sizes])
        self.auxiliary_encoder = (
            perceptron([self.n_auxiliary, *sizes]) if self.n_auxiliary else None
        )
        self.decoder: Any = layer(torch.nn.Linear, n_components, self.n_inputs)

    def forward(
        self,
        x: Tensor,
        positive: Tensor | None = None,
        noise: Tensor | None = None,
        auxiliary_weight: float | None = None,
    ) -> Outputs:
        """Encode, draw, decode and compare a batch; in training, some samples by one block."""
        experts = self._experts(x)
        if self.training:
            experts = hide_some(experts, self.has_main(x) & self.has_auxiliary(x))
        posterior = product(*experts)
        return self._compare(x, posterior, posterior.sample(noise), auxiliary_weight)

    def encode(self, x: Tensor) -> Posterior:
        """Return the posterior of each sample."""
        return product(*self._experts(x))

    def decode(self, z: Tensor, condition: Tensor) -> Tensor:
        """Return the mean of the likelihood, (n_samples, n_inputs)."""
        return self.decoder(z)

    def axes(self) -> Tensor:
        """Return the axes of the reconstructions, (n_components, n_components).

        The product of a latent vector with them has the principal axes of the decoder as its
        components, in the units of the columns, the widest one first.
        """
        _, singular_values, rotation = torch.linalg.svd(self.decoder.weight, full_matrices=False)
        # The signs of a decomposition differ between devices and libraries. A clusterer that was
        # fitted to the latent vectors expects the same ones everywhere.
        largest = rotation.gather(1, rotation.abs().argmax(dim=1, keepdim=True))
        axes = (rotation * largest.sign()).T * singular_values
        return torch.nn.functional.pad(axes, (0, self.n_components - axes.shape[1]))

    def embed(self, x: Tensor) -> Posterior:
        """Return the mean of each sample's posterior along the axes of the reconstructions.

        Its log-variance is not turned: along the axes, the components are correlated.
        """
        posterior = self.encode(x)
        return Posterior(posterior.mean @ self.axes(), posterior.log_variance)

    def generate(self, z: Tensor, condition: Tensor) -> Tensor:
        """Return the reconstructions of vectors along the axes."""
        return self.decoder(z @ torch.linalg.pinv(self.axes()))

    def _experts(self, x: Tensor) -> list[Expert]:
        is_there = self.has_main(x)
        main = torch.where(is_there, x[:, : self.n_main], 0.0)
        experts = [expert(self.encoder(main), is_there)]
        if self.auxiliary_encoder is not None:
            is_there = self.has_auxiliary(x)
            auxiliary = torch.where(is_there, self.auxiliary(x), 0.0)
            experts.append(expert(self.auxiliary_encoder(auxiliary), is_there))
        return experts
