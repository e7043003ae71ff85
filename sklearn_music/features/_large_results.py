"""Results larger than memory: written to a file, and mapped."""

import contextlib
import os
import time
import uuid
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..exceptions import AudioError
from .workers import Failures

if os.name != "nt":
    import fcntl


def machine_memory() -> int:
    """Return the bytes of memory that this machine or container has."""
    n_bytes = 2**33  # where the system doesn't say
    with contextlib.suppress(AttributeError):
        n_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):  # no Linux, or no limit
        n_bytes = min(n_bytes, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return n_bytes


def rows_on_disk(
    folder: Path, shape: tuple[int, int], dtype: np.dtype[Any], outcomes: Iterable[Any]
) -> tuple[NDArray[Any], Failures]:
    """Write the rows to a file, unless it is there, and map it; return the errors too.

    A file under its final name is complete, and nothing is ever written to it. Until then it has
    another name, and a lock that ends with the process: it shows whether a killed run left the
    file, or another run is writing it. A file with errors in it lasts as long as its map.
    """
    whole = folder / "rows.npy"
    if whole.exists():
        return np.load(whole, mmap_mode="r"), {}
    folder.mkdir(parents=True, exist_ok=True)
    remove_abandoned(folder)
    file = new_file(folder)
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


def new_file(folder: Path) -> BinaryIO:
    """Create a file, open for writing, that is locked as long as it is open."""
    while True:
        file = open(folder / f"unfinished-{uuid.uuid4().hex}.npy", "xb")  # noqa: SIM115
        if os.name != "nt":
            with contextlib.suppress(OSError):  # not every file system has locks
                fcntl.flock(file, fcntl.LOCK_EX)
        if os.path.exists(file.name):  # else another run removed it before the lock
            return file
        file.close()


def _publish(file: BinaryIO, whole: Path) -> None:
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


def _discard(file: BinaryIO, pid: int) -> None:
    if os.getpid() != pid:  # a forked copy of the process that is still using it
        return
    file.close()
    with contextlib.suppress(OSError):
        os.unlink(file.name)


def remove_abandoned(folder: Path) -> None:
    """Remove the files that killed runs left."""
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
