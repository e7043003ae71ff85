"""Label leakage: whether an embedding was given the labels that its clusters are scored against."""

import functools
import itertools
import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import normalized_mutual_info_score
from sklearn.utils import _safe_indexing

from .._inspection import LEAKAGE_THRESHOLD, find_embedders

# Number of samples with which we test whether an embedding reads a column.
_N_SAMPLES = 50


def find_telling_columns(X: Any, targets: dict[str, pd.Series]) -> dict[str, list[Any]]:
    """Return the columns of X that predict each target, as lists of (columns, mutual information).

    Labels repeat: a column with mostly unique values is none, unless it names the classes one to
    one. Nor is ``audio``, nor are more numbers than classes: those are measured. The columns of a
    one-hot block predict the labels together.
    """
    table = _as_table(X)
    columns = {
        i: _groups(table.iloc[:, i]) for i in range(table.shape[1]) if table.columns[i] != "audio"
    }
    return {name: _telling_columns(columns, labels) for name, labels in targets.items()}


def _telling_columns(columns, labels):
    has_label = labels.notna().to_numpy()
    classes, y = np.unique(labels[has_label].to_numpy(dtype=object), return_inverse=True)
    n_classes = len(classes)
    if n_classes < 2:
        return []
    groups: dict[tuple[int, ...], NDArray[Any]] = {}
    for i, (codes, n_numbers, repeats) in columns.items():
        codes = codes[has_label]
        if n_numbers <= n_classes and (repeats or _names_classes(codes, y)):
            groups[(i,)] = codes
    indicators = [columns for columns, codes in groups.items() if _is_indicator(codes, y)]
    if len(indicators) > 1:
        block = np.column_stack([groups[columns] for columns in indicators])
        together = np.unique(block, axis=0, return_inverse=True)[1].ravel()
        groups[tuple(itertools.chain(*indicators))] = together
    information = {
        columns: float(normalized_mutual_info_score(y, codes)) for columns, codes in groups.items()
    }
    return [(columns, value) for columns, value in information.items() if value > LEAKAGE_THRESHOLD]


def measure_leakage(estimator: Any, X: Any, targets: Any, telling_columns: Any) -> dict[str, float]:
    """Return how well what a fitted embedding was given predicts each target.

    This is the normalised mutual information where it is above the threshold, else 0.
    """

    @functools.cache
    def reads(columns: tuple[int, ...]) -> bool:
        return _reads(estimator, X, columns)

    leakage = {
        name: max((value for columns, value in predictors if reads(columns)), default=0.0)
        for name, predictors in telling_columns.items()
    }
    for part in find_embedders(estimator):
        if getattr(part.estimator, "encode_condition", False):
            inputs = part.get_input(X)
            for name, labels in targets.items():
                rows = np.flatnonzero(labels.notna())
                known = labels.iloc[rows].to_numpy(dtype=object)
                classes, codes = np.unique(known, return_inverse=True)
                # Anything predicts a single class.
                if len(classes) > 1:
                    given = _safe_indexing(inputs, rows)
                    value = part.estimator.label_leakage(given, codes) or 0.0
                    leakage[name] = max(leakage[name], value if value > LEAKAGE_THRESHOLD else 0.0)
    return leakage


def _groups(column: pd.Series) -> tuple[NDArray[Any], int, bool]:
    """Return each sample's group by its value, the number of numbers, whether values repeat."""
    is_number = is_numeric_dtype(column)
    if is_number:
        cells = column.to_numpy(np.float64, na_value=np.nan)
    else:
        cells = np.array([str(cell) for cell in column], dtype=object)
    values, codes, counts = np.unique(cells, return_inverse=True, return_counts=True)
    n_numbers = int(np.isfinite(values).sum()) if is_number else 0
    repeats = len(values) <= len(cells) / 2
    # Values of one sample only would predict any labels.
    return (np.where(counts[codes] > 1, codes, -1) if repeats else codes), n_numbers, repeats


def _names_classes(codes: NDArray[Any], labels: NDArray[Any]) -> bool:
    """Return whether values and classes match one to one, and some repeat."""
    pairs = len(pd.DataFrame({"value": codes, "class": labels}).drop_duplicates())
    return pairs == len(np.unique(codes)) == len(np.unique(labels)) < len(labels)


def _is_indicator(codes: NDArray[Any], labels: NDArray[Any]) -> bool:
    """Return whether a column indicates a class, as a column of a one-hot block does."""
    values, counts = np.unique(codes, return_counts=True)
    if len(values) != 2:
        return False
    rarer = codes == values[counts.argmin()]
    classes, counts = np.unique(labels[rarer], return_counts=True)
    information = normalized_mutual_info_score(labels == classes[counts.argmax()], rarer)
    return bool(information > LEAKAGE_THRESHOLD)


def _reads(estimator, X, columns):
    """Return whether permuting the values of columns of X changes an embedding."""
    table = _as_table(X)
    order = np.random.RandomState(0).permutation(len(table))
    # Around one circle, so that not all values can stay what they were.
    donors = np.empty_like(order)
    donors[order] = np.roll(order, 1)
    moved = table.copy()
    for i in columns:
        # A Series: pandas does not guess another type for it.
        moved.isetitem(i, table.iloc[donors, i].set_axis(table.index))
    if hasattr(estimator, "transform"):
        cells = table.iloc[:, list(columns)].astype(object).map(str).to_numpy()
        rows = np.flatnonzero(np.any(cells != cells[donors], axis=1))[:_N_SAMPLES]
        embed = estimator.transform
    else:
        rows = np.arange(len(table))
        embed = clone(estimator).fit_transform
    with warnings.catch_warnings():
        # Of unreadable files, say: they would be named by their row numbers among these.
        warnings.simplefilter("ignore", UserWarning)
        before, again, after = (
            _dense(embed(_safe_indexing(_like(X, side), rows))) for side in (table, table, moved)
        )
    # An embedding may draw at random: only a change that is larger than that counts.
    noise = np.nanmax(np.abs(again - before), initial=0.0)
    return not np.allclose(before, after, atol=max(1e-8, 2 * noise), equal_nan=True)


def _as_table(X):
    if isinstance(X, pd.DataFrame):
        return X
    try:
        X = np.asarray(X)
    except ValueError:  # waveforms of several lengths
        return pd.DataFrame(index=range(len(X)))
    return pd.DataFrame(X.reshape(len(X), -1))


def _like(X: Any, table: pd.DataFrame) -> Any:
    """Return a table in the form that X has."""
    return table if isinstance(X, pd.DataFrame) else table.to_numpy().reshape(np.shape(X))


def _dense(Z: Any) -> NDArray[Any]:
    return Z.toarray() if sparse.issparse(Z) else np.asarray(Z)
