"""From a waveform to its mel, MFCC or chroma image."""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal, sparse
from sklearn.utils import gen_batches

# librosa is imported in the functions: a result that is cached does not need it.

STATISTICS = ("mean", "std", "delta_std")


class Settings(NamedTuple):
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


def compute_image(
    waveform: NDArray[Any], *, n_samples: int | None, settings: Settings
) -> NDArray[np.float32]:
    """Compute the image of the first `n_samples`: shape (n_bands, n_columns).

    A shorter waveform is padded with silence, unless pooled; if `n_samples` is None, up to the
    first frame that holds nothing else. Only the frames of the waveform itself determine the
    peak and the tuning, so that its image does not depend on the padding.
    """
    import librosa

    waveform = waveform[:n_samples].astype(np.float32, copy=False)
    sr, n_fft, hop_length = settings.sample_rate, settings.n_fft, settings.hop_length
    n_own = n_frames = count_frames(len(waveform), n_fft, hop_length)
    if not settings.pooling:
        if n_samples is None:
            n_frames = 1 + -(-(len(waveform) + n_fft // 2) // hop_length)
        else:
            n_frames = count_frames(n_samples, n_fft, hop_length)
    blocks = _power_blocks(waveform, n_frames, n_fft, hop_length)
    if settings.feature == "chroma":
        power = np.concatenate(list(blocks), axis=1)
        power[fft.rfftfreq(n_fft, 1 / sr) > settings.fmax] = 0
        n_chroma = settings.n_bands
        tuning = librosa.estimate_tuning(S=power[:, :n_own], sr=sr, bins_per_octave=n_chroma)
        image = librosa.feature.chroma_stft(
            S=power, sr=sr, n_fft=n_fft, n_chroma=n_chroma, tuning=tuning
        )
    else:
        basis = _mel_basis(sr, n_fft, settings.n_mels, settings.fmin, settings.fmax)
        mel = np.concatenate([basis @ power for power in blocks], axis=1)
        image = librosa.power_to_db(mel, top_db=None)
        peak = image[:, :n_own].max()
        if settings.top_db is not None:
            image = np.maximum(image, peak - settings.top_db)
        if settings.feature == "mel":
            image = image - peak
        else:
            image = librosa.feature.mfcc(S=image, n_mfcc=settings.n_bands)
    if settings.pooling:
        # The default mode, "interp", needs as many frames as the filter is wide.
        mode = "interp" if image.shape[1] >= 9 else "nearest"
        delta = librosa.feature.delta(image, mode=mode)
        image = np.stack([image.mean(axis=1), image.std(axis=1), delta.std(axis=1)], axis=1)
    return image.astype(np.float32, copy=False)


def count_frames(n_samples: int, n_fft: int, hop_length: int) -> int:
    """Return the number of frames of librosa.stft, which pads an odd window by one less."""
    return 1 + (n_samples - n_fft % 2) // hop_length


def _power_blocks(
    waveform: NDArray[np.float32], n_frames: int, n_fft: int, hop_length: int
) -> Iterator[NDArray[np.float32]]:
    """Yield ``abs(librosa.stft(waveform)) ** 2``, as many frames at a time as a core caches.

    That is twice as fast as all at once.
    """
    n_needed = (n_frames - 1) * hop_length + n_fft
    n_before = n_fft // 2
    padded = np.pad(waveform, (n_before, max(0, n_needed - n_before - len(waveform))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]
    window = signal.get_window("hann", n_fft).astype(np.float32)
    for block in gen_batches(n_frames, max(1, 2**18 // n_fft)):
        spectrum = fft.rfft(frames[block] * window)
        yield (spectrum.real**2 + spectrum.imag**2).T


@functools.lru_cache(maxsize=8)
def _mel_basis(sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float) -> Any:
    import librosa

    # A frequency is in two bands at most.
    return sparse.csr_array(
        librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax)
    )
