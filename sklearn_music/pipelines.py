"""Ready-made pipelines over a table of tracks: plain scikit-learn, nothing hidden.

Each takes a DataFrame with the columns ``audio`` (paths or waveforms) and, where it uses
them, ``lyrics`` and ``genre``, as `sklearn_music.datasets.load_tracks` returns it, and ends in
KMeans. `make_track_vae_pipeline` is the one to begin with. The others are the three tasks of the
course project that this library grew out of: easy (`make_pca_pipeline`, `make_vae_pipeline`),
medium (`make_conv_vae_pipeline`) and hard (`make_beta_cvae_pipeline`). What no argument sets,
`set_params` does; who changes the size of the spectrograms (the ``duration`` of the step ``mel``,
say) of a ConvVAE or BetaCVAE sets the embedder's ``image_shape`` with it. The weights of the
blocks are one parameter for a search, ``transformer_weights`` of the first step.
"""

from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from .embedding import VAE, BetaCVAE, ConvVAE, TrackVAE
from .features import GenreEncoder, LyricVectorizer, SpectrogramExtractor

__all__ = [
    "make_beta_cvae_pipeline",
    "make_conv_vae_pipeline",
    "make_pca_pipeline",
    "make_track_vae_pipeline",
    "make_vae_pipeline",
]

# 640 frames: a frame stands at either end of the 639 steps.
_COURSE_PROJECT = {"n_mels": 128, "hop_length": 512, "duration": 639 * 512 / 22050}
_DEFAULT = {"n_mels": 64, "hop_length": 2048, "duration": 30.0}


def make_track_vae_pipeline(
    n_clusters=8,
    *,
    audio_weight=1.0,
    lyrics_weight=3.0,
    memory=None,
    n_jobs=None,
    random_state=None,
):
    """Make the pipeline to begin with: a TrackVAE of windows of tracks, beside lyrics, and KMeans.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    audio_weight, lyrics_weight : float, default=1.0 and 3.0
        What the columns of a block are multiplied by. The latent space had a variance
        of 3 to 6 on the songs of the guide, the lyrics' rows have length 1: with a weight of 3
        theirs is a little more, and both are found. At 0 the pipeline has no block of lyrics,
        and the table need not have the column.
    memory : str, path or joblib.Memory, default=None
        Where SpectrogramExtractor keeps the spectrograms.
    n_jobs : int, default=None
        Number of tracks that are read at a time.
    random_state : int, RandomState instance or None, default=None
        Of every random step.

    Returns
    -------
    pipeline : Pipeline
        With the steps ``embed``, a ColumnTransformer with the blocks ``audio`` and, unless its
        weight is 0, ``lyrics``, and ``cluster``.

    See Also
    --------
    sklearn_music.TrackVAE : With lyrics as side features where either may be missing.

    Examples
    --------
    >>> from sklearn_music.datasets import make_music
    >>> from sklearn_music.pipelines import make_track_vae_pipeline
    >>> tracks = make_music(20, duration=1.0, random_state=0).data
    >>> pipe = make_track_vae_pipeline(3, lyrics_weight=0, random_state=0).set_params(
    ...     embed__audio__mel__duration=1.0, embed__audio__vae__max_epochs=2
    ... )
    >>> pipe.fit_predict(tracks).shape
    (20,)
    """
    mel = SpectrogramExtractor(**_DEFAULT, memory=memory, n_jobs=n_jobs)
    vae = TrackVAE(image_shape=(_DEFAULT["n_mels"], -1), random_state=random_state)
    audio = ("audio", Pipeline([("mel", mel), ("vae", vae)]), ["audio"])
    embed = _beside_lyrics(audio, audio_weight, lyrics_weight, random_state)
    return _clustered([("embed", embed)], n_clusters, random_state)


def make_pca_pipeline(
    n_clusters=8, *, course_project=False, memory=None, n_jobs=None, random_state=None
):
    """Make the baseline of the easy task: log-mel spectrograms, PCA, KMeans.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    course_project : bool, default=False
        Whether to take the course project's settings: 128 bands x 640 frames (14.8 s at
        22,050 Hz, windows of 2,048 samples, 512 apart) and 128 components, in place of 64
        bands x 323 frames (30 s, 2,048 apart) and 16 components.
    memory : str, path or joblib.Memory, default=None
        Where SpectrogramExtractor keeps the spectrograms.
    n_jobs : int, default=None
        Number of tracks that are read at a time.
    random_state : int, RandomState instance or None, default=None
        Of every random step.

    Returns
    -------
    pipeline : Pipeline
        With the steps ``embed``, a ColumnTransformer with the block ``audio``, and ``cluster``.

    Examples
    --------
    >>> from sklearn_music.datasets import make_music
    >>> from sklearn_music.pipelines import make_pca_pipeline
    >>> tracks = make_music(20, duration=1.0, random_state=0).data
    >>> pipe = make_pca_pipeline(3, random_state=0)
    >>> pipe.set_params(embed__audio__mel__duration=1.0).fit_predict(tracks).shape
    (20,)
    """
    pca = PCA(_n_components(course_project), random_state=random_state)
    blocks = [_audio_block(course_project, memory, n_jobs, ("pca", pca))]
    return _clustered([("embed", _columns(blocks, {}))], n_clusters, random_state)


def make_vae_pipeline(
    n_clusters=8,
    *,
    audio_weight=1.0,
    lyrics_weight=0.0,
    course_project=False,
    memory=None,
    n_jobs=None,
    random_state=None,
):
    """Make the pipeline of the easy task: log-mel spectrograms, VAE, KMeans; lyrics beside them.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    audio_weight, lyrics_weight : float, default=1.0 and 0.0
        What the columns of a block are multiplied by. A latent dimension has a variance of
        about 1, the lyrics' rows have length 1. At 0 the pipeline has no block of lyrics,
        and the table need not have the column.
    course_project : bool, default=False
        Whether to take the course project's settings, as in `make_pca_pipeline`, and a VAE
        without the consistency term, beta = 1.
    memory : str, path or joblib.Memory, default=None
        Where SpectrogramExtractor keeps the spectrograms.
    n_jobs : int, default=None
        Number of tracks that are read at a time.
    random_state : int, RandomState instance or None, default=None
        Of every random step.

    Returns
    -------
    pipeline : Pipeline
        With the steps ``embed``, a ColumnTransformer with the blocks ``audio`` and, unless its
        weight is 0, ``lyrics``, and ``cluster``.
    """
    vae = VAE(_n_components(course_project), random_state=random_state)
    if course_project:
        vae.set_params(beta=1.0, consistency=0.0)
    audio = _audio_block(course_project, memory, n_jobs, ("vae", vae))
    embed = _beside_lyrics(audio, audio_weight, lyrics_weight, random_state)
    return _clustered([("embed", embed)], n_clusters, random_state)


def make_conv_vae_pipeline(
    n_clusters=8,
    *,
    audio_weight=1.0,
    lyrics_weight=4.0,
    course_project=False,
    memory=None,
    n_jobs=None,
    random_state=None,
):
    """Make the pipeline of the medium task: one ConvVAE over spectrograms and lyrics, KMeans.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    audio_weight, lyrics_weight : float, default=1.0 and 4.0
        What the columns of a block are multiplied by. Each pixel has a variance of 1, the 16
        columns of lyrics together have length 1: with a weight of 4 each has about 1 as well.
    course_project : bool, default=False
        Whether to take the course project's settings, as in `make_pca_pipeline`.
    memory : str, path or joblib.Memory, default=None
        Where SpectrogramExtractor keeps the spectrograms.
    n_jobs : int, default=None
        Number of tracks that are read at a time.
    random_state : int, RandomState instance or None, default=None
        Of every random step.

    Returns
    -------
    pipeline : Pipeline
        With the steps ``features``, a ColumnTransformer with the blocks ``audio`` and
        ``lyrics``, ``embed`` and ``cluster``. Missing lyrics are left out of the training.
    """
    blocks = [
        _audio_block(course_project, memory, n_jobs),
        _lyrics_block(random_state),
    ]
    weights = {"audio": audio_weight, "lyrics": lyrics_weight}
    embed = ConvVAE(
        _n_components(course_project),
        random_state=random_state,
        **_conv_settings(course_project),
    )
    steps = [("features", _columns(blocks, weights)), ("embed", embed)]
    return _clustered(steps, n_clusters, random_state)


def make_beta_cvae_pipeline(
    n_clusters=8,
    *,
    beta=4.0,
    audio_weight=1.0,
    lyrics_weight=4.0,
    genre_weight=1.0,
    course_project=False,
    memory=None,
    n_jobs=None,
    random_state=None,
):
    """Make the pipeline of the hard task: a conditional beta-VAE, told the genre, and KMeans.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    beta : float, default=4.0
        Weight of the KL divergence.
    audio_weight, lyrics_weight, genre_weight : float, default=1.0, 4.0 and 1.0
        What the columns of a block are multiplied by, as in `make_conv_vae_pipeline`.
    course_project : bool, default=False
        Whether to take the course project's settings, as in `make_pca_pipeline`, and to
        tell the encoder the genre too. Scores against the genre then measure the leak.
    memory : str, path or joblib.Memory, default=None
        Where SpectrogramExtractor keeps the spectrograms.
    n_jobs : int, default=None
        Number of tracks that are read at a time.
    random_state : int, RandomState instance or None, default=None
        Of every random step.

    Returns
    -------
    pipeline : Pipeline
        With the steps ``features``, a ColumnTransformer with the blocks ``audio``, ``lyrics``
        and ``genre``, ``embed`` and ``cluster``. Missing lyrics are left out of the training; a
        missing genre is an unknown one. Tracks to predict need the column ``genre``, but
        nothing in it: ``tracks.assign(genre=None)``.
    """
    blocks = [
        _audio_block(course_project, memory, n_jobs),
        _lyrics_block(random_state),
        ("genre", GenreEncoder(), ["genre"]),
    ]
    weights = {"audio": audio_weight, "lyrics": lyrics_weight, "genre": genre_weight}
    embed = BetaCVAE(
        _n_components(course_project),
        beta=beta,
        condition_features=make_column_selector(pattern="^genre__"),
        encode_condition=course_project,
        random_state=random_state,
        **_conv_settings(course_project),
    )
    # With names, by which the embedder finds the condition.
    features = _columns(blocks, weights).set_output(transform="pandas")
    return _clustered([("features", features), ("embed", embed)], n_clusters, random_state)


def _settings(course_project):
    return _COURSE_PROJECT if course_project else _DEFAULT


def _n_components(course_project):
    return 128 if course_project else 16


def _audio_block(course_project, memory, n_jobs, *steps):
    mel = SpectrogramExtractor(**_settings(course_project), memory=memory, n_jobs=n_jobs)
    return ("audio", Pipeline([("mel", mel), ("scale", StandardScaler()), *steps]), ["audio"])


def _beside_lyrics(audio, audio_weight, lyrics_weight, random_state):
    if not lyrics_weight:
        return _columns([audio], {"audio": audio_weight})
    lyrics = ("lyrics", LyricVectorizer(16, random_state=random_state), "lyrics")
    return _columns([audio, lyrics], {"audio": audio_weight, "lyrics": lyrics_weight})


def _lyrics_block(random_state):
    lyrics = LyricVectorizer(16, fill_value=float("nan"), random_state=random_state)
    return ("lyrics", lyrics, "lyrics")


def _conv_settings(course_project):
    return {
        "image_shape": _image_shape(_settings(course_project)),
        "channels": (32, 64, 128) if course_project else (16, 32, 64),
        # A thousand times as many pixels as columns of lyrics would drown them.
        "side_weight": 1.0 if course_project else 100.0,
        "max_epochs": 30,
    }


def _image_shape(settings):
    n_frames = 1 + round(settings["duration"] * 22050) // settings["hop_length"]
    return (settings["n_mels"], n_frames)


def _columns(blocks, weights):
    return ColumnTransformer(blocks, transformer_weights=weights)


def _clustered(steps, n_clusters, random_state):
    cluster = KMeans(n_clusters, n_init=10, random_state=random_state)
    return Pipeline([*steps, ("cluster", cluster)])
