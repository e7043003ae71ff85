"""Pipelines from a table of tracks to clusters, and what they are made of.

Each pipeline factory ``make_...`` returns a scikit-learn Pipeline over a DataFrame as
`sklearn_music.datasets.load_tracks` returns it, with the columns ``audio`` (paths or waveforms)
and, where the pipeline uses them, ``lyrics`` and ``genre``. All end in KMeans.
`make_encoder_pipeline`, with a pretrained encoder, is the one to begin with; without pretrained
weights, `make_track_vae_pipeline`. The others are the three tasks of the course
project that this library grew out of: easy (`make_pca_pipeline`, `make_vae_pipeline`), medium
(`make_conv_vae_pipeline`) and hard (`make_beta_cvae_pipeline`).

A file that can't be read does not stop them: its track is missing, and `failures_` of the pipeline
says why. A track without usable data gets the label -1, in `fit` and in `predict`.

Use `set_params` for everything that is not an argument. If you change the size of the
spectrograms, update the embedder's ``image_shape`` too; the argument ``duration`` does both.
"""

from ._block_scaler import BlockScaler
from ._course_project import (
    make_beta_cvae_pipeline,
    make_conv_vae_pipeline,
    make_pca_pipeline,
    make_vae_pipeline,
)
from ._recommended import make_encoder_pipeline, make_track_vae_pipeline
from ._skip_missing import SkipMissing
from ._track_pipeline import TrackPipeline

__all__ = [
    "BlockScaler",
    "SkipMissing",
    "TrackPipeline",
    "make_beta_cvae_pipeline",
    "make_conv_vae_pipeline",
    "make_encoder_pipeline",
    "make_pca_pipeline",
    "make_track_vae_pipeline",
    "make_vae_pipeline",
]
