"""The networks, in plain torch.

A row is laid out as the input, then the condition. An image is the first part of the
input; what is behind it are side features.
"""

import math
from itertools import pairwise

import torch
from torch import nn

# Of a posterior, as far as it is taken at its word.
_MAX_LOG_VARIANCE = 2.0


class Network(nn.Module):
    """What all of them do: encode a row, draw, decode, compare.

    Parameters
    ----------
    n_features : int
        Length of a row.
    n_condition : int
        How many of the row's last columns are the condition, which the decoder sees.
    encode_condition : bool
        Whether the encoder sees it too.
    """

    auxiliary_weight = 1.0

    def __init__(self, n_features, n_condition, encode_condition):
        super().__init__()
        self.n_inputs = n_features - n_condition
        self.n_condition = n_condition
        self.encode_condition = encode_condition

    def encode(self, x):
        """Return the mean and the log-variance of the posterior, each (n_rows, n_components)."""
        raise NotImplementedError

    def decode(self, z, condition):
        """Return the mean of the likelihood, (n_rows, n_inputs)."""
        raise NotImplementedError

    def condition(self, x):
        """Return the condition of each row."""
        return x[:, self.n_inputs :]

    def error(self, x, x_hat, auxiliary_weight=None):
        """Return the squared error of each row's input; side features are a ConvNetwork's."""
        return (x[:, : self.n_inputs] - x_hat).square().sum(dim=1)

    def n_observed(self, x, auxiliary_weight=1.0):
        """Return how many numbers of each row are there, (n_rows,), weighed as in `error`."""
        return torch.full_like(x[:, 0], self.n_inputs)

    def draw(self, mean, log_variance, noise=None):
        """Return a draw from the posterior of each row."""
        if noise is None:
            noise = mean.new_empty(mean.shape).normal_()
        return mean + (0.5 * log_variance).exp() * noise

    def forward(self, x, positive=None, noise=None, auxiliary_weight=None):
        """Return the error of one draw from the posterior, the draw, its mean, log-variance.

        And the means of the posteriors of rows and positives, where these are given. The noise of
        the draw, (n_rows, n_components), is torch's next where it is not given.
        """
        # Under autocast only the layers are in half precision: sums of it would be too coarse.
        mean, log_variance = (part.float() for part in self.encode(x))
        z = self.draw(mean, log_variance, noise)
        x_hat = self.decode(z, self.condition(x)).float()
        output = self.error(x, x_hat, auxiliary_weight), z, mean, log_variance
        return output if positive is None else (*output, mean, self.encode(positive)[0].float())


class DenseNetwork(Network):
    """Encoder and decoder of a VAE over a row of numbers.

    Parameters
    ----------
    n_features : int
        Length of a row.
    n_components : int
        Number of latent dimensions.
    hidden_layer_sizes : sequence of int
        Widths of the encoder's hidden layers; the decoder mirrors them.
    n_condition, encode_condition
        See `Network`.
    """

    def __init__(
        self, n_features, n_components, hidden_layer_sizes, n_condition=0, encode_condition=False
    ):
        super().__init__(n_features, n_condition, encode_condition)
        n_encoded = n_features if encode_condition else self.n_inputs
        self.encoder = _perceptron([n_encoded, *hidden_layer_sizes, 2 * n_components])
        self.decoder = _perceptron(
            [n_components + n_condition, *reversed(hidden_layer_sizes), self.n_inputs]
        )

    def encode(self, x):
        """Return the mean and the log-variance of the posterior, each (n_rows, n_components)."""
        encoded = x if self.encode_condition else x[:, : self.n_inputs]
        return _posterior(self.encoder(encoded))

    def decode(self, z, condition):
        """Return the mean of the likelihood, (n_rows, n_inputs)."""
        return self.decoder(torch.cat([z, condition], dim=1))


class ConvNetwork(Network):
    """Encoder and decoder of a VAE over an image and side features.

    Parameters
    ----------
    n_features : int
        Length of a row.
    n_components : int
        Number of latent dimensions.
    image_shape : tuple of int
        Height and width of the image.
    channels : sequence of int
        Channels of the encoder's convolutions, each of which halves the image.
    auxiliary_weight : float, default=1.0
        Weight of the side features' error.
    n_condition, encode_condition
        See `Network`.
    """

    n_side_units = 64

    def __init__(
        self,
        n_features,
        n_components,
        image_shape,
        channels,
        auxiliary_weight=1.0,
        n_condition=0,
        encode_condition=False,
    ):
        super().__init__(n_features, n_condition, encode_condition)
        self.image_shape = tuple(image_shape)
        self.auxiliary_weight = auxiliary_weight
        self.n_pixels = math.prod(image_shape)
        n_side = self.n_inputs - self.n_pixels

        # Three wide, two apart: an image of n is one of (n + 1) // 2, whatever n.
        self.shapes = [self.image_shape]
        for _ in channels:
            height, width = self.shapes[-1]
            self.shapes.append(((height + 1) // 2, (width + 1) // 2))
        convolutions = []
        for n_in, n_out in pairwise([1, *channels]):
            convolutions += [_layer(nn.Conv2d, n_in, n_out, 3, stride=2, padding=1), nn.ReLU()]
        self.convolutions = nn.Sequential(*convolutions)
        self.n_channels = channels[-1]
        n_flat = channels[-1] * math.prod(self.shapes[-1])

        self.side_encoder = self.side_decoder = None
        n_encoded = n_flat + (n_condition if encode_condition else 0)
        if n_side:
            # One more column says whether the side features are there.
            self.side_encoder = nn.Sequential(
                _layer(nn.Linear, n_side + 1, self.n_side_units), nn.ReLU()
            )
            self.side_decoder = _perceptron([n_components + n_condition, self.n_side_units, n_side])
            n_encoded += self.n_side_units
        self.head: nn.Module = _layer(nn.Linear, n_encoded, 2 * n_components)
        self.unflatten = _layer(nn.Linear, n_components + n_condition, n_flat)
        self.deconvolutions = nn.ModuleList(
            _layer(nn.ConvTranspose2d, n_in, n_out, 3, stride=2, padding=1)
            for n_in, n_out in pairwise([*reversed(channels), 1])
        )

    def encode(self, x):
        """Return the mean and the log-variance of the posterior, each (n_rows, n_components)."""
        image = x[:, : self.n_pixels].reshape(-1, 1, *self.image_shape)
        parts = [self.convolutions(image).flatten(start_dim=1)]
        if self.side_encoder is not None:
            side = x[:, self.n_pixels : self.n_inputs]
            is_there = self.has_side(x)
            side = torch.where(is_there, side, 0.0)
            parts.append(self.side_encoder(torch.cat([side, is_there], dim=1)))
        if self.encode_condition:
            parts.append(self.condition(x))
        return _posterior(self.head(torch.cat(parts, dim=1)))

    def decode(self, z, condition):
        """Return the mean of the likelihood, (n_rows, n_inputs)."""
        z = torch.cat([z, condition], dim=1)
        image = self.unflatten(z).reshape(-1, self.n_channels, *self.shapes[-1])
        for layer, shape in zip(self.deconvolutions, reversed(self.shapes[:-1]), strict=True):
            image = layer(image.relu(), output_size=shape)
        parts = [image.flatten(start_dim=1)]
        if self.side_decoder is not None:
            parts.append(self.side_decoder(z))
        return torch.cat(parts, dim=1)

    def n_observed(self, x, auxiliary_weight=1.0):
        """Return how many numbers of each row are there, (n_rows,), weighed as in `error`."""
        n_side = auxiliary_weight * (self.n_inputs - self.n_pixels)
        return self.n_pixels + n_side * self.has_side(x)[:, 0].to(x.dtype)

    def error(self, x, x_hat, auxiliary_weight=None):
        """Return the squared error of each row's input; missing side features have none."""
        if auxiliary_weight is None:
            auxiliary_weight = self.auxiliary_weight
        x = x[:, : self.n_inputs]
        # Before the difference, since the gradient of a NaN that is dropped later is NaN too.
        error = (torch.where(x.isnan(), x_hat, x) - x_hat).square()
        side = auxiliary_weight * error[:, self.n_pixels :] * self.has_side(x)
        return error[:, : self.n_pixels].sum(dim=1) + side.sum(dim=1)

    def has_side(self, x):
        """Tell of each row whether its side features are all there, (n_rows, 1)."""
        return ~x[:, self.n_pixels : self.n_inputs].isnan().any(dim=1, keepdim=True)


def _posterior(outputs):
    """Return mean and log-variance, which above a bound grows as its logarithm only.

    The first steps of Adam on thousands of columns throw it up to where its exponential
    overflows, or where one gradient spoils the step sizes of many epochs. A posterior wider than
    the prior, whose log-variance is 0, is never of use.
    """
    mean, log_variance = outputs.chunk(2, dim=1)
    excess = (log_variance - _MAX_LOG_VARIANCE).clamp(min=0)
    return mean, torch.minimum(log_variance, _MAX_LOG_VARIANCE + excess.log1p())


def _perceptron(sizes):
    layers = []
    for n_in, n_out in pairwise(sizes):
        layers += [_layer(nn.Linear, n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _layer(kind, *sizes, **kwargs):
    """Return a layer in float32, which is torch's default type only until somebody sets another."""
    return kind(*sizes, **kwargs, dtype=torch.float32)
