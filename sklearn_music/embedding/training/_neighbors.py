"""Nearest neighbours, the positives of the contrastive term."""

from typing import Any

import numpy as np
from joblib import parallel_config
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from ._out_of_core import OutOfCore, chunks, n_chunks

# Out-of-core samples are compared with at most so many buffers of them.
_N_CHUNKS = 8


def nearest_samples(X: Any, n_neighbors: int) -> NDArray[np.int64] | None:
    """Return the nearest other samples of each, (n_samples, n_neighbors); None of a single one.

    All samples of an array are compared. Out-of-core samples are compared with as many as
    `_N_CHUNKS` buffers hold, a random sample if they are more. The order of the samples makes no
    difference either way.
    """
    if len(X) == 1:
        return None
    n_neighbors = min(n_neighbors, len(X) - 1)
    # A fit holds torch's random state, for which others in this process wait. If it waited for
    # workers of an outer backend, who wait for those, none would go on.
    with parallel_config(backend="sequential"):
        if isinstance(X, OutOfCore):
            return _nearest_out_of_core(X, n_neighbors)
        return NearestNeighbors(n_neighbors=n_neighbors).fit(X).kneighbors(return_distance=False)


def _nearest_out_of_core(X: OutOfCore, n_neighbors: int) -> NDArray[np.int64]:
    candidates, n_blocks = np.arange(len(X)), n_chunks(X)
    if n_blocks > _N_CHUNKS:
        n_candidates = max(n_neighbors + 1, len(X) * _N_CHUNKS // n_blocks)
        rng = np.random.default_rng(0)
        candidates = np.sort(rng.choice(len(X), n_candidates, replace=False))
        n_blocks = _N_CHUNKS
    nearest = np.zeros((len(X), n_neighbors), dtype=np.int64)
    distances = np.full(nearest.shape, np.inf)
    for block in np.array_split(candidates, n_blocks):
        # One more, since a sample may find itself.
        index = NearestNeighbors(n_neighbors=min(n_neighbors + 1, len(block))).fit(X.take(block))
        for start, samples in chunks(X):
            these = slice(start, start + len(samples))
            distance, found = index.kneighbors(samples)
            found = block[found]
            distance[found == np.arange(len(X))[these, None]] = np.inf
            distance = np.hstack([distances[these], distance])
            found = np.hstack([nearest[these], found])
            order = np.argsort(distance, axis=1, kind="stable")[:, :n_neighbors]
            nearest[these] = np.take_along_axis(found, order, axis=1)
            distances[these] = np.take_along_axis(distance, order, axis=1)
    return nearest
