"""Playlists of clusters, for any music player."""

import contextlib
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_consistent_length

from .._files import replace_file
from .._tables import as_pandas, is_clustered, readable
from .titles import find_artists, find_titles

# A line of each file, by which a later call knows its own.
_MARK = "# Written by sklearn_music"
# Forbidden in the names of files on Windows, whose rules are the strictest; control characters.
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f]+')
_LONGEST_NAME = 120  # bytes; most file systems allow 255


def write_playlists(
    clusters: Any,
    tracks: Any,
    folder: str | os.PathLike[str],
    *,
    names: Mapping[Any, str] | None = None,
) -> list[Path]:
    """Write one playlist (m3u8) per cluster, with paths relative to it.

    Parameters
    ----------
    clusters : array-like of shape (n_tracks,)
        The cluster of each track. Tracks with a negative number (noise, or missing), None or NaN
        are in no playlist.
    tracks : DataFrame of length n_tracks
        The tracks, with the column ``audio`` (paths). ``title``, ``artist`` and ``duration``
        (seconds) are used if there are any. A playlist has its tracks in the order of the table.
    folder : str or PathLike
        Where the playlists are written. It is made if it does not exist. Playlists that an earlier
        call wrote there are replaced; other files stay.
    names : dict, default=None
        The name of each cluster, as ``describe_clusters`` finds it. None is "cluster".

    Returns
    -------
    paths : list of Path
        The playlists, in the order of the clusters. Each is called by the number and the name of
        its cluster, such as ``03 guitar, slow.m3u8``. Characters that a file system may forbid
        become "_".

    Raises
    ------
    ValueError
        If there is no column ``audio``, if it holds waveforms, or if the lengths differ.

    See Also
    --------
    describe_clusters : The names of the clusters.

    Notes
    -----
    The files are UTF-8 text in the extended M3U format. A path with a line break in it can't be
    written in this format: such a track is left out, with a warning.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from sklearn_music.exploration import write_playlists
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     audio = [str(Path(folder, "songs", name)) for name in ("a.mp3", "b.mp3", "c.mp3")]
    ...     tracks = pd.DataFrame({"audio": audio, "title": ["A", "B", "C"]})
    ...     paths = write_playlists([0, 1, 0], tracks, folder, names={0: "slow", 1: "loud/fast"})
    ...     print([path.name for path in paths])
    ...     print(paths[0].read_text(encoding="utf-8"))
    ['0 slow.m3u8', '1 loud_fast.m3u8']
    #EXTM3U
    # Written by sklearn_music
    #PLAYLIST:slow
    #EXTINF:-1,A
    songs/a.mp3
    #EXTINF:-1,C
    songs/c.mp3
    """
    tracks = as_pandas(tracks)
    if not isinstance(tracks, pd.DataFrame) or tracks.columns.tolist().count("audio") != 1:
        raise ValueError("Expected tracks as a DataFrame with one column 'audio', of paths.")
    clusters = column_or_1d(np.asarray(clusters, dtype=object))
    check_consistent_length(clusters, tracks)
    for audio in tracks["audio"]:
        if not isinstance(audio, (str, os.PathLike)):
            raise ValueError(f"Got a {type(audio).__name__} as audio, expected the path of a file.")
    folder = Path(os.path.abspath(folder))
    folder.mkdir(parents=True, exist_ok=True)
    entries = _entries(tracks, folder)
    if lost := entries.count(None):
        warnings.warn(
            f"{lost} of {len(tracks)} tracks are in no playlist, since their paths contain a line "
            "break, or no text: rename the files.",
            UserWarning,
            stacklevel=2,
        )
    groups = pd.Series(entries, dtype=object)[is_clustered(clusters)].groupby(
        clusters[is_clustered(clusters)], sort=True
    )
    paths = []
    width = max((len(str(cluster)) for cluster, _ in groups), default=1)
    for cluster, found in groups:
        name = readable((names or {}).get(cluster, "cluster"))
        stem = _safe(f"{str(cluster).zfill(width)} {name}")
        heading = f"#PLAYLIST:{' '.join(name.split())}"
        lines = ["#EXTM3U", _MARK, heading, *filter(None, found)]
        path = folder / f"{stem}.m3u8"
        # A name of a file that is not UTF-8 stays what it is, byte by byte.
        replace_file(path, ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))
        paths.append(path)
    for path in set(folder.glob("*.m3u8")) - set(paths):
        with contextlib.suppress(OSError):
            if _MARK.encode() in path.read_bytes()[:200]:
                path.unlink()
    return paths


def _entries(tracks: pd.DataFrame, folder: Path) -> list[str | None]:
    """Return what a playlist says of each track, None if it can't."""
    if "duration" in tracks:
        seconds = pd.to_numeric(tracks["duration"], errors="coerce").fillna(-1).round()
    else:
        seconds = pd.Series(-1, index=tracks.index)
    entries: list[str | None] = []
    rows = zip(tracks["audio"], find_titles(tracks), find_artists(tracks), seconds, strict=True)
    for audio, title, artist, length in rows:
        path = _relative(os.fspath(audio), folder)
        text = " ".join(f"{artist} - {title}".split()) if artist else " ".join(title.split())
        entries.append(f"#EXTINF:{int(length)},{text}\n{path}" if _is_line(path) else None)
    return entries


def _is_line(path: str) -> bool:
    """Return whether a path can be a line of a playlist."""
    try:
        path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character: no file has such a name
        return False
    return not re.search(r"[\r\n]", path)


def _relative(audio: str, folder: Path) -> str:
    """Return the path of a file as a playlist in a folder writes it."""
    audio = os.path.abspath(audio)
    try:
        path = os.path.relpath(audio, folder)
    except ValueError:  # on another drive of Windows
        return audio
    path = path.replace(os.sep, "/")
    # What begins like this would be a comment.
    return f"./{path}" if path.startswith("#") else path


def _safe(name: str) -> str:
    """Return a name that every file system takes. It begins with a number, so it isn't reserved."""
    name = _FORBIDDEN.sub("_", name).encode()[:_LONGEST_NAME].decode(errors="ignore")
    # Windows drops dots and spaces at the end.
    return name.rstrip(". ")
