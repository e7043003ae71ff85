"""From columns of numbers to a latent space: variational autoencoders as transformers."""

from ._vae import VAE

__all__ = ["VAE"]
