"""Searches over embeddings and clusterings, and the number of clusters."""

from ._batched_grid_search import BatchedGridSearchCV
from ._batched_randomized_search import BatchedRandomizedSearchCV
from ._n_clusters import NClustersChoice, choose_n_clusters
from ._no_split import NoSplit

__all__ = [
    "BatchedGridSearchCV",
    "BatchedRandomizedSearchCV",
    "NClustersChoice",
    "NoSplit",
    "choose_n_clusters",
]
