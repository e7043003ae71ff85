"""The networks, in plain torch."""

from itertools import pairwise

from torch import nn


class DenseNetwork(nn.Module):
    """Encoder and decoder of a VAE over a row of numbers.

    Parameters
    ----------
    n_features : int
        Length of a row.
    n_components : int
        Number of latent dimensions.
    hidden_layer_sizes : sequence of int
        Widths of the encoder's hidden layers; the decoder mirrors them.
    """

    def __init__(self, n_features, n_components, hidden_layer_sizes):
        super().__init__()
        self.encoder = _perceptron([n_features, *hidden_layer_sizes, 2 * n_components])
        self.decoder = _perceptron([n_components, *reversed(hidden_layer_sizes), n_features])

    def encode(self, x):
        """Return the mean and the log-variance of the posterior, each (n_rows, n_components)."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z):
        """Return the mean of the likelihood, (n_rows, n_features)."""
        return self.decoder(z)

    def forward(self, x):
        """Return the reconstruction from a draw of the posterior, the draw, mean, log-variance."""
        mean, log_variance = self.encode(x)
        noise = mean.new_empty(mean.shape).normal_()
        z = mean + (0.5 * log_variance).exp() * noise
        return self.decode(z), z, mean, log_variance


def _perceptron(sizes):
    layers = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
