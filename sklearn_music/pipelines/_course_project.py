"""The pipelines of the course project that this library grew out of."""

from typing import Any, Literal

from sklearn.decomposition import PCA
from sklearn.impute import KNNImputer

from .._docstrings import shared
from ..features import SpectrogramExtractor
from ._docstrings import FACTORY
from ._parts import (
    Fmax,
    Memory,
    RandomState,
    extractor,
    feature_blocks,
    genre_columns,
    scaled,
    track_pipeline,
)
from ._skip_missing import SkipMissing
from ._track_pipeline import TrackPipeline


@shared(FACTORY)
def make_pca_pipeline(
    n_clusters: int = 8,
    *,
    course_project: bool = False,
    duration: float | None = None,
    fmax: Fmax = "common",
    on_error: Literal["nan", "raise"] = "nan",
    memory: Memory = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    random_state: RandomState = None,
) -> TrackPipeline:
    """Make the baseline of the easy task: log-mel spectrograms, PCA, KMeans.

    Parameters
    ----------
    {n_clusters}
    {course_project}
    {duration and fmax}
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
    mel = extractor(course_project, duration, fmax, on_error, memory, n_jobs, verbose)
    pca = SkipMissing(PCA(128 if course_project else 16, random_state=random_state))
    embed = feature_blocks(scaled(mel, pca=pca), random_state)
    return track_pipeline(n_clusters, random_state, embed=embed)


@shared(FACTORY)
def make_vae_pipeline(
    n_clusters: int = 8,
    *,
    audio_weight: float = 1.0,
    lyrics_weight: float = 0.0,
    course_project: bool = False,
    duration: float | None = None,
    fmax: Fmax = "common",
    on_error: Literal["nan", "raise"] = "nan",
    memory: Memory = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    random_state: RandomState = None,
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
    {duration and fmax}
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

    mel = extractor(course_project, duration, fmax, on_error, memory, n_jobs, verbose)
    vae = VAE(128 if course_project else 16, random_state=random_state, verbose=verbose)
    if course_project:
        vae.set_params(beta=1.0, contrastive_weight=0.0)
    embed = feature_blocks(
        scaled(mel, vae=vae), random_state, audio=audio_weight, lyrics=lyrics_weight
    )
    fill = {"fill": SkipMissing(KNNImputer())} if lyrics_weight else {}
    return track_pipeline(n_clusters, random_state, embed=embed, **fill)


@shared(FACTORY)
def make_conv_vae_pipeline(
    n_clusters: int = 8,
    *,
    audio_weight: float = 1.0,
    lyrics_weight: float = 4.0,
    course_project: bool = False,
    duration: float | None = None,
    fmax: Fmax = "common",
    on_error: Literal["nan", "raise"] = "nan",
    memory: Memory = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    random_state: RandomState = None,
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
    {duration and fmax}
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

    mel = extractor(course_project, duration, fmax, on_error, memory, n_jobs, verbose)
    features = feature_blocks(scaled(mel), random_state, audio=audio_weight, lyrics=lyrics_weight)
    embed = ConvVAE(**_conv_settings(course_project, mel, random_state))
    return track_pipeline(n_clusters, random_state, features=features, embed=embed)


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
    fmax: Fmax = "common",
    on_error: Literal["nan", "raise"] = "nan",
    memory: Memory = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    random_state: RandomState = None,
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
    {duration and fmax}
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

    mel = extractor(course_project, duration, fmax, on_error, memory, n_jobs, verbose)
    features = feature_blocks(
        scaled(mel), random_state, audio=audio_weight, lyrics=lyrics_weight, genre=genre_weight
    ).set_output(transform="pandas")  # with names, by which the embedder finds the condition
    embed = BetaCVAE(
        beta=beta,
        condition_features=genre_columns,
        encode_condition=course_project,
        **_conv_settings(course_project, mel, random_state),
    )
    return track_pipeline(n_clusters, random_state, features=features, embed=embed)


def _conv_settings(
    course_project: bool, mel: SpectrogramExtractor, random_state: RandomState
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
