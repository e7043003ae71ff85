"""From the table of tracks to columns of numbers: audio, lyrics, genre."""

from ._audio_encoder import AudioEncoder
from ._bandwidth import measure_bandwidth
from ._genre import GenreEncoder
from ._lyrics import LyricVectorizer
from ._spectrogram import SpectrogramExtractor

__all__ = [
    "AudioEncoder",
    "GenreEncoder",
    "LyricVectorizer",
    "SpectrogramExtractor",
    "measure_bandwidth",
]
