"""From columns of numbers to a latent space: variational autoencoders as transformers."""

from ._base import BaseEmbedder
from ._beta_cvae import BetaCVAE
from ._conv_vae import ConvVAE
from ._joint_vae import JointVAE
from ._track_vae import TrackVAE
from ._vade import VaDE
from ._vae import VAE

__all__ = ["VAE", "BaseEmbedder", "BetaCVAE", "ConvVAE", "JointVAE", "TrackVAE", "VaDE"]
