"""Searches over embeddings and clusterings."""

from ._batched_search import BatchedGridSearchCV, BatchedRandomizedSearchCV
from ._no_split import NoSplit

__all__ = ["BatchedGridSearchCV", "BatchedRandomizedSearchCV", "NoSplit"]
