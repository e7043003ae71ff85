"""From audio to spectrograms, one row per track."""

import functools
import os
import threading
import warnings
from numbers import Integral, Real
from typing import NamedTuple

import librosa
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import (
    _check_feature_names_in,
    check_is_fitted,
    check_memory,
    validate_data,
)
from tqdm import TMonitor
from tqdm.auto import tqdm

from ..exceptions import AudioError, AudioNotFoundError
from ._audio import check_waveform, file_length, file_stamp, fit_length, read_audio


class _Settings(NamedTuple):
    """The parameters that shape a track's image, and so are part of its cache key."""

    feature: str
    sample_rate: int
    offset: float
    n_bands: int
    n_mels: int
    n_fft: int
    hop_length: int
    fmin: float
    fmax: float | None
    top_db: float | None
    pooling: str | None


class SpectrogramExtractor(TransformerMixin, BaseEstimator):
    """Turn tracks into spectrograms: mel, MFCC or chroma.

    A track is an audio file or a mono waveform. Each becomes one row, the
    spectrogram of a stretch of the same length, laid out band after band, so
    that the rows fit scikit-learn's transformers and ``row.reshape(image_shape_)``
    is the picture. With ``pooling="stats"`` the row holds three statistics of
    each band instead: the classic hand-made feature that an embedding has to beat.

    Parameters
    ----------
    feature : {"mel", "mfcc", "chroma"}, default="mel"
        What is computed, through librosa: the mel spectrogram in dB relative to
        the track's own peak; the mel-frequency cepstral coefficients; the
        chroma, the strength of each pitch class.
    sample_rate : int, default=22050
        The rate, in Hz, to which files are resampled, and that of waveforms.
    n_mels : int, default=128
        Number of mel bands, for ``feature="mel"`` and below the MFCCs.
    n_mfcc : int, default=20
        Number of coefficients, for ``feature="mfcc"``.
    n_chroma : int, default=12
        Number of pitch classes, for ``feature="chroma"``.
    n_fft : int, default=2048
        Length of a window, in samples.
    hop_length : int, default=512
        Step from a frame to the next, in samples.
    fmin : float, default=0.0
        Lowest frequency of the mel bands, in Hz.
    fmax : float, default=None
        Highest frequency of the mel bands, in Hz; None is half the sample rate.
    top_db : float, default=80.0
        How far below the peak the decibels are cut off; None for no floor.
    offset : float, default=0.0
        Where in the track the stretch begins, in seconds.
    duration : float, default=None
        How long the stretch is, in seconds: longer tracks are cropped, shorter
        ones padded with silence. None takes the longest track seen in `fit`.
    pooling : {"stats"}, default=None
        ``"stats"`` gives, per band, the mean, the standard deviation and the
        standard deviation of the delta over the frames of the track, which is
        cropped but not padded for that. None gives the whole spectrogram.
    n_jobs : int, default=None
        Number of tracks worked on at a time. They share one process: decoding,
        resampling and the Fourier transform leave Python's lock.
    verbose : int, default=0
        Shows a progress bar where not 0.
    memory : str, path or joblib.Memory, default=None
        Where the spectrograms of files are kept. The key is the file (path,
        size and time of change) with the parameters that shape the result, so
        a search reads each file once, and a file that has changed is read again.
    on_error : {"raise", "nan"}, default="raise"
        What happens to a track that can't be used: an error that names the row
        and the file, or a row of NaN and one warning that lists all of them.

    Attributes
    ----------
    image_shape_ : tuple of int
        ``(n_bands, n_frames)``, or ``(n_bands, 3)`` with pooling.
    n_samples_ : int
        Length of the stretch, in samples at `sample_rate`.
    n_features_in_ : int
        Number of columns seen in `fit`: 1, or `n_samples` for a table of waveforms.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns seen in `fit`, where they were strings.

    See Also
    --------
    LyricVectorizer : The words of a track.
    GenreEncoder : The labels of a track.
    VAE : An embedding of the rows.

    Notes
    -----
    With ``power`` the squared magnitude of the short-time Fourier transform
    (Hann window, frames centred, the ends padded with silence), the three are
    ``power_to_db(melspectrogram(S=power), ref=np.max, top_db=top_db)``,
    ``mfcc(S=power_to_db(melspectrogram(S=power), top_db=top_db))`` and
    ``chroma_stft(S=power)`` of librosa [1]_. A silent track is 0 dB everywhere,
    its own peak.

    References
    ----------
    .. [1] B. McFee et al., "librosa: Audio and Music Signal Analysis in Python",
       Proc. 14th Python in Science Conf., 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_music import SpectrogramExtractor
    >>> time = np.arange(22050) / 22050
    >>> tones = np.sin(2 * np.pi * np.array([[220.0], [440.0]]) * time)
    >>> mel = SpectrogramExtractor(n_mels=40)
    >>> mel.fit_transform(tones).shape
    (2, 1760)
    >>> mel.image_shape_
    (40, 44)
    """

    _parameter_constraints: dict = {
        "feature": [StrOptions({"mel", "mfcc", "chroma"})],
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "n_mfcc": [Interval(Integral, 1, None, closed="left")],
        "n_chroma": [Interval(Integral, 1, None, closed="left")],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "fmin": [Interval(Real, 0, None, closed="left")],
        "fmax": [Interval(Real, 0, None, closed="neither"), None],
        "top_db": [Interval(Real, 0, None, closed="neither"), None],
        "offset": [Interval(Real, 0, None, closed="left")],
        "duration": [Interval(Real, 0, None, closed="neither"), None],
        "pooling": [StrOptions({"stats"}), None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "memory": [str, os.PathLike, HasMethods(["cache"]), None],
        "on_error": [StrOptions({"raise", "nan"})],
    }

    def __init__(
        self,
        feature="mel",
        *,
        sample_rate=22050,
        n_mels=128,
        n_mfcc=20,
        n_chroma=12,
        n_fft=2048,
        hop_length=512,
        fmin=0.0,
        fmax=None,
        top_db=80.0,
        offset=0.0,
        duration=None,
        pooling=None,
        n_jobs=None,
        verbose=0,
        memory=None,
        on_error="raise",
    ):
        self.feature = feature
        self.sample_rate = sample_rate
        self.n_mels = n_mels
        self.n_mfcc = n_mfcc
        self.n_chroma = n_chroma
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.fmin = fmin
        self.fmax = fmax
        self.top_db = top_db
        self.offset = offset
        self.duration = duration
        self.pooling = pooling
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.memory = memory
        self.on_error = on_error

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn the length of the stretch, and check that every track is there.

        Parameters
        ----------
        X : array-like of shape (n_tracks,) or (n_tracks, 1) or (n_tracks, n_samples)
            Paths of audio files, or mono waveforms of any lengths, one per row,
            or a numeric table of waveforms of one length.
        y : None
            Ignored.

        Returns
        -------
        self : SpectrogramExtractor
            The fitted transformer.

        Raises
        ------
        AudioError
            If a track can't be used (missing, empty, of an unknown format,
            shorter than `offset`, ...) and ``on_error="raise"``, or if none can.
        """
        self._check_frequencies()
        tracks, stamps = self._check_tracks(X, reset=True)
        if self.duration is not None:
            self.n_samples_ = max(1, round(self.duration * self.sample_rate))
        else:
            lengths = self._lengths(tracks, stamps)
            self._raise_for(_failures(lengths), n_tracks=len(tracks))
            self.n_samples_ = max(n for n in lengths if not isinstance(n, AudioError))
        if self.pooling is None:
            self.image_shape_ = (self._n_bands, 1 + self.n_samples_ // self.hop_length)
        else:
            self.image_shape_ = (self._n_bands, len(_STATISTICS))
        return self

    def transform(self, X):
        """Compute the spectrogram of each track.

        Parameters
        ----------
        X : array-like of shape (n_tracks,) or (n_tracks, 1) or (n_tracks, n_samples)
            As in `fit`.

        Returns
        -------
        X_out : ndarray of shape (n_tracks, n_bands * n_frames), float32
            One row per track, the frames of the lowest band first.

        Raises
        ------
        AudioError
            If a track can't be used and ``on_error="raise"``.
        """
        check_is_fitted(self)
        tracks, stamps = self._check_tracks(X, reset=False)
        threads = set(threading.enumerate())
        try:
            images, failures = self._images(tracks, stamps)
        except KeyboardInterrupt:
            # Python may end now, and must not while a worker is decoding.
            for worker in set(threading.enumerate()) - threads:
                if not isinstance(worker, TMonitor):  # tqdm's own never ends
                    worker.join(timeout=10)
            raise
        self._raise_for(failures)
        if failures:
            warnings.warn(
                f"{len(failures)} of {len(tracks)} tracks could not be used, their rows are "
                "NaN:\n" + "\n".join(_reasons(failures)),
                UserWarning,
                stacklevel=2,
            )
        return images.reshape(len(tracks), -1)

    def _images(self, tracks, stamps):
        """Return the images of all tracks, and the errors of those that have none, by row."""
        image_of = self._track_function()
        images = np.empty((len(tracks), *self.image_shape_), dtype=np.float32)
        jobs = Parallel(n_jobs=self.n_jobs, prefer="threads", return_as="generator")(
            delayed(_or_error)(image_of, *track)
            for track in zip(tracks, stamps, self._lengths(tracks, stamps), strict=True)
        )
        failures = {}
        with warnings.catch_warnings():
            # Silence has no tuning, and librosa takes 0 then, as it should.
            warnings.filterwarnings("ignore", "Trying to estimate tuning from empty")
            for row, image in enumerate(
                tqdm(
                    jobs,
                    total=len(tracks),
                    desc="Spectrograms",
                    unit="track",
                    disable=not self.verbose,
                )
            ):
                if isinstance(image, AudioError):
                    failures[row] = image
                    images[row] = np.nan
                else:
                    images[row] = image
        return images, failures

    def get_feature_names_out(self, input_features=None):
        """Name each column after its band and its frame, as in ``mel12_t340``.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the input columns; only checked.

        Returns
        -------
        names : ndarray of shape (n_bands * n_frames,)
            With pooling, ``mel12_mean``, ``mel12_std``, ``mel12_delta_std``.
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features, generate_names=False)
        n_bands, n_columns = self.image_shape_
        columns = _STATISTICS if self.pooling else [f"t{frame}" for frame in range(n_columns)]
        return np.array(
            [f"{self.feature}{band}_{column}" for band in range(n_bands) for column in columns],
            dtype=object,
        )

    @property
    def _n_bands(self):
        return {"mel": self.n_mels, "mfcc": self.n_mfcc, "chroma": self.n_chroma}[self.feature]

    def _check_frequencies(self):
        nyquist = self.sample_rate / 2
        fmax = nyquist if self.fmax is None else self.fmax
        if not self.fmin < fmax <= nyquist:
            raise ValueError(
                f"Got fmin={self.fmin} and fmax={self.fmax} Hz, expected fmin < fmax <= "
                f"sample_rate / 2 = {nyquist:g} Hz."
            )
        if self.feature == "mfcc" and self.n_mfcc > self.n_mels:
            raise ValueError(
                f"Got n_mfcc={self.n_mfcc}, but there are only n_mels={self.n_mels} mel bands "
                "to make them from. Lower n_mfcc or raise n_mels."
            )

    def _check_tracks(self, X, *, reset):
        """Return the tracks and their file stamps: None for a waveform, an error for a bad one."""
        cells = _cells(X)
        if cells is None:
            dtypes = [np.float32, np.float64]
            tracks = validate_data(self, X, reset=reset, dtype=dtypes, ensure_all_finite=False)
        else:
            column = X if isinstance(X, pd.DataFrame) else cells.reshape(-1, 1)
            validate_data(self, column, reset=reset, skip_check_array=True)
            tracks = cells
        stamps = [_or_error(_stamp, track) for track in tracks]
        self._raise_for(_failures(stamps), n_tracks=len(tracks) if reset else None)
        return list(tracks), stamps

    def _lengths(self, tracks, stamps):
        """Return the number of samples from the offset on; an error where it can't be told.

        Where the duration is given, they aren't needed, and no header is read for them.
        """
        if self.duration is not None:
            return [None] * len(tracks)
        return [
            _or_error(_length, track, stamp, self.sample_rate, self.offset)
            for track, stamp in zip(tracks, stamps, strict=True)
        ]

    def _track_function(self):
        """Return the function from a track to its image, with files through the cache.

        Where the length of the stretch was learnt in `fit`, it differs from fold to fold.
        What is kept then is the part of the image that does not depend on it: the frames
        of the track up to a first one of silence, before their peak is taken.
        """
        # As plain numbers: 0 and 0.0, or an int64 of a grid, are one key of the cache.
        settings = _Settings(
            feature=self.feature,
            sample_rate=int(self.sample_rate),
            offset=float(self.offset),
            n_bands=int(self._n_bands),
            n_mels=int(self.n_mels),
            n_fft=int(self.n_fft),
            hop_length=int(self.hop_length),
            fmin=float(self.fmin),
            fmax=None if self.fmax is None else float(self.fmax),
            top_db=None if self.top_db is None else float(self.top_db),
            pooling=self.pooling,
        )
        memory = self.memory
        if isinstance(memory, os.PathLike):
            memory = os.fspath(memory)
        of_file = check_memory(memory).cache(_of_file)

        def image(track, stamp, length):
            for error in (stamp, length):
                if isinstance(error, AudioError):
                    raise error
            span, step = self.n_samples_, _image
            if length is not None and length <= span:
                if self.pooling:
                    span = length
                else:
                    span, step = length + self.n_fft + self.hop_length, _frames
            if stamp is None:
                result = step(_stretch(track, self.sample_rate, self.offset), span, settings)
            else:
                result = of_file(*stamp, step.__name__, span, settings)
            if step is _image:
                return result
            n_frames = self.image_shape_[1]
            n_missing = max(0, n_frames - result.shape[1])
            frames = np.pad(result[:, :n_frames], ((0, 0), (0, n_missing)), mode="edge")
            return _finished(frames, settings)

        return image

    def _raise_for(self, failures, *, n_tracks=None):
        """Raise for tracks that can't be used: for any, or, if they may be NaN, for all of them."""
        if not failures or (self.on_error == "nan" and len(failures) != n_tracks):
            return
        missing = all(isinstance(error, AudioNotFoundError) for error in failures.values())
        reasons = _reasons(failures)
        if len(reasons) > 10:
            reasons[10:] = [f"... and {len(reasons) - 10} more."]
        if self.on_error == "raise":
            reasons.append('Mend or drop them, or use on_error="nan" to get rows of NaN for them.')
        raise (AudioNotFoundError if missing else AudioError)("\n".join(reasons))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.allow_nan = self.on_error == "nan"
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


_STATISTICS = ("mean", "std", "delta_std")


def _cells(X):
    """Return X as a 1-D array of paths and waveforms, or None where it is a table of numbers."""
    if isinstance(X, (str, bytes, os.PathLike)):
        raise ValueError(f"Expected a sequence of tracks, got the single path {X!r}: use [{X!r}].")
    if isinstance(X, (list, tuple)):
        # numpy would stack arrays of one length, and refuse others.
        if any(isinstance(cell, (str, os.PathLike, np.ndarray)) for cell in X):
            cells = np.empty(len(X), dtype=object)
            for row, cell in enumerate(X):
                cells[row] = cell
            return cells
        X = np.asarray(X, dtype=object)
    elif isinstance(X, (pd.Series, pd.DataFrame)):
        X = X.to_numpy(dtype=object)
    if not isinstance(X, np.ndarray) or X.dtype.kind not in "OUT":
        return None
    is_path_or_array = [isinstance(cell, (str, os.PathLike, np.ndarray)) for cell in X.ravel()]
    if not any(is_path_or_array):
        return None
    if X.ndim > 2 or (X.ndim == 2 and X.shape[1] != 1):
        raise ValueError(
            f"Expected one column of paths or waveforms, got an array of shape {X.shape}. Select "
            'the column, with ColumnTransformer([("audio", SpectrogramExtractor(), ["audio"])]) '
            "for example."
        )
    return X.astype(object).ravel()


def _or_error(function, *args):
    """Return the result, or the AudioError: one bad track must not end the work on the others."""
    try:
        return function(*args)
    except AudioError as error:
        return error


def _failures(outcomes):
    return {row: error for row, error in enumerate(outcomes) if isinstance(error, AudioError)}


def _reasons(failures):
    return [f"Row {row}: {error}" for row, error in failures.items()]


def _stamp(track):
    if isinstance(track, (str, os.PathLike)):
        return file_stamp(track)
    if isinstance(track, np.ndarray):
        check_waveform(track, "the waveform")
        return None
    raise AudioError(f"got {track!r}, expected a path or a 1-D array of samples.")


def _length(track, stamp, sample_rate, offset):
    if isinstance(stamp, AudioError):
        raise stamp
    if stamp is not None:
        return file_length(stamp.path, sample_rate=sample_rate, offset=offset)
    return len(_stretch(track, sample_rate, offset))


def _stretch(waveform, sample_rate, offset):
    stretch = waveform[int(offset * sample_rate) :]
    if len(stretch) == 0:
        raise AudioError(
            f"the waveform is {len(waveform) / sample_rate:.2f} s long, so offset={offset} s is "
            "past its end."
        )
    return stretch


def _of_file(path, size, mtime_ns, step, span, settings):
    # The size and the time of change are parts of the cache's key.
    waveform = read_audio(
        path,
        sample_rate=settings.sample_rate,
        offset=settings.offset,
        duration=span / settings.sample_rate,
    )
    return {"_image": _image, "_frames": _frames}[step](waveform, span, settings)


def _image(waveform, span, settings):
    """Compute the image of the first `span` samples: shape (n_bands, n_columns), float32."""
    return _finished(_frames(waveform, span, settings), settings)


def _frames(waveform, span, settings):
    """Compute log-mel or chroma frames of the first `span` samples, padded unless pooled."""
    waveform = waveform[:span] if settings.pooling else fit_length(waveform, span)
    n_frames = 1 + len(waveform) // settings.hop_length
    if waveform.dtype.kind != "f":
        waveform = waveform.astype(np.float32)
    # librosa warns of a signal shorter than a window, and then pads it with silence likewise.
    waveform = fit_length(waveform, max(len(waveform), settings.n_fft))
    spectrum = librosa.stft(waveform, n_fft=settings.n_fft, hop_length=settings.hop_length)
    power = np.abs(spectrum[:, :n_frames]) ** 2
    if settings.feature == "chroma":
        return librosa.feature.chroma_stft(
            S=power, sr=settings.sample_rate, n_fft=settings.n_fft, n_chroma=settings.n_bands
        )
    basis = _mel_basis(
        settings.sample_rate, settings.n_fft, settings.n_mels, settings.fmin, settings.fmax
    )
    return librosa.power_to_db(basis @ power, top_db=None)


def _finished(frames, settings):
    """Bring the decibels into their range, and make coefficients or statistics of them."""
    image = frames
    if settings.feature != "chroma":
        peak = frames.max()
        if settings.top_db is not None:
            image = np.maximum(frames, peak - settings.top_db)
        if settings.feature == "mel":
            image = image - peak
        else:
            image = librosa.feature.mfcc(S=image, n_mfcc=settings.n_bands)
    if settings.pooling:
        # The default, "interp", needs as many frames as the filter is wide.
        mode = "interp" if image.shape[1] >= 9 else "nearest"
        delta = librosa.feature.delta(image, mode=mode)
        image = np.stack([image.mean(axis=1), image.std(axis=1), delta.std(axis=1)], axis=1)
    return image.astype(np.float32, copy=False)


@functools.lru_cache(maxsize=8)
def _mel_basis(sample_rate, n_fft, n_mels, fmin, fmax):
    return librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax)
