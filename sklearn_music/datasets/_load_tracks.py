"""`load_tracks`: a table of tracks beside a folder of audio files."""

import os
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable
from numbers import Integral
from pathlib import Path
from typing import Any, Literal

import joblib
import numpy as np
import pandas as pd
from sklearn.utils._param_validation import StrOptions, validate_parameter_constraints

from .._docstrings import shared
from ..exceptions import AudioError
from ..features.audio import check_waveform, file_stamp, read_audio
from ..features.text import why_no_lyrics, words
from ..features.workers import in_threads
from ._docstrings import TEXTS
from ._read_table import COLUMNS, as_table, check_names, read_table

LONGEST_WORD = 30  # letters; a longer run is a line in a script that has no spaces
N_SHOWN = 10

_CONSTRAINTS = {
    "audio_dir": [str, os.PathLike, None],
    "missing": [StrOptions({"raise", "drop"})],
    "unreadable": [StrOptions({"raise", "drop"}), None],
    "n_jobs": [Integral, None],
}


@shared(TEXTS)
def load_tracks(
    table: Any,
    audio_dir: str | os.PathLike[str] | None = None,
    *,
    missing: Literal["raise", "drop"] = "raise",
    unreadable: Literal["raise", "drop"] | None = None,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Load a table of tracks, find their audio files and clean their lyrics.

    Parameters
    ----------
    {table}
    {unreadable}

    Returns
    -------
    {tracks}

    Raises
    ------
    {errors}

    Notes
    -----
    {reasons}

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_music.datasets import load_tracks
    >>> rows = ["filename,track_id,genre,lyrics", "a.wav,01,folk,Row a boat", "b.wav,02,pop,#REF!"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "a.wav").touch()
    ...     Path(folder, "b.wav").touch()
    ...     _ = Path(folder, "tracks.csv").write_text(chr(10).join(rows))
    ...     tracks = load_tracks(Path(folder, "tracks.csv"))
    >>> tracks[["track_id", "genre", "lyrics"]]
      track_id genre      lyrics
    0       01  folk  Row a boat
    1       02   pop        None
    >>> tracks.attrs["lyrics_cleaned"]
    {'spreadsheet error': 1}
    """
    validate_parameter_constraints(_CONSTRAINTS, locals(), caller_name="load_tracks")
    tracks, source, folder = _read(table, audio_dir)
    column = _check_columns(tracks, source)
    if "track_id" in tracks:
        tracks["track_id"] = _check_ids(tracks["track_id"], source)
    audio = {row: _resolve(value, folder) for row, value in enumerate(tracks[column])}
    if missing == "raise":
        _check_file_names(audio, column, source)
    missing_files = _drop_missing(audio, folder, missing)
    unreadable_files = {} if unreadable is None else _drop_unreadable(audio, n_jobs, unreadable)
    tracks = _assemble(tracks, audio)
    tracks.attrs["missing_files"] = missing_files
    tracks.attrs["unreadable_files"] = unreadable_files
    return tracks


def _read(table: Any, audio_dir: str | os.PathLike[str] | None) -> tuple[pd.DataFrame, str, Path]:
    """Return the table, its name in messages, and the folder of the audio files."""
    if isinstance(table, (str, os.PathLike)):
        path = Path(table).expanduser()
        tracks, source, folder = read_table(path), str(path), Path(audio_dir or path.parent)
    else:
        tracks, source, folder = as_table(table), "the table", Path(audio_dir or "")
    check_names(tracks.columns, source)
    stripped = {name: name.strip() for name in tracks if isinstance(name, str)}
    tracks = tracks.rename(columns={a: b for a, b in stripped.items() if b in COLUMNS})
    return tracks, source, Path(os.path.abspath(folder.expanduser()))


def _assemble(tracks: pd.DataFrame, audio: dict[int, Any]) -> pd.DataFrame:
    """Return the rows that have audio, with the audio first and clean lyrics."""
    tracks = tracks.drop(columns="audio", errors="ignore").iloc[list(audio)].copy()
    tracks.insert(0, "audio", pd.Series(list(audio.values()), index=tracks.index, dtype=object))
    texts = tracks["lyrics"].tolist() if "lyrics" in tracks else []
    reasons = [_why_no_lyric(text) for text in texts]
    lyrics = [None if why else str(text) for text, why in zip(texts, reasons, strict=True)]
    # As objects: pandas' own text type would turn None into NaN.
    tracks["lyrics"] = pd.Series(lyrics or [None] * len(tracks), index=tracks.index, dtype=object)
    tracks.attrs["lyrics_cleaned"] = dict(Counter(filter(None, reasons)).most_common())
    return tracks


def _check_columns(tracks: pd.DataFrame, source: str) -> str:
    """Return the name of the column of the audio; raise or warn where columns are missing."""
    names = [str(name) for name in tracks]
    column = "audio" if "audio" in names else "filename"
    if column not in names:
        raise ValueError(
            f"{source} has no column 'filename' (or 'audio'). Got the columns {names}: rename the "
            "one that names the audio files."
        )
    if len(tracks) == 0:
        raise ValueError(f"{source} has no rows; at least one track is needed.")
    similar = [name for name in names if "lyric" in name.casefold()]
    if similar and "lyrics" not in names:
        warnings.warn(
            f"{source} has no column 'lyrics', so that all lyrics are None, but {similar}: "
            "rename the one that contains the lyrics to 'lyrics'.",
            UserWarning,
            stacklevel=3,
        )
    return column


def _check_ids(ids: pd.Series, source: str) -> pd.Series:
    """Return the IDs as text; raise if one is empty or occurs twice."""

    def as_text(value: Any) -> str:
        # One missing ID makes pandas turn a column of integers into floats.
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)

    is_empty = ids.isna() | (ids.astype(str).str.strip() == "")
    if is_empty.any():
        raise ValueError(
            f"{source}: track_id is empty in row {is_empty.to_numpy().argmax()} (the first is 0)"
            f"{_and_others(is_empty.sum() - 1)}. Fill it in, or leave the column out."
        )
    texts = ids.map(as_text)
    twice = texts[texts.duplicated()].unique()
    if len(twice):
        shown = ", ".join(map(repr, twice[:N_SHOWN])) + _and_others(len(twice) - N_SHOWN)
        raise ValueError(
            f"{source}: track_id must differ from track to track, but {shown} occur more than "
            "once. Remove the duplicates."
        )
    return texts


def _resolve(value: Any, folder: Path) -> str | np.ndarray:
    """Return the absolute path of a file, "" if there is none, or the waveform."""
    if isinstance(value, (bytes, os.PathLike)):
        value = os.fsdecode(value)
    if not isinstance(value, str):
        if np.ndim(value) > 0:
            return np.asarray(value)
        value = "" if pd.isna(value) else str(value)
    if not value.strip():
        return ""
    path = os.path.abspath(folder / value)
    # The same name may be spelt in two ways in Unicode: archives made on macOS decompose it.
    spellings = [path, *(unicodedata.normalize(form, path) for form in ("NFC", "NFD"))]
    return next((spelling for spelling in spellings if os.path.isfile(spelling)), path)


def _check_file_names(audio: dict[int, Any], column: str, source: str) -> None:
    empty = [row for row, track in audio.items() if isinstance(track, str) and not track]
    if empty:
        raise ValueError(
            f"{source}, row {empty[0]} (the first is 0): the column {column!r} is empty"
            f"{_and_others(len(empty) - 1)}. Expected the name of an audio file: fill it in, or "
            "use missing='drop' to go on without these tracks."
        )


def _drop_missing(audio: dict[int, Any], folder: Path, missing: str) -> list[str]:
    """Drop the paths that are no files, and return them; raise or warn where there are some."""
    gone = [row for row, x in audio.items() if isinstance(x, str) and not os.path.isfile(x)]
    paths = [audio[row] for row in gone]
    if paths:
        report = (
            f"{len(paths)} of {len(audio)} tracks have no audio file. Searched in {folder}:\n"
            + _lines([repr(path) if path else "(no file name)" for path in paths])
        )
        if missing == "raise":
            raise FileNotFoundError(
                f"{report}\nPass the folder of the audio files as audio_dir, or missing='drop' to "
                "go on without these tracks."
            )
        _drop(gone, audio, report, "Pass the right folder as audio_dir.")
    return paths


def _drop_unreadable(audio: dict[int, Any], n_jobs: int | None, unreadable: str) -> dict[str, str]:
    """Drop the tracks that can't be read, and return why; raise or warn where there are some."""
    outcomes = in_threads(n_jobs)(map(joblib.delayed(_why_unreadable), audio.values()))
    by_row = {row: why for row, why in zip(audio, outcomes, strict=True) if why is not None}
    reasons = {
        audio[row] if isinstance(audio[row], str) else f"row {row}": why
        for row, why in by_row.items()
    }
    if reasons:
        report = f"{len(by_row)} of {len(audio)} tracks can't be read:\n" + _lines(
            [why if name in why else f"{name}: {why}" for name, why in reasons.items()]
        )
        if unreadable == "raise":
            raise AudioError(
                f"{report}\nMend or remove these files, or use unreadable='drop' to go on without "
                "them."
            )
        _drop(by_row, audio, report, "Convert the files, with ffmpeg for example.")
    return reasons


def _why_unreadable(track: Any) -> str | None:
    """Return why a track can't be used, or None if it can."""
    try:
        if isinstance(track, str):
            read_audio(file_stamp(track).path, sample_rate=22050)
        else:
            check_waveform(track, "the waveform")
    except AudioError as error:
        return str(error)
    return None


def _drop(rows: Iterable[int], audio: dict[int, Any], report: str, cure: str) -> None:
    for row in rows:
        del audio[row]
    if not audio:
        raise ValueError(f"No track is left. {report}\n{cure}")
    # 4: the caller of load_tracks.
    warnings.warn(f"Dropped: {report}", UserWarning, stacklevel=4)


def _lines(texts: list[str]) -> str:
    return "\n".join(f"  {text}" for text in texts[:N_SHOWN]) + _and_others(len(texts) - N_SHOWN)


def _and_others(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def _why_no_lyric(text: Any) -> str | None:
    """Return why a text is no lyric, or None if it is one."""
    reason = why_no_lyrics(text)
    if reason is not None:
        return reason
    found = set(words(str(text)))
    return "one word" if len(found) == 1 and len(found.pop()) <= LONGEST_WORD else None
