"""sklearn_music."""

from .embedding import VAE
from .features import SpectrogramExtractor

__all__ = ["VAE", "SpectrogramExtractor"]
