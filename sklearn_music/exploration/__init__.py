"""Explore a clustered collection: what each cluster is, similar songs, playlists."""

from ._clusters import describe_clusters
from ._playlists import write_playlists
from ._similar import similar_tracks

__all__ = ["describe_clusters", "similar_tracks", "write_playlists"]
