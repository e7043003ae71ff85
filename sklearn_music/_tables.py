"""Tables, columns and labels as users have them: of any library, with gaps, with any text."""

from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import column_or_1d
from sklearn.utils.validation import _num_samples


def as_pandas(table):
    """Return a polars or pyarrow table as a pandas one, anything else as it is."""
    names = getattr(table, "column_names", None) or getattr(table, "columns", None)
    if isinstance(table, pd.DataFrame) or names is None or not hasattr(table, "to_pandas"):
        return table
    # Column by column: polars' own to_pandas needs pyarrow.
    return pd.DataFrame({name: table[name].to_numpy() for name in names})


def by_name(y, default):
    """Return labels by name, where there is one column of them or several."""
    y = as_pandas(y)
    if isinstance(y, pd.DataFrame):
        columns = [(name, y.iloc[:, i]) for i, name in enumerate(y)]
    elif isinstance(y, dict):
        columns = list(y.items())
    else:
        name = getattr(y, "name", None)
        columns = [(default if name is None or name == "" else name, y)]
    names = [readable(name) for name, _ in columns]
    if len(set(names)) < len(names):
        raise ValueError(f"Got the labels {names}, expected each with a name of its own.")
    return {name: labels for name, (_, labels) in zip(names, columns, strict=True)}


def as_labels(labels):
    """Return labels as a Series of strings, None where a label is missing.

    Labels that are equal are one, such as 0.0 and -0.0, or 1, 1.0 and True.
    """
    labels = column_or_1d(np.asarray(labels, dtype=object))
    codes = pd.factorize(labels)[0].tolist()
    spellings: dict[int, set[str]] = {}
    for code, label in zip(codes, labels, strict=True):
        spellings.setdefault(code, set()).add(str(label))
    # The shortest: it must not depend on the order of the samples.
    names = {
        code: min(texts, key=lambda text: (len(text), text)) for code, texts in spellings.items()
    }
    texts = [names[code] if code >= 0 else None for code in codes]
    # As objects: pyarrow, where pandas keeps texts in it, takes no half of a character.
    return pd.Series(texts, dtype=object)


def drop_unlabelled(labels):
    """Return the labels that are known, as an array of strings, and their rows.

    Raises
    ------
    ValueError
        If no label is known.
    """
    labels = as_labels(labels)
    rows = np.flatnonzero(labels.notna())
    if not len(rows):
        raise ValueError(
            f"All {len(labels)} labels are missing, so that there is nothing to score the clusters "
            "against: expected at least one label."
        )
    return labels.iloc[rows].to_numpy(dtype=object), rows


def is_clustered(clusters):
    """Return for each sample whether it is in a cluster: its label is no negative number.

    scikit-learn's clusterers give -1 to noise, HDBSCAN -2 and -3 to samples that are infinite or
    missing.
    """
    clusters = np.asarray(clusters)
    if clusters.dtype.kind in "iuf":
        return clusters >= 0
    return np.array(
        [
            not (label is None or label is pd.NA or label is pd.NaT or label != label)
            and not (isinstance(label, Real) and label < 0)
            for label in clusters.tolist()
        ],
        dtype=bool,
    )


def as_numbers(Z):
    """Return a table of numbers, of whatever library, as an array of floats or a CSR matrix."""
    if sparse.issparse(Z):
        return Z.tocsr()
    Z = as_pandas(Z)
    if not isinstance(Z, pd.DataFrame):
        Z = np.asarray(Z)
        if Z.dtype.kind == "f":
            return Z
        Z = pd.DataFrame(Z)
    # Nullable columns have a missing value of their own.
    return Z.to_numpy(dtype=np.float64, na_value=np.nan)


def is_present(Z):
    """Return for each sample whether it is not missing: not all of its features are NaN."""
    if sparse.issparse(Z):
        Z = sparse.csr_array(Z)
        is_nan = sparse.csr_array((np.isnan(Z.data), Z.indices, Z.indptr), shape=Z.shape)
        return np.asarray(is_nan.sum(axis=1)).ravel() < Z.shape[1]
    Z = np.asarray(Z)
    if Z.ndim != 2 or not Z.shape[1]:
        return np.ones(_num_samples(Z), dtype=bool)
    present = ~pd.isna(Z[:, 0])
    # Most samples are present: one column shows it, without a mask of all of them.
    present[~present] = ~pd.isna(Z[~present]).all(axis=1)
    return present


def is_finite(Z):
    """Return for each sample whether all of its features are finite numbers."""
    if sparse.issparse(Z):
        Z = sparse.csr_array(Z)
        is_bad = sparse.csr_array((~np.isfinite(Z.data), Z.indices, Z.indptr), shape=Z.shape)
        return np.asarray(is_bad.sum(axis=1)).ravel() == 0
    return np.isfinite(Z).all(axis=1)


def readable(text):
    """Return a text that can be written as UTF-8: half a character becomes U+FFFD."""
    return str(text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


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
