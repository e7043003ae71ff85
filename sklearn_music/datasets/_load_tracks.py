"""`load_tracks`: a folder of audio files, or a table of tracks beside one."""

import os
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
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
from ._read_folder import read_folder
from ._read_table import COLUMNS, as_table, check_names, read_table, rename

LONGEST_WORD = 30  # letters; a longer run is a line in a script that has no spaces
N_SHOWN = 10

_CONSTRAINTS = {
    "audio_dir": [str, os.PathLike, None],
    "columns": [dict, None],
    "missing": [StrOptions({"raise", "drop"})],
    "unreadable": [StrOptions({"raise", "drop"}), None],
    "n_jobs": [Integral, None],
}


@shared(TEXTS)
def load_tracks(
    table: Any,
    audio_dir: str | os.PathLike[str] | None = None,
    *,
    columns: Mapping[str, Any] | None = None,
    missing: Literal["raise", "drop"] = "raise",
    unreadable: Literal["raise", "drop"] | None = None,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Load a folder of music with its tags, or a table of tracks, and clean the lyrics.

    Parameters
    ----------
    {table}
    {columns}
    {unreadable}

    Returns
    -------
    {tracks}

    Raises
    ------
    {errors}

    See Also
    --------
    make_music : Synthetic tracks, as files or in memory.
    sklearn_music.exploration.describe_clusters : Sums the tracks of each cluster up.

    Notes
    -----
    {reasons}

    References
    ----------
    {tag_reader}

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

    A folder of music needs no table:

    >>> from sklearn_music.datasets import make_music
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = make_music(2, duration=1, directory=folder, random_state=0)
    ...     tracks = load_tracks(folder)
    >>> tracks[["filename", "genre", "duration", "sample_rate"]]
             filename       genre  duration  sample_rate
    0  track_0000.wav   classical       1.0        22050
    1  track_0001.wav  electronic       1.0        22050
    """
    validate_parameter_constraints(_CONSTRAINTS, locals(), caller_name="load_tracks")
    if isinstance(table, (str, os.PathLike)) and os.path.isdir(Path(table).expanduser()):
        _check_no_table(table, audio_dir, columns)
        return _load_folder(Path(table), unreadable, n_jobs)
    tracks, source, folder = _read(table, audio_dir, columns or {})
    column = _check_columns(tracks, source)
    if "track_id" in tracks:
        tracks["track_id"] = _check_ids(tracks["track_id"], source)
    audio = {row: _resolve(value, folder) for row, value in enumerate(tracks[column])}
    if missing == "raise":
        _check_file_names(audio, column, source)
    missing_files = _drop_missing(audio, folder, missing)
    unreadable_files = {}
    if unreadable is not None:
        unreadable_files = _drop_unreadable(audio, _decode(audio, n_jobs), unreadable)
    tracks = _assemble(tracks, audio)
    tracks.attrs["missing_files"] = missing_files
    tracks.attrs["unreadable_files"] = unreadable_files
    return tracks


def _check_no_table(table: Any, audio_dir: Any, columns: Any) -> None:
    """Raise if a folder comes with what only a table has."""
    for name, value in (("audio_dir", audio_dir), ("columns", columns)):
        if value:
            raise ValueError(
                f"Got {name}={value!r} with a folder, {os.fspath(table)!r}; expected it with a "
                f"table only. Leave {name} out, or pass the path of a table, a CSV file."
            )


def _load_folder(folder: Path, unreadable: str | None, n_jobs: int | None) -> pd.DataFrame:
    tracks, unopened, unlisted = read_folder(Path(os.path.abspath(folder.expanduser())), n_jobs)
    if unlisted:
        report = f"{len(unlisted)} folders can't be listed:\n" + _lines(
            [f"{path}: {why}" for path, why in unlisted.items()]
        )
        if unreadable == "raise":
            raise AudioError(f"{report}\nUse unreadable='drop' to go on without them.")
        # 3: the caller of load_tracks.
        warnings.warn(report, UserWarning, stacklevel=3)
    audio = dict(enumerate(tracks["audio"]))
    reasons = unopened if unreadable is None else _decode(audio, n_jobs)
    unreadable_files = _drop_unreadable(audio, reasons, unreadable or "drop", stacklevel=5)
    tracks = _assemble(tracks, audio).reset_index(drop=True)
    tracks.attrs["missing_files"] = []
    tracks.attrs["unreadable_files"] = unlisted | unreadable_files
    return tracks


def _read(
    table: Any, audio_dir: str | os.PathLike[str] | None, columns: Mapping[str, Any]
) -> tuple[pd.DataFrame, str, Path]:
    """Return the table, its name in messages, and the folder of the audio files."""
    if isinstance(table, (str, os.PathLike)):
        path = Path(table).expanduser()
        source, folder = str(path), Path(audio_dir or path.parent)
        tracks = read_table(path, columns)
    else:
        tracks, source, folder = as_table(table), "the table", Path(audio_dir or "")
        names = rename(list(tracks), columns, source)
        tracks.columns = pd.Index(
            [b if b in {*COLUMNS, *columns} else a for a, b in zip(tracks, names, strict=True)]
        )
    check_names(tracks.columns, source)
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
            "one that names the audio files, or pass "
            "columns={'filename': its name}."
        )
    if len(tracks) == 0:
        raise ValueError(f"{source} has no rows; at least one track is needed.")
    similar = [name for name in names if "lyric" in name.casefold()]
    if similar and "lyrics" not in names:
        warnings.warn(
            f"{source} has no column 'lyrics', so that all lyrics are None, but {similar}: "
            f"rename the one that contains the lyrics, or pass columns={{'lyrics': "
            f"{similar[0]!r}}}.",
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


def _decode(audio: dict[int, Any], n_jobs: int | None) -> dict[int, str]:
    """Return the rows of the tracks that can't be read, and why."""
    outcomes = in_threads(n_jobs)(map(joblib.delayed(_why_unreadable), audio.values()))
    return {row: why for row, why in zip(audio, outcomes, strict=True) if why is not None}


def _drop_unreadable(
    audio: dict[int, Any], by_row: dict[int, str], unreadable: str, stacklevel: int = 4
) -> dict[str, str]:
    """Drop the tracks that can't be read, and return why; raise or warn where there are some."""
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
        _drop(by_row, audio, report, "Convert the files, with ffmpeg for example.", stacklevel)
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


def _drop(
    rows: Iterable[int], audio: dict[int, Any], report: str, cure: str, stacklevel: int = 4
) -> None:
    for row in rows:
        del audio[row]
    if not audio:
        raise ValueError(f"No track is left. {report}\n{cure}")
    # The caller of load_tracks.
    warnings.warn(f"Dropped: {report}", UserWarning, stacklevel=stacklevel)


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
