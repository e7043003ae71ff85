"""Whether an embedding was told the labels that its clusters are scored against."""

import functools
import itertools
import warnings

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import normalized_mutual_info_score
from sklearn.utils import _safe_indexing

from .._inspection import find_embedders
from ..exceptions import LEAKAGE_THRESHOLD

# Rows with which it is tried out what an embedding reads.
_N_ROWS = 50


def find_telling_columns(X, targets):
    """Return the columns of X that tell each target, as lists of (columns, mutual information).

    A label repeats: a column of which most values are of one row only is none, unless it
    names the classes one to one, nor is ``audio``. Numbers are measured, unless there are no
    more of them than classes. The columns of a one-hot block tell the labels together.
    """
    table = _as_table(X)
    columns = {
        i: _groups(table.iloc[:, i]) for i in range(table.shape[1]) if table.columns[i] != "audio"
    }
    return {name: _telling_columns(columns, labels) for name, labels in targets.items()}


def _telling_columns(columns, labels):
    has_label = labels.notna().to_numpy()
    labels = np.unique(labels[has_label].to_numpy(dtype=object), return_inverse=True)[1]
    n_classes = len(np.unique(labels))
    if n_classes < 2:
        return []
    groups: dict[tuple[int, ...], np.ndarray] = {}
    for i, (codes, n_numbers, repeats) in columns.items():
        codes = codes[has_label]
        if n_numbers <= n_classes and (repeats or _names_classes(codes, labels)):
            groups[(i,)] = codes
    indicators = [columns for columns, codes in groups.items() if _tells_a_class(codes, labels)]
    if len(indicators) > 1:
        block = np.column_stack([groups[columns] for columns in indicators])
        together = np.unique(block, axis=0, return_inverse=True)[1].ravel()
        groups[tuple(itertools.chain(*indicators))] = together
    information = {
        columns: float(normalized_mutual_info_score(labels, codes))
        for columns, codes in groups.items()
    }
    return [(columns, value) for columns, value in information.items() if value > LEAKAGE_THRESHOLD]


def measure_leakage(estimator, X, targets, telling_columns):
    """Return how well what an embedding was told tells each target.

    Parameters
    ----------
    estimator : transformer
        Fitted to X.
    X : array-like or DataFrame
        The rows.
    targets : dict of str to Series
        The labels.
    telling_columns : dict of str to list
        What `find_telling_columns` returned.

    Returns
    -------
    leakage : dict of str to float
        The normalised mutual information where it is above .5, else 0.
    """

    @functools.cache
    def reads(columns):
        return _reads(estimator, X, columns)

    leakage = {
        name: max((told for columns, told in telling_columns[name] if reads(columns)), default=0.0)
        for name in targets
    }
    for part in find_embedders(estimator):
        if getattr(part.estimator, "encode_condition", False):
            inputs = part.get_input(X)
            for name, labels in targets.items():
                has_label = np.flatnonzero(labels.notna())
                known = labels.iloc[has_label].to_numpy(dtype=object)
                classes, labels = np.unique(known, return_inverse=True)
                # One class is told by anything.
                if len(classes) > 1:
                    inputs_known = _safe_indexing(inputs, has_label)
                    told = part.estimator.label_leakage(inputs_known, labels) or 0.0
                    leakage[name] = max(leakage[name], told if told > LEAKAGE_THRESHOLD else 0.0)
    return leakage


def _groups(column):
    """Return each row's group by its value, how many numbers there are, whether values repeat."""
    is_number = is_numeric_dtype(column)
    if is_number:
        cells = column.to_numpy(np.float64, na_value=np.nan)
    else:
        cells = np.array([str(cell) for cell in column], dtype=object)
    values, codes, counts = np.unique(cells, return_inverse=True, return_counts=True)
    n_numbers = np.isfinite(values).sum() if is_number else 0
    repeats = len(values) <= len(cells) / 2
    # Values of one row only would tell any labels.
    return (np.where(counts[codes] > 1, codes, -1) if repeats else codes), n_numbers, repeats


def _names_classes(codes, labels):
    """Tell whether values and classes stand for each other one to one, and some repeat."""
    pairs = len(pd.DataFrame({"value": codes, "class": labels}).drop_duplicates())
    return pairs == len(np.unique(codes)) == len(np.unique(labels)) < len(labels)


def _tells_a_class(codes, labels):
    """Tell whether a column is the indicator of a class, as a column of a one-hot block is."""
    values, counts = np.unique(codes, return_counts=True)
    if len(values) != 2:
        return False
    rarer = codes == values[counts.argmin()]
    classes, counts = np.unique(labels[rarer], return_counts=True)
    return (
        normalized_mutual_info_score(labels == classes[counts.argmax()], rarer) > LEAKAGE_THRESHOLD
    )


def _reads(estimator, X, columns):
    """Tell whether an embedding changes where values in columns of X change places."""
    table = _as_table(X)
    order = np.random.RandomState(0).permutation(len(table))
    # Around one circle, so that not all values can stay what they were.
    donors = np.empty_like(order)
    donors[order] = np.roll(order, 1)
    moved = table.copy()
    for i in columns:
        # A Series, of which pandas doesn't guess another type.
        moved.isetitem(i, table.iloc[donors, i].set_axis(table.index))
    if hasattr(estimator, "transform"):
        changed = [
            [
                str(before) != str(after)
                for before, after in zip(table.iloc[:, i], moved.iloc[:, i], strict=True)
            ]
            for i in columns
        ]
        rows = np.flatnonzero(np.any(changed, axis=0))[:_N_ROWS]
        embed = estimator.transform
    else:
        rows = np.arange(len(table))
        embed = clone(estimator).fit_transform
    with warnings.catch_warnings():
        # Of unreadable files, say, which would be named by their rows among these.
        warnings.simplefilter("ignore", UserWarning)
        before, again, after = (
            _dense(embed(_safe_indexing(_like(X, side), rows))) for side in (table, table, moved)
        )
    # An embedding may draw at random; what it is given then makes no more difference than that.
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


def _like(X, table):
    """Return a table in the form that X has."""
    return table if isinstance(X, pd.DataFrame) else table.to_numpy().reshape(np.shape(X))


def _dense(Z):
    return Z.toarray() if sparse.issparse(Z) else np.asarray(Z)
