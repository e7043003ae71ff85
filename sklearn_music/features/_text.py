"""What the text columns, lyrics and genres, have in common."""

import unicodedata
from typing import Any

import numpy as np
import pandas as pd


def fold(text: str) -> str:
    """Return `text` composed (NFC) and case folded, so that spellings of one word are equal."""
    # Before folding, so that it sees whole letters; after it, because it can decompose them ('ǰ').
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def as_objects(X: Any) -> np.ndarray:
    """Return `X` as an array of Python objects with as many dimensions as it has."""
    # Without dtype=object, np.asarray(["Rock", nan]) makes the string 'nan' of a missing value.
    values = np.asarray(X, dtype=object)
    if values.ndim == 0:
        raise ValueError(
            f"Got a single {type(X).__name__} as X, expected one value per track: "
            "pass a list of strings or a column of a table."
        )
    return values


def is_missing(values: np.ndarray) -> np.ndarray:
    """Return where an array of objects holds None, NaN, NaT or NA."""
    return np.asarray(pd.isna(values), dtype=bool)
