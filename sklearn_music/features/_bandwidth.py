"""How high the frequencies of tracks reach, and up to which frequency they can be compared."""

import functools
import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

from ..exceptions import AudioError
from .audio import AnyPath, FileStamp, file_rate, file_stamp, read_audio

# Seconds to measure at first, and then if a cut-off was found: an intro may lack treble by nature,
# or because an encoder left out what was too soft there.
_LOOKS = (10.0, 60.0)

# A cut-off is a fall of this many dB, beyond twice the slope just below it. On 502 songs the
# largest one elsewhere was 8 dB; those of low-bitrate mp3 files and of resampling have 25 to 90.
_CLIFF = 20.0

# A mel spectrogram with top_db=80 does not show what is so many dB below the strongest bin: a bin
# is 2.7 Hz wide, a band some 30 bins.
_FAINT = 95.0

# Tracks of a lower bandwidth, in Hz, are named, but do not lower the common frequency.
LOWEST_COMMON = 3000.0
# A track holds clearly less treble than the others below this share of their bandwidth.
_SHARE = 0.8


def measure_bandwidth(
    path: AnyPath, *, offset: float = 0.0, duration: float | None = None
) -> float:
    """Measure the highest frequency that an audio file holds.

    It is half the file's sample rate, unless the spectrum ends at a lower cut-off, as in a
    low-bitrate mp3 file, or in audio that was resampled from a lower rate. At a cut-off, the
    long-term spectrum falls to nearly nothing within a few percent of the frequency. A gentle
    roll-off, a tone, silence, and less than a second of audio have no cut-off.

    Parameters
    ----------
    path : str or PathLike
        An audio file.
    offset : float, default=0.0
        Where in the file to start, in seconds.
    duration : float, default=None
        How many seconds to measure, at most 60. None means 60.

    Returns
    -------
    bandwidth : float
        The highest frequency, in Hz. At a cut-off, the middle of the fall.

    Raises
    ------
    AudioError
        If the file can't be read.

    See Also
    --------
    SpectrogramExtractor : Its ``fmax="common"`` compares tracks up to the lowest bandwidth.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import soundfile
    >>> from sklearn_music.features import measure_bandwidth
    >>> path = os.path.join(tempfile.mkdtemp(), "telephone.wav")
    >>> soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 16000), 8000)
    >>> measure_bandwidth(path)
    4000.0
    """
    rate = file_rate(file_stamp(path))
    read = functools.partial(read_audio, path, sample_rate=rate, offset=offset)
    return _measure(lambda seconds: read(duration=seconds), rate, duration)


def waveform_bandwidth(
    waveform: NDArray[Any], rate: float, *, duration: float | None = None
) -> float:
    """Measure the highest frequency that a waveform holds, as `measure_bandwidth` does."""
    return _measure(lambda seconds: waveform[: math.ceil(seconds * rate)], rate, duration)


def _measure(read: Callable[[float], NDArray[Any]], rate: float, duration: float | None) -> float:
    bandwidth = rate / 2
    for seconds in _LOOKS:
        bandwidth = _cut_off(read(seconds if duration is None else min(seconds, duration)), rate)
        if bandwidth == rate / 2 or (duration is not None and duration <= seconds):
            break
    return bandwidth


def _cut_off(waveform: NDArray[Any], rate: float) -> float:
    """Return the frequency of the steepest cut-off, or half the rate where there is none."""
    nyquist = rate / 2
    lowest, highest = 1500.0, 0.85 * nyquist  # above that, a resampler's own filter may be seen
    if len(waveform) < rate or highest < lowest:
        return nyquist
    # Long windows, and a window function of low side lobes: a tone must stay narrow.
    n_fft = 2 ** round(math.log2(rate / 2.7))
    frequencies, _, power = signal.spectrogram(
        waveform.astype(np.float32), rate, ("kaiser", 16.0), n_fft, n_fft // 2, detrend=False
    )
    mean = power.mean(axis=1)
    peak = float(mean.max())
    if peak == 0:
        return nyquist
    step = rate / n_fft
    # Above a cut-off, any sound counts: the mean over 50 Hz. Below it, only what many frames have:
    # tones one after the other, or a glissando, are no broad spectrum.
    smooth = ndimage.uniform_filter1d(mean.astype(float), 2 * round(25 / step) + 1)
    level = _decibels(smooth, peak)
    above = np.maximum.accumulate(level[::-1])[::-1]
    often = _decibels(np.percentile(power, 85, axis=1), peak)
    largest, bandwidth = _CLIFF, nyquist
    for frequency in np.geomspace(lowest, highest, 64):
        edges = np.array([frequency / 2, frequency / 1.155, frequency / 1.05, frequency * 1.05])
        first, before, last, foot = (edges / step).round().astype(int)
        below = np.percentile(often[first:last], 10)
        slope = np.median(often[2 * before - last : before]) - np.median(often[before:last])
        fall = below - above[foot] - 2 * max(0.0, slope)
        if fall > largest and below > -_FAINT:
            middle = (below + above[foot]) / 2
            largest, bandwidth = fall, frequencies[np.flatnonzero(level > middle)[-1]]
    return float(bandwidth)


def _decibels(power: NDArray[Any], peak: float) -> NDArray[Any]:
    return 10 * np.log10(np.maximum(power / peak, 1e-14))


def common_fmax(bandwidths: NDArray[np.float64], highest: float) -> float:
    """Return the frequency up to which tracks can be compared, at most `highest`, in Hz.

    Resampling and encoders weaken what is just below a cut-off, so 8 % are left out. Steps of
    250 Hz, so that nearly equal files have one result, and one entry in a cache.
    """
    bandwidths = bandwidths[~np.isnan(bandwidths)]
    counting = bandwidths[bandwidths >= LOWEST_COMMON]
    lowest = (counting if len(counting) else bandwidths).min(initial=highest)
    if lowest >= 0.9 * highest:
        return float(highest)
    return float(max(0.92 * lowest // 250 * 250, min(250.0, lowest)))


def stated_bandwidth(stamp: FileStamp | AudioError | None, nyquist: float) -> float:
    """Return half the sample rate that a file's header states; that of waveforms is ours."""
    if stamp is None:
        return nyquist
    try:
        # A file that can't be read is named where it is decoded.
        return np.nan if isinstance(stamp, AudioError) else file_rate(stamp) / 2
    except AudioError:
        return np.nan


def describe_narrow(bandwidths: NDArray[np.float64], stamps: Sequence[Any], limit: float) -> str:
    """Say which tracks hold clearly less than `limit`, in Hz; an empty string where none does."""
    rows = np.flatnonzero(bandwidths < _SHARE * limit)
    if not len(rows):
        return ""
    rows = rows[np.argsort(bandwidths[rows], kind="stable")]
    listed = []
    for row in rows[:5]:
        stamp = stamps[row]
        name = f", {os.path.basename(stamp.path)}" if isinstance(stamp, FileStamp) else ""
        listed.append(f"row {row}{name}: {_in_khz(bandwidths[row])}")
    if len(rows) > len(listed):
        listed.append(f"and {len(rows) - len(listed)} more")
    return (
        f"{len(rows)} of {len(bandwidths)} tracks {'holds' if len(rows) == 1 else 'hold'} nothing "
        f"above {_in_khz(bandwidths[rows].max())} ({', '.join(listed)})"
    )


def warning_of_fit(
    bandwidths: NDArray[np.float64], stamps: Sequence[Any], highest: float, *, is_common: bool
) -> str:
    """Say which tracks hold less treble than the others, what follows, and what to do."""
    limit = min(highest, np.fmax.reduce(bandwidths, initial=0.0))
    narrow = describe_narrow(bandwidths, stamps, limit)
    if not narrow:
        return ""
    common = common_fmax(bandwidths, highest)
    others = common_fmax(bandwidths[bandwidths >= _SHARE * limit], highest)
    sentences = [f"{narrow}."]
    if is_common and common < others:
        sentences.append(
            f"So all tracks are compared up to {_in_khz(common)} (fmax='common'). Leave those "
            f"out to compare the others up to {_in_khz(others)}."
        )
    elif common < others:
        sentences.append(
            "Because of the missing treble they may become clusters of their own. Use "
            f"fmax='common', or fmax={common:g}, to compare all tracks by what they have in common."
        )
    if np.nanmin(bandwidths) < LOWEST_COMMON <= np.nanmax(bandwidths):
        sentences.append(
            f"Those that hold nothing above {_in_khz(LOWEST_COMMON)} don't lower fmax='common': "
            "because of the missing treble they may become a cluster of their own. Leave them out."
        )
    return " ".join(sentences)


def _in_khz(frequency: float) -> str:
    return f"{frequency / 1000:.3g} kHz"
