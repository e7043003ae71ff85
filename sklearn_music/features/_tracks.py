"""From a column of tracks to a row of numbers each: what the transformers of audio share.

A track is an audio file or a mono waveform. Here are its errors, told by row and file, the
cache, and results that are larger than memory; what is computed is the subclass's.
"""

import contextlib
import math
import os
import threading
import warnings
from numbers import Integral, Real
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted, check_memory, validate_data
from tqdm import TMonitor
from tqdm.auto import tqdm

from ..exceptions import AudioError, AudioNotFoundError
from ._audio import check_waveform, file_stamp, read_audio

# A result that would take more of the machine's memory than this share goes to disk.
_SHARE_OF_MEMORY = 0.25


class TrackTransformer(TransformerMixin, BaseEstimator):
    """Base of the transformers that make a row of each track.

    A subclass has the parameters below, whether `duration` is used or not, and

    - ``_row_function()``, the function from a track and its stamp to its row,
    - ``_identity()``, all that determines the rows beside the tracks, as joblib hashes it,
    - ``_n_features_out``, the length of a row.
    """

    _parameter_constraints: dict = {
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "offset": [Interval(Real, 0, None, closed="left")],
        "duration": [Interval(Real, 0, None, closed="neither"), None],
        "dtype": [StrOptions({"float16", "float32"}), Options(type, {np.float16, np.float32})],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "memory": [str, os.PathLike, HasMethods(["cache"]), None],
        "on_error": [StrOptions({"raise", "nan"})],
    }

    def transform(self, X):
        """Compute the row of each track.

        Parameters
        ----------
        X : array-like of shape (n_tracks,) or (n_tracks, 1) or (n_tracks, n_samples)
            As in `fit`.

        Returns
        -------
        X_out : ndarray of shape (n_tracks, n_columns), of type `dtype`
            One row per track. If it is larger than a quarter of the machine's memory and
            `memory` is a folder, a read-only :class:`numpy.memmap` of a file in that folder.

        Raises
        ------
        AudioError
            If a track can't be used and ``on_error="raise"``.
        """
        check_is_fitted(self)
        tracks, stamps = self._check_tracks(X, reset=False)
        with joined_workers():
            rows, failures = self._rows(tracks, stamps)
        self._raise_for(failures)
        if failures:
            warnings.warn(
                f"{len(failures)} of {len(tracks)} tracks could not be used, their rows are "
                "NaN:\n" + "\n".join(_reasons(failures)),
                UserWarning,
                stacklevel=2,
            )
        return rows

    def _rows(self, tracks, stamps):
        """Return the rows of all tracks, and the errors of those that have none, by row."""
        shape, dtype = (len(tracks), self._n_features_out), np.dtype(self.dtype)
        with contextlib.closing(self._outcomes(tracks, stamps)) as outcomes:
            if not self._is_for_disk(shape, dtype):
                rows, failures = np.empty(shape, dtype), {}
                for i, outcome in enumerate(outcomes):
                    if isinstance(outcome, AudioError):
                        failures[i] = outcome
                        outcome = np.nan
                    rows[i] = outcome
                return rows, failures
            contents = [
                track if stamp is None else stamp
                for track, stamp in zip(tracks, stamps, strict=True)
            ]
            key = joblib.hash((type(self).__name__, self._identity(), shape, dtype, contents))
            # Beside joblib's own entries and named as they are, so that its Memory.clear and
            # Memory.reduce_size know it.
            location = self._check_memory().store_backend.location
            folder = Path(location, *__name__.split("."), "rows", key)
            return _rows_on_disk(folder, shape, dtype, outcomes)

    def _is_for_disk(self, shape, dtype):
        memory = self._check_memory()
        return (
            isinstance(memory, joblib.Memory)
            and memory.backend == "local"
            and memory.location is not None
            and math.prod(shape) * dtype.itemsize > _SHARE_OF_MEMORY * _machine_memory()
        )

    def _outcomes(self, tracks, stamps, function=None):
        """Yield the row of each track, or what the function returns of it, or its error."""
        row_of = self._row_function() if function is None else function
        parallel = joblib.Parallel(n_jobs=self.n_jobs, prefer="threads", return_as="generator")
        # Workers don't wait for a slow consumer: without batches, rows would pile up.
        batches = gen_batches(len(tracks), 32 * joblib.effective_n_jobs(self.n_jobs))
        progress = tqdm(
            total=len(tracks), desc=type(self).__name__, unit="track", disable=not self.verbose
        )
        with progress, parallel:
            for batch in batches:
                for outcome in parallel(
                    joblib.delayed(or_error)(row_of, track, stamp)
                    for track, stamp in zip(tracks[batch], stamps[batch], strict=True)
                ):
                    progress.update()
                    yield outcome

    def _track_function(self):
        """Return the function that applies another to a stretch of a track, files cached."""
        through_cache = self._check_memory().cache(_of_file, ignore=["function"])
        sample_rate, offset = int(self.sample_rate), float(self.offset)

        def compute(track, stamp, *, duration, identity, function):
            if stamp is None:
                return function(stretch(track, sample_rate=sample_rate, offset=offset))
            return through_cache(*stamp, sample_rate, offset, duration, identity, function)

        return compute

    def _check_memory(self):
        memory = self.memory
        return check_memory(os.fspath(memory) if isinstance(memory, os.PathLike) else memory)

    def _check_tracks(self, X, *, reset):
        """Return the tracks and their file stamps: None for a waveform, an error for a bad one."""
        cells = _cells(X)
        if cells is None:
            dtypes = [np.float32, np.float64]
            tracks = validate_data(self, X, reset=reset, dtype=dtypes, ensure_all_finite=False)
        else:
            column = X if isinstance(X, pd.DataFrame) else cells.reshape(-1, 1)
            validate_data(self, column, reset=reset, skip_check_array=True)
            tracks = cells
        stamps = [_stamp(track) for track in tracks]
        self._raise_for(failures_of(stamps), n_tracks=len(tracks) if reset else None)
        return list(tracks), stamps

    def _raise_for(self, failures, *, n_tracks=None):
        """Raise for tracks that can't be used: for any, or, if they may be NaN, for all of them."""
        if not failures or (self.on_error == "nan" and len(failures) != n_tracks):
            return
        missing = all(isinstance(error, AudioNotFoundError) for error in failures.values())
        reasons = _reasons(failures)
        if len(reasons) > 10:
            reasons[10:] = [f"... and {len(reasons) - 10} more."]
        if self.on_error == "raise":
            reasons.append('Mend or drop them, or use on_error="nan" to get rows of NaN for them.')
        cause = next(iter(failures.values())).__cause__
        raise (AudioNotFoundError if missing else AudioError)("\n".join(reasons)) from cause

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.allow_nan = self.on_error == "nan"
        tags.transformer_tags.preserves_dtype = [np.dtype(self.dtype).name]
        return tags


def _rows_on_disk(folder, shape, dtype, outcomes):
    """Write the rows to a file, unless it is there, and map it; return the errors too.

    A file under its final name is whole. Until then its name is the same for all processes
    and runs, so that a killed one leaves no second file: whoever comes later, or at the same
    time, writes the same bytes to the same places. Where there are errors the file keeps this
    name, and the next call tries these tracks again.
    """
    whole, unfinished = folder / "rows.npy", folder / "unfinished.npy"
    if whole.exists():
        return np.load(whole, mmap_mode="r"), {}
    folder.mkdir(parents=True, exist_ok=True)
    unfinished.touch()
    failures = {}
    # Written, not assigned to a map, whose pages would count as the process's memory.
    with open(unfinished, "r+b") as file:
        header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for i, outcome in enumerate(outcomes):
            if isinstance(outcome, AudioError):
                failures[i] = outcome
                outcome = np.full(shape[1], np.nan)
            file.write(outcome.astype(dtype))
    if failures:
        return np.load(unfinished, mmap_mode="r"), failures
    try:
        os.replace(unfinished, whole)
    except FileNotFoundError:
        if not whole.exists():  # nor did another process finish it
            raise
    return np.load(whole, mmap_mode="r"), {}


def _machine_memory():
    """Return the bytes of memory that this machine or container has."""
    n_bytes = 2**33  # where the system doesn't tell
    with contextlib.suppress(AttributeError):
        n_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):  # no Linux, or no limit
        n_bytes = min(n_bytes, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return n_bytes


def _cells(X):
    """Return X as a 1-D array of paths and waveforms, or None where it is a table of numbers."""
    if isinstance(X, (str, bytes, os.PathLike)):
        raise ValueError(f"Expected a sequence of tracks, got the single path {X!r}: use [{X!r}].")
    if isinstance(X, (list, tuple)):
        # numpy would stack arrays of one length, and refuse others.
        if any(isinstance(cell, (str, os.PathLike, np.ndarray)) for cell in X):
            cells = np.empty(len(X), dtype=object)
            for row, cell in enumerate(X):
                cells[row] = cell
            return cells
        X = np.asarray(X, dtype=object)
    elif isinstance(X, (pd.Series, pd.DataFrame)):
        X = X.to_numpy(dtype=object)
    if not isinstance(X, np.ndarray) or X.dtype.kind not in "OUT":
        return None
    is_path_or_array = [isinstance(cell, (str, os.PathLike, np.ndarray)) for cell in X.ravel()]
    if not any(is_path_or_array):
        return None
    if X.ndim > 2 or (X.ndim == 2 and X.shape[1] != 1):
        raise ValueError(
            f"Expected one column of paths or waveforms, got an array of shape {X.shape}. Select "
            'the column, with ColumnTransformer([("audio", transformer, ["audio"])]) for example.'
        )
    return X.astype(object).ravel()


@contextlib.contextmanager
def joined_workers():
    """Let Ctrl-C wait for the workers: Python must not end while one is decoding."""
    threads = set(threading.enumerate())
    try:
        yield
    except KeyboardInterrupt:
        for worker in set(threading.enumerate()) - threads:
            if not isinstance(worker, TMonitor):  # tqdm's own never ends
                worker.join(timeout=10)
        raise


def or_error(function, track, stamp):
    """Return the result, or the AudioError: one bad track must not end the work on the others."""
    if isinstance(stamp, AudioError):
        return stamp
    try:
        return function(track, stamp)
    except AudioError as error:
        return error


def failures_of(outcomes):
    return {row: error for row, error in enumerate(outcomes) if isinstance(error, AudioError)}


def _reasons(failures):
    return [f"Row {row}: {error}" for row, error in failures.items()]


def _stamp(track):
    """Return a file's stamp, None for a waveform, or an error."""
    try:
        if isinstance(track, (str, os.PathLike)):
            return file_stamp(track)
        if isinstance(track, np.ndarray):
            check_waveform(track, "the waveform")
            return None
        raise AudioError(f"got {track!r}, expected a path or a 1-D array of samples.")
    except AudioError as error:
        return error


def stretch(waveform, *, sample_rate, offset):
    """Return the part of a waveform from `offset` seconds on."""
    rest = waveform[int(offset * sample_rate) :]
    if len(rest) == 0:
        raise AudioError(
            f"the waveform is {len(waveform) / sample_rate:.2f} s long, so offset={offset} s is "
            "past its end."
        )
    return rest


def _of_file(path, size, mtime_ns, sample_rate, offset, duration, identity, function):
    # In the cache's key, the size and the time of change stand for the file's content, and
    # `identity` for the function.
    return function(read_audio(path, sample_rate=sample_rate, offset=offset, duration=duration))
