"""From audio to the vectors of a frozen, pretrained model, one per track."""

import functools
import inspect
import sys
import threading
import types
from collections.abc import Callable
from typing import Any, Self

import joblib
import joblib.hashing
import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, _fit_context

from .._docstrings import shared
from ..exceptions import AudioError
from ._docstrings import TRACKS
from ._track_transformer import TrackTransformer
from .audio import AnyPath
from .workers import failures_of, or_error

# A model need not be made for threads, and torch uses all cores by itself.
_ONE_AT_A_TIME = threading.Lock()


@shared(TRACKS)
class AudioEncoder(ClassNamePrefixFeaturesOutMixin, TrackTransformer):
    """Turn tracks into the vectors of a pretrained model of yours.

    The model is any function of a waveform: a network with frozen weights, for example. Use
    this in place of a :class:`SpectrogramExtractor`, with the same tracks, cache and errors.

    Parameters
    ----------
    model : callable
        ``model(waveform, sample_rate)`` with a mono waveform, an ndarray of shape
        (n_samples,), float32, and its rate in Hz. It returns a vector, of the same length for
        each track: an array-like or a torch tensor, on any device. It is called for one track
        at a time, without gradients, and must not change. Put a network into evaluation mode
        first. A track on which it fails can't be used.
    {sample_rate}
    offset : float, default=0.0
        Where in the track the stretch begins that the model gets, in seconds.
    duration : float, default=None
        Its greatest length, in seconds: longer tracks are cropped, shorter ones are not padded.
        None goes to the end of each track.
    {running}
    model_id : str, default=None
        Name of the model in the cache, required if `memory` is set and `model` is a function.
        Change it with every change of the model. If None, the cache identifies a model by its
        class's name and by all that it would pickle, torch tensors by their values: other
        weights are another model. It does not see a change in the code of a class, or of a
        function that the model holds.

    Attributes
    ----------
    n_components_ : int
        Length of the vectors.
    {tracks_seen}

    See Also
    --------
    SpectrogramExtractor : Spectrograms, without a model.
    VAE : An embedding of the result.

    Notes
    -----
    `fit` looks at all files, and calls the model until it returns a vector. `clone`, and so a
    search, copies an object that is a parameter, but not a function: wrap a large network in a
    function, with `model_id`.

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
        "model": [callable],
        "model_id": [str, None],
    }

    _NOT_IN_KEY = {
        **TrackTransformer._NOT_IN_KEY,
        "model": "in _identity, by model_id or by what it holds",
        "model_id": "in _identity",
    }

    def __init__(
        self,
        model: Callable[..., Any],
        *,
        sample_rate: int = 22050,
        offset: float = 0.0,
        duration: float | None = None,
        dtype: str | type[np.floating[Any]] = "float32",
        n_jobs: int | None = None,
        verbose: int = 0,
        memory: AnyPath | joblib.Memory | None = None,
        on_error: str = "raise",
        model_id: str | None = None,
    ) -> None:
        self.model = model
        self.sample_rate = sample_rate
        self.offset = offset
        self.duration = duration
        self.dtype = dtype
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.memory = memory
        self.on_error = on_error
        self.model_id = model_id

    @_fit_context(prefer_skip_nested_validation=True)
    @shared(TRACKS)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the length of the vectors from the first track; check that every track is there.

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
        ValueError
            If `memory` is set, but the cache can't identify the model without a `model_id`.
        """
        vector_of = self._vector_function()
        tracks, stamps = self._check_tracks(X, reset=True)
        failures = failures_of(stamps)
        for i, (track, stamp) in enumerate(zip(tracks, stamps, strict=True)):
            vector = or_error(vector_of, track, stamp)
            if not isinstance(vector, AudioError):
                break
            failures[i] = vector
            self._raise_for(dict(sorted(failures.items())), n_tracks=len(tracks))
        self.n_components_ = len(vector)
        return self

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def _identity(self) -> tuple[Any, ...]:
        by_id = self.model_id is not None  # so that no model_id is the hash of another model
        n_samples = None if self.duration is None else self._n_samples_of(self.duration)
        return by_id, self.model_id if by_id else _hash_of(self.model), n_samples

    def _vector_function(self) -> Callable[[Any, Any], NDArray[np.float32]]:
        """Return the function from a track to what the model returns for it."""
        has_cache = getattr(self._check_memory(), "location", "unknown")
        identity = self._identity() if has_cache else None
        compute = self._track_function()
        model, sample_rate = self.model, int(self.sample_rate)
        duration = None if self.duration is None else float(self.duration)
        n_samples = None if duration is None else self._n_samples_of(duration)

        def vector(track, stamp):
            def encode(waveform):
                return _encode(waveform[:n_samples], model, sample_rate, _name(stamp))

            return compute(track, stamp, duration=duration, identity=identity, function=encode)

        return vector

    def _row_function(self) -> Callable[[Any, Any], NDArray[np.float32]]:
        vector_of = self._vector_function()
        largest = np.finfo(self.dtype).max

        def row(track, stamp):
            vector = vector_of(track, stamp)
            if len(vector) != self.n_components_:
                raise AudioError(
                    f"the model returned {len(vector)} numbers for {_name(stamp)}, but "
                    f"{self.n_components_} for the first track of fit. Pool what it returns, "
                    "over time for example."
                )
            if np.abs(vector).max() > largest:
                raise AudioError(
                    f"the model returned numbers beyond ±{largest:g} for {_name(stamp)}, the "
                    f'largest of dtype="{np.dtype(self.dtype)}". Use dtype="float32".'
                )
            return vector

        return row


def _name(stamp: Any) -> str:
    return "the waveform" if stamp is None else repr(stamp.path)


def _encode(
    waveform: NDArray[Any], model: Callable[..., Any], sample_rate: int, name: str
) -> NDArray[np.float32]:
    """Return the model's vector of a waveform."""
    import torch

    # A copy that it may write to.
    waveform = np.array(waveform, dtype=np.float32)
    try:
        with _ONE_AT_A_TIME, torch.no_grad():
            vector = model(waveform, sample_rate)
        if isinstance(vector, torch.Tensor):
            vector = vector.float().numpy(force=True)
        vector = np.asarray(vector)
    except Exception as error:
        raise AudioError(f"the model failed on {name}: {type(error).__name__}: {error}") from error
    if vector.ndim != 1 or len(vector) == 0 or vector.dtype.kind not in "fiu":
        raise AudioError(
            f"the model returned an array of shape {vector.shape} and dtype {vector.dtype} for "
            f"{name}; expected a vector, a 1-D array of numbers."
        )
    with np.errstate(over="ignore"):
        vector = vector.astype(np.float32)
    if not np.isfinite(vector).all():
        raise AudioError(f"the model returned NaN or infinity (inf) for {name}.")
    return vector


def _hash_of(model: Any) -> str:
    """Return a hash of what a model holds; raise where that does not identify it."""
    inner = model
    while isinstance(inner, (functools.partial, types.MethodType)):
        inner = inner.func if isinstance(inner, functools.partial) else inner.__self__
    try:
        if inspect.isclass(inner) or inspect.isroutine(inner):
            raise TypeError("a function has only code, which can't be compared")
        return _TensorHasher().hash(model)
    except Exception as error:  # objects that can't be pickled raise errors of many classes
        raise ValueError(
            f"Got memory, model_id=None and model={model!r}, which the cache can't identify: "
            f"{type(error).__name__}: {error}. Expected a name for the model: set model_id, for "
            'example model_id="my-model-v1", or use memory=None.'
        ) from error


class _TensorHasher(joblib.hashing.NumpyHasher):
    """joblib's hash of an object, with torch tensors by their values.

    What torch pickles of a tensor holds addresses in memory.
    """

    def save(self, obj: Any) -> None:
        # Without torch, there is no tensor.
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(obj, torch.Tensor):
            # As bytes: NumPy has no bfloat16.
            data = obj.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
            obj = ("tensor", str(obj.dtype), tuple(obj.shape), data)
        super().save(obj)
