"""The command ``sklearn-music``: a folder of music in, clusters out."""

import os
import re
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from ._arguments import parse

# What a run says by itself, in one list at its end.
_SAID_ELSEWHERE = re.compile(r"could not be used, their rows are NaN|^Dropped: |^Got n_components")
INTERRUPTED = 130  # as a shell has it: 128 and the number of the signal
_CLOSED_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit code: 0, or 1 for an error, 2 for wrong arguments.

    130 is Ctrl-C.
    """
    arguments = parse(argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names of files need not be text
            stream.reconfigure(errors="backslashreplace")
    with warnings.catch_warnings():
        _show_warnings_plainly(quiet=arguments.quiet)
        try:
            # Imported here, so that --help does not wait for it.
            from . import _commands

            getattr(_commands, arguments.command)(arguments)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever reads has read enough. Python would complain at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return _CLOSED_PIPE
        except KeyboardInterrupt:
            return _stop(arguments)
        except (ImportError, OSError, ValueError) as error:
            if arguments.traceback:
                raise
            print(f"sklearn-music: error: {error}", file=sys.stderr)
            return 1
    return 0


def _stop(arguments: Any) -> int:
    print("\nStopped.", file=sys.stderr)
    if arguments.command == "cluster":
        print(
            f"What was computed of the files is kept in {arguments.output / 'cache'}. The same "
            "command goes on from there.",
            file=sys.stderr,
        )
    return INTERRUPTED


def _show_warnings_plainly(*, quiet: bool) -> None:
    """Print each warning to a user once, as one line; leave out those for programmers."""
    shown = set()

    def show(message, category, *args, **kwargs):
        text = str(message)
        if text not in shown and not _SAID_ELSEWHERE.search(text):
            shown.add(text)
            print(f"Warning: {text}", file=sys.stderr)

    warnings.simplefilter("ignore")
    if not quiet:
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
