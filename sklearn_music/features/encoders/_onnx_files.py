"""The files of an ONNX model, and the session that runs it."""

import hashlib
import importlib.util
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple


class File(NamedTuple):
    """A file as it is now."""

    path: str
    size: int
    mtime_ns: int


def files_of(path: str) -> tuple[File, ...]:
    """Return an ONNX file, and those that hold weights of it."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"Got path={path!r}, which is no file: expected an ONNX file.")
    main = _stamp(path)
    return main, *(_stamp(other) for other in _external_files(main) if os.path.isfile(other))


def _stamp(path: str) -> File:
    stat = os.stat(path)
    return File(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=8)
def _external_files(file: File) -> list[str]:
    """Return the paths of the files that a model names as those of its weights."""
    # As ONNX writes it: a protocol buffer with the key "location" and, as field 2, the name.
    entry = re.compile(rb"\n\x08location\x12([\x80-\xff]*[\x00-\x7f])")
    data = Path(file.path).read_bytes()
    names = set()
    for found in entry.finditer(data):
        size = sum((byte & 127) << 7 * i for i, byte in enumerate(found[1]))
        names.add(data[found.end() : found.end() + size].decode(errors="replace"))
    return [os.path.join(os.path.dirname(file.path), name) for name in sorted(names)]


@lru_cache(maxsize=8)
def hash_of(files: tuple[File, ...]) -> str:
    """Return a hash of what is in the files."""
    digest = hashlib.sha256()
    for file in files:
        with open(file.path, "rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


@lru_cache(maxsize=4)
def open_session(files: tuple[File, ...], device: str) -> Any:
    """Return a session of onnxruntime."""
    if importlib.util.find_spec("onnxruntime") is None:
        raise ImportError(
            'OnnxEncoder needs onnxruntime. Install it with: pip install "sklearn-music[onnx]"'
        )
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    providers: list[Any] = ["CPUExecutionProvider"]
    kind, _, index = device.partition(":")
    if kind == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": index or "0"}))
    try:
        return onnxruntime.InferenceSession(files[0].path, options, providers=providers)
    except Exception as error:
        raise ValueError(
            f"Got path={files[0].path!r}, which onnxruntime can't load: {error}\n"
            "Expected an ONNX file, with its files of weights beside it."
        ) from error
