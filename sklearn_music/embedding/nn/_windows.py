"""Windows of spectrograms: where a track ends, cutting, data augmentation."""

import math

import torch
from torch import Tensor


def frames_before_padding(images: Tensor) -> Tensor:
    """Return the number of frames of each spectrogram without its padding, (n_samples,).

    Padding is a run of equal frames at the end. If all frames are equal, there is none.
    """
    n_frames = images.shape[2]
    equals_last = (images == images[:, :, -1:]).all(dim=1)
    n_equal = equals_last.flip(1).to(torch.int64).cumprod(dim=1).sum(dim=1)
    is_padded = (n_equal > 1) & (n_equal < n_frames)
    return torch.where(is_padded, n_frames - n_equal, n_frames)


def random_starts(n_frames: Tensor, window_frames: int, like: Tensor) -> Tensor:
    """Return the first frame of a random window of each track, (n_samples,)."""
    n_starts = (n_frames - window_frames).clamp(min=0) + 1
    return (like.new_empty(len(n_frames)).uniform_() * n_starts).long()


def cut(images: Tensor, n_frames: Tensor, starts: Tensor, window_frames: int) -> Tensor:
    """Return a window of each spectrogram; a shorter track is repeated."""
    frames = starts[:, None] + torch.arange(window_frames, device=images.device)
    frames = (frames % n_frames[:, None])[:, None].expand(-1, images.shape[1], -1)
    return images.gather(2, frames)


def augment(window: Tensor, strength: float) -> Tensor:
    """Return windows with a random equaliser, a shift by some bands, and random masks."""
    n, n_bands, n_frames = window.shape
    bands = torch.arange(n_bands, device=window.device)
    numbers = torch.arange(4, dtype=window.dtype, device=window.device)
    # A smooth curve over the bands, of the first waves of a cosine transform.
    waves = torch.cos(numbers[:, None] * bands * math.pi / n_bands)
    window = window + (0.1 * strength * window.new_empty(n, 4).normal_() @ waves)[:, :, None]
    most = strength * n_bands / 64
    shift = ((2 * window.new_empty(n, 1).uniform_() - 1) * most).round().long()
    shifted = (bands + shift).clamp(0, n_bands - 1)
    window = window.gather(1, shifted[:, :, None].expand(-1, -1, n_frames))
    is_masked = _random_mask(window, n_bands, strength)[:, :, None]
    is_masked = is_masked | _random_mask(window, n_frames, strength)[:, None]
    return window.masked_fill(is_masked, 0.0)


def _random_mask(window: Tensor, length: int, strength: float) -> Tensor:
    """Return a mask of one run for each window, (n, length), of up to strength / 8 of it."""
    draws = window.new_empty(len(window), 1)
    width = draws.uniform_() * min(1.0, strength / 8) * length
    start = draws.uniform_() * (length - width)
    positions = torch.arange(length, device=window.device)
    return (positions >= start.round()) & (positions < (start + width).round())
