"""Tables, columns and labels of any library, with missing values and any text."""

from collections.abc import Hashable, Iterable
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import column_or_1d
from sklearn.utils.validation import _num_samples


def as_pandas(table: Any) -> Any:
    """Return a polars or pyarrow table as a pandas one, anything else as it is."""
    names = getattr(table, "column_names", None) or getattr(table, "columns", None)
    if isinstance(table, pd.DataFrame) or names is None or not hasattr(table, "to_pandas"):
        return table
    # Column by column: polars' own to_pandas needs pyarrow.
    return pd.DataFrame({name: table[name].to_numpy() for name in names})


def by_name(y: Any, default: str) -> dict[str, Any]:
    """Return labels by name, whether there is one column of them or several."""
    y = as_pandas(y)
    columns: list[tuple[Hashable, Any]]
    if isinstance(y, (pd.DataFrame, dict)):
        columns = list(y.items())
    else:
        name = getattr(y, "name", None)
        columns = [(default if name is None or name == "" else name, y)]
    names = [readable(name) for name, _ in columns]
    if len(set(names)) < len(names):
        raise ValueError(f"Got the labels {names}, expected each with a name of its own.")
    return {name: labels for name, (_, labels) in zip(names, columns, strict=True)}


def as_labels(labels: Any) -> pd.Series:
    """Return labels as a Series of strings, None where a label is missing.

    Equal labels become one, such as 0.0 and -0.0, or 1, 1.0 and True.
    """
    labels = column_or_1d(np.asarray(labels, dtype=object))
    codes = pd.factorize(labels)[0].tolist()
    spellings: dict[int, set[str]] = {}
    for code, label in zip(codes, labels, strict=True):
        spellings.setdefault(code, set()).add(str(label))
    # The shortest one: it must not depend on the order of the samples.
    names = {code: min(texts, key=lambda t: (len(t), t)) for code, texts in spellings.items()}
    # As objects: pandas may keep strings in pyarrow, which refuses unpaired surrogates.
    return pd.Series([names[code] if code >= 0 else None for code in codes], dtype=object)


def drop_unlabelled(labels: Any) -> tuple[NDArray[np.object_], NDArray[np.intp]]:
    """Return the labels that are not missing, as strings, and their row numbers."""
    labels = as_labels(labels)
    rows = np.flatnonzero(labels.notna())
    if not len(rows):
        raise ValueError(
            f"All {len(labels)} labels are missing, so there is nothing to score the clusters "
            "against: expected at least one label."
        )
    return labels.iloc[rows].to_numpy(dtype=object), rows


def is_clustered(clusters: Any) -> NDArray[np.bool_]:
    """Return for each sample whether it is in a cluster: its label is no negative number.

    scikit-learn's clusterers give -1 to noise, HDBSCAN -2 and -3 to samples that are infinite or
    missing.
    """
    clusters = np.asarray(clusters)
    if clusters.dtype.kind in "iuf":
        return clusters >= 0
    is_negative = [isinstance(label, Real) and label < 0 for label in clusters.tolist()]
    return ~is_missing(clusters) & ~np.array(is_negative, dtype=bool)


def as_numbers(Z: Any) -> Any:
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


def is_present(Z: Any) -> NDArray[np.bool_]:
    """Return for each sample whether it is not missing: not all of its features are NaN."""
    if sparse.issparse(Z):
        return _count(Z, np.isnan) < Z.shape[1]
    Z = np.asarray(Z)
    if Z.ndim != 2 or not Z.shape[1]:
        return np.ones(_num_samples(Z), dtype=bool)
    present = ~pd.isna(Z[:, 0])
    # For most samples one column is enough: no mask of the whole array is made.
    present[~present] = ~pd.isna(Z[~present]).all(axis=1)
    return present


def is_finite(Z: Any) -> NDArray[np.bool_]:
    """Return for each sample whether all of its features are finite numbers."""
    if sparse.issparse(Z):
        return _count(Z, lambda values: ~np.isfinite(values)) == 0
    return np.isfinite(Z).all(axis=1)


def _count(Z: Any, is_bad: Any) -> NDArray[np.int64]:
    """Return for each row of a sparse matrix in how many of its stored values a mask holds."""
    Z = sparse.csr_array(Z)
    masked = sparse.csr_array((is_bad(Z.data), Z.indices, Z.indptr), shape=Z.shape)
    return np.asarray(masked.sum(axis=1)).ravel()


def readable(text: Any) -> str:
    """Return a text that can be written as UTF-8: unpaired surrogates become U+FFFD."""
    return str(text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def as_array(X: Any, dtype: Any = None) -> NDArray[Any]:
    """Return `X`, a column or table of any library, as an array of one dimension or more."""
    if isinstance(X, Iterable) and not hasattr(X, "__array__") and not hasattr(X, "__getitem__"):
        # A generator, which can be read only once, a set, dict.values(), ...
        raise ValueError(
            f"Got a {type(X).__name__} as X, expected one value per track, in a fixed order: pass "
            "a list, list(X) for example."
        )
    values = np.asarray(X, dtype=dtype)
    if values.ndim == 0:
        raise ValueError(
            f"Got a single {type(X).__name__} as X, expected one value per track: "
            "pass a list of strings or a column of a table."
        )
    return values


def as_objects(X: Any) -> NDArray[np.object_]:
    """Return `X` as an array of Python objects."""
    # Without dtype=object, np.asarray(["Rock", nan]) turns the missing value into the text 'nan'.
    return as_array(X, dtype=object)


def is_missing(values: Any) -> NDArray[np.bool_]:
    """Return where an array holds None, NaN, NaT or NA."""
    return np.asarray(pd.isna(values), dtype=bool)
