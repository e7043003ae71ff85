"""A track on its way through an encoder."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exceptions import AudioError
from .encoders import BaseEncoder


@dataclass
class EncodedTrack:
    """A track on its way to a row."""

    name: str
    keep: Callable[[NDArray[np.float32]], NDArray[np.float32]]  # puts vectors into the cache
    inputs: list[NDArray[np.float32]] = field(default_factory=list)  # the encoder's
    vectors: NDArray[np.float32] | AudioError | None = None  # what it makes of them


class NotInCacheError(Exception):
    """A result has to be computed."""


def not_in_cache():
    """Raise a NotInCacheError."""
    raise NotInCacheError


def vectors_of_file(path, size, mtime_ns, key, compute):
    """Return what `compute` returns; the other arguments are the key of the cache."""
    # In the cache's key, the size and the time of change stand for the file's content.
    return compute()


def call_encoder(
    encoder: BaseEncoder, track: EncodedTrack, device: Any
) -> NDArray[np.float32] | AudioError:
    """Return the vector of a whole track, (1, n_features), or the error."""
    try:
        vectors = np.asarray(encoder.encode(track.inputs[0][None], device))
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        failure = AudioError(f"the encoder failed on {track.name}: {reason}")
        failure.__cause__ = error
        return failure
    if vectors.ndim != 2 or vectors.size == 0 or vectors.dtype.kind not in "fiu":
        return AudioError(
            f"the encoder returned an array of shape {vectors.shape[1:]} and dtype "
            f"{vectors.dtype} for {track.name}; expected a vector, a 1-D array of numbers."
        )
    with np.errstate(over="ignore"):
        return vectors.astype(np.float32)


def encode_batch(encoder: BaseEncoder, batch: NDArray[np.float32], device: Any) -> NDArray[Any]:
    """Return the vectors of a batch of windows; raise where the encoder is wrong."""
    vectors = np.asarray(encoder.encode(batch, device), dtype=np.float32)
    expected = len(batch), encoder.n_features
    if vectors.shape != expected:
        raise ValueError(
            f"{type(encoder).__name__}.encode returned an array of shape {vectors.shape} for "
            f"{len(batch)} windows, expected {expected}: a vector of n_features for each."
        )
    return vectors
