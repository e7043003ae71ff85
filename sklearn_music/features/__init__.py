"""From the table of tracks to columns of numbers: audio, lyrics, genre."""

from ._spectrogram import SpectrogramExtractor

__all__ = ["SpectrogramExtractor"]
