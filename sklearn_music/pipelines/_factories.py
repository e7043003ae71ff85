"""The functions that make the pipelines."""

from typing import Any

from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import KNNImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from .._docstrings import PIPELINE, shared
from ..embedding import VAE, BetaCVAE, ConvVAE, TrackVAE
from ..features import GenreEncoder, LyricVectorizer, SpectrogramExtractor
from ._skip_missing import SkipMissing
from ._track_pipeline import TrackPipeline

# 640 frames: a frame stands at either end of the 639 steps.
_COURSE_PROJECT: dict[str, Any] = {"n_mels": 128, "hop_length": 512, "duration": 639 * 512 / 22050}
_DEFAULT: dict[str, Any] = {"n_mels": 64, "hop_length": 2048, "duration": 30.0}


@shared(PIPELINE)
def make_track_vae_pipeline(
    n_clusters=8,
    *,
    lyrics_weight=30.0,
    duration=None,
    fmax="common",
    on_error="nan",
    memory=None,
    n_jobs=None,
    verbose=0,
    random_state=None,
):
    """Make the pipeline to begin with: one TrackVAE over spectrograms and lyrics, and KMeans.

    Audio and lyrics are embedded in one latent space. A track may lack its lyrics, or its audio:
    its latent vector then comes from the other.

    Parameters
    ----------
    {n_clusters}
    lyrics_weight : float, default=30.0
        Weight of the lyrics' squared error in the loss of the TrackVAE (its ``auxiliary_weight``).
        With a larger weight the clusters follow the lyrics more, first of all their language
        (on the songs of the guide, from about 300 on). At 0 the pipeline uses audio alone, and
        the table needs no column ``lyrics``.
    {extraction}
    {random_state}

    Returns
    -------
    {pipeline}
        Its steps: ``features``, a ColumnTransformer with the blocks ``audio`` (a
        SpectrogramExtractor) and ``lyrics`` (a LyricVectorizer), ``embed`` and ``cluster``.

    See Also
    --------
    sklearn_music.TrackVAE : The embedder.

    Examples
    --------
    >>> from sklearn_music.datasets import make_music
    >>> from sklearn_music.pipelines import make_track_vae_pipeline
    >>> tracks = make_music(20, duration=1.0, random_state=0).data
    >>> pipe = make_track_vae_pipeline(3, lyrics_weight=0, duration=1.0, random_state=0)
    >>> pipe.set_params(embed__max_epochs=2).fit_predict(tracks).shape
    (20,)
    """
    mel = _extractor(False, duration, fmax, on_error, memory, n_jobs, verbose)
    blocks = [("audio", mel, ["audio"])]
    if lyrics_weight:
        blocks.append(_lyrics_block(random_state))
    embed = TrackVAE(
        image_shape=mel.planned_image_shape(),
        auxiliary_weight=lyrics_weight,
        random_state=random_state,
        verbose=verbose,
    )
    steps = [("features", ColumnTransformer(blocks)), ("embed", embed)]
    return _clustered(steps, n_clusters, random_state)


@shared(PIPELINE)
def make_pca_pipeline(
    n_clusters=8,
    *,
    course_project=False,
    duration=None,
    fmax="common",
    on_error="nan",
    memory=None,
    n_jobs=None,
    verbose=0,
    random_state=None,
):
    """Make the baseline of the easy task: log-mel spectrograms, PCA, KMeans.

    Parameters
    ----------
    {n_clusters}
    {course_project}
    {extraction}
    {random_state}

    Returns
    -------
    {pipeline}
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
    pca = SkipMissing(PCA(_n_components(course_project), random_state=random_state))
    embed = ColumnTransformer([_audio_block(mel, ("pca", pca))])
    return _clustered([("embed", embed)], n_clusters, random_state)


@shared(PIPELINE)
def make_vae_pipeline(
    n_clusters=8,
    *,
    audio_weight=1.0,
    lyrics_weight=0.0,
    course_project=False,
    duration=None,
    fmax="common",
    on_error="nan",
    memory=None,
    n_jobs=None,
    verbose=0,
    random_state=None,
):
    """Make the pipeline of the easy task: log-mel spectrograms, VAE, KMeans, with late fusion.

    Parameters
    ----------
    {n_clusters}
    audio_weight, lyrics_weight : float, default=1.0 and 0.0
        What the features of a block are multiplied by. A latent component has a variance of
        about 1, the lyrics of a track have length 1. At 0 the pipeline has no block of lyrics,
        and the table needs no column ``lyrics``. A missing block is filled with the mean of
        those of the five tracks that are nearest in the other one: filled with zeros, missing
        lyrics become clusters of their own.
    {course_project}
        The VAE is then plain: ``beta=1, contrastive_weight=0``.
    {extraction}
    {random_state}

    Returns
    -------
    {pipeline}
        Its steps: ``embed``, a ColumnTransformer with the blocks ``audio`` and, unless its
        weight is 0, ``lyrics``; then ``fill``, a KNNImputer; and ``cluster``.
    """
    mel = _extractor(course_project, duration, fmax, on_error, memory, n_jobs, verbose)
    vae = VAE(_n_components(course_project), random_state=random_state, verbose=verbose)
    if course_project:
        vae.set_params(beta=1.0, contrastive_weight=0.0)
    blocks = [_audio_block(mel, ("vae", vae))]
    weights = {"audio": audio_weight}
    fill = []
    if lyrics_weight:
        blocks.append(_lyrics_block(random_state))
        weights["lyrics"] = lyrics_weight
        fill = [("fill", SkipMissing(KNNImputer()))]
    embed = ColumnTransformer(blocks, transformer_weights=weights)
    return _clustered([("embed", embed), *fill], n_clusters, random_state)


@shared(PIPELINE)
def make_conv_vae_pipeline(
    n_clusters=8,
    *,
    audio_weight=1.0,
    lyrics_weight=4.0,
    course_project=False,
    duration=None,
    fmax="common",
    on_error="nan",
    memory=None,
    n_jobs=None,
    verbose=0,
    random_state=None,
):
    """Make the pipeline of the medium task: one ConvVAE over spectrograms and lyrics, KMeans.

    Parameters
    ----------
    {n_clusters}
    audio_weight, lyrics_weight : float, default=1.0 and 4.0
        What the features of a block are multiplied by. Each pixel has a variance of 1, the 16
        columns of lyrics together have length 1: with a weight of 4 each has about 1 as well.
    {course_project}
    {extraction}
    {random_state}

    Returns
    -------
    {pipeline}
        Its steps: ``features``, a ColumnTransformer with the blocks ``audio`` and ``lyrics``,
        ``embed`` and ``cluster``. Missing lyrics are left out of the training. A track without
        readable audio gets the label -1.
    """
    mel = _extractor(course_project, duration, fmax, on_error, memory, n_jobs, verbose)
    features = ColumnTransformer(
        [_audio_block(mel), _lyrics_block(random_state)],
        transformer_weights={"audio": audio_weight, "lyrics": lyrics_weight},
    )
    embed = ConvVAE(
        _n_components(course_project),
        random_state=random_state,
        verbose=verbose,
        **_conv_settings(course_project, mel),
    )
    return _clustered([("features", features), ("embed", embed)], n_clusters, random_state)


@shared(PIPELINE)
def make_beta_cvae_pipeline(
    n_clusters=8,
    *,
    beta=4.0,
    audio_weight=1.0,
    lyrics_weight=4.0,
    genre_weight=1.0,
    course_project=False,
    duration=None,
    fmax="common",
    on_error="nan",
    memory=None,
    n_jobs=None,
    verbose=0,
    random_state=None,
):
    """Make the pipeline of the hard task: a beta-VAE conditioned on the genre, and KMeans.

    Parameters
    ----------
    {n_clusters}
    beta : float, default=4.0
        Weight of the KL divergence.
    audio_weight, lyrics_weight, genre_weight : float, default=1.0, 4.0 and 1.0
        What the features of a block are multiplied by, as in `make_conv_vae_pipeline`.
    {course_project}
        The encoder is then conditioned on the genre too, so that scores against the genre
        measure the label leakage.
    {extraction}
    {random_state}

    Returns
    -------
    {pipeline}
        Its steps: ``features``, a ColumnTransformer with the blocks ``audio``, ``lyrics`` and
        ``genre``, ``embed`` and ``cluster``. Missing lyrics are left out of the training; a
        missing genre is an unknown one. A track without readable audio gets the label -1.
        Tracks to predict need the column ``genre``, but nothing in it:
        ``tracks.assign(genre=None)``.
    """
    mel = _extractor(course_project, duration, fmax, on_error, memory, n_jobs, verbose)
    features = ColumnTransformer(
        [_audio_block(mel), _lyrics_block(random_state), ("genre", GenreEncoder(), ["genre"])],
        transformer_weights={
            "audio": audio_weight,
            "lyrics": lyrics_weight,
            "genre": genre_weight,
        },
    ).set_output(transform="pandas")  # with names, by which the embedder finds the condition
    embed = BetaCVAE(
        _n_components(course_project),
        beta=beta,
        condition_features=genre_columns,
        encode_condition=course_project,
        random_state=random_state,
        verbose=verbose,
        **_conv_settings(course_project, mel),
    )
    return _clustered([("features", features), ("embed", embed)], n_clusters, random_state)


def _extractor(course_project, duration, fmax, on_error, memory, n_jobs, verbose):
    settings = _COURSE_PROJECT if course_project else _DEFAULT
    if duration is not None:
        settings = settings | {"duration": duration}
    mel = SpectrogramExtractor(
        **settings,
        fmax=fmax,
        on_error=on_error,
        memory=memory,
        n_jobs=n_jobs,
        verbose=verbose,
    )
    mel._validate_params()  # before the size of the spectrograms is computed from them
    return mel


def genre_columns(X):
    """Return the names of the columns that a block called ``genre`` has made."""
    if not hasattr(X, "columns"):
        raise ValueError(
            "The genre is found by the names of columns, but X has none: let the step 'features' "
            'return a table, with set_output(transform="pandas").'
        )
    return [name for name in X.columns if name.startswith("genre__")]


def _n_components(course_project):
    return 128 if course_project else 16


def _audio_block(mel, *steps):
    return ("audio", Pipeline([("mel", mel), ("scale", StandardScaler()), *steps]), ["audio"])


def _lyrics_block(random_state):
    lyrics = LyricVectorizer(16, fill_value=float("nan"), random_state=random_state)
    return ("lyrics", lyrics, "lyrics")


def _conv_settings(course_project, mel):
    return {
        "image_shape": mel.planned_image_shape(),
        "channels": (32, 64, 128) if course_project else (16, 32, 64),
        # A thousand times as many pixels as columns of lyrics would drown them.
        "auxiliary_weight": 1.0 if course_project else 100.0,
        "max_epochs": 30,
    }


def _clustered(steps, n_clusters, random_state):
    cluster = SkipMissing(KMeans(n_clusters, n_init=10, random_state=random_state))
    return TrackPipeline([*steps, ("cluster", cluster)])
