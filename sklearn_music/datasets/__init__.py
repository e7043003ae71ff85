"""Tracks to cluster: synthetic ones, and a table of your own.

`make_music` composes and renders tracks with lyrics in two languages, offline and as many as
wanted. `load_tracks` reads a table of tracks beside a folder of audio files.
"""

from ._load_tracks import load_tracks
from ._make_music import make_music

__all__ = ["load_tracks", "make_music"]
