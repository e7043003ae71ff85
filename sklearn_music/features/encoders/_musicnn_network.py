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


class MusicNNModule(nn.Module):
    """The network of Pons and Serra, "musicnn: Pre-trained convolutional neural networks", 2019.

    The front end is that of Pons et al., "End-to-end learning for music audio tagging at scale",
    2018: filters as high as a part of the spectrum (timbre) or as long as a beat (rhythm), of
    which the strongest response over the frequencies counts. Three densely connected
    convolutions over time follow, then mean and maximum over time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scale = _norm(nn.BatchNorm2d, 1)
        self.front = nn.ModuleList(
            nn.ModuleList([nn.Conv2d(1, n_filters, kernel), _norm(nn.BatchNorm2d, n_filters)])
            for n_filters, kernel in [
                (N_FILTERS_TIMBRAL, (7, int(0.4 * N_MELS))),
                (N_FILTERS_TIMBRAL, (7, int(0.7 * N_MELS))),
                (N_FILTERS_TEMPORAL, (128, 1)),
                (N_FILTERS_TEMPORAL, (64, 1)),
                (N_FILTERS_TEMPORAL, (32, 1)),
            ]
        )
        n_front = 2 * N_FILTERS_TIMBRAL + 3 * N_FILTERS_TEMPORAL
        self.middle = nn.ModuleList(
            nn.ModuleList(
                [
                    nn.Conv1d(n_in, N_FILTERS_DENSE, 7, padding=3),
                    _norm(nn.BatchNorm1d, N_FILTERS_DENSE),
                ]
            )
            for n_in in (n_front, N_FILTERS_DENSE, N_FILTERS_DENSE)
        )
        self.norm_pooled = _norm(nn.BatchNorm1d, N_POOLED)
        self.dense = nn.Linear(N_POOLED, N_UNITS)
        self.norm_dense = _norm(nn.BatchNorm1d, N_UNITS)
        self.tagger = nn.Linear(N_UNITS, N_TAGS)

    def forward(self, log_mel: Tensor) -> MusicNNOutput:
        """Return the outputs for log-mel spectrograms, (n_windows, n_frames, 96)."""
        x = self.scale(log_mel[:, None])
        parts = []
        for convolution, norm in self.front:
            n_frames = convolution.kernel_size[0]
            # As many frames out as in.
            padded = functional.pad(x, (0, 0, (n_frames - 1) // 2, n_frames // 2))
            parts.append(norm(convolution(padded).relu()).amax(dim=3))
        parts = [torch.cat(parts, dim=1)]
        for i, (convolution, norm) in enumerate(self.middle):
            out = norm(convolution(parts[-1]).relu())
            parts.append(out if i == 0 else out + parts[-1])
        channels = torch.cat(parts, dim=1)
        pooled = torch.stack([channels.amax(dim=2), channels.mean(dim=2)], dim=2).flatten(1)
        embedding = self.norm_dense(self.dense(self.norm_pooled(pooled)).relu())
        return MusicNNOutput(pooled, embedding, self.tagger(embedding).sigmoid())


def _norm(kind: type[nn.Module], n_channels: int) -> nn.Module:
    return kind(n_channels, eps=1e-3)


def load_weights(module: MusicNNModule, tensors: dict[str, NDArray[np.float32]]) -> None:
    """Set the weights to those of a checkpoint of the original, by TensorFlow's names."""
    convolutions = [layer for layer, _ in [*module.front, *module.middle]]
    norms = [norm for _, norm in [*module.front, *module.middle]]
    norms = [module.scale, *norms, module.norm_pooled, module.norm_dense]
    named = {f"conv2d{_suffix(i)}": layer for i, layer in enumerate(convolutions)}
    named |= {"dense": module.dense, "dense_1": module.tagger}
    for name, layer in named.items():
        kernel = tensors[f"{name}/kernel"]
        # There, the channels come last.
        if isinstance(layer, nn.Conv1d):  # written as (n_frames, n_in, 1, n_out)
            kernel = kernel[:, :, 0].transpose(2, 1, 0)
        elif kernel.ndim == 4:
            kernel = kernel.transpose(3, 2, 0, 1)
        else:
            kernel = kernel.T
        _copy(layer.weight, kernel)
        _copy(layer.bias, tensors[f"{name}/bias"])
    for i, norm in enumerate(norms):
        name = f"batch_normalization{_suffix(i)}"
        _copy(norm.weight, tensors[f"{name}/gamma"])
        _copy(norm.bias, tensors[f"{name}/beta"])
        _copy(norm.running_mean, tensors[f"{name}/moving_mean"])
        _copy(norm.running_var, tensors[f"{name}/moving_variance"])


def _suffix(i: int) -> str:
    return f"_{i}" if i else ""


@torch.no_grad()
def _copy(target: Tensor, values: NDArray[np.float32]) -> None:
    if target.shape != values.shape:
        raise ValueError(f"a tensor has the shape {values.shape}, expected {tuple(target.shape)}")
    target.copy_(torch.from_numpy(values.copy()))
