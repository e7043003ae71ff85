"""Which rows are near one another."""

import numpy as np
from joblib import parallel_config
from sklearn.neighbors import NearestNeighbors

from ._mapped_rows import chunks


def nearest_rows(X, n_neighbors):
    """Return the nearest other rows of each row, (n_rows, n_neighbors), or None of a single row.

    Of rows on disk they are of the stretch that memory holds at a time.
    """
    if len(X) == 1:
        return None
    # A fit holds torch's random state, for which others in this process wait: if it then
    # waited for workers of an outer backend, who wait for those, none would go on.
    with parallel_config(backend="sequential"):
        return np.concatenate([first + _nearest(rows, n_neighbors) for first, rows in chunks(X)])


def _nearest(X, n_neighbors):
    n_neighbors = min(n_neighbors, len(X) - 1)
    return NearestNeighbors(n_neighbors=n_neighbors).fit(X).kneighbors(return_distance=False)
