"""Searches over embeddings and clusterings."""

from ._batched_grid_search import BatchedGridSearchCV
from ._batched_randomized_search import BatchedRandomizedSearchCV
from ._no_split import NoSplit

__all__ = [
    "BatchedGridSearchCV",
    "BatchedRandomizedSearchCV",
    "NoSplit",
]
