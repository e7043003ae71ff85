"""Work on tracks in threads, where one bad track must not end the work on the others."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import joblib
from tqdm import TMonitor

from ..exceptions import AudioError

Failures = dict[int, AudioError]  # by row


def in_threads(n_jobs: int | None) -> joblib.Parallel:
    """Return a joblib.Parallel that yields the results in order, while others are worked on."""
    try:
        return joblib.Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    except ValueError:  # the backend that the user has set can't do that
        return joblib.Parallel(n_jobs=n_jobs, backend="threading", return_as="generator")


@contextlib.contextmanager
def joined_workers() -> Iterator[None]:
    """Let Ctrl-C wait for the workers: Python must not end while one is decoding."""
    threads = set(threading.enumerate())
    try:
        yield
    except KeyboardInterrupt:
        for worker in set(threading.enumerate()) - threads:
            if not isinstance(worker, TMonitor):  # tqdm's own never ends
                worker.join(timeout=10)
        raise


def or_error(function: Callable[[Any, Any], Any], track: Any, stamp: Any) -> Any:
    """Return what the function returns for a track, or the AudioError."""
    if isinstance(stamp, AudioError):
        return stamp
    try:
        return function(track, stamp)
    except AudioError as error:
        return error


def failures_of(outcomes: Iterable[Any]) -> Failures:
    """Return the errors among some outcomes."""
    return {row: error for row, error in enumerate(outcomes) if isinstance(error, AudioError)}
