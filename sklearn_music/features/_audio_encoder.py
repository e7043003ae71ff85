"""From audio to the vectors of a frozen, pretrained model, one row per track."""

import functools
import inspect
import threading
import types

import joblib.hashing
import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, _fit_context

from ..exceptions import AudioError
from ._track_transformer import TrackTransformer, failures_of, or_error

# A model need not be made for threads, and torch uses all cores by itself.
_ONE_AT_A_TIME = threading.Lock()


class AudioEncoder(ClassNamePrefixFeaturesOutMixin, TrackTransformer):
    """Turn tracks into the vectors that a model of yours makes of them.

    The model is any function of a waveform: a pretrained network, for example, with its weights
    frozen. It takes the place of a :class:`SpectrogramExtractor`, with the same tracks, cache
    and errors.

    Parameters
    ----------
    model : callable
        ``model(waveform, sample_rate)`` with a mono waveform, an ndarray of shape
        (n_samples,), float32, and its rate in Hz. It returns a vector, of the same length for
        each track: an array-like or a torch tensor, on any device. It is called for one track
        at a time, without gradients. Put a network into evaluation mode first.
    sample_rate : int, default=22050
        The rate, in Hz, to which files are resampled, and that of waveforms: the one that the
        model was trained for.
    offset : float, default=0.0
        Where in the track the stretch that the model hears begins, in seconds.
    duration : float, default=None
        How long it is at most, in seconds: longer tracks are cropped, shorter ones are not
        padded. None goes to the end of each track.
    dtype : {"float32", "float16"} or NumPy's type, default="float32"
        The type of the result.
    n_jobs : int, default=None
        Number of tracks that are decoded at a time.
    verbose : int, default=0
        Shows a progress bar, with the time that is left, where not 0.
    memory : str, path or joblib.Memory, default=None
        Where the vectors of files are kept. The key is the file (path, size and time of
        change), the parameters and the model, as told in the Notes. A relative path stands in the
        current folder, also where a pipeline was saved and predicts elsewhere: give an absolute
        path, or ``set_params(memory=None)`` before you save.
    on_error : {"raise", "nan"}, default="raise"
        What happens to a track that can't be used, or on which the model fails: an error that
        names the row and the file, or a row of NaN and one warning that lists all of them.

    Attributes
    ----------
    n_components_ : int
        Length of the vectors.
    failures_ : dict of int to str
        The tracks that could not be used in the last `fit`, `transform` or `fit_transform`: the
        row number of each, with the reason. Empty if there were none. `fit` looks at the files,
        and calls the model until it returns a vector.
    n_features_in_ : int
        Number of columns seen in `fit`: 1, or `n_samples` for a table of waveforms.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns seen in `fit`, where they were strings.

    See Also
    --------
    SpectrogramExtractor : Spectrograms, without a model.
    VAE : An embedding of the rows, which is trained on them.

    Notes
    -----
    For the cache, a model is what it holds. An object is told by its class's name and all that
    it would pickle, torch tensors by their values: with other weights it is another model. A
    function is told by its name, its code, its defaults and the variables around it that it
    uses, those of functions that it calls in its own module included. What is not seen is a
    change of a class's code, or of other modules: empty the cache then. A call must not change
    the model.

    `clone`, and so a search, copies an object that is a parameter, but not a function: a large
    network is better used by a function.

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

    _parameter_constraints: dict = {**TrackTransformer._parameter_constraints, "model": [callable]}

    _NOT_IN_KEY = {**TrackTransformer._NOT_IN_KEY, "model": "in _identity, by what it holds"}

    def __init__(
        self,
        model,
        *,
        sample_rate=22050,
        offset=0.0,
        duration=None,
        dtype="float32",
        n_jobs=None,
        verbose=0,
        memory=None,
        on_error="raise",
    ):
        self.model = model
        self.sample_rate = sample_rate
        self.offset = offset
        self.duration = duration
        self.dtype = dtype
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.memory = memory
        self.on_error = on_error

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn the length of the vectors from the first track; check that every track is there.

        Parameters
        ----------
        X : array-like of shape (n_tracks,) or (n_tracks, 1) or (n_tracks, n_samples)
            Paths of audio files, or mono waveforms of any lengths, one per row,
            or a numeric table of waveforms of one length. Waveforms of type int8, uint8,
            int16 or int32 are scaled to ±1 by the range of their type, as soundfile does;
            other integers beyond ±127 are refused.
        y : None
            Ignored.

        Returns
        -------
        self : AudioEncoder
            The fitted transformer.

        Raises
        ------
        AudioError
            If a track can't be used and ``on_error="raise"``, or if none can.
        ValueError
            If `memory` is set and the model can't be told from others.
        """
        tracks, stamps = self._check_tracks(X, reset=True)
        vector_of = self._vector_function()
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
    def _n_features_out(self):
        return self.n_components_

    def _identity(self):
        try:
            model = _ModelHasher().hash_of(self.model)
        except Exception as error:  # what an object raises that can't be pickled is not one class
            raise ValueError(
                f"Got model={self.model!r}, which holds what can't be pickled, so that the cache "
                f"can't tell it from others ({type(error).__name__}: {error}). Use memory=None, "
                "or a model that holds its weights alone."
            ) from error
        return "AudioEncoder", model, self._n_samples()

    def _n_samples(self):
        if self.duration is None:
            return None
        return max(1, round(self.duration * self.sample_rate))

    def _vector_function(self):
        """Return the function from a track to its vector."""
        memory = self._check_memory()
        identity = self._identity() if getattr(memory, "location", "unknown") else None
        compute = self._track_function()
        duration = None if self.duration is None else float(self.duration)
        settings = {
            "model": self.model,
            "sample_rate": int(self.sample_rate),
            "n_samples": self._n_samples(),
        }

        def vector(track, stamp):
            name = "the waveform" if stamp is None else repr(stamp.path)
            encode = functools.partial(_encode, name=name, **settings)
            return compute(track, stamp, duration=duration, identity=identity, function=encode)

        return vector

    def _row_function(self):
        vector_of = self._vector_function()
        largest = np.finfo(self.dtype).max

        def row(track, stamp):
            vector = vector_of(track, stamp)
            name = "the waveform" if stamp is None else repr(stamp.path)
            if len(vector) != self.n_components_:
                raise AudioError(
                    f"the model returned {len(vector)} numbers for {name}, but "
                    f"{self.n_components_} for the first track of fit. Pool what it returns, "
                    "over time for example."
                )
            if np.abs(vector).max() > largest:
                raise AudioError(
                    f"the model returned numbers beyond ±{largest:g} for {name}, the largest of "
                    f'dtype="{np.dtype(self.dtype)}". Use dtype="float32".'
                )
            return vector

        return row


def _encode(waveform, *, model, sample_rate, n_samples, name):
    """Return the model's vector of a waveform, float32."""
    # A copy that it may write to.
    waveform = np.array(waveform[:n_samples], dtype=np.float32)
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


class _ModelHasher(joblib.hashing.NumpyHasher):
    """joblib's hash of an object, with torch tensors and functions by what is in them.

    What torch pickles of a tensor has addresses in memory, and of a function there is but its
    name.
    """

    def hash_of(self, model):
        function = model
        while isinstance(function, functools.partial):
            function = function.func
        self._module = getattr(function, "__module__", None)
        self._seen = set()
        return self.hash(model)

    def save(self, obj):
        if isinstance(obj, torch.Tensor):
            # As bytes: NumPy has no bfloat16.
            data = obj.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
            obj = ("tensor", str(obj.dtype), tuple(obj.shape), data)
        elif isinstance(obj, frozenset):
            # In a code; its order is that of hashes, which differ from process to process.
            obj = ("frozenset", sorted(joblib.hash(item) for item in obj))
        elif isinstance(obj, types.CodeType):
            obj = ("code", obj.co_code, obj.co_names, obj.co_consts)
        elif isinstance(obj, types.FunctionType) and self._is_own(obj):
            name = (obj.__module__, obj.__qualname__)
            if id(obj) in self._seen:
                obj = name
            else:
                self._seen.add(id(obj))
                names = _names(obj.__code__) & obj.__globals__.keys()
                around = {name: obj.__globals__[name] for name in sorted(names)}
                around |= inspect.getclosurevars(obj).nonlocals
                used = {
                    key: value
                    for key, value in around.items()
                    if not isinstance(value, types.ModuleType)
                }
                obj = (*name, obj.__code__, obj.__defaults__, obj.__kwdefaults__, used, vars(obj))
        super().save(obj)

    def _is_own(self, function):
        return function.__module__ == self._module or "<" in function.__qualname__


def _names(code):
    """Return the names of what a function's code uses, functions inside of it included."""
    inner = (const for const in code.co_consts if isinstance(const, types.CodeType))
    return set(code.co_names).union(*(_names(code) for code in inner))
