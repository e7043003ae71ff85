"""The network over an image and auxiliary features."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ._auxiliary import AuxiliaryModule
from ._layers import as_posterior, layer, perceptron
from ._outputs import Posterior

N_AUXILIARY_UNITS = 64


class ConvModule(AuxiliaryModule):
    """Variational autoencoder of an image (a spectrogram) and the auxiliary features behind it.

    Each convolution halves the image.
    """

    def __init__(
        self,
        n_features: int,
        n_components: int,
        image_shape: Sequence[int],
        channels: Sequence[int],
        **kwargs: Any,
    ) -> None:
        super().__init__(n_features, n_components, math.prod(image_shape), **kwargs)
        self.image_shape = tuple(image_shape)

        # Kernels of 3 with a stride of 2: an image of n becomes one of (n + 1) // 2.
        self.shapes = [self.image_shape]
        for _ in channels:
            height, width = self.shapes[-1]
            self.shapes.append(((height + 1) // 2, (width + 1) // 2))
        convolutions: list[nn.Module] = []
        for n_in, n_out in pairwise([1, *channels]):
            convolutions += [layer(nn.Conv2d, n_in, n_out, 3, stride=2, padding=1), nn.ReLU()]
        self.convolutions = nn.Sequential(*convolutions)
        self.n_channels = channels[-1]
        n_flat = channels[-1] * math.prod(self.shapes[-1])
        n_decoded = n_components + self.n_condition
        self.auxiliary_encoder = self.auxiliary_decoder = None
        n_encoded = n_flat + (self.n_condition if self.encode_condition else 0)
        if self.n_auxiliary:
            # One more column says whether the auxiliary features are there.
            self.auxiliary_encoder = nn.Sequential(
                layer(nn.Linear, self.n_auxiliary + 1, N_AUXILIARY_UNITS), nn.ReLU()
            )
            self.auxiliary_decoder = perceptron([n_decoded, N_AUXILIARY_UNITS, self.n_auxiliary])
            n_encoded += N_AUXILIARY_UNITS
        self.head: nn.Module = layer(nn.Linear, n_encoded, 2 * n_components)
        self.unflatten = layer(nn.Linear, n_decoded, n_flat)
        self.deconvolutions = nn.ModuleList(
            layer(nn.ConvTranspose2d, n_in, n_out, 3, stride=2, padding=1)
            for n_in, n_out in pairwise([*reversed(channels), 1])
        )

    def encode(self, x: Tensor) -> Posterior:
        """Return the posterior of each sample."""
        image = x[:, : self.n_main].reshape(-1, 1, *self.image_shape)
        parts = [self.convolutions(image).flatten(start_dim=1)]
        if self.auxiliary_encoder is not None:
            is_there = self.has_auxiliary(x)
            auxiliary = torch.where(is_there, self.auxiliary(x), 0.0)
            parts.append(self.auxiliary_encoder(torch.cat([auxiliary, is_there], dim=1)))
        if self.encode_condition:
            parts.append(self.condition(x))
        return as_posterior(self.head(torch.cat(parts, dim=1)))

    def decode(self, z: Tensor, condition: Tensor) -> Tensor:
        """Return the mean of the likelihood, (n_samples, n_inputs)."""
        z = torch.cat([z, condition], dim=1)
        image = self.unflatten(z).reshape(-1, self.n_channels, *self.shapes[-1])
        for layer_, shape in zip(self.deconvolutions, reversed(self.shapes[:-1]), strict=True):
            image = layer_(image.relu(), output_size=shape)
        parts = [image.flatten(start_dim=1)]
        if self.auxiliary_decoder is not None:
            parts.append(self.auxiliary_decoder(z))
        return torch.cat(parts, dim=1)
