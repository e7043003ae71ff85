"""Explore a clustered collection: what each cluster is, and which songs are like a song."""

from ._clusters import describe_clusters
from ._similar import similar_tracks

__all__ = ["describe_clusters", "similar_tracks"]
