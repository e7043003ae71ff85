"""Samples and batches, for skorch."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ._out_of_core import N_BUFFERED, OutOfCore, read

# Numbers that a fitted network works on at a time. It bounds the memory, not the result.
_N_VALUES = 2**22

# Batches that are sent to the device at a time if it can't hold all samples.
_N_BATCHES = 16

# Contiguous runs per in-memory buffer, where samples are read from disk in random order.
_N_RUNS = 32


class Samples(Dataset):
    """Samples: on the device if it can hold them, else in the host's memory or on disk.

    `positives`, (n_samples, n_positives), are candidates for each sample's positive in the
    contrastive term.
    """

    def __init__(
        self, X: Any, device: torch.device | str, positives: NDArray[np.int64] | None = None
    ) -> None:
        self.device = torch.device(device)
        if isinstance(X, np.ndarray):
            # torch shares the memory of an array, and warns of a read-only one.
            X = torch.from_numpy(np.require(X, np.float32, ["C", "W"]))
            X = X.to(device) if _fits(X, self.device) else X
        self.X = X
        self.positives = None if positives is None else torch.from_numpy(positives)

    def __len__(self) -> int:
        return len(self.X)

    def __getitem__(self, index: Any) -> Any:
        return self.X[index]


def _fits(X: Tensor, device: torch.device) -> bool:
    """Return whether half of the device's free memory holds the samples: training takes as much."""
    return device.type != "cuda" or X.nbytes < torch.cuda.mem_get_info(device)[0] / 2


class Batches:
    """Batches as slices of one tensor: nothing is collated sample by sample."""

    def __init__(
        self,
        dataset: Samples,
        batch_size: int,
        shuffle: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        self.samples = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.generator = generator

    def orders(self) -> list[Tensor]:
        """Draw the order of the samples, and a positive of each if there are any.

        Samples that memory can't hold are read in runs: some, drawn at random, are read at a
        time and shuffled. In-memory samples are shuffled in the same way.
        """
        n = len(self.samples)
        order = torch.arange(n)
        if self.shuffle:
            n_buffered = self._n_buffered()
            if n > n_buffered:
                runs = order.split(max(1, n_buffered // _N_RUNS))
                which = torch.randperm(len(runs), generator=self.generator)
                order = torch.cat([runs[run] for run in which])
            parts = order.split(n_buffered)
            order = torch.cat(
                [part[torch.randperm(len(part), generator=self.generator)] for part in parts]
            )
        if self.samples.positives is None:
            return [order]
        which = torch.randint(self.samples.positives.shape[1], (n,), generator=self.generator)
        return [order, self.samples.positives[order, which]]

    def _n_buffered(self) -> int:
        """Return how many samples memory holds at a time, in whole batches."""
        n_batches = N_BUFFERED // self.samples.X.shape[1] // self.batch_size
        return max(1, n_batches) * self.batch_size

    def __iter__(self) -> Iterator[tuple[tuple[Tensor, ...], None]]:
        """Yield (x, positives) or (x,), and no target."""
        X, device = self.samples.X, self.samples.device
        if isinstance(X, OutOfCore):
            n_read = self._n_buffered()
        else:
            n_read = self.batch_size * (1 if X.device.type == device.type else _N_BATCHES)
        for slices in zip(*(order.split(n_read) for order in self.orders()), strict=True):
            parts = [self._read(indices) for indices in slices]
            for batch in zip(*(part.split(self.batch_size) for part in parts), strict=True):
                yield batch, None

    def _read(self, indices: Tensor) -> Tensor:
        X, device = self.samples.X, self.samples.device
        if isinstance(X, OutOfCore):
            part = torch.from_numpy(X.take(indices.numpy()))
        else:
            part = X[indices.to(X.device)]
        if part.device.type == device.type:
            return part
        return (part.pin_memory() if device.type == "cuda" else part).to(device, non_blocking=True)


def sample_batches(X: Any, device: torch.device | str) -> Iterator[Tensor]:
    """Yield samples in order as tensors on the device, as many as a fitted network takes."""
    n_samples = max(1, _N_VALUES // X.shape[1])
    for start in range(0, len(X), n_samples):
        yield Samples(read(X, start, min(start + n_samples, len(X))), device).X.to(device)
