"""Memory-mapped data, which is read where it is needed."""

import mmap
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

# Numbers that are held in memory at a time: 64 MiB in float32.
N_BUFFERED = 2**24


def is_out_of_core(X: Any) -> bool:
    """Return whether X is a large table on disk: a numpy.memmap or a zarr array."""
    if isinstance(X, np.ndarray):
        # A copy of a memmap is called one too.
        on_disk = isinstance(X, np.memmap) and X._mmap is not None  # type: ignore[attr-defined]
    else:
        # Of the class: the instance of a table has its columns, of any name, as attributes.
        on_disk = all(hasattr(type(X), name) for name in ("chunks", "shape", "dtype"))
    is_table = on_disk and len(X.shape) == 2 and X.dtype.kind in "fiub"
    return is_table and X.shape[0] * X.shape[1] > N_BUFFERED


class OutOfCore:
    """Samples on disk, which `arrange` turns into what the network takes whenever they are read."""

    def __init__(self, X: Any, arrange: Callable[[NDArray], NDArray]) -> None:
        self.X = X
        self.arrange = arrange
        self.shape = (X.shape[0], self.read(0, 1).shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the samples from `start` up to `stop`, or raise what is wrong with them."""
        samples = np.array(self.X[start:stop], dtype=np.float32)
        _forget_pages(self.X)
        try:
            return self.arrange(check_array(samples, ensure_all_finite="allow-nan"))
        except ValueError as error:
            raise ValueError(
                f"In the rows of X from {start}, which is row 0 here, to {stop - 1}: {error}"
            ) from error

    def take(self, indices: NDArray) -> NDArray[np.float32]:
        """Return the samples at the indices, in this order.

        Neighbours are read at once, and so are those of one chunk, which is read as a whole
        anyway.
        """
        indices = np.asarray(indices)
        order = np.argsort(indices)
        samples = np.empty((len(indices), self.shape[1]), dtype=np.float32)
        for part in np.split(order, self._breaks(indices[order])):
            first, last = indices[part[[0, -1]]]
            samples[part] = self.read(first, last + 1)[indices[part] - first]
        return samples

    def _breaks(self, indices: NDArray) -> NDArray:
        """Return before which of the sorted indices another read begins."""
        chunks = getattr(self.X, "chunks", None)
        if chunks is None:
            return np.flatnonzero(np.diff(indices) > 1) + 1
        return np.flatnonzero(np.diff(indices // np.max(chunks[0])) > 0) + 1

    def digest(self) -> str:
        """Return a hash of all samples."""
        return joblib.hash([joblib.hash(samples) for _, samples in chunks(self)])


class _Subset(OutOfCore):
    def __init__(self, samples: OutOfCore, indices: NDArray) -> None:
        self.samples = samples
        self.indices = np.asarray(indices)
        self.shape = (len(indices), samples.shape[1])

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        return self.samples.take(self.indices[start:stop])

    def take(self, indices: NDArray) -> NDArray[np.float32]:
        return self.samples.take(self.indices[np.asarray(indices)])


def take(X: Any, indices: NDArray) -> Any:
    """Return some samples of an array, or of out-of-core data without reading them."""
    return X[indices] if isinstance(X, np.ndarray) else _Subset(X, indices)


def read(X: Any, start: int, stop: int) -> Any:
    """Return the samples from `start` up to `stop` of an array, a tensor or out-of-core data."""
    return X.read(start, stop) if isinstance(X, OutOfCore) else X[start:stop]


def n_chunks(X: Any) -> int:
    """Return the number of chunks of which memory holds one at a time."""
    return min(len(X), -(-X.shape[0] * X.shape[1] // N_BUFFERED))


def chunks(X: Any) -> Iterator[tuple[int, NDArray]]:
    """Yield the number of the first sample, and the samples, of each chunk."""
    bounds = np.linspace(0, len(X), n_chunks(X) + 1).astype(int)
    for start, stop in pairwise(bounds):
        yield start, read(X, start, stop)


def _forget_pages(X: Any) -> None:
    """Give back the memory of what was read, which the system would keep."""
    # A copy-on-write map has its changes in these pages only. Windows has no such advice.
    if isinstance(X, np.memmap) and X.mode != "c" and hasattr(mmap, "MADV_DONTNEED"):
        X._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]
