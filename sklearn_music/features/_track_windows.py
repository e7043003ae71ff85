"""Windows of a fixed length, spread over a track."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._columns import stretch
from .audio import decodes_from_start, file_length, read_audio, resample


def read_windows(
    track: Any,
    stamp: Any,
    *,
    waveform_rate: int,
    sample_rate: int,
    window_length: int | None,
    n_windows: int,
    offset: float,
    duration: float | None,
) -> list[NDArray[np.float32]]:
    """Return windows from the middles of equal parts of a stretch of a track.

    No more of a file than these windows is decoded, where its format allows that. A track that
    is shorter than a window is repeated until it fills one.

    Parameters
    ----------
    track, stamp : object
        A path and the stamp of its file, or a waveform and None.
    waveform_rate, sample_rate : int
        Rates of waveforms and of the windows, in Hz.
    window_length : int or None
        Samples of a window. None returns the whole stretch as one window.
    n_windows : int
        Number of windows.
    offset, duration : float
        Where the stretch begins and how long it is at most, in seconds.
    """
    waveform = None
    if stamp is None:
        waveform = stretch(track, sample_rate=waveform_rate, offset=offset)
        waveform = resample(waveform.astype(np.float32, copy=False), waveform_rate, sample_rate)
        n_samples = len(waveform)
    elif window_length is not None and decodes_from_start(stamp):
        # Once, not for the length and for each window again.
        seconds = None if duration is None else duration + 0.5 / sample_rate
        waveform = read_audio(stamp.path, sample_rate=sample_rate, offset=offset, duration=seconds)
        n_samples = len(waveform)
    elif window_length is not None:
        n_samples = file_length(stamp.path, sample_rate=sample_rate, offset=offset)
    if duration is not None:
        n_most = max(1, round(duration * sample_rate))
        n_samples = n_most if window_length is None else min(n_samples, n_most)
    if window_length is None:
        if waveform is None:
            waveform = read_audio(
                stamp.path, sample_rate=sample_rate, offset=offset, duration=duration
            )
        return [waveform if duration is None else waveform[:n_samples]]
    starts = _starts(n_samples, window_length, n_windows)
    if waveform is None and n_windows * window_length >= n_samples / 2:
        # Then a seek costs more than it saves.
        seconds = (n_samples + 0.5) / sample_rate
        waveform = read_audio(stamp.path, sample_rate=sample_rate, offset=offset, duration=seconds)
    if waveform is not None:
        windows = [waveform[:n_samples][start : start + window_length] for start in starts]
    else:
        seconds = (window_length + 0.5) / sample_rate
        windows = [
            read_audio(
                stamp.path,
                sample_rate=sample_rate,
                offset=offset + start / sample_rate,
                duration=seconds,
            )
            for start in starts
        ]
    return [np.resize(window, window_length) for window in windows]


def _starts(n_samples: int, window_length: int, n_windows: int) -> list[int]:
    room = max(0, n_samples - window_length)
    return [int(room * (i + 0.5) / n_windows) for i in range(n_windows)]
