"""What the transformers of audio share: the tracks, their failures, the cache, large results."""

import contextlib
import math
import os
import warnings
from collections.abc import Callable, Generator
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted, check_memory, validate_data
from tqdm.auto import tqdm

from .._docstrings import shared
from ..exceptions import AudioError, AudioNotFoundError
from ._columns import stamp_of, stretch, track_cells
from ._docstrings import TRACKS
from ._large_results import machine_memory, rows_on_disk
from .audio import read_audio
from .workers import Failures, failures_of, in_threads, joined_workers, or_error

# A result that would take more of the machine's memory than this share goes to disk.
_SHARE_OF_MEMORY = 0.25

# Part of every key of the cache. Raise it if a change of the library changes the numbers, so
# that nobody gets those of an older version.
CACHE_VERSION = 1


class TrackTransformer(TransformerMixin, BaseEstimator):
    """Base of the transformers that compute a row of numbers from each track.

    A subclass has the parameters below, whether it uses `duration` or not, and

    - ``_row_function()``, the function from a track and its stamp to its row,
    - ``_identity()``, what determines the rows apart from the tracks and the parameters, in a
      form that joblib can hash: what `fit` has learnt, and the parameters that can't be hashed,
    - ``_n_features_out``, the length of a row, once fitted,
    - ``_doubts(tracks, stamps)``, optional: a warning about new tracks, before the work.
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

    def transform(self, X: Any) -> NDArray[Any]:
        """Compute the features of each track.

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
        return self._transform(X, is_new=True)

    @shared(TRACKS)
    def fit_transform(self, X: Any, y: Any = None) -> NDArray[Any]:
        """Fit to the tracks, and compute the features of each.

        Parameters
        ----------
        {fit_tracks}

        Returns
        -------
        X_out : ndarray of shape (n_tracks, n_columns), of type `dtype`
            As from `transform`.

        Raises
        ------
        AudioError
            As from `fit`, and if no track can be decoded.
        """
        return self.fit(X)._transform(X, is_new=False)

    def _transform(self, X: Any, *, is_new: bool) -> NDArray[Any]:
        check_is_fitted(self)
        tracks, stamps = self._check_tracks(X, reset=False)
        # stacklevel 4 is the caller of the public method, which scikit-learn wraps.
        if is_new and (doubts := self._doubts(tracks, stamps)):
            warnings.warn(doubts, UserWarning, stacklevel=4)
        with joined_workers():
            rows, failures = self._rows(tracks, stamps)
        self._raise_for(failures, n_tracks=None if is_new else len(tracks))
        if failures:
            warnings.warn(
                f"{len(failures)} of {len(tracks)} tracks could not be used, their rows are "
                "NaN:\n" + "\n".join(_reasons(failures)),
                UserWarning,
                stacklevel=4,
            )
        return rows

    @property
    def _n_workers(self) -> int:
        return joblib.effective_n_jobs(self.n_jobs)

    def _doubts(self, tracks: list[Any], stamps: list[Any]) -> str:
        return ""

    def _rows(self, tracks: list[Any], stamps: list[Any]) -> tuple[NDArray[Any], Failures]:
        """Return the rows of all tracks, and the errors of those that have none."""
        shape, dtype = (len(tracks), self._n_features_out), np.dtype(self.dtype)
        outcomes = self._outcomes(tracks, stamps, self._row_function())
        memory = self._check_memory()
        has_folder = isinstance(memory, joblib.Memory) and memory.backend == "local"
        is_large = math.prod(shape) * dtype.itemsize > _SHARE_OF_MEMORY * machine_memory()
        with contextlib.closing(outcomes):
            if not (is_large and has_folder and memory.location is not None):
                rows, failures = np.empty(shape, dtype), {}
                for i, outcome in enumerate(outcomes):
                    if isinstance(outcome, AudioError):
                        failures[i] = outcome
                        outcome = np.nan
                    rows[i] = outcome
                return rows, failures
            pairs = zip(tracks, stamps, strict=True)
            contents = [track if stamp is None else stamp for track, stamp in pairs]
            key = joblib.hash((self._key(), shape, contents))
            # Next to joblib's own entries and named as they are, so that its Memory.clear and
            # Memory.reduce_size find it.
            folder = Path(memory.store_backend.location, *__name__.split("."), "rows", key)
            return rows_on_disk(folder, shape, dtype, outcomes)

    def _key(self) -> tuple[Any, ...]:
        """Return all that determines the rows apart from the tracks."""
        parameters = {
            # As plain numbers: 0 and 0.0, or an int64 of a grid, are one key.
            name: float(value) if isinstance(value, Real) else value
            for name, value in self.get_params(deep=False).items()
            if name not in self._NOT_IN_KEY
        }
        parameters["dtype"] = np.dtype(self.dtype).str
        return CACHE_VERSION, type(self).__name__, parameters, self._identity()

    def _outcomes(
        self, tracks: list[Any], stamps: list[Any], function: Callable[[Any, Any], Any]
    ) -> Generator[Any]:
        """Yield what the function returns for each track, or the track's error."""
        parallel = in_threads(self._n_workers)
        # Workers don't wait for a slow consumer: without batches, rows would pile up.
        batches = gen_batches(len(tracks), 32 * self._n_workers)
        progress = tqdm(
            total=len(tracks), desc=type(self).__name__, unit="track", disable=not self.verbose
        )
        with progress, parallel:
            for batch in batches:
                for outcome in parallel(
                    joblib.delayed(or_error)(function, track, stamp)
                    for track, stamp in zip(tracks[batch], stamps[batch], strict=True)
                ):
                    progress.update()
                    yield outcome

    def _track_function(self) -> Callable[..., Any]:
        """Return the function that applies another to a stretch of a track; files are cached."""
        through_cache = self._check_memory().cache(_of_file, ignore=["function"])
        sample_rate, offset = int(self.sample_rate), float(self.offset)

        def compute(track, stamp, *, duration, identity, function):
            if stamp is None:
                return function(stretch(track, sample_rate=sample_rate, offset=offset))
            key = CACHE_VERSION, identity
            return through_cache(*stamp, sample_rate, offset, duration, key, function)

        return compute

    def _n_samples_of(self, duration: float) -> int:
        return max(1, round(duration * self.sample_rate))

    def _check_memory(self) -> joblib.Memory:
        memory = self.memory
        return check_memory(os.fspath(memory) if isinstance(memory, os.PathLike) else memory)

    def _check_tracks(self, X: Any, *, reset: bool) -> tuple[list[Any], list[Any]]:
        """Return the tracks and their file stamps: None for a waveform, an error for a bad one."""
        cells = track_cells(X)
        if cells is None:
            tracks = validate_data(self, X, reset=reset, ensure_all_finite=False)
        else:
            # A table of pandas, polars or pyarrow has names of columns.
            column = X if hasattr(X, "columns") else cells.reshape(-1, 1)
            validate_data(self, column, reset=reset, skip_check_array=True)
            tracks = cells
        stamps = [stamp_of(track) for track in tracks]
        self._raise_for(failures_of(stamps), n_tracks=len(tracks) if reset else None)
        return list(tracks), stamps

    def _raise_for(self, failures: Failures, *, n_tracks: int | None = None) -> None:
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
            reasons.append('Repair or drop them, or use on_error="nan" to get rows of NaN.')
        cause = next(iter(failures.values())).__cause__
        raise (AudioNotFoundError if missing else AudioError)("\n".join(reasons)) from cause

    def __sklearn_is_fitted__(self) -> bool:
        # A fit that failed leaves `failures_`.
        return hasattr(self, "_n_features_out")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.allow_nan = self.on_error == "nan"
        tags.transformer_tags.preserves_dtype = [np.dtype(self.dtype).name]
        return tags


def _reasons(failures: Failures) -> list[str]:
    return [f"Row {row}: {error}" for row, error in failures.items()]


def _of_file(path, size, mtime_ns, sample_rate, offset, duration, identity, function):
    # In the cache's key, the size and the time of change stand for the file's content, and
    # `identity` for the function.
    return function(read_audio(path, sample_rate=sample_rate, offset=offset, duration=duration))
