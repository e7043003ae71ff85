"""The column of tracks that a user gives: its cells, the stamps of its files, its waveforms."""

import os
import reprlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .._tables import as_array, as_objects, is_missing
from ..exceptions import AudioError
from .audio import FileStamp, as_floats, check_waveform, file_stamp


def track_cells(X: Any) -> NDArray[np.object_] | None:
    """Return X as a 1-D array of paths and waveforms, or None where it is a table of numbers."""
    if isinstance(X, (str, bytes, os.PathLike)):
        raise ValueError(f"Expected a sequence of tracks, got the single path {X!r}: use [{X!r}].")
    if sparse.issparse(X):
        return None
    if isinstance(X, (list, tuple)):
        # numpy would stack arrays of one length, and refuse others.
        if any(map(_is_track, X)):
            return _in_cells(X)
        values = as_objects(X)
    else:
        values = as_array(X)
        if values.ndim > len(getattr(X, "shape", values.shape)):
            # A column of arrays of one length, which polars stacks.
            return _in_cells(values.reshape(len(values), -1))
    if values.shape == (0,):
        raise ValueError("Found array with 0 sample(s), expected one track at least.")
    is_column = values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)
    if not (is_column and values.size and is_missing(values).all()):
        if values.dtype.kind not in "OUT" or not any(map(_is_track, values.ravel())):
            return None
        if not is_column:
            raise ValueError(
                f"Expected one column of paths or waveforms, got an array of shape {values.shape}. "
                'Select it, with ColumnTransformer([("audio", transformer, ["audio"])]) for '
                "example."
            )
    return values.astype(object).ravel()


def _in_cells(tracks: Sequence[Any] | NDArray[Any]) -> NDArray[np.object_]:
    cells = np.empty(len(tracks), dtype=object)
    for row, track in enumerate(tracks):
        cells[row] = track
    return cells


def _is_track(cell: Any) -> bool:
    return isinstance(cell, (str, os.PathLike, np.ndarray))


def stamp_of(track: Any) -> FileStamp | AudioError | None:
    """Return a file's stamp, None for a waveform, or the error of what is neither."""
    try:
        if isinstance(track, (str, os.PathLike)):
            return file_stamp(track)
        if isinstance(track, np.ndarray):
            check_waveform(track, "the waveform")
            return None
        what = ", a missing value" if is_missing(as_objects([track])).all() else ""
        raise AudioError(
            f"got {reprlib.repr(track)}{what}, expected a path or a 1-D array of samples."
        )
    except AudioError as error:
        return error


def stretch(waveform: NDArray[Any], *, sample_rate: int, offset: float) -> NDArray[Any]:
    """Return the part of a waveform from `offset` seconds on, within ±1."""
    rest = waveform[int(offset * sample_rate) :]
    if len(rest) == 0:
        raise AudioError(
            f"the waveform is {len(waveform) / sample_rate:.2f} s long, so offset={offset} s is "
            "past its end."
        )
    return as_floats(rest)
