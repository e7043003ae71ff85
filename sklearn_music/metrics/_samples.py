"""Labels and rows as users have them: with gaps, in any kind of table, with any text."""

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
    """Return labels as a Series of strings, None where a label is missing."""
    labels = column_or_1d(np.asarray(labels, dtype=object))
    known = ~pd.isna(labels)
    texts = [str(label) if k else None for label, k in zip(labels, known, strict=True)]
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


def readable(text):
    """Return a text that can be written as UTF-8: half a character becomes U+FFFD."""
    return str(text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
