"""What a run prints."""

import argparse
import textwrap
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from ..exploration.titles import find_artists, find_titles

Say = Callable[..., None]

_N_SHOWN = 10
_WIDTH = 100


def sayer(arguments: argparse.Namespace) -> Say:
    """Return `print`, or, if the user wants to see errors only, a function that prints nothing."""
    if arguments.quiet:
        return lambda *lines: None
    # At once, so that it stands before the progress bars.
    return lambda *lines: print(*lines, flush=True)


def describe_tracks(tracks: pd.DataFrame, lost: dict[str, str], say: Say) -> None:
    """Say what was found: how many tracks, in which formats, and what is missing."""
    suffixes = Counter(Path(audio).suffix.lower().lstrip(".") for audio in tracks["audio"])
    formats = ", ".join(f"{n} {suffix or 'without suffix'}" for suffix, n in suffixes.most_common())
    length = ""
    if "duration" in tracks and (seconds := tracks["duration"].sum()):
        length = f", {seconds / 3600:.1f} hours" if seconds > 7200 else f", {seconds / 60:.0f} min"
    say(f"{len(tracks)} songs ({formats}){length}")
    known = [
        f"{name} {tracks[name].notna().sum()}"
        for name in ("title", "artist", "genre", "lyrics")
        if name in tracks
    ]
    say(f"  known: {', '.join(known)}")
    if lost:
        say(f"  can't be used: {len(lost)} more, listed at the end")


def summarize(clusters: pd.DataFrame, say: Say) -> None:
    """Print a table of the clusters."""
    say(f"\n{'cluster':>7}  {'songs':>5}  name and typical songs")
    for row in clusters.to_dict("records"):
        is_one = row["cluster"] >= 0
        label, name = (row["cluster"], row["name"]) if is_one else ("-", "in no cluster")
        say(f"{label:>7}  {row['size']:>5}  {name}")
        if row["typical"]:
            titles = textwrap.shorten("; ".join(row["typical"]), _WIDTH - 16, placeholder=" ...")
            say(f"{'':16}{titles}")


def list_left_out(table: pd.DataFrame, say: Say) -> None:
    """Print which files could not be used, and why."""
    gone = table[table["reason"].notna()]
    if not len(gone):
        return
    n_none = int((gone["cluster"] < 0).sum())
    say(f"\nFiles that can't be read: {len(gone)}, in no cluster: {n_none}")
    shown = gone.head(_N_SHOWN)
    for audio, reason in zip(shown["audio"].map(str), shown["reason"], strict=True):
        # The reason names the file already, where the library raised it.
        say(f"  {reason if audio in reason else f'{audio}: {reason}'}")
    if len(gone) > _N_SHOWN:
        say(f"  and {len(gone) - _N_SHOWN} more: see the column 'reason' of clusters.csv")


def names_of(tracks: pd.DataFrame) -> list[str]:
    """Return artist and title of each track, or the name of its file."""
    pairs = zip(find_artists(tracks), find_titles(tracks), strict=True)
    return [f"{artist} - {title}" if artist else title for artist, title in pairs]


def find_song(song: str, tracks: pd.DataFrame) -> Any:
    """Return the row of a song that is named by its file or by words; of a new file, a table."""
    path = Path(song).expanduser()
    audio = [Path(own) for own in tracks["audio"]]
    if path.is_file():
        rows = [row for row, own in enumerate(audio) if _is_same(own, path)]
        return rows[0] if rows else pd.DataFrame({"audio": [str(path.absolute())]})
    wanted = song.casefold()
    titles = [title.casefold() for title in find_titles(tracks)]
    names = [name.casefold() for name in names_of(tracks)]
    files = [own.name.casefold() for own in audio]
    keys = list(zip(titles, names, files, strict=True))
    rows = [row for row, key in enumerate(keys) if wanted in key]
    if len(rows) != 1:
        words = wanted.split()
        rows = [row for row, key in enumerate(keys) if all(w in " ".join(key) for w in words)]
    if len(rows) == 1:
        return rows[0]
    if not rows:
        raise ValueError(f"{song!r} is no file, and in no title, artist or file name of the songs.")
    found = "".join(f"\n  {audio[row]}" for row in rows[:_N_SHOWN])
    more = "\n  ..." if len(rows) > _N_SHOWN else ""
    raise ValueError(
        f"{song!r} matches {len(rows)} songs: give more words, or the file.{found}{more}"
    )


def _is_same(own: Path, path: Path) -> bool:
    return own.name == path.name and own.exists() and path.samefile(own)
