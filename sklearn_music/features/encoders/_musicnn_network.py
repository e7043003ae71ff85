"""MusiCNN as a torch module."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

N_MELS = 96
N_FILTERS_TIMBRAL, N_FILTERS_TEMPORAL, N_FILTERS_DENSE, N_UNITS = 204, 51, 64, 200
N_POOLED = 2 * (2 * N_FILTERS_TIMBRAL + 3 * N_FILTERS_TEMPORAL + 3 * N_FILTERS_DENSE)
N_TAGS = 50


class MusicNNOutput(NamedTuple):
    """Outputs for windows, each tensor (n_windows, n)."""

    pooled: Tensor
    embedding: Tensor
    tags: Tensor


class Frontend(nn.Module):
    """Filters over the spectrogram, of which the strongest response over the bands is kept."""

    def __init__(self, n_filters: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, n_filters, kernel)
        self.norm = nn.BatchNorm1d(n_filters, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Return the responses, (n_windows, n_filters, n_frames), of (n_windows, 1, n_frames, 96).

        They are ``norm(convolution(x).relu()).amax(dim=3)``. What grows with the response, or falls
        where the norm's weight is negative, comes after the maximum here: half the time.
        """
        n_frames = self.convolution.kernel_size[0]
        x = functional.pad(x, (0, 0, (n_frames - 1) // 2, n_frames // 2))
        sign = self.norm.weight.sign()
        weight = self.convolution.weight * sign[:, None, None, None]
        strongest = functional.conv2d(x, weight).amax(dim=3) * sign[:, None]
        bias = self.get_parameter("convolution.bias")
        return self.norm((strongest + bias[:, None]).relu())


class Midend(nn.Module):
    """A convolution over time, with as many frames out as in."""

    def __init__(self, n_in: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(n_in, N_FILTERS_DENSE, 7, padding=3)
        self.norm = nn.BatchNorm1d(N_FILTERS_DENSE, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Return (n_windows, n_filters, n_frames), of (n_windows, n_in, n_frames)."""
        return self.norm(self.convolution(x).relu())


class MusicNNModule(nn.Module):
    """The network of Pons and Serra, "musicnn: Pre-trained convolutional neural networks", 2019.

    The front end is that of Pons et al., "End-to-end learning for music audio tagging at scale",
    2018: filters as high as a part of the spectrum (timbre) or as long as a beat (rhythm). Three
    densely connected convolutions over time follow, then maximum and mean over time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.norm_input = nn.BatchNorm2d(1, eps=1e-3)
        timbral = [(7, int(share * N_MELS)) for share in (0.4, 0.7)]
        temporal = [(n_frames, 1) for n_frames in (128, 64, 32)]
        self.frontends = nn.ModuleList(
            [Frontend(N_FILTERS_TIMBRAL, kernel) for kernel in timbral]
            + [Frontend(N_FILTERS_TEMPORAL, kernel) for kernel in temporal]
        )
        n_front = 2 * N_FILTERS_TIMBRAL + 3 * N_FILTERS_TEMPORAL
        self.midends = nn.ModuleList(map(Midend, (n_front, N_FILTERS_DENSE, N_FILTERS_DENSE)))
        self.norm_pooled = nn.BatchNorm1d(N_POOLED, eps=1e-3)
        self.dense = nn.Linear(N_POOLED, N_UNITS)
        self.norm_dense = nn.BatchNorm1d(N_UNITS, eps=1e-3)
        self.tagger = nn.Linear(N_UNITS, N_TAGS)

    def forward(self, log_mel: Tensor) -> MusicNNOutput:
        """Return the outputs for log-mel spectrograms, (n_windows, n_frames, 96)."""
        x = self.norm_input(log_mel[:, None])
        front = torch.cat([frontend(x) for frontend in self.frontends], dim=1)
        first, second, third = self.midends
        maps = [front, first(front)]
        maps.append(second(maps[-1]) + maps[-1])
        maps.append(third(maps[-1]) + maps[-1])
        channels = torch.cat(maps, dim=1)
        pooled = torch.stack([channels.amax(dim=2), channels.mean(dim=2)], dim=2).flatten(1)
        embedding = self.norm_dense(self.dense(self.norm_pooled(pooled)).relu())
        return MusicNNOutput(pooled, embedding, self.tagger(embedding).sigmoid())


def load_weights(module: MusicNNModule, tensors: dict[str, NDArray[np.float32]]) -> None:
    """Set the weights to those of a checkpoint of the original, by TensorFlow's names.

    There, layers have their kind's name and a number, in the order in which they were made. The
    modules here are in the same order.
    """
    parts = list(module.modules())
    convolutions = [part for part in parts if isinstance(part, (nn.Conv1d, nn.Conv2d))]
    dense = [part for part in parts if isinstance(part, nn.Linear)]
    norms = [part for part in parts if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d))]
    for i, layer in enumerate(convolutions):
        kernel = tensors[f"conv2d{_suffix(i)}/kernel"]  # (height, width, channels in, and out)
        if isinstance(layer, nn.Conv1d):  # (frames, channels in, 1, channels out)
            _copy(layer.weight, kernel[:, :, 0].transpose(2, 1, 0))
        else:
            _copy(layer.weight, kernel.transpose(3, 2, 0, 1))
        _copy(layer.bias, tensors[f"conv2d{_suffix(i)}/bias"])
    for i, linear in enumerate(dense):
        _copy(linear.weight, tensors[f"dense{_suffix(i)}/kernel"].T)
        _copy(linear.bias, tensors[f"dense{_suffix(i)}/bias"])
    for i, norm in enumerate(norms):
        name = f"batch_normalization{_suffix(i)}"
        _copy(norm.weight, tensors[f"{name}/gamma"])
        _copy(norm.bias, tensors[f"{name}/beta"])
        _copy(norm.running_mean, tensors[f"{name}/moving_mean"])
        _copy(norm.running_var, tensors[f"{name}/moving_variance"])


def _suffix(i: int) -> str:
    return f"_{i}" if i else ""


@torch.no_grad()
def _copy(target: Tensor | None, values: NDArray[np.float32]) -> None:
    assert target is not None
    if target.shape != values.shape:
        raise ValueError(f"a tensor has the shape {values.shape}, expected {tuple(target.shape)}")
    target.copy_(torch.from_numpy(values.copy()))
