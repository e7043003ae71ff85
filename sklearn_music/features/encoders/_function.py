"""A function of the user's as an encoder."""

import functools
import inspect
import sys
import types
from collections.abc import Callable
from typing import Any

import joblib.hashing
import numpy as np
from numpy.typing import NDArray

from ._base import BaseEncoder


class FunctionEncoder(BaseEncoder):
    """An encoder that calls a function of a whole waveform.

    Parameters
    ----------
    function : callable
        ``function(waveform, sample_rate)`` returns a vector.
    sample_rate : int
        Rate of the waveform, in Hz.
    name : str or None
        Name of the function in the cache. If None, it is identified by what it holds.
    """

    window_length = None

    def __init__(self, function: Callable[..., Any], sample_rate: int, name: str | None) -> None:
        self.function = function
        self.sample_rate = sample_rate
        self.name = name

    def identity(self) -> tuple[Any, ...]:
        """Return the name, or a hash of what the function holds."""
        has_name = self.name is not None  # so that no name is the hash of another model
        return has_name, self.name if has_name else _hash_of(self.function)

    def encode(self, batch: NDArray[np.float32], device: Any) -> NDArray[Any]:
        """Return what the function returns for a single waveform, as an array."""
        import torch

        with torch.no_grad():
            # A copy that it may write to.
            vector = self.function(np.array(batch[0], dtype=np.float32), self.sample_rate)
        if isinstance(vector, torch.Tensor):
            vector = vector.float().numpy(force=True)
        return np.asarray(vector)[None]


def _hash_of(model: Any) -> str:
    """Return a hash of what a model holds; raise where that does not identify it."""
    inner = model
    while isinstance(inner, (functools.partial, types.MethodType)):
        inner = inner.func if isinstance(inner, functools.partial) else inner.__self__
    try:
        if inspect.isclass(inner) or inspect.isroutine(inner):
            raise TypeError("a function has only code, which can't be compared")
        return _TensorHasher().hash(model)
    except Exception as error:  # objects that can't be pickled raise errors of many classes
        raise ValueError(
            f"Got memory, model_id=None and encoder={model!r}, which the cache can't identify: "
            f"{type(error).__name__}: {error}. Expected a name for the model: set model_id, for "
            'example model_id="my-model-v1", or use memory=None.'
        ) from error


class _TensorHasher(joblib.hashing.NumpyHasher):
    """joblib's hash of an object, with torch tensors by their values.

    What torch pickles of a tensor holds addresses in memory.
    """

    def save(self, obj: Any) -> None:
        # Without torch, there is no tensor.
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(obj, torch.Tensor):
            # As bytes: NumPy has no bfloat16.
            data = obj.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
            obj = ("tensor", str(obj.dtype), tuple(obj.shape), data)
        super().save(obj)
