"""Scores of clusterings that can be believed: beside chance and the plain baselines."""

from ._clustering import CLUSTERING_SCORERS, purity_score
from ._comparison import compare_embeddings, format_comparison

__all__ = ["CLUSTERING_SCORERS", "compare_embeddings", "format_comparison", "purity_score"]
