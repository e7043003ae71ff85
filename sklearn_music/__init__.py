"""Cluster music: from audio, lyrics and genres to groups of similar tracks.

The way from a table of tracks to clusters is a plain scikit-learn pipeline of three steps:
features, an embedder, a clusterer. `sklearn_music.pipelines.make_encoder_pipeline` returns one that
is ready to fit.

=============================  =====================================================
Features
------------------------------------------------------------------------------------
`SpectrogramExtractor`         audio files or waveforms to mel spectrograms, MFCCs or chroma
`AudioEncoder`                 audio files or waveforms to the vectors of a pretrained model
`LyricVectorizer`              lyrics in any script to TF-IDF, or to a few topics
`GenreEncoder`                 genre labels to columns of 0 and 1
-----------------------------  -----------------------------------------------------
Embedders: features to latent vectors, and back
------------------------------------------------------------------------------------
`VAE`                          any numeric features
`TrackVAE`                     spectrograms, with or without lyrics
`JointVAE`                     vectors of a pretrained encoder, with or without lyrics
`ConvVAE`                      spectrograms, each as one image
`BetaCVAE`                     features given a condition, the genre for example
`VaDE`                         any numeric features, to clusters as well
-----------------------------  -----------------------------------------------------
Modules
------------------------------------------------------------------------------------
`sklearn_music.datasets`       read a table of tracks, or make synthetic tracks
`...features.encoders`         pretrained encoders, for `AudioEncoder`
`sklearn_music.pipelines`      pipelines from a table of tracks to clusters
`sklearn_music.metrics`        score clusters, and compare embeddings with baselines
`...model_selection`           choose the parameters and the number of clusters
`sklearn_music.exploration`    name and describe clusters, find similar songs
`sklearn_music.plotting`       plot latent spaces, reconstructions and clusters
`sklearn_music.report`         write a page about the clusters, with sound
`sklearn_music.exceptions`     errors and warnings
=============================  =====================================================

An example, on synthetic tracks:

>>> from sklearn_music.datasets import make_music
>>> from sklearn_music.pipelines import make_pca_pipeline
>>> tracks = make_music(20, duration=1, random_state=0).data
>>> make_pca_pipeline(n_clusters=3, duration=1, random_state=0).fit_predict(tracks).shape
(20,)
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

__version__ = version("sklearn-music")

__all__ = [
    "VAE",
    "AudioEncoder",
    "BetaCVAE",
    "ConvVAE",
    "GenreEncoder",
    "JointVAE",
    "LyricVectorizer",
    "SpectrogramExtractor",
    "TrackVAE",
    "VaDE",
]

# torch, librosa and matplotlib take seconds to import: each package is loaded when it is asked
# for. Type checkers read the imports.
if TYPE_CHECKING:
    from . import datasets as datasets
    from . import embedding as embedding
    from . import exceptions as exceptions
    from . import exploration as exploration
    from . import features as features
    from . import metrics as metrics
    from . import model_selection as model_selection
    from . import pipelines as pipelines
    from . import plotting as plotting
    from . import report as report
    from .embedding import VAE, BetaCVAE, ConvVAE, JointVAE, TrackVAE, VaDE
    from .features import AudioEncoder, GenreEncoder, LyricVectorizer, SpectrogramExtractor
else:
    _FEATURES = ("AudioEncoder", "GenreEncoder", "LyricVectorizer", "SpectrogramExtractor")
    _MODULES = (
        "datasets",
        "embedding",
        "exceptions",
        "exploration",
        "features",
        "metrics",
        "model_selection",
        "pipelines",
        "plotting",
        "report",
    )

    def __getattr__(name):
        if name in _MODULES:
            return import_module(f"{__name__}.{name}")
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = "features" if name in _FEATURES else "embedding"
        # Kept, so that Python finds it by itself the next time.
        globals()[name] = value = getattr(import_module(f"{__name__}.{home}"), name)
        return value

    def __dir__():
        return sorted({*globals(), *__all__, *_MODULES})
