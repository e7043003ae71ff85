"""Files that are there as a whole, or not at all."""

import os
import secrets
from pathlib import Path


def replace_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file, in place of one that is there: no reader ever finds half of it."""
    path = Path(path)
    unfinished = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        unfinished.write_bytes(content)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
