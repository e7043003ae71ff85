"""Keeps the messages of C libraries off the terminal."""

import ctypes
import functools
import os
import platform
import sys
import threading
from typing import Any


class _Quiet:
    """Keeps libmpg123's messages off the terminal: an error says what matters in them.

    libsndfile can't switch them off. While files are open, the C library's variable stderr leads
    nowhere. sys.stderr and the file descriptor stay as they are, so that Python's warnings and
    the progress bars of other threads are seen.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_open = 0
        self._saved: int | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._n_open += 1
            stream, null = c_stderr()
            if self._n_open == 1 and stream is not None:
                self._saved, stream.value = stream.value, null

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._n_open -= 1
            stream, _ = c_stderr()
            if self._n_open == 0 and stream is not None:
                stream.value = self._saved


@functools.cache
def c_stderr() -> tuple[Any, Any]:
    """Return C's variable stderr and a stream to nowhere; None where it can't be set."""
    if sys.platform == "darwin":
        name = "__stderrp"
    elif platform.libc_ver()[0] == "glibc":  # whose manual says that it may be set
        name = "stderr"
    else:
        return None, None
    try:
        library = ctypes.CDLL(None)
        library.fopen.restype = ctypes.c_void_p
        null = library.fopen(os.fsencode(os.devnull), b"w")
        return (ctypes.c_void_p.in_dll(library, name), null) if null else (None, None)
    except (OSError, ValueError, AttributeError):
        return None, None


QUIET = _Quiet()
