"""From audio to spectrograms, one row per track."""

import contextlib
import functools
import os
import warnings
from numbers import Integral, Real
from typing import NamedTuple

import librosa
import numpy as np
from scipy import fft, signal, sparse
from sklearn.base import _fit_context
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from ..exceptions import AudioError
from ._bandwidth import (
    LOWEST_COMMON,
    common_fmax,
    describe_narrow,
    in_khz,
    measure_bandwidth,
    waveform_bandwidth,
)
from ._track_transformer import (
    CACHE_VERSION,
    TrackTransformer,
    failures_of,
    joined_workers,
    or_error,
    stretch,
)
from .audio import FileStamp, file_length, file_rate


class _Settings(NamedTuple):
    """The parameters that shape a track's image, and so are part of its cache key."""

    feature: str
    sample_rate: int
    n_bands: int
    n_mels: int
    n_fft: int
    hop_length: int
    fmin: float
    fmax: float
    top_db: float | None
    pooling: str | None


class SpectrogramExtractor(TrackTransformer):
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
    fmax : float or "common", default=None
        Highest frequency of the mel bands, in Hz; None is half of `sample_rate`. Chroma leaves
        out what lies above it. ``"common"`` measures in `fit` how high the frequencies of each
        track reach (see :func:`~sklearn_music.features.measure_bandwidth`), and takes the
        highest frequency that all tracks have. Use it for a collection in which some files have
        a low sample rate or are low-bitrate mp3 files: by the missing treble alone these look
        alike, and become a cluster of their own. Tracks below 3,000 Hz don't count for that,
        lest one damaged file takes the treble from all others; a warning names them.
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
    dtype : {"float32", "float16"} or NumPy's type, default="float32"
        The type of the result. "float16" takes half the space, and rounds
        decibels to within 0.03.
    n_jobs : int, default=None
        Number of tracks worked on at a time. They share one process: decoding,
        resampling and the Fourier transform leave Python's lock.
    verbose : int, default=0
        Shows a progress bar, with the time that is left, where not 0.
    memory : str, path or joblib.Memory, default=None
        Where the spectrograms of files are kept. The key is the file (path,
        size and time of change) with the parameters that shape the result, so
        a search reads each file once, a file that has changed is read again,
        and a run that was killed goes on where it was. For what happens to a
        result larger than memory, see :ref:`large_collections`.
    on_error : {"raise", "nan"}, default="raise"
        What happens to a track that can't be used: an error that names the row
        and the file, or a row of NaN and one warning that lists all of them.

    Attributes
    ----------
    image_shape_ : tuple of int
        ``(n_bands, n_frames)``, or ``(n_bands, 3)`` with pooling.
    fmax_ : float
        The `fmax` that is used, in Hz. With ``fmax="common"`` it is 92 % of the lowest bandwidth
        of a track, in steps of 250 Hz, or half of `sample_rate` where every track reaches 90 %
        of that.
    n_samples_ : int
        Length of the stretch, in samples at `sample_rate`.
    failures_ : dict of int to str
        The tracks that could not be used in the last `fit`, `transform` or `fit_transform`: the
        row number of each, with the reason. Empty if there were none. `fit` looks at the files,
        but decodes none.
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
    `fit` warns where some tracks hold clearly less treble than the others, by more than a fifth:
    with ``fmax="common"`` by measurement, else by the sample rates that the files state. So does
    `transform` with ``fmax="common"``, for tracks that hold clearly less than `fmax_`. Measuring
    takes about as long as computing the spectrograms of 10 seconds; `memory` keeps the result.

    With ``power`` the squared magnitude of the short-time Fourier transform
    (Hann window, frames centred, the ends padded with silence), the three are
    ``power_to_db(melspectrogram(S=power), ref=np.max, top_db=top_db)``,
    ``mfcc(S=power_to_db(melspectrogram(S=power), top_db=top_db))`` and
    ``chroma_stft(S=power)`` of librosa [1]_. A silent track is 0 dB everywhere,
    its own peak. Only the track's own frames determine its peak and its tuning, not those of
    the silence that a short track is padded with.

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
        "feature": [StrOptions({"mel", "mfcc", "chroma"})],
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
        dtype="float32",
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
        self.dtype = dtype
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
            or a numeric table of waveforms of one length. Waveforms of type int8, uint8,
            int16 or int32 are scaled to ±1 by the range of their type, as soundfile does;
            other integers beyond ±127 are refused.
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
        nyquist = self.sample_rate / 2
        highest = nyquist if self.fmax in (None, "common") else self.fmax
        self._check_frequencies(highest)
        tracks, stamps = self._check_tracks(X, reset=True)
        if self.duration is not None:
            self.n_samples_ = self._n_samples_of_duration()
        else:
            lengths = [
                or_error(self._length, track, stamp)
                for track, stamp in zip(tracks, stamps, strict=True)
            ]
            self._raise_for(failures_of(lengths), n_tracks=len(tracks))
            self.n_samples_ = max(n for n in lengths if not isinstance(n, AudioError))
        if self.fmax == "common":
            bandwidths, failures = self._bandwidths(tracks, stamps)
            self._raise_for(failures, n_tracks=len(tracks))
        else:
            bandwidths = np.array([_stated_bandwidth(stamp, nyquist) for stamp in stamps])
        known = bandwidths[~np.isnan(bandwidths)]
        common = common_fmax(known, highest)
        self.fmax_ = common if self.fmax == "common" else float(highest)
        self._check_frequencies(self.fmax_)
        limit = min(highest, known.max(initial=0.0))
        narrow = describe_narrow(bandwidths, _names(stamps), limit)
        if narrow:
            others = common_fmax(known[known >= 0.8 * limit], highest)
            warnings.warn(
                f"{narrow}. {self._cure(common, others, bandwidths)}", UserWarning, stacklevel=3
            )
        self.image_shape_ = self._image_shape_of(self.n_samples_)
        return self

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

    def _n_samples_of_duration(self):
        return max(1, round(self.duration * self.sample_rate))

    def _image_shape_of(self, n_samples):
        if self.pooling:
            return (self._n_bands, len(_STATISTICS))
        return (self._n_bands, _count_frames(n_samples, self.n_fft, self.hop_length))

    def planned_image_shape(self):
        """Return `image_shape_` before any `fit`, or None where it depends on the tracks."""
        if self.duration is None and not self.pooling:
            return None
        return self._image_shape_of(0 if self.pooling else self._n_samples_of_duration())

    def _check_frequencies(self, fmax):
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

    @property
    def _n_features_out(self):
        return self.image_shape_[0] * self.image_shape_[1]

    def _settings(self):
        # As plain numbers: 0 and 0.0, or an int64 of a grid, are one key of the cache.
        return _Settings(
            feature=self.feature,
            sample_rate=int(self.sample_rate),
            n_bands=int(self._n_bands),
            n_mels=int(self.n_mels),
            n_fft=int(self.n_fft),
            hop_length=int(self.hop_length),
            fmin=float(self.fmin),
            fmax=self.fmax_,
            top_db=None if self.top_db is None else float(self.top_db),
            pooling=self.pooling,
        )

    def _identity(self):
        return self._settings(), float(self.offset), self.n_samples_

    def _length(self, track, stamp):
        """Return the number of samples from the offset on; files are asked by their header."""
        if stamp is None:
            return len(stretch(track, sample_rate=self.sample_rate, offset=self.offset))
        return file_length(stamp.path, sample_rate=self.sample_rate, offset=self.offset)

    def _bandwidths(self, tracks, stamps):
        """Measure the bandwidth of each track: NaN where that fails, and the errors by row."""
        through_cache = self._check_memory().cache(_bandwidth_of_file)
        sample_rate, offset = int(self.sample_rate), float(self.offset)
        duration = None if self.duration is None else float(self.duration)

        def measure(track, stamp):
            if stamp is not None:
                return through_cache(*stamp, offset, duration, CACHE_VERSION)
            waveform = stretch(track, sample_rate=sample_rate, offset=offset)
            return waveform_bandwidth(waveform, sample_rate, duration=duration)

        with (
            joined_workers(),
            contextlib.closing(self._outcomes(tracks, stamps, measure)) as outcomes,
        ):
            outcomes = list(outcomes)
        failures = failures_of(outcomes)
        return np.array([np.nan if i in failures else b for i, b in enumerate(outcomes)]), failures

    def _cure(self, common, others, bandwidths):
        """Say what the tracks of a low bandwidth do to the others, and what to do."""
        sentences = []
        if self.fmax == "common" and common < others:
            sentences.append(
                f"So all tracks are compared up to {in_khz(common)} (fmax='common'). Leave those "
                f"out to compare the others up to {in_khz(others)}."
            )
        elif common < others:
            sentences.append(
                "By the missing treble they may become clusters of their own. Use fmax='common', "
                f"or fmax={common:g}, to compare all tracks by what they have in common."
            )
        if np.nanmin(bandwidths) < LOWEST_COMMON <= np.nanmax(bandwidths):
            sentences.append(
                f"Those that hold nothing above {in_khz(LOWEST_COMMON)} don't lower fmax='common': "
                "by the missing treble they may become a cluster of their own. Leave them out."
            )
        return " ".join(sentences)

    def _row_function(self):
        """Return the function from a track to its flat image.

        Where the length of the stretch was learnt in `fit`, it differs from fold to fold. What
        is kept then is the image of the whole track, up to a first frame of silence, which does
        not depend on it.
        """
        settings = self._settings()
        compute = self._track_function()

        def row(track, stamp):
            n_samples, duration = self.n_samples_, self.duration
            if duration is None and self._length(track, stamp) <= n_samples:
                n_samples = None
            elif duration is None:
                # Half a sample more, lest rounding take the last one.
                duration = (n_samples + 0.5) / settings.sample_rate
            image = compute(
                track,
                stamp,
                duration=None if duration is None else float(duration),
                identity=("image", n_samples, settings),
                function=functools.partial(_image, n_samples=n_samples, settings=settings),
            )
            n_missing = max(0, self.image_shape_[1] - image.shape[1])
            image = np.pad(image, ((0, 0), (0, n_missing)), mode="edge")
            return image[:, : self.image_shape_[1]].ravel()

        return row

    def transform(self, X):
        """Compute the row of each track.

        Parameters
        ----------
        X : array-like of shape (n_tracks,) or (n_tracks, 1) or (n_tracks, n_samples)
            As in `fit`.

        Returns
        -------
        X_out : ndarray of shape (n_tracks, n_columns), of type `dtype`
            One row per track. If it is larger than a quarter of the machine's memory and
            `memory` is a folder, a read-only :class:`numpy.memmap` of a file in that folder.

        Raises
        ------
        AudioError
            If a track can't be used and ``on_error="raise"``.
        """
        check_is_fitted(self)
        if self.fmax == "common":
            tracks, stamps = self._check_tracks(X, reset=False)
            bandwidths, _ = self._bandwidths(tracks, stamps)
            if narrow := describe_narrow(bandwidths, _names(stamps), self.fmax_):
                warnings.warn(
                    f"{narrow}, less than fmax_={self.fmax_:g} Hz, up to which tracks are "
                    "compared since fit. By the missing treble they may be put in wrong clusters. "
                    "Leave them out, or fit again with them.",
                    UserWarning,
                    stacklevel=3,
                )
        return self._transform(X)

    def fit_transform(self, X, y=None):
        """Fit to the tracks, and compute the row of each.

        Parameters
        ----------
        X : array-like of shape (n_tracks,) or (n_tracks, 1) or (n_tracks, n_samples)
            As in `fit`.
        y : None
            Ignored.

        Returns
        -------
        X_out : ndarray of shape (n_tracks, n_columns), of type `dtype`
            As from `transform`.
        """
        # What `fit` has measured, and warned of, is not measured again.
        return self.fit(X)._transform(X)

    def _rows(self, tracks, stamps):
        with warnings.catch_warnings():
            # Silence has no tuning, and librosa takes 0 then, as it should.
            warnings.filterwarnings("ignore", "Trying to estimate tuning from empty")
            return super()._rows(tracks, stamps)


def _stated_bandwidth(stamp, nyquist):
    """Return half the sample rate that a file's header states; that of waveforms is ours."""
    if stamp is None:
        return nyquist
    try:
        # A file that can't be read is named where it is decoded.
        return np.nan if isinstance(stamp, AudioError) else file_rate(stamp) / 2
    except AudioError:
        return np.nan


def _bandwidth_of_file(path, size, mtime_ns, offset, duration, version):
    # In the cache's key, the size and the time of change stand for the file's content.
    return measure_bandwidth(path, offset=offset, duration=duration)


def _names(stamps):
    """Return the file's name behind each row's number, for a warning."""
    return [
        f", {os.path.basename(stamp.path)}" if isinstance(stamp, FileStamp) else ""
        for stamp in stamps
    ]


_STATISTICS = ("mean", "std", "delta_std")


def _image(waveform, *, n_samples, settings):
    """Compute the image of the first `n_samples`: shape (n_bands, n_columns), float32.

    A shorter waveform is padded with silence, unless pooled; if `n_samples` is None, up to the
    first frame that holds nothing else. Only the frames of the waveform itself determine the
    peak and the tuning, so that its image does not depend on the padding.
    """
    waveform = waveform[:n_samples].astype(np.float32, copy=False)
    n_fft, hop_length = settings.n_fft, settings.hop_length
    n_own = n_frames = _count_frames(len(waveform), n_fft, hop_length)
    if not settings.pooling:
        if n_samples is None:
            n_frames = 1 + -(-(len(waveform) + n_fft // 2) // hop_length)
        else:
            n_frames = _count_frames(n_samples, n_fft, hop_length)
    blocks = _power_blocks(waveform, n_frames, n_fft, hop_length)
    if settings.feature == "chroma":
        power = np.concatenate(list(blocks), axis=1)
        power[fft.rfftfreq(n_fft, 1 / settings.sample_rate) > settings.fmax] = 0
        image = _chroma(power, n_own, settings)
    else:
        basis = _mel_basis(
            settings.sample_rate, n_fft, settings.n_mels, settings.fmin, settings.fmax
        )
        mel = np.concatenate([basis @ power for power in blocks], axis=1)
        image = _decibels(mel, n_own, settings)
    if settings.pooling:
        # The default, "interp", needs as many frames as the filter is wide.
        mode = "interp" if image.shape[1] >= 9 else "nearest"
        delta = librosa.feature.delta(image, mode=mode)
        image = np.stack([image.mean(axis=1), image.std(axis=1), delta.std(axis=1)], axis=1)
    return image.astype(np.float32, copy=False)


def _count_frames(n_samples, n_fft, hop_length):
    # Of librosa.stft: an odd window is centred with one sample less of padding than its length.
    return 1 + (n_samples - n_fft % 2) // hop_length


def _power_blocks(waveform, n_frames, n_fft, hop_length):
    """Yield ``abs(librosa.stft(waveform)) ** 2``, some frames at a time.

    So many that a core's cache holds them: twice as fast as all at once.
    """
    n_needed = (n_frames - 1) * hop_length + n_fft
    n_before = n_fft // 2
    padded = np.pad(waveform, (n_before, max(0, n_needed - n_before - len(waveform))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]
    window = signal.get_window("hann", n_fft).astype(np.float32)
    for block in gen_batches(n_frames, max(1, 2**18 // n_fft)):
        spectrum = fft.rfft(frames[block] * window)
        yield (spectrum.real**2 + spectrum.imag**2).T


def _chroma(power, n_own, settings):
    sr, n_chroma = settings.sample_rate, settings.n_bands
    tuning = librosa.estimate_tuning(S=power[:, :n_own], sr=sr, bins_per_octave=n_chroma)
    return librosa.feature.chroma_stft(
        S=power, sr=sr, n_fft=settings.n_fft, n_chroma=n_chroma, tuning=tuning
    )


def _decibels(mel, n_own, settings):
    """Bring the mel bands to decibels, and make coefficients of them for MFCCs."""
    image = librosa.power_to_db(mel, top_db=None)
    peak = image[:, :n_own].max()
    if settings.top_db is not None:
        image = np.maximum(image, peak - settings.top_db)
    if settings.feature == "mel":
        return image - peak
    return librosa.feature.mfcc(S=image, n_mfcc=settings.n_bands)


@functools.lru_cache(maxsize=8)
def _mel_basis(sample_rate, n_fft, n_mels, fmin, fmax):
    # A frequency is in two bands at most.
    return sparse.csr_array(
        librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax)
    )
