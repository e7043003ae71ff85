"""A column of a table, of whatever library: what the transformers of audio and of text share."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd


def as_array(X: Any, dtype: Any = None) -> np.ndarray:
    """Return `X` as an array with as many dimensions as it has.

    The columns and tables of pandas, polars and pyarrow are arrays to NumPy.
    """
    if isinstance(X, Iterable) and not hasattr(X, "__array__") and not hasattr(X, "__getitem__"):
        # A generator, which can be read only once, a set, dict.values(), ...
        raise ValueError(
            f"Got a {type(X).__name__} as X, expected one value per track, in an order that "
            "stays: pass a list, list(X) for example."
        )
    values = np.asarray(X, dtype=dtype)
    if values.ndim == 0:
        raise ValueError(
            f"Got a single {type(X).__name__} as X, expected one value per track: "
            "pass a list of strings or a column of a table."
        )
    return values


def as_objects(X: Any) -> np.ndarray:
    """Return `X` as an array of Python objects with as many dimensions as it has."""
    # Without dtype=object, np.asarray(["Rock", nan]) makes the string 'nan' of a missing value.
    return as_array(X, dtype=object)


def is_missing(values: np.ndarray) -> np.ndarray:
    """Return where an array holds None, NaN, NaT or NA."""
    return np.asarray(pd.isna(values), dtype=bool)
