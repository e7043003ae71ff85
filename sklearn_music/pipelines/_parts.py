"""What the pipeline factories are made of."""

import os
from typing import Any, Literal, TypeAlias

import joblib
import numpy as np
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from ..features import GenreEncoder, LyricVectorizer, SpectrogramExtractor
from ._skip_missing import SkipMissing
from ._track_pipeline import TrackPipeline

# 640 frames: a frame stands at either end of the 639 steps.
_COURSE_PROJECT: dict[str, Any] = {"n_mels": 128, "hop_length": 512, "duration": 639 * 512 / 22050}
_DEFAULT: dict[str, Any] = {"n_mels": 64, "hop_length": 2048, "duration": 30.0}

Fmax: TypeAlias = float | Literal["common"] | None
Memory: TypeAlias = str | os.PathLike[str] | joblib.Memory | None
RandomState: TypeAlias = int | np.random.RandomState | None


def audio_columns(X: Any) -> int:
    """Return the number of columns that a block called ``audio`` has made."""
    return len(_columns_of("audio", X))


def genre_columns(X: Any) -> list[str]:
    """Return the names of the columns that a block called ``genre`` has made."""
    return _columns_of("genre", X)


def _columns_of(block: str, X: Any) -> list[str]:
    if not hasattr(X, "columns"):
        raise ValueError(
            f"The block {block!r} is found by the names of columns, but X has none: let the step "
            'before return a table, with set_output(transform="pandas").'
        )
    return [name for name in X.columns if name.startswith(f"{block}__")]


def extractor(course_project, duration, fmax, on_error, memory, n_jobs, verbose):
    """Return the extractor of mel spectrograms."""
    settings = _COURSE_PROJECT if course_project else _DEFAULT
    if duration is not None:
        settings = settings | {"duration": duration}
    mel = SpectrogramExtractor(
        **settings, fmax=fmax, on_error=on_error, memory=memory, n_jobs=n_jobs, verbose=verbose
    )
    mel._validate_params()  # before the size of the spectrograms is computed
    return mel


def scaled(mel: SpectrogramExtractor, **steps: Any) -> Pipeline:
    """Return the extractor, a StandardScaler and further steps."""
    return Pipeline([("mel", mel), ("scale", StandardScaler()), *steps.items()])


def feature_blocks(block: Any, random_state: RandomState, **weights: float) -> ColumnTransformer:
    """Return the blocks of features: audio, and by their weights lyrics and genre."""
    blocks: list[tuple[str, Any, Any]] = [("audio", block, ["audio"])]
    if weights.get("lyrics"):
        lyrics = LyricVectorizer(16, fill_value=float("nan"), random_state=random_state)
        blocks.append(("lyrics", lyrics, "lyrics"))
    if "genre" in weights:
        blocks.append(("genre", GenreEncoder(), ["genre"]))
    return ColumnTransformer(blocks, transformer_weights=weights or None)


def track_pipeline(n_clusters: int, random_state: RandomState, **steps: Any) -> TrackPipeline:
    """Return the pipeline of these steps and KMeans."""
    return TrackPipeline([*steps.items(), ("cluster", kmeans(n_clusters, random_state))])


def kmeans(n_clusters: int, random_state: RandomState) -> SkipMissing:
    """Return KMeans that leaves missing samples out."""
    return SkipMissing(KMeans(n_clusters, n_init=10, random_state=random_state))
