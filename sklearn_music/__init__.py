"""Unsupervised music clustering in scikit-learn's manner.

The way from a table of tracks (audio, lyrics, genre) to clusters is a plain
scikit-learn pipeline: transformers, an embedder, a clusterer.

===========================  =====================================================
`SpectrogramExtractor`       audio files or waveforms to mel, MFCC or chroma
`AudioEncoder`               the same to the vectors of a pretrained model
`LyricVectorizer`            lyrics in any script to TF-IDF or to dense topics
`GenreEncoder`               genre labels to a multi-hot block
`VAE`                        columns of numbers to a latent space, and back
`TrackVAE`                   spectrograms, window by window, to one place a track
`ConvVAE`                    whole spectrograms to a latent space, and back
`BetaCVAE`                   the same beyond a condition, the genre for example
`VaDE`                       columns of numbers to clusters, with soft assignments
---------------------------  -----------------------------------------------------
`sklearn_music.pipelines`    ready-made: tracks to clusters
`sklearn_music.metrics`      scores, scorers for a search, comparison with chance
`...model_selection`         searches that train their networks together
`sklearn_music.datasets`     tracks from a table, or made up to try things out
`sklearn_music.plotting`     the map of the tracks, their reconstructions
`sklearn_music.report`       a page to read and to listen to
===========================  =====================================================
"""

from importlib.metadata import version

from .embedding import VAE, BetaCVAE, ConvVAE, TrackVAE, VaDE
from .features import AudioEncoder, GenreEncoder, LyricVectorizer, SpectrogramExtractor

__version__ = version("sklearn-music")

__all__ = [
    "VAE",
    "AudioEncoder",
    "BetaCVAE",
    "ConvVAE",
    "GenreEncoder",
    "LyricVectorizer",
    "SpectrogramExtractor",
    "TrackVAE",
    "VaDE",
]
