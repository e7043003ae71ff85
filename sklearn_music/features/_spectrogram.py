"""From audio to spectrograms, one row per track."""

import contextlib
import functools
import warnings
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, Literal, Self

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from .._docstrings import shared
from .._typing import fit_context
from ..exceptions import AudioError
from ._bandwidth import (
    common_fmax,
    describe_narrow,
    measure_bandwidth,
    stated_bandwidth,
    warning_of_fit,
    waveform_bandwidth,
)
from ._columns import stretch
from ._docstrings import TRACKS
from ._spectrogram_image import FEATURES, STATISTICS, Feature, Settings, compute_image, count_frames
from ._track_transformer import CACHE_VERSION, TrackTransformer
from .audio import AnyPath, file_length
from .workers import Failures, failures_of, joined_workers, or_error


@shared(TRACKS)
class SpectrogramExtractor(TrackTransformer):
    """Turn tracks into spectrograms: mel, MFCC or chroma.

    A track is an audio file or a mono waveform. Each becomes one row: the spectrogram of a
    stretch of the same length, band after band, so that ``row.reshape(image_shape_)`` is the
    picture. With ``pooling="stats"`` the row holds three statistics of each band instead: the
    baseline features that an embedding has to beat.

    Parameters
    ----------
    feature : {"mel", "mfcc", "chroma"}, default="mel"
        What librosa computes: the mel spectrogram in dB relative to the track's own peak; the
        mel-frequency cepstral coefficients; the chroma, the strength of each pitch class.
    {sample_rate}
    n_mels : int, default=128
        Number of mel bands, for ``feature="mel"`` and for the MFCCs, which are made of them.
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
    fmax : float or "common", default=None
        Highest frequency of the mel bands, in Hz; None is half of `sample_rate`. Chroma leaves
        out what lies above it. ``"common"`` measures the bandwidth of each track in `fit` (see
        :func:`~sklearn_music.features.measure_bandwidth`), and takes the highest frequency that
        all tracks have. Use it if some files have a low sample rate or bitrate, which would
        become a cluster of their own because of the missing treble. Tracks below 3,000 Hz, which
        are probably damaged, are not counted; a warning names them.
    top_db : float, default=80.0
        How far below the peak the decibels are cut off; None means no limit.
    offset : float, default=0.0
        Where in the track the stretch begins, in seconds.
    duration : float, default=None
        Length of the stretch, in seconds: longer tracks are cropped, shorter ones padded with
        silence. None takes the longest track seen in `fit`.
    pooling : {"stats"}, default=None
        ``"stats"`` gives the mean, the standard deviation and the standard deviation of the
        delta of each band, over the frames of the track, which is not padded. None gives the
        whole spectrogram.
    {running}

    Attributes
    ----------
    image_shape_ : tuple of int
        ``(n_bands, n_frames)``, or ``(n_bands, 3)`` with pooling.
    fmax_ : float
        The `fmax` that is used, in Hz. With ``fmax="common"`` it is 92 % of the lowest bandwidth
        of a track, in steps of 250 Hz, or half of `sample_rate` if every track reaches 90 % of
        that.
    n_samples_ : int
        Length of the stretch, in samples at `sample_rate`.
    {tracks_seen}

    See Also
    --------
    AudioEncoder : The vectors of a pretrained model, in place of spectrograms.
    LyricVectorizer : The words of a track.
    GenreEncoder : The labels of a track.
    VAE : An embedding of the result.

    Notes
    -----
    `fit` decodes files only to measure their bandwidths, which takes about as long as the
    spectrograms of 10 seconds; `memory` keeps the result. It warns of tracks whose bandwidth is
    less than four fifths of that of the others: as measured with ``fmax="common"``, else by the
    sample rates that the files state. So does `transform` with ``fmax="common"``, for tracks
    below four fifths of `fmax_`.

    With ``power`` the squared magnitude of the short-time Fourier transform (Hann window, frames
    centred, the ends padded with silence), the three features are
    ``power_to_db(melspectrogram(S=power), ref=np.max, top_db=top_db)``,
    ``mfcc(S=power_to_db(melspectrogram(S=power), top_db=top_db))`` and
    ``chroma_stft(S=power)`` of librosa [1]_. A silent track is 0 dB everywhere, its own peak.
    The silence that a short track is padded with changes neither its peak nor its tuning.

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
        **TrackTransformer._parameter_constraints,
        "feature": [StrOptions(set(FEATURES))],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "n_mfcc": [Interval(Integral, 1, None, closed="left")],
        "n_chroma": [Interval(Integral, 1, None, closed="left")],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "fmin": [Interval(Real, 0, None, closed="left")],
        "fmax": [Interval(Real, 0, None, closed="neither"), StrOptions({"common"}), None],
        "top_db": [Interval(Real, 0, None, closed="neither"), None],
        "pooling": [StrOptions({"stats"}), None],
    }

    def __init__(
        self,
        feature: Feature = "mel",
        *,
        sample_rate: int = 22050,
        n_mels: int = 128,
        n_mfcc: int = 20,
        n_chroma: int = 12,
        n_fft: int = 2048,
        hop_length: int = 512,
        fmin: float = 0.0,
        fmax: float | Literal["common"] | None = None,
        top_db: float | None = 80.0,
        offset: float = 0.0,
        duration: float | None = None,
        pooling: Literal["stats"] | None = None,
        dtype: str | type[np.floating[Any]] = "float32",
        n_jobs: int | None = None,
        verbose: int = 0,
        memory: AnyPath | joblib.Memory | None = None,
        on_error: Literal["raise", "nan"] = "raise",
    ) -> None:
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
        self.dtype = dtype
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.memory = memory
        self.on_error = on_error

    @fit_context(prefer_skip_nested_validation=True)
    @shared(TRACKS)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the length of the stretch, and check that every track is there.

        Parameters
        ----------
        {fit_tracks}

        Returns
        -------
        self : SpectrogramExtractor
            The fitted transformer.

        Raises
        ------
        AudioError
            If a track can't be used (missing, empty, of an unknown format, shorter than
            `offset`, ...) and ``on_error="raise"``, or if none can.
        """
        nyquist = self.sample_rate / 2
        is_common = self.fmax == "common"
        highest = self.fmax if isinstance(self.fmax, Real) else nyquist
        self._check_frequencies(highest)
        tracks, stamps = self._check_tracks(X, reset=True)
        if self.duration is not None:
            self.n_samples_ = self._n_samples_of(self.duration)
        else:
            lengths = list(map(functools.partial(or_error, self._length), tracks, stamps))
            self._raise_for(failures_of(lengths), n_tracks=len(tracks))
            self.n_samples_ = max(n for n in lengths if not isinstance(n, AudioError))
        if is_common:
            bandwidths, failures = self._bandwidths(tracks, stamps)
            self._raise_for(failures, n_tracks=len(tracks))
        else:
            bandwidths = np.array([stated_bandwidth(stamp, nyquist) for stamp in stamps])
        self.fmax_ = common_fmax(bandwidths, highest) if is_common else float(highest)
        self._check_frequencies(self.fmax_)
        if narrow := warning_of_fit(bandwidths, stamps, highest, is_common=is_common):
            warnings.warn(narrow, UserWarning, stacklevel=3)
        self.image_shape_ = self._image_shape_of(self.n_samples_)
        return self

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
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
        columns = STATISTICS if self.pooling else [f"t{frame}" for frame in range(n_columns)]
        return np.array(
            [f"{self.feature}{band}_{column}" for band in range(n_bands) for column in columns],
            dtype=object,
        )

    def planned_image_shape(self) -> tuple[int, int] | None:
        """Return the shape that `image_shape_` will have, before any `fit`.

        Returns
        -------
        image_shape : tuple of int or None
            None where it depends on the tracks: without `duration` and `pooling`.
        """
        if self.pooling:
            return self._image_shape_of(0)
        if self.duration is None:
            return None
        return self._image_shape_of(self._n_samples_of(self.duration))

    @property
    def _n_bands(self) -> int:
        return int(getattr(self, FEATURES[self.feature].n_bands))

    @property
    def _n_features_out(self) -> int:
        return self.image_shape_[0] * self.image_shape_[1]

    def _image_shape_of(self, n_samples: int) -> tuple[int, int]:
        if self.pooling:
            return (self._n_bands, len(STATISTICS))
        return (self._n_bands, count_frames(n_samples, self.n_fft, self.hop_length))

    def _check_frequencies(self, fmax: float) -> None:
        nyquist = self.sample_rate / 2
        if not self.fmin < fmax <= nyquist:
            what = f", which is {fmax:g} Hz for these tracks" if self.fmax == "common" else " Hz"
            raise ValueError(
                f"Got fmin={self.fmin} and fmax={self.fmax!r}{what}, expected fmin < fmax <= "
                f"sample_rate / 2 = {nyquist:g} Hz."
            )
        if self.feature == "mfcc" and self.n_mfcc > self.n_mels:
            raise ValueError(
                f"Got n_mfcc={self.n_mfcc}, but there are only n_mels={self.n_mels} mel bands "
                "to make them from. Lower n_mfcc or raise n_mels."
            )

    def _settings(self) -> Settings:
        # As plain numbers: 0 and 0.0, or an int64 of a grid, are one key of the cache.
        return Settings(
            feature=self.feature,
            sample_rate=int(self.sample_rate),
            n_bands=self._n_bands,
            n_mels=int(self.n_mels),
            n_fft=int(self.n_fft),
            hop_length=int(self.hop_length),
            fmin=float(self.fmin),
            fmax=self.fmax_,
            top_db=None if self.top_db is None else float(self.top_db),
            pooling=self.pooling,
        )

    def _identity(self) -> tuple[Any, ...]:
        return self._settings(), float(self.offset), self.n_samples_

    def _length(self, track: Any, stamp: Any) -> int:
        """Return the number of samples from the offset on; files are asked by their header."""
        if stamp is None:
            return len(stretch(track, sample_rate=self.sample_rate, offset=self.offset))
        return file_length(stamp.path, sample_rate=self.sample_rate, offset=self.offset)

    def _bandwidths(self, tracks: list[Any], stamps: list[Any]) -> tuple[NDArray[Any], Failures]:
        """Measure the bandwidth of each track: NaN where that fails, and the errors."""
        through_cache = self._check_memory().cache(_bandwidth_of_file)
        sample_rate, offset = int(self.sample_rate), float(self.offset)
        duration = None if self.duration is None else float(self.duration)

        def measure(track, stamp):
            if stamp is not None:
                return through_cache(*stamp, offset, duration, CACHE_VERSION)
            waveform = stretch(track, sample_rate=sample_rate, offset=offset)
            return waveform_bandwidth(waveform, sample_rate, duration=duration)

        outcomes = self._outcomes(tracks, stamps, measure)
        with joined_workers(), contextlib.closing(outcomes):
            measured = list(outcomes)
        failures = failures_of(measured)
        return np.array([np.nan if i in failures else b for i, b in enumerate(measured)]), failures

    def _row_function(self) -> Callable[[Any, Any], NDArray[np.float32]]:
        """Return the function from a track to its flat image."""
        settings = self._settings()
        compute = self._track_function()

        def row(track, stamp):
            # If `fit` learnt the length, it differs from fold to fold. The cache then holds the
            # image of the whole track, up to a first frame of silence.
            is_whole = self.duration is None and self._length(track, stamp) <= self.n_samples_
            n_samples = None if is_whole else self.n_samples_
            duration = None if self.duration is None else float(self.duration)
            if duration is None and n_samples is not None:
                # Half a sample more, so that rounding does not lose the last one.
                duration = (n_samples + 0.5) / settings.sample_rate
            image = compute(
                track,
                stamp,
                duration=duration,
                identity=("image", n_samples, settings),
                function=functools.partial(compute_image, n_samples=n_samples, settings=settings),
            )
            n_missing = max(0, self.image_shape_[1] - image.shape[1])
            image = np.pad(image, ((0, 0), (0, n_missing)), mode="edge")
            return image[:, : self.image_shape_[1]].ravel()

        return row

    def _doubts(self, tracks: list[Any], stamps: list[Any]) -> str:
        """Say which tracks hold less treble than those of `fit`."""
        if self.fmax != "common":
            return ""
        bandwidths, _ = self._bandwidths(tracks, stamps)
        narrow = describe_narrow(bandwidths, stamps, self.fmax_)
        return narrow and (
            f"{narrow}, less than fmax_={self.fmax_:g} Hz, up to which tracks are compared since "
            "fit. Because of the missing treble they may be put in wrong clusters. Leave them "
            "out, or fit again with them."
        )

    def _rows(self, tracks: list[Any], stamps: list[Any]) -> tuple[NDArray[Any], Failures]:
        with warnings.catch_warnings():
            # Silence has no tuning, and librosa takes 0 then, as it should.
            warnings.filterwarnings("ignore", "Trying to estimate tuning from empty")
            return super()._rows(tracks, stamps)


def _bandwidth_of_file(path, size, mtime_ns, offset, duration, version):
    # In the cache's key, the size and the time of change stand for the file's content.
    return measure_bandwidth(path, offset=offset, duration=duration)
