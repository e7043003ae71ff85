"""Searches over embeddings and clusterings."""

from ._batched_grid_search import BatchedGridSearchCV
from ._batched_halving_grid_search import BatchedHalvingGridSearchCV
from ._batched_halving_random_search import BatchedHalvingRandomSearchCV
from ._batched_randomized_search import BatchedRandomizedSearchCV
from ._no_split import NoSplit

__all__ = [
    "BatchedGridSearchCV",
    "BatchedHalvingGridSearchCV",
    "BatchedHalvingRandomSearchCV",
    "BatchedRandomizedSearchCV",
    "NoSplit",
]
