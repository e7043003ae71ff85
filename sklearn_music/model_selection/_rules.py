"""Rules that take one number of clusters from the table of criteria."""

from collections.abc import Callable

import numpy as np
import pandas as pd

# Two or three clusters are stable and well separated in most collections, and of little use.
_USEFUL = 4
_STABLE = 0.9


def _best(column: str, sign: int) -> Callable[[pd.DataFrame], int]:
    """Return the rule that takes the best value of a column."""

    def rule(table: pd.DataFrame) -> int:
        values = sign * table[column].to_numpy(dtype=float)
        return _at(table, int(np.nanargmax(values))) if np.isfinite(values).any() else _at(table, 0)

    return rule


def _at(table: pd.DataFrame, row: int) -> int:
    return int(table["n_clusters"].iloc[row])


def _stable(table: pd.DataFrame) -> int:
    stable = np.flatnonzero(table["stability"] >= _STABLE)
    return _at(table, int(stable[-1])) if len(stable) else _best("stability", 1)(table)


def _gap(table: pd.DataFrame) -> int:
    gap, error = (table[name].to_numpy() for name in ("gap", "gap_error"))
    enough = np.flatnonzero(gap[:-1] >= gap[1:] - error[1:])
    return _at(table, int(enough[0])) if len(enough) else _best("gap", 1)(table)


def _elbow(table: pd.DataFrame) -> int:
    """Take the point of the curve that is farthest below the line through its ends."""
    x, y = (table[name].to_numpy(dtype=float) for name in ("n_clusters", "inertia"))
    if len(x) < 3 or y[0] <= y[-1]:
        return _at(table, 0)
    x, y = ((v - v.min()) / (v.max() - v.min()) for v in (x, y))
    return _at(table, int(np.argmin(x + y)))


def _auto(table: pd.DataFrame) -> int:
    useful = table[table["n_clusters"] >= _USEFUL]
    return _best("auto", 1)(useful if len(useful) else table)


def separated_and_stable(table: pd.DataFrame) -> pd.Series:
    """Return the criterion of "auto": the silhouette times the stability, 0 where it is negative.

    Of two negative silhouettes, the product would prefer that of the less stable clusters.
    """
    return table["silhouette"].clip(lower=0) * table["stability"].clip(lower=0)


RULES: dict[str, Callable[[pd.DataFrame], int]] = {
    "auto": _auto,
    "silhouette": _best("silhouette", 1),
    "calinski_harabasz": _best("calinski_harabasz", 1),
    "davies_bouldin": _best("davies_bouldin", -1),
    "stability": _stable,
    "bic": _best("bic", -1),
    "gap": _gap,
    "elbow": _elbow,
}

_REASONS = {
    "auto": f"the largest product of silhouette and stability from {_USEFUL} clusters up",
    "silhouette": "the largest silhouette",
    "calinski_harabasz": "the largest Calinski-Harabasz score",
    "davies_bouldin": "the smallest Davies-Bouldin score",
    "stability": f"the largest number with a stability of at least {_STABLE}, or else the most "
    "stable one",
    "bic": "the smallest BIC of a Gaussian mixture",
    "gap": "the smallest number whose gap statistic the next one does not exceed by more than its "
    "standard error",
    "elbow": "the elbow of the curve of the inertia",
}


def explain(rule: str, n_clusters: int, table: pd.DataFrame) -> str:
    """Return why a rule has taken this number, in one sentence."""
    tried = table["n_clusters"]
    row = table[tried == n_clusters].iloc[0]
    reason = _REASONS[rule]
    if rule == "auto" and n_clusters < _USEFUL:  # none of the larger ones was tried
        reason = "the largest product of silhouette and stability"
    return (
        f"{n_clusters} clusters: {reason}, of {tried.min()} to {tried.max()} tried "
        f"(silhouette {row['silhouette']:.2f}, stability {row['stability']:.2f})."
    )
