"""What a track is called."""

import os
from pathlib import Path, PurePath
from typing import Any

import pandas as pd

from .._tables import readable
from ..features.audio import AUDIO_SUFFIXES
from ..features.text import fold

_COLUMNS = ("title", "track_id", "filename")


def find_titles(tracks: pd.DataFrame) -> list[str]:
    """Return the name of each track: its title, ID or file, else its label in the index."""
    columns = [tracks[name] for name in _COLUMNS if name in tracks]
    if "filename" in tracks:
        columns.append(columns.pop().map(_stem, na_action="ignore"))
    if "audio" in tracks:
        is_path = [isinstance(audio, (str, os.PathLike)) for audio in tracks["audio"]]
        stems = [
            Path(audio).stem if known else None
            for audio, known in zip(tracks["audio"], is_path, strict=True)
        ]
        columns.append(pd.Series(stems, dtype=object))
    names = [
        ["" if gone else readable(cell).strip() for cell, gone in zip(x, x.isna(), strict=True)]
        for x in columns
    ]
    cells = zip(*names, [f"track {label}" for label in tracks.index], strict=True)
    return [next(filter(None, choices)) for choices in cells]


def _stem(name: Any) -> str:
    """Return the name of a file without its folder and the suffix of its format."""
    path = PurePath(str(name))
    return path.stem if path.suffix.lower() in AUDIO_SUFFIXES else path.name


def find_artists(tracks: pd.DataFrame) -> list[str]:
    """Return the artist of each track, "" where it is not known."""
    if "artist" not in tracks:
        return [""] * len(tracks)
    return ["" if pd.isna(artist) else readable(artist).strip() for artist in tracks["artist"]]


def find_songs(tracks: pd.DataFrame) -> list[Any]:
    """Return what is equal for the tracks that are one song: title and artist, or the row."""
    if "title" not in tracks:
        return list(range(len(tracks)))
    artists = tracks["artist"] if "artist" in tracks else [None] * len(tracks)
    return [
        row if pd.isna(title) or not str(title).strip() else (fold(str(title)), fold(str(artist)))
        for row, (title, artist) in enumerate(zip(tracks["title"], artists, strict=True))
    ]
