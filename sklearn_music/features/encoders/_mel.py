"""Mel spectrograms as encoders take them."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def mel_power(
    window: NDArray[np.float32],
    sample_rate: int,
    *,
    n_fft: int,
    hop_length: int,
    n_mels: int,
    fmin: float = 0.0,
    fmax: float | None = None,
    htk: bool = False,
) -> NDArray[np.float32]:
    """Return the power in mel bands, (n_frames, n_mels), of frames that lie inside the window."""
    frames = np.lib.stride_tricks.sliding_window_view(window, n_fft)[::hop_length]
    hann, filters = _hann_and_filters(sample_rate, n_fft, n_mels, fmin, fmax, htk)
    spectra = np.fft.rfft(frames * hann, axis=1)
    power = (spectra.real**2 + spectra.imag**2).astype(np.float32)
    return power @ filters


@lru_cache(maxsize=8)
def _hann_and_filters(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None, htk: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    import librosa
    from scipy.signal import get_window

    filters = librosa.filters.mel(
        sr=sample_rate,
        n_fft=n_fft,
        n_mels=n_mels,
        fmin=fmin,
        fmax=fmax,
        htk=htk,
        norm=None if htk else "slaney",
    )
    return get_window("hann", n_fft).astype(np.float32), filters.T.astype(np.float32)
