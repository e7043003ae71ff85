"""Searches over embeddings and clusterings."""

from ._no_split import NoSplit

__all__ = ["NoSplit"]
