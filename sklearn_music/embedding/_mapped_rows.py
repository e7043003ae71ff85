"""Rows that stay on disk, and are read where they are needed."""

import mmap
from itertools import pairwise

import joblib
import numpy as np
from sklearn.utils import check_array

# Numbers that are held in memory at a time: 64 MiB in float32.
N_BUFFERED = 2**24


def is_mapped(X):
    """Tell whether an array is on disk (a numpy.memmap, a zarr array), and not a small one."""
    if isinstance(X, np.ndarray):
        # A copy of a memmap is called one too.
        on_disk = isinstance(X, np.memmap) and X._mmap is not None  # type: ignore[attr-defined]
    else:
        # Of the class: a table has its columns, of any name, as attributes of the instance.
        on_disk = all(hasattr(type(X), name) for name in ("chunks", "shape", "dtype"))
    is_table = on_disk and len(X.shape) == 2 and X.dtype.kind in "fiub"
    return is_table and X.shape[0] * X.shape[1] > N_BUFFERED


class MappedRows:
    """Rows on disk, checked and laid out as the network takes them whenever they are read.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_columns)
        What slices of rows can be read from.
    lay_out : callable
        From an array of rows, of which some may be NaN, to what the network takes.
    """

    def __init__(self, X, lay_out):
        self.X = X
        self.lay_out = lay_out
        self.shape = (X.shape[0], self.read(0, 1).shape[1])

    def __len__(self):
        return self.shape[0]

    def read(self, start, stop):
        """Return the rows from `start` up to `stop`.

        Raises
        ------
        ValueError
            If they hold what the embedder does not take.
        """
        rows = np.array(self.X[start:stop], dtype=np.float32)
        _forget_pages(self.X)
        try:
            rows = check_array(rows, ensure_all_finite="allow-nan")
            return self.lay_out(rows)
        except ValueError as error:
            raise ValueError(
                f"In the rows of X from {start}, which is row 0 here, to {stop - 1}: {error}"
            ) from error

    def take(self, indices):
        """Return some rows, in this order.

        Those that lie side by side are read at once, and so are those of one chunk, which is
        read as a whole anyway.
        """
        indices = np.asarray(indices)
        order = np.argsort(indices)
        rows = np.empty((len(indices), self.shape[1]), dtype=np.float32)
        for places in np.split(order, self._breaks(indices[order])):
            first, last = indices[places[[0, -1]]]
            rows[places] = self.read(first, last + 1)[indices[places] - first]
        return rows

    def _breaks(self, indices):
        """Return before which of the sorted indices another stretch of rows begins."""
        chunks = getattr(self.X, "chunks", None)
        if chunks is None:
            return np.flatnonzero(np.diff(indices) > 1) + 1
        return np.flatnonzero(np.diff(indices // np.max(chunks[0])) > 0) + 1

    def part(self, indices):
        """Return some rows as `MappedRows`."""
        return _Part(self, np.asarray(indices))

    def digest(self):
        """Return a hash of all rows."""
        return joblib.hash([joblib.hash(rows) for _, rows in chunks(self)])


class _Part(MappedRows):
    def __init__(self, rows, indices):
        self.rows = rows
        self.indices = indices
        self.shape = (len(indices), rows.shape[1])

    def read(self, start, stop):
        return self.rows.take(self.indices[start:stop])

    def take(self, indices):
        return self.rows.take(self.indices[np.asarray(indices)])


def part(X, indices):
    """Return some rows of an array or of rows on disk."""
    return X[indices] if isinstance(X, np.ndarray) else X.part(indices)


def read(X, start, stop):
    """Return the rows from `start` up to `stop` of an array, a tensor or rows on disk."""
    return X.read(start, stop) if isinstance(X, MappedRows) else X[start:stop]


def n_chunks(X):
    """Return into how many stretches the rows have to be cut for memory to hold one."""
    return min(len(X), -(-X.shape[0] * X.shape[1] // N_BUFFERED))


def chunks(X):
    """Yield the number of the first row, and the rows, of stretches that memory holds."""
    bounds = np.linspace(0, len(X), n_chunks(X) + 1).astype(int)
    for start, stop in pairwise(bounds):
        yield start, read(X, start, stop)


def _forget_pages(X):
    """Give back the memory of what was read; the system keeps it as long as there is room."""
    # The changes of a copy-on-write map are in these pages only. Windows has no such advice.
    if isinstance(X, np.memmap) and X.mode != "c" and hasattr(mmap, "MADV_DONTNEED"):
        X._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]
