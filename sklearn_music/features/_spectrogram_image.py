"""From a waveform to its mel, MFCC or chroma image."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal, sparse
from sklearn.utils import gen_batches

# librosa is imported in the functions: a result that is cached does not need it.

STATISTICS = ("mean", "std", "delta_std")
Feature = Literal["mel", "mfcc", "chroma"]
Blocks = Iterator[NDArray[np.float32]]


class Settings(NamedTuple):
    """The parameters that shape a track's image, and so are part of its cache key."""

    feature: Feature
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
    waveform = waveform[:n_samples].astype(np.float32, copy=False)
    n_fft, hop_length = settings.n_fft, settings.hop_length
    n_own = n_frames = count_frames(len(waveform), n_fft, hop_length)
    if not settings.pooling:
        if n_samples is None:
            n_frames = 1 + -(-(len(waveform) + n_fft // 2) // hop_length)
        else:
            n_frames = count_frames(n_samples, n_fft, hop_length)
    blocks = _power_blocks(waveform, n_frames, n_fft, hop_length)
    image = FEATURES[settings.feature].function(blocks, n_own, settings)
    if settings.pooling:
        import librosa

        # The default mode, "interp", needs as many frames as the filter is wide.
        mode = "interp" if image.shape[1] >= 9 else "nearest"
        delta = librosa.feature.delta(image, mode=mode)
        image = np.stack([image.mean(axis=1), image.std(axis=1), delta.std(axis=1)], axis=1)
    return image.astype(np.float32, copy=False)


def _mel(blocks: Blocks, n_own: int, settings: Settings) -> NDArray[np.float32]:
    image = _decibels(blocks, n_own, settings)
    return image - image[:, :n_own].max()


def _mfcc(blocks: Blocks, n_own: int, settings: Settings) -> NDArray[np.float32]:
    import librosa

    return librosa.feature.mfcc(S=_decibels(blocks, n_own, settings), n_mfcc=settings.n_bands)


def _chroma(blocks: Blocks, n_own: int, settings: Settings) -> NDArray[np.float32]:
    import librosa

    sr, n_fft, n_chroma = settings.sample_rate, settings.n_fft, settings.n_bands
    power = np.concatenate(list(blocks), axis=1)
    power[fft.rfftfreq(n_fft, 1 / sr) > settings.fmax] = 0
    tuning = librosa.estimate_tuning(S=power[:, :n_own], sr=sr, bins_per_octave=n_chroma)
    return librosa.feature.chroma_stft(
        S=power, sr=sr, n_fft=n_fft, n_chroma=n_chroma, tuning=tuning
    )


class FeatureImage(NamedTuple):
    """How the image of a feature is computed: `n_own` frames of the blocks are the waveform's."""

    function: Callable[[Blocks, int, Settings], NDArray[np.float32]]
    n_bands: str  # the parameter of SpectrogramExtractor that is its number of bands


FEATURES: dict[Feature, FeatureImage] = {
    "mel": FeatureImage(_mel, "n_mels"),
    "mfcc": FeatureImage(_mfcc, "n_mfcc"),
    "chroma": FeatureImage(_chroma, "n_chroma"),
}


def count_frames(n_samples: int, n_fft: int, hop_length: int) -> int:
    """Return the number of frames of librosa.stft, which pads an odd window by one less."""
    return 1 + (n_samples - n_fft % 2) // hop_length


def _power_blocks(
    waveform: NDArray[np.float32], n_frames: int, n_fft: int, hop_length: int
) -> Blocks:
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


def _decibels(blocks: Blocks, n_own: int, settings: Settings) -> NDArray[np.float32]:
    """Return the mel spectrogram in decibels, cut off at `top_db` below the peak."""
    import librosa

    sr, n_fft, n_mels = settings.sample_rate, settings.n_fft, settings.n_mels
    basis = _mel_basis(sr, n_fft, n_mels, settings.fmin, settings.fmax)
    mel = np.concatenate([basis @ power for power in blocks], axis=1)
    image = librosa.power_to_db(mel, top_db=None)
    if settings.top_db is not None:
        image = np.maximum(image, image[:, :n_own].max() - settings.top_db)
    return image


@functools.lru_cache(maxsize=8)
def _mel_basis(sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float) -> Any:
    import librosa

    # A frequency is in two bands at most.
    return sparse.csr_array(
        librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax)
    )
