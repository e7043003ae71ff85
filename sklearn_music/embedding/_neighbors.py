"""Which rows are near one another."""

import numpy as np
from joblib import parallel_config
from sklearn.neighbors import NearestNeighbors

from ._mapped_rows import MappedRows, chunks, n_chunks

# Rows that do not fit into memory are compared with at most so many times what does.
_N_CHUNKS = 8


def nearest_rows(X, n_neighbors):
    """Return the nearest other rows of each row, (n_rows, n_neighbors), or None of a single row.

    They are sought among all rows of an array. Rows on disk are compared with as many of them
    as `_N_CHUNKS` buffers hold: with all, or else with a random sample. Either way the order of
    the rows makes no difference.
    """
    if len(X) == 1:
        return None
    n_neighbors = min(n_neighbors, len(X) - 1)
    # A fit holds torch's random state, for which others in this process wait: if it then
    # waited for workers of an outer backend, who wait for those, none would go on.
    with parallel_config(backend="sequential"):
        if isinstance(X, MappedRows):
            return _nearest_on_disk(X, n_neighbors)
        return NearestNeighbors(n_neighbors=n_neighbors).fit(X).kneighbors(return_distance=False)


def _nearest_on_disk(X, n_neighbors):
    candidates, n_blocks = np.arange(len(X)), n_chunks(X)
    if n_blocks > _N_CHUNKS:
        n_candidates = max(n_neighbors + 1, len(X) * _N_CHUNKS // n_blocks)
        rng = np.random.default_rng(0)
        candidates = np.sort(rng.choice(len(X), n_candidates, replace=False))
        n_blocks = _N_CHUNKS
    nearest = np.zeros((len(X), n_neighbors), dtype=np.int64)
    distances = np.full(nearest.shape, np.inf)
    for block in np.array_split(candidates, n_blocks):
        # One more, since a row may find itself.
        index = NearestNeighbors(n_neighbors=min(n_neighbors + 1, len(block))).fit(X.take(block))
        for start, rows in chunks(X):
            of_rows = slice(start, start + len(rows))
            distance, found = index.kneighbors(rows)
            found = block[found]
            distance[found == np.arange(len(X))[of_rows, None]] = np.inf
            distance = np.hstack([distances[of_rows], distance])
            found = np.hstack([nearest[of_rows], found])
            order = np.argsort(distance, axis=1, kind="stable")[:, :n_neighbors]
            nearest[of_rows] = np.take_along_axis(found, order, axis=1)
            distances[of_rows] = np.take_along_axis(distance, order, axis=1)
    return nearest
