"""From a column of tracks to a row of numbers each: what the transformers of audio share.

A track is an audio file or a mono waveform. Here are its errors, told by row and file, the
cache, and results that are larger than memory; what is computed is the subclass's.
"""

import contextlib
import math
import os
import reprlib
import threading
import time
import uuid
import warnings
import weakref
from numbers import Integral, Real
from pathlib import Path

import joblib
import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted, check_memory, validate_data
from tqdm import TMonitor
from tqdm.auto import tqdm

from .._tables import as_array, as_objects, is_missing
from ..exceptions import AudioError, AudioNotFoundError
from .audio import as_floats, check_waveform, file_stamp, read_audio

if os.name != "nt":
    import fcntl

# A result that would take more of the machine's memory than this share goes to disk.
_SHARE_OF_MEMORY = 0.25

# Part of every key of the cache: raise it where a change of the library changes the numbers, so
# that nobody gets those of an older version.
CACHE_VERSION = 1


class TrackTransformer(TransformerMixin, BaseEstimator):
    """Base of the transformers that make a row of each track.

    A subclass has the parameters below, whether `duration` is used or not, and

    - ``_row_function()``, the function from a track and its stamp to its row,
    - ``_identity()``, what determines the rows beside the tracks and the parameters, as joblib
      hashes it: what `fit` has learnt, and the parameters that joblib can't hash,
    - ``_n_features_out``, the length of a row, once fitted.
    """

    # The parameters that are not in the key of a result, and why. All others are.
    _NOT_IN_KEY = {
        "n_jobs": "tracks are independent of each other",
        "verbose": "only shows the progress",
        "memory": "where a result is kept, not what it is",
        "on_error": "a result with failures is not kept",
    }

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
        return self._transform(X)

    def _transform(self, X):
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
                stacklevel=4,  # of who called the public method, which scikit-learn wraps
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
            key = joblib.hash((self._key(), shape, contents))
            # Beside joblib's own entries and named as they are, so that its Memory.clear and
            # Memory.reduce_size know it.
            location = self._check_memory().store_backend.location
            folder = Path(location, *__name__.split("."), "rows", key)
            return _rows_on_disk(folder, shape, dtype, outcomes)

    def _key(self):
        """Return all that determines the rows beside the tracks."""
        parameters = {
            # As plain numbers: 0 and 0.0, or an int64 of a grid, are one key.
            name: float(value) if isinstance(value, Real) else value
            for name, value in self.get_params(deep=False).items()
            if name not in self._NOT_IN_KEY
        }
        parameters["dtype"] = np.dtype(self.dtype).str
        return CACHE_VERSION, type(self).__name__, parameters, self._identity()

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
        parallel = in_threads(self.n_jobs)
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
            key = CACHE_VERSION, identity
            return through_cache(*stamp, sample_rate, offset, duration, key, function)

        return compute

    def _check_memory(self):
        memory = self.memory
        return check_memory(os.fspath(memory) if isinstance(memory, os.PathLike) else memory)

    def _check_tracks(self, X, *, reset):
        """Return the tracks and their file stamps: None for a waveform, an error for a bad one."""
        cells = _cells(X)
        if cells is None:
            tracks = validate_data(self, X, reset=reset, ensure_all_finite=False)
        else:
            # A table of pandas, polars or pyarrow has names of columns.
            column = X if hasattr(X, "columns") else cells.reshape(-1, 1)
            validate_data(self, column, reset=reset, skip_check_array=True)
            tracks = cells
        stamps = [_stamp(track) for track in tracks]
        self._raise_for(failures_of(stamps), n_tracks=len(tracks) if reset else None)
        return list(tracks), stamps

    def _raise_for(self, failures, *, n_tracks=None):
        """Keep the failures; raise for any, or, if rows may be NaN, where all tracks failed."""
        # As text: the errors hold the frames that they went through, with waveforms in them.
        self.failures_ = {row: str(error) for row, error in failures.items()}
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

    def __sklearn_is_fitted__(self):
        # A fit that failed leaves `failures_`.
        return hasattr(self, "_n_features_out")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.allow_nan = self.on_error == "nan"
        tags.transformer_tags.preserves_dtype = [np.dtype(self.dtype).name]
        return tags


def in_threads(n_jobs):
    """Return a joblib.Parallel that yields the results in order, while others are worked on."""
    try:
        return joblib.Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    except ValueError:  # the backend that the user has set can't do that
        return joblib.Parallel(n_jobs=n_jobs, backend="threading", return_as="generator")


def _rows_on_disk(folder, shape, dtype, outcomes):
    """Write the rows to a file, unless it is there, and map it; return the errors too.

    A file under its final name is whole, and nothing is ever written to it. Until then it has a
    name of its own, and a lock that ends with the process, so that what a killed run leaves can
    be told from what another is writing. A file with errors in it lasts as long as its map.
    """
    whole = folder / "rows.npy"
    if whole.exists():
        return np.load(whole, mmap_mode="r"), {}
    folder.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(folder)
    file = _new_file(folder)
    failures = {}
    try:
        # Written, not assigned to a map, whose pages would count as the process's memory.
        header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for i, outcome in enumerate(outcomes):
            if isinstance(outcome, AudioError):
                failures[i] = outcome
                outcome = np.full(shape[1], np.nan)
            file.write(outcome.astype(dtype))
        file.flush()
        if failures:
            rows = np.load(file.name, mmap_mode="r")
            weakref.finalize(rows.base, _discard, file, os.getpid())
            return rows, failures
        _publish(file, whole)
    except BaseException:
        _discard(file, os.getpid())
        raise
    return np.load(whole, mmap_mode="r"), {}


def _new_file(folder):
    """Create a file, open for writing, that is locked for as long as it is open."""
    while True:
        file = open(folder / f"unfinished-{uuid.uuid4().hex}.npy", "xb")  # noqa: SIM115
        if os.name != "nt":
            with contextlib.suppress(OSError):  # not every file system has locks
                fcntl.flock(file, fcntl.LOCK_EX)
        if os.path.exists(file.name):  # or else it was taken for abandoned before the lock
            return file
        file.close()


def _publish(file, whole):
    if os.name == "nt":
        file.close()  # Windows renames no open file
    try:
        os.replace(file.name, whole)
    except OSError:
        # Windows replaces no file that is mapped: another process was first.
        if not whole.exists():
            raise
        _discard(file, os.getpid())
    file.close()


def _discard(file, pid):
    if os.getpid() != pid:  # a forked copy of the process that is still using it
        return
    file.close()
    with contextlib.suppress(OSError):
        os.unlink(file.name)


def _remove_abandoned(folder):
    """Remove the files of runs that were killed."""
    for path in folder.glob("unfinished*.npy"):
        with contextlib.suppress(OSError):
            if os.name == "nt":
                # Windows removes no open file, but one may be closed and about to be renamed.
                if time.time() - path.stat().st_mtime > 60:
                    path.unlink()
                continue
            with open(path, "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


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


def _in_cells(tracks):
    cells = np.empty(len(tracks), dtype=object)
    for row, track in enumerate(tracks):
        cells[row] = track
    return cells


def _is_track(cell):
    return isinstance(cell, (str, os.PathLike, np.ndarray))


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
        what = ", a missing value" if is_missing(as_objects([track])).all() else ""
        raise AudioError(
            f"got {reprlib.repr(track)}{what}, expected a path or a 1-D array of samples."
        )
    except AudioError as error:
        return error


def stretch(waveform, *, sample_rate, offset):
    """Return the part of a waveform from `offset` seconds on, within ±1."""
    rest = waveform[int(offset * sample_rate) :]
    if len(rest) == 0:
        raise AudioError(
            f"the waveform is {len(waveform) / sample_rate:.2f} s long, so offset={offset} s is "
            "past its end."
        )
    return as_floats(rest)


def _of_file(path, size, mtime_ns, sample_rate, offset, duration, identity, function):
    # In the cache's key, the size and the time of change stand for the file's content, and
    # `identity` for the function.
    return function(read_audio(path, sample_rate=sample_rate, offset=offset, duration=duration))
