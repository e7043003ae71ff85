"""The pipeline factories."""

import os
from typing import Any, Literal, TypeAlias

import joblib
import numpy as np
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import KNNImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from .._docstrings import shared
from ..features import GenreEncoder, LyricVectorizer, SpectrogramExtractor
from ._docstrings import FACTORY
from ._skip_missing import SkipMissing
from ._track_pipeline import TrackPipeline

# 640 frames: a frame stands at either end of the 639 steps.
_COURSE_PROJECT: dict[str, Any] = {"n_mels": 128, "hop_length": 512, "duration": 639 * 512 / 22050}
_DEFAULT: dict[str, Any] = {"n_mels": 64, "hop_length": 2048, "duration": 30.0}

_Fmax: TypeAlias = float | Literal["common"] | None
_Memory: TypeAlias = str | os.PathLike[str] | joblib.Memory | None
_RandomState: TypeAlias = int | np.random.RandomState | None


@shared(FACTORY)
def make_track_vae_pipeline(
    n_clusters: int = 8,
    *,
    lyrics_weight: float = 30.0,
    duration: float | None = None,
    fmax: _Fmax = "common",
    on_error: Literal["nan", "raise"] = "nan",
    memory: _Memory = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    random_state: _RandomState = None,
) -> TrackPipeline:
    """Make the pipeline to begin with: spectrograms and lyrics, TrackVAE, KMeans.

    The `TrackVAE` is a joint model: audio and lyrics have one latent space. A track may lack its
    lyrics or its audio; its latent vector then comes from the other.

    Parameters
    ----------
    {n_clusters}
    lyrics_weight : float, default=30.0
        Weight of the lyrics' squared error in the loss of the TrackVAE (its ``auxiliary_weight``).
        From about 300 on, the clusters of the guide's songs follow the language of the lyrics. At
        0 the pipeline uses audio alone, and the table needs no column ``lyrics``.
    {other parameters and result}
        Its steps: ``features``, a ColumnTransformer with the blocks ``audio`` (a
        SpectrogramExtractor) and ``lyrics`` (a LyricVectorizer), ``embed`` and ``cluster``.

    Examples
    --------
    >>> from sklearn_music.datasets import make_music
    >>> from sklearn_music.pipelines import make_track_vae_pipeline
    >>> tracks = make_music(20, duration=1.0, random_state=0).data
    >>> pipe = make_track_vae_pipeline(3, lyrics_weight=0, duration=1.0, random_state=0)
    >>> pipe.set_params(embed__max_epochs=2).fit_predict(tracks).shape
    (20,)
    """
    from ..embedding import TrackVAE

    mel = _extractor(False, duration, fmax, on_error, memory, n_jobs, verbose)
    embed = TrackVAE(
        image_shape=mel.planned_image_shape(),
        auxiliary_weight=lyrics_weight,
        random_state=random_state,
        verbose=verbose,
    )
    features = _blocks(mel, random_state, lyrics=1.0 if lyrics_weight else 0.0)
    return _pipeline(n_clusters, random_state, features=features, embed=embed)


@shared(FACTORY)
def make_pca_pipeline(
    n_clusters: int = 8,
    *,
    course_project: bool = False,
    duration: float | None = None,
    fmax: _Fmax = "common",
    on_error: Literal["nan", "raise"] = "nan",
    memory: _Memory = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    random_state: _RandomState = None,
) -> TrackPipeline:
    """Make the baseline of the easy task: log-mel spectrograms, PCA, KMeans.

    Parameters
    ----------
    {n_clusters}
    {course_project}
    {other parameters and result}
        Its steps: ``embed``, a ColumnTransformer with the block ``audio``, and ``cluster``.

    Examples
    --------
    >>> from sklearn_music.datasets import make_music
    >>> from sklearn_music.pipelines import make_pca_pipeline
    >>> tracks = make_music(20, duration=1.0, random_state=0).data
    >>> make_pca_pipeline(3, duration=1.0, random_state=0).fit_predict(tracks).shape
    (20,)
    """
    mel = _extractor(course_project, duration, fmax, on_error, memory, n_jobs, verbose)
    pca = SkipMissing(PCA(128 if course_project else 16, random_state=random_state))
    embed = _blocks(_scaled(mel, pca=pca), random_state)
    return _pipeline(n_clusters, random_state, embed=embed)


@shared(FACTORY)
def make_vae_pipeline(
    n_clusters: int = 8,
    *,
    audio_weight: float = 1.0,
    lyrics_weight: float = 0.0,
    course_project: bool = False,
    duration: float | None = None,
    fmax: _Fmax = "common",
    on_error: Literal["nan", "raise"] = "nan",
    memory: _Memory = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    random_state: _RandomState = None,
) -> TrackPipeline:
    """Make the pipeline of the easy task: log-mel spectrograms, VAE, KMeans.

    With `lyrics_weight`, late fusion: the lyrics stand beside the latent space of the audio.

    Parameters
    ----------
    {n_clusters}
    audio_weight, lyrics_weight : float, default=1.0 and 0.0
        Factors of the features of a block. A latent component has a variance of about 1, the
        lyrics of a track have length 1. At 0 the pipeline has no block of lyrics, and the table
        needs no column ``lyrics``. If one block of a track is missing, it is the mean of those of
        the five tracks that are nearest in the other: zeros would be clusters of their own.
    {course_project}
        The VAE is then a plain one: ``beta=1, contrastive_weight=0``.
    {other parameters and result}
        Its steps: ``embed``, a ColumnTransformer with the blocks ``audio`` and, unless its
        weight is 0, ``lyrics``; then ``fill``, a KNNImputer; and ``cluster``.

    Examples
    --------
    >>> from sklearn_music.pipelines import make_vae_pipeline
    >>> list(make_vae_pipeline(3).named_steps)
    ['embed', 'cluster']
    """
    from ..embedding import VAE

    mel = _extractor(course_project, duration, fmax, on_error, memory, n_jobs, verbose)
    vae = VAE(128 if course_project else 16, random_state=random_state, verbose=verbose)
    if course_project:
        vae.set_params(beta=1.0, contrastive_weight=0.0)
    embed = _blocks(_scaled(mel, vae=vae), random_state, audio=audio_weight, lyrics=lyrics_weight)
    fill = {"fill": SkipMissing(KNNImputer())} if lyrics_weight else {}
    return _pipeline(n_clusters, random_state, embed=embed, **fill)


@shared(FACTORY)
def make_conv_vae_pipeline(
    n_clusters: int = 8,
    *,
    audio_weight: float = 1.0,
    lyrics_weight: float = 4.0,
    course_project: bool = False,
    duration: float | None = None,
    fmax: _Fmax = "common",
    on_error: Literal["nan", "raise"] = "nan",
    memory: _Memory = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    random_state: _RandomState = None,
) -> TrackPipeline:
    """Make the pipeline of the medium task: log-mel spectrograms and lyrics, ConvVAE, KMeans.

    Parameters
    ----------
    {n_clusters}
    audio_weight, lyrics_weight : float, default=1.0 and 4.0
        Factors of the features of a block. Each pixel has a variance of 1, the 16 columns of
        lyrics together have length 1: with a weight of 4 each has about 1 as well. At 0 the
        pipeline has no block of lyrics, and the table needs no column ``lyrics``.
    {course_project}
    {other parameters and result}
        Its steps: ``features``, a ColumnTransformer with the blocks ``audio`` and ``lyrics``,
        ``embed`` and ``cluster``. Missing lyrics are left out of the training. A track without
        readable audio gets the label -1.

    Examples
    --------
    >>> from sklearn_music.pipelines import make_conv_vae_pipeline
    >>> list(make_conv_vae_pipeline(3).named_steps)
    ['features', 'embed', 'cluster']
    """
    from ..embedding import ConvVAE

    mel = _extractor(course_project, duration, fmax, on_error, memory, n_jobs, verbose)
    features = _blocks(_scaled(mel), random_state, audio=audio_weight, lyrics=lyrics_weight)
    embed = ConvVAE(**_conv_settings(course_project, mel, random_state))
    return _pipeline(n_clusters, random_state, features=features, embed=embed)


@shared(FACTORY)
def make_beta_cvae_pipeline(
    n_clusters: int = 8,
    *,
    beta: float = 4.0,
    audio_weight: float = 1.0,
    lyrics_weight: float = 4.0,
    genre_weight: float = 1.0,
    course_project: bool = False,
    duration: float | None = None,
    fmax: _Fmax = "common",
    on_error: Literal["nan", "raise"] = "nan",
    memory: _Memory = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    random_state: _RandomState = None,
) -> TrackPipeline:
    """Make the pipeline of the hard task: a beta-VAE conditioned on the genre, and KMeans.

    Parameters
    ----------
    {n_clusters}
    beta : float, default=4.0
        Weight of the KL divergence.
    audio_weight, lyrics_weight, genre_weight : float, default=1.0, 4.0 and 1.0
        Factors of the features of a block, as in `make_conv_vae_pipeline`.
    {course_project}
        The encoder is then conditioned on the genre too, so that scores against the genre
        measure the label leakage.
    {other parameters and result}
        Its steps: ``features``, a ColumnTransformer with the blocks ``audio``, ``lyrics`` and
        ``genre``, ``embed`` and ``cluster``. Missing lyrics are left out of the training; a
        missing genre is an unknown one. A track without readable audio gets the label -1.
        `predict` needs the column ``genre``, but no genres: ``tracks.assign(genre=None)``.

    Examples
    --------
    >>> from sklearn_music.pipelines import make_beta_cvae_pipeline
    >>> list(make_beta_cvae_pipeline(3).named_steps)
    ['features', 'embed', 'cluster']
    """
    from ..embedding import BetaCVAE

    mel = _extractor(course_project, duration, fmax, on_error, memory, n_jobs, verbose)
    features = _blocks(
        _scaled(mel), random_state, audio=audio_weight, lyrics=lyrics_weight, genre=genre_weight
    ).set_output(transform="pandas")  # with names, by which the embedder finds the condition
    embed = BetaCVAE(
        beta=beta,
        condition_features=genre_columns,
        encode_condition=course_project,
        **_conv_settings(course_project, mel, random_state),
    )
    return _pipeline(n_clusters, random_state, features=features, embed=embed)


def genre_columns(X: Any) -> list[str]:
    """Return the names of the columns that a block called ``genre`` has made."""
    if not hasattr(X, "columns"):
        raise ValueError(
            "The genre is found by the names of columns, but X has none: let the step 'features' "
            'return a table, with set_output(transform="pandas").'
        )
    return [name for name in X.columns if name.startswith("genre__")]


def _extractor(course_project, duration, fmax, on_error, memory, n_jobs, verbose):
    settings = _COURSE_PROJECT if course_project else _DEFAULT
    if duration is not None:
        settings = settings | {"duration": duration}
    mel = SpectrogramExtractor(
        **settings, fmax=fmax, on_error=on_error, memory=memory, n_jobs=n_jobs, verbose=verbose
    )
    mel._validate_params()  # before the size of the spectrograms is computed
    return mel


def _scaled(mel: SpectrogramExtractor, **steps: Any) -> Pipeline:
    return Pipeline([("mel", mel), ("scale", StandardScaler()), *steps.items()])


def _blocks(block: Any, random_state: _RandomState, **weights: float) -> ColumnTransformer:
    """Return the blocks of features: audio, and by their weights lyrics and genre."""
    blocks: list[tuple[str, Any, Any]] = [("audio", block, ["audio"])]
    if weights.get("lyrics"):
        lyrics = LyricVectorizer(16, fill_value=float("nan"), random_state=random_state)
        blocks.append(("lyrics", lyrics, "lyrics"))
    if "genre" in weights:
        blocks.append(("genre", GenreEncoder(), ["genre"]))
    return ColumnTransformer(blocks, transformer_weights=weights or None)


def _conv_settings(
    course_project: bool, mel: SpectrogramExtractor, random_state: _RandomState
) -> dict[str, Any]:
    return {
        "n_components": 128 if course_project else 16,
        "image_shape": mel.planned_image_shape(),
        "channels": (32, 64, 128) if course_project else (16, 32, 64),
        # There are a thousand times as many pixels as columns of lyrics.
        "auxiliary_weight": 1.0 if course_project else 100.0,
        "max_epochs": 30,
        "random_state": random_state,
        "verbose": mel.verbose,
    }


def _pipeline(n_clusters: int, random_state: _RandomState, **steps: Any) -> TrackPipeline:
    cluster = SkipMissing(KMeans(n_clusters, n_init=10, random_state=random_state))
    return TrackPipeline([*steps.items(), ("cluster", cluster)])
