"""From audio to the vectors of a frozen, pretrained encoder, one row per track."""

import contextlib
from collections.abc import Callable, Generator, Iterator
from numbers import Integral
from typing import Any, Literal, Self

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from .._docstrings import shared
from .._typing import fit_context
from ..exceptions import AudioError
from ._docstrings import TRACKS
from ._encoding import (
    EncodedTrack,
    NotInCacheError,
    call_encoder,
    encode_batch,
    not_in_cache,
    vectors_of_file,
)
from ._track_transformer import CACHE_VERSION, TrackTransformer
from ._track_windows import read_windows
from .audio import AnyPath
from .encoders import BaseEncoder
from .encoders._function import FunctionEncoder
from .workers import failures_of, or_error

_FUNCTION_RATE = 22050


@shared(TRACKS)
class AudioEncoder(TrackTransformer):
    """Turn tracks into the vectors of a pretrained encoder.

    The encoder's weights are frozen: nothing is trained. Use this in place of a
    :class:`SpectrogramExtractor`, with the same tracks, cache and errors. From a few hundred
    tracks, no model learns vectors as good as those of an encoder that was trained on many
    thousands.

    Parameters
    ----------
    encoder : BaseEncoder or callable
        One of :mod:`sklearn_music.features.encoders`: ``MusicNN()``, for example. Or any function
        ``encoder(waveform, sample_rate)`` of a mono waveform, an ndarray of shape (n_samples,),
        float32, and its rate in Hz. It is called once a track, without gradients, with the whole
        stretch between `offset` and `duration`, and returns a vector: an array-like or a torch
        tensor, of the same length for each track. Put a network into evaluation mode first. A
        track on which a function fails can't be used.
    windows : int, default=4
        Number of windows of a track that are encoded. They are spread evenly over it. A function
        takes the whole track instead.
    pooling : {"mean", "stats"}, default="mean"
        How the vectors of the windows become one row: their mean; or their mean and standard
        deviation. None keeps them all, so that ``row.reshape(image_shape_)`` has a column for
        each window: for a :class:`TrackVAE`.
    sample_rate : int, default=None
        Rate of waveforms, in Hz; None is that of the encoder. Files have their own rate. A
        function gets audio of this rate, and None is 22,050 then.
    offset : float, default=0.0
        Where in the track the stretch begins from which the windows are taken, in seconds.
    duration : float, default=None
        Its greatest length, in seconds. None goes to the end of each track.
    batch_size : int, default=8
        Number of windows that the encoder gets at a time. A GPU is faster with more.
    device : str, default="auto"
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; ``"auto"`` is CUDA if there is one, else
        the CPU.
    {running}
    model_id : str, default=None
        Name of a function in the cache, required if `memory` is set and `encoder` is a function
        without state. Change it with every change of the function. If None, the cache identifies
        a function by its class's name and by all that it would pickle, torch tensors by their
        values: other weights are another model. It does not see a change in the code of a class,
        or of a function that the model holds. Encoders identify themselves.

    Attributes
    ----------
    n_components_ : int
        Length of the rows.
    image_shape_ : tuple of int
        ``(n_features, windows)`` of a row, with ``pooling=None`` only.
    tag_columns_ : list of str
        Names of the columns that are probabilities of tags; empty without a tagger.
    {tracks_seen}

    See Also
    --------
    SpectrogramExtractor : Spectrograms, without a model.
    sklearn_music.pipelines.make_encoder_pipeline : A pipeline with an encoder and lyrics.

    Notes
    -----
    Files are decoded in `n_jobs` threads, two at least, while the network runs. Only the windows
    are decoded, where they are less than half of it; their edges are then resampled by
    themselves, which changes vectors by less than 1 %. A track that is shorter than a window is
    repeated until it fills one.

    With a function, `fit` calls it until it returns a vector. `clone`, and so a search, copies an
    object that is a parameter, but not a function: wrap a large network in a function, with
    `model_id`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_music import AudioEncoder
    >>> def loudness(waveform, sample_rate):
    ...     return [waveform.std(), np.abs(waveform).max()]
    >>> time = np.arange(22050) / 22050
    >>> tones = np.array([[0.5], [1.0]]) * np.sin(2 * np.pi * 220 * time)
    >>> AudioEncoder(loudness).fit_transform(tones).round(2)
    array([[0.35, 0.5 ],
           [0.71, 1.  ]], dtype=float32)
    """

    _parameter_constraints: dict = {
        **TrackTransformer._parameter_constraints,
        "encoder": [BaseEncoder, callable],
        "windows": [Interval(Integral, 1, None, closed="left")],
        "pooling": [StrOptions({"mean", "stats"}), None],
        "sample_rate": [Interval(Integral, 1, None, closed="left"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "device": [str],
        "model_id": [str, None],
    }

    _NOT_IN_KEY = {
        **TrackTransformer._NOT_IN_KEY,
        "encoder": "in _identity, as the encoder identifies itself",
        "model_id": "in _identity",
        "batch_size": "windows are independent of each other",
        "device": "changes the last digits only",
    }

    def __init__(
        self,
        encoder: BaseEncoder | Callable[..., Any],
        *,
        windows: int = 4,
        pooling: Literal["mean", "stats"] | None = "mean",
        sample_rate: int | None = None,
        offset: float = 0.0,
        duration: float | None = None,
        batch_size: int = 8,
        device: str = "auto",
        dtype: str | type[np.floating[Any]] = "float32",
        n_jobs: int | None = None,
        verbose: int = 0,
        memory: AnyPath | joblib.Memory | None = None,
        on_error: Literal["raise", "nan"] = "raise",
        model_id: str | None = None,
    ) -> None:
        self.encoder = encoder
        self.windows = windows
        self.pooling = pooling
        self.sample_rate = sample_rate
        self.offset = offset
        self.duration = duration
        self.batch_size = batch_size
        self.device = device
        self.dtype = dtype
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.memory = memory
        self.on_error = on_error
        self.model_id = model_id

    @fit_context(prefer_skip_nested_validation=True)
    @shared(TRACKS)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the length of the rows, and check that every track and the encoder are there.

        Parameters
        ----------
        {fit_tracks}

        Returns
        -------
        self : AudioEncoder
            The fitted transformer.

        Raises
        ------
        AudioError
            If a track can't be used and ``on_error="raise"``, or if none can.
        ImportError
            If the encoder's package or weights are not installed.
        ValueError
            If `memory` is set, but the cache can't identify a function without a `model_id`.
        """
        self.check_settings()
        encoder = self._encoder()
        tracks, stamps = self._check_tracks(X, reset=True)
        if isinstance(encoder, FunctionEncoder):
            self.n_components_ = self._length_of_function(tracks, stamps)
            self.tag_columns_: list[str] = []
            return self
        n_vectors = {"mean": 1, "stats": 2, None: int(self.windows)}[self.pooling]
        self.n_components_ = n_vectors * encoder.n_features
        self.tag_columns_ = list(encoder.tags) if self.pooling == "mean" else []
        if self.pooling is None:
            self.image_shape_ = encoder.n_features, n_vectors
        elif hasattr(self, "image_shape_"):
            del self.image_shape_
        return self

    def check_settings(self) -> None:
        """Raise what is wrong with the parameters or missing for the encoder.

        Raises
        ------
        ImportError
            If the encoder's package or weights are not installed.
        ValueError
            If a parameter, or a combination of them, can't work.
        """
        self._validate_params()
        if isinstance(self.encoder, type) and issubclass(self.encoder, BaseEncoder):
            name = self.encoder.__name__
            raise ValueError(f"Got encoder={name}, a class: expected an object, {name}().")
        self._device()
        encoder = self._encoder()
        if encoder.window_length is None and self.pooling != "mean":
            raise ValueError(
                f"Got pooling={self.pooling!r} for a function, which makes one vector of a whole "
                'track: use pooling="mean", or a BaseEncoder.'
            )
        encoder.check_settings()

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the columns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the input columns; only checked.

        Returns
        -------
        names : ndarray of shape (n_features_out,)
            The encoder's names: the tags of a tagger, for example. With other `pooling` than
            "mean", their windows or statistics are behind them, as in ``rock_std``.
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features, generate_names=False)
        encoder = self._encoder()
        if isinstance(encoder, FunctionEncoder):
            names = [f"audioencoder{i}" for i in range(self.n_components_)]
        elif self.pooling == "mean":
            names = encoder.get_feature_names()
        elif self.pooling == "stats":
            names = [f"{n}_{what}" for what in ("mean", "std") for n in encoder.get_feature_names()]
        else:
            windows = range(self.image_shape_[1])
            names = [f"{name}_w{i}" for name in encoder.get_feature_names() for i in windows]
        return np.array(names, dtype=object)

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    @property
    def _n_workers(self) -> int:
        # One at least decodes while the network runs.
        return max(2, joblib.effective_n_jobs(self.n_jobs))

    def _encoder(self) -> BaseEncoder:
        if isinstance(self.encoder, BaseEncoder):
            return self.encoder
        return FunctionEncoder(self.encoder, self.sample_rate or _FUNCTION_RATE, self.model_id)

    def _device(self) -> Any:
        from .._device import resolve_device

        return resolve_device(self.device)

    def _identity(self) -> Any:
        return self._encoder().identity()

    def _row_function(self) -> Callable[[Any, Any], Any]:
        """Return the function from a track to its vectors, if in the cache, or its windows."""
        encoder = self._encoder()
        memory = self._check_memory()
        duration = None if self.duration is None else float(self.duration)
        n_windows = 1 if encoder.window_length is None else int(self.windows)
        places: dict[str, Any] = {
            "sample_rate": encoder.sample_rate,
            "window_length": encoder.window_length,
            "n_windows": n_windows,
            "offset": float(self.offset),
            "duration": duration,
        }
        has_cache = getattr(memory, "location", "unknown") is not None
        # A short text: joblib hashes it for each track.
        key = joblib.hash((CACHE_VERSION, places, encoder.identity())) if has_cache else None
        cached = memory.cache(vectors_of_file, ignore=["compute"])
        waveform_rate = int(self.sample_rate or encoder.sample_rate)

        def prepare(track, stamp):
            name = "the waveform" if stamp is None else repr(stamp.path)
            if stamp is None:
                prepared = EncodedTrack(name, keep=lambda vectors: vectors)
            else:
                prepared = EncodedTrack(
                    name, keep=lambda vectors: cached(*stamp, key, lambda: vectors)
                )
                with contextlib.suppress(NotInCacheError):
                    prepared.vectors = cached(*stamp, key, not_in_cache)
                    return prepared
            windows = read_windows(track, stamp, waveform_rate=waveform_rate, **places)
            prepared.inputs = [encoder.preprocess(window) for window in windows]
            return prepared

        return prepare

    def _outcomes(
        self, tracks: list[Any], stamps: list[Any], function: Callable[[Any, Any], Any]
    ) -> Generator[Any]:
        """Yield the row of each track, or its error, in batches of windows of several tracks."""
        prepared = super()._outcomes(tracks, stamps, function)
        waiting: list[Any] = []
        with contextlib.closing(prepared):
            for outcome in prepared:
                waiting.append(outcome)
                if (len(waiting) + 1) * self.windows > self.batch_size:
                    yield from self._rows_of(waiting)
                    waiting = []
        yield from self._rows_of(waiting)

    def _rows_of(self, outcomes: list[Any]) -> Iterator[Any]:
        self._encode([o for o in outcomes if isinstance(o, EncodedTrack) and o.vectors is None])
        for outcome in outcomes:
            is_track = isinstance(outcome, EncodedTrack)
            yield or_error(self._row, outcome, outcome.vectors if is_track else outcome)

    def _encode(self, tracks: list[EncodedTrack]) -> None:
        """Set the vectors of some tracks, or the errors."""
        encoder, device = self._encoder(), self._device()
        if encoder.window_length is None:
            for track in tracks:
                track.vectors = call_encoder(encoder, track, device)
            return
        inputs = [window for track in tracks for window in track.inputs]
        batches = [
            encode_batch(encoder, np.stack(inputs[start : start + self.batch_size]), device)
            for start in range(0, len(inputs), int(self.batch_size))
        ]
        vectors = iter([vector for batch in batches for vector in batch])
        for track in tracks:
            track.vectors = np.stack([next(vectors) for _ in track.inputs])

    def _row(self, track: EncodedTrack, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the row of a track; raise an AudioError where it can't be used."""
        if not np.isfinite(vectors).all():
            raise AudioError(f"the encoder returned NaN or infinity (inf) for {track.name}.")
        if track.inputs:
            vectors = track.keep(vectors)
        if self.pooling is None:
            row = vectors.T.ravel()
        elif self.pooling == "mean":
            row = vectors.mean(axis=0)
        else:
            row = np.concatenate([vectors.mean(axis=0), vectors.std(axis=0)])
        if len(row) != getattr(self, "n_components_", len(row)):
            raise AudioError(
                f"the encoder returned {len(row)} numbers for {track.name}, but "
                f"{self.n_components_} for the first track of fit. Pool what it returns, over "
                "time for example."
            )
        largest = np.finfo(self.dtype).max
        if np.abs(row).max() > largest:
            raise AudioError(
                f"the encoder returned numbers beyond ±{largest:g} for {track.name}, the largest "
                f'of dtype="{np.dtype(self.dtype)}". Use dtype="float32".'
            )
        return row

    def _length_of_function(self, tracks: list[Any], stamps: list[Any]) -> int:
        """Return the length of the first vector that a function returns."""
        self.__dict__.pop("n_components_", None)
        prepare = self._row_function()
        failures = failures_of(stamps)
        for i, (track, stamp) in enumerate(zip(tracks, stamps, strict=True)):
            (row,) = self._rows_of([or_error(prepare, track, stamp)])
            if not isinstance(row, AudioError):
                return len(row)
            failures[i] = row
            self._raise_for(dict(sorted(failures.items())), n_tracks=len(tracks))
        raise AssertionError("all tracks failed, which raises above")
