"""The pipelines to begin with."""

from collections.abc import Callable
from typing import Any, Literal

from sklearn.compose import ColumnTransformer
from sklearn.impute import KNNImputer
from sklearn.pipeline import Pipeline

from .._docstrings import shared
from ..features import AudioEncoder, LyricVectorizer
from ..features.encoders import BaseEncoder, MusicNN
from ._block_scaler import BlockScaler
from ._docstrings import FACTORY
from ._parts import (
    Fmax,
    Memory,
    RandomState,
    audio_columns,
    extractor,
    feature_blocks,
    kmeans,
    track_pipeline,
)
from ._skip_missing import SkipMissing
from ._track_pipeline import TrackPipeline

# Of waveforms, as make_music returns them.
_SAMPLE_RATE = 22050


@shared(FACTORY)
def make_encoder_pipeline(
    n_clusters: int = 8,
    *,
    encoder: BaseEncoder | Callable[..., Any] | None = None,
    clusterer: Any = None,
    lyrics_weight: float = 0.7,
    fusion: Literal["late", "joint"] = "late",
    windows: int = 4,
    offset: float = 0.0,
    duration: float | None = None,
    device: str = "auto",
    on_error: Literal["nan", "raise"] = "nan",
    memory: Memory = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    random_state: RandomState = None,
) -> TrackPipeline:
    """Make the pipeline to begin with: a pretrained encoder and lyrics, KMeans.

    By default it needs the weights of :class:`~sklearn_music.features.encoders.MusicNN`
    (``pip install --no-deps musicnn==0.1.0``). Without them, `fit` is an error that says so; use
    `make_track_vae_pipeline`, which needs none.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters. Has no effect with a `clusterer`.
    encoder : BaseEncoder or callable, default=None
        The encoder of the audio, as for :class:`~sklearn_music.AudioEncoder`. None is
        ``MusicNN(output="tags")``: the probabilities of 50 tags, which also name the clusters.
    clusterer : estimator, default=None
        Any clusterer of scikit-learn; it is wrapped in a SkipMissing. None is KMeans.
    lyrics_weight : float, default=0.7
        Factor of the lyrics' features. Before, the first principal components of audio and lyrics
        have the same variance: with 0.7, that of the lyrics has half the variance of that of the
        audio. From 1 on, the clusters of the guide's songs follow the language of the lyrics. At 0
        the pipeline uses audio alone, and the table needs no column ``lyrics``.
    fusion : {"late", "joint"}, default="late"
        What becomes of the two blocks, either of which a track may lack. ``"late"``: they stand
        side by side, and a missing one is the mean of those of the five tracks that are nearest
        in the other. ``"joint"``: a :class:`~sklearn_music.JointVAE` gives them one latent space,
        which can be decoded. On the guide's songs both find clusters as good.
    windows : int, default=4
        Number of windows of a track that are encoded, spread evenly over it.
    offset : float, default=0.0
        Where in a track the stretch begins from which the windows are taken, in seconds.
    duration : float, default=None
        Length of the stretch, in seconds. None goes to the end of each track.
    device : str, default="auto"
        Where the encoder and a JointVAE run: ``"cpu"``, ``"cuda"``; ``"auto"`` is CUDA if there
        is one.
    {other parameters and result}
        Its steps: ``features``, a ColumnTransformer with the blocks ``audio`` and ``lyrics``,
        ``fill``, a KNNImputer, or ``embed``, a JointVAE, unless the lyrics' weight is 0; and
        ``cluster``.

    Examples
    --------
    >>> from sklearn_music.datasets import make_music
    >>> from sklearn_music.pipelines import make_encoder_pipeline
    >>> def loudness(waveform, sample_rate):  # in place of a pretrained encoder
    ...     return [waveform.std(), abs(waveform).max()]
    >>> tracks = make_music(20, duration=1.0, random_state=0).data
    >>> pipe = make_encoder_pipeline(3, encoder=loudness, random_state=0)
    >>> pipe.fit_predict(tracks).shape
    (20,)
    """
    audio = AudioEncoder(
        MusicNN(output="tags") if encoder is None else encoder,
        windows=windows,
        sample_rate=_SAMPLE_RATE,
        offset=offset,
        duration=duration,
        device=device,
        on_error=on_error,
        memory=memory,
        n_jobs=n_jobs,
        verbose=verbose,
    )
    if clusterer is None:
        clusterer = kmeans(n_clusters, random_state)
    elif not isinstance(clusterer, SkipMissing):
        clusterer = SkipMissing(clusterer)
    if fusion not in ("late", "joint"):
        raise ValueError(f'Got fusion={fusion!r}, expected "late" or "joint".')
    blocks: list[tuple[str, Any, Any]] = [
        ("audio", Pipeline([("encoder", audio), ("scale", BlockScaler())]), ["audio"])
    ]
    weights = None
    steps: dict[str, Any] = {}
    if lyrics_weight:
        # Parts of words find what the forms of a word share.
        tfidf = LyricVectorizer(
            16, char_ngram_range=(2, 4), fill_value=float("nan"), random_state=random_state
        )
        lyrics = Pipeline([("tfidf", tfidf), ("scale", BlockScaler())])
        blocks.append(("lyrics", lyrics, "lyrics"))
        weights = {"audio": 1.0, "lyrics": lyrics_weight}
        if fusion == "late":
            steps["fill"] = SkipMissing(KNNImputer())
        else:
            from ..embedding import JointVAE

            steps["embed"] = JointVAE(
                n_main=audio_columns, device=device, random_state=random_state, verbose=verbose
            )
    # With names, by which the embedder finds the audio.
    features = ColumnTransformer(blocks, transformer_weights=weights).set_output(transform="pandas")
    return TrackPipeline([("features", features), *steps.items(), ("cluster", clusterer)])


@shared(FACTORY)
def make_track_vae_pipeline(
    n_clusters: int = 8,
    *,
    lyrics_weight: float = 30.0,
    duration: float | None = None,
    fmax: Fmax = "common",
    on_error: Literal["nan", "raise"] = "nan",
    memory: Memory = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    random_state: RandomState = None,
) -> TrackPipeline:
    """Make the pipeline to begin with without pretrained weights: spectrograms, TrackVAE, KMeans.

    The `TrackVAE` is a joint model: audio and lyrics have one latent space. A track may lack its
    lyrics or its audio; its latent vector then comes from the other.

    Parameters
    ----------
    {n_clusters}
    lyrics_weight : float, default=30.0
        Weight of the lyrics' squared error in the loss of the TrackVAE (its ``auxiliary_weight``).
        From about 300 on, the clusters of the guide's songs follow the language of the lyrics. At
        0 the pipeline uses audio alone, and the table needs no column ``lyrics``.
    {duration and fmax}
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

    mel = extractor(False, duration, fmax, on_error, memory, n_jobs, verbose)
    embed = TrackVAE(
        image_shape=mel.planned_image_shape(),
        auxiliary_weight=lyrics_weight,
        random_state=random_state,
        verbose=verbose,
    )
    features = feature_blocks(mel, random_state, lyrics=1.0 if lyrics_weight else 0.0)
    return track_pipeline(n_clusters, random_state, features=features, embed=embed)
