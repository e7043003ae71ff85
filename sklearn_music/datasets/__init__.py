"""Tracks to cluster: `load_tracks` reads a table of your own, `make_music` makes synthetic ones."""

from ._load_tracks import load_tracks
from ._make_music import make_music

__all__ = ["load_tracks", "make_music"]
