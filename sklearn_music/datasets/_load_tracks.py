"""`load_tracks`: a table of tracks beside a folder of audio files."""

import csv
import os
import unicodedata
import warnings
from numbers import Integral
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.utils._param_validation import StrOptions, validate_params

from ..exceptions import AudioError
from ..features.audio import check_waveform, file_stamp, read_audio
from ..features.text import why_no_lyrics, words
from ..features.workers import in_threads

TEXT_COLUMNS = ("filename", "audio", "track_id", "genre", "lyrics")
LONGEST_WORD = 30  # letters; a longer run is a line in a script that has no spaces
N_SHOWN = 10


@validate_params(
    {
        "table": "no_validation",  # whose message would hold the whole table
        "audio_dir": [str, os.PathLike, None],
        "missing": [StrOptions({"raise", "drop"})],
        "unreadable": [StrOptions({"raise", "drop"}), None],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=True,
)
def load_tracks(table, audio_dir=None, *, missing="raise", unreadable=None, n_jobs=None):
    """Load a table of tracks, find their audio files and clean their lyrics.

    Parameters
    ----------
    table : str, os.PathLike or DataFrame
        The tracks, one a row, as a table of pandas, polars or pyarrow, or the CSV or TSV file
        (UTF-8, with a header) that holds them. The columns used are:

        - `filename`: the audio file, relative to `audio_dir` or absolute. Required, unless there
          is an `audio` column, which is then used instead.
        - `track_id`: optional; different for each track. Read as text, so that "000002" stays.
        - `genre`: optional; returned as it is.
        - `lyrics`: optional; cleaned.

        Other columns are returned as they are.
    audio_dir : str or os.PathLike, default=None
        Folder of the audio files. If None, the folder of the table; for a DataFrame, the current
        one.
    missing : {"raise", "drop"}, default="raise"
        What to do if audio files are missing, or if there is a row without a file name: raise an
        error, or drop the rows with a warning.
    unreadable : {"raise", "drop"}, default=None
        What to do if audio files can't be read: raise an error that lists them, or drop their
        rows with a warning. Each file is decoded as a whole, since that alone shows if it is
        truncated; this takes about as long as one pass of a `SpectrogramExtractor`. None does
        not look into the files.
    n_jobs : int, default=None
        Number of files that are decoded at a time, in threads, if `unreadable` is not None.

    Returns
    -------
    tracks : DataFrame
        The columns of the table after the column `audio`, the absolute path of each file (str).
        A pandas one, whatever the table was. Lyrics are str or None. Rows keep their index, so
        that dropped ones leave a gap. `attrs` holds

        - "lyrics_cleaned": how many lyrics became None for each reason;
        - "missing_files": the paths of the rows dropped by `missing`, "" where there was none;
        - "unreadable_files": a dict of the rows dropped by `unreadable`, from the path to the
          reason; a waveform is "row 3" (the first is 0) of the table.

    Raises
    ------
    FileNotFoundError
        If the table is missing, or audio files are and `missing="raise"`.
    AudioError
        If audio files can't be read and `unreadable="raise"`.
    ValueError
        If the table is no UTF-8 text, has no rows, lacks a column or a file name, has two columns
        of one of the names above, if a `track_id` is empty or occurs twice, or if no row is left.

    See Also
    --------
    make_music : Make synthetic tracks.

    Notes
    -----
    Lyrics become None, for these reasons:

    - "missing": empty, white space, or "NA", "None", "[No lyrics]" and the like;
    - "instrumental": "[Instrumental]" and the like;
    - "spreadsheet error": "#ERROR!", "#NAME?", "#REF!", "#VALUE!", "#N/A", ...;
    - "no words": no letter in any script, such as "? ? ?", or notes and zero-width spaces;
    - "one word": a single word, repeated or not, as speech recognition hears it in music.

    Other lyrics are returned as they are. Only an empty cell of a file counts as missing: a genre
    or a title called "None" or "NA" stays.

    A column `audio` of waveforms, as `make_music` returns it, is left alone.

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
    if isinstance(table, (str, os.PathLike)):
        path = Path(table).expanduser()
        tracks, source = _read_table(path), str(path)
        folder = Path(audio_dir or path.parent)
    else:
        tracks, source = _as_pandas(table), "the table"
        folder = Path(audio_dir or "")
    folder = Path(os.path.abspath(folder.expanduser()))
    _check_names(tracks.columns, source)
    stripped = {column: column.strip() for column in tracks.columns if isinstance(column, str)}
    tracks = tracks.rename(
        columns={column: name for column, name in stripped.items() if name in TEXT_COLUMNS}
    )

    name = "audio" if "audio" in tracks.columns else "filename"
    if name not in tracks.columns:
        raise ValueError(
            f"{source} has no column 'filename' (or 'audio'). Got the columns "
            f"{[str(column) for column in tracks.columns]}: rename the one that names the audio "
            "files."
        )
    if len(tracks) == 0:
        raise ValueError(f"{source} has no rows; at least one track is needed.")
    if "lyrics" not in tracks.columns:
        similar = [str(name) for name in tracks.columns if "lyric" in str(name).casefold()]
        if similar:
            warnings.warn(
                f"{source} has no column 'lyrics', so that all lyrics are None, but {similar}: "
                "rename the one that holds the lyrics to 'lyrics'.",
                UserWarning,
                stacklevel=3,
            )
    if "track_id" in tracks.columns:
        tracks["track_id"] = _check_ids(tracks["track_id"], source)

    audio = [_resolve(value, folder) for value in tracks[name]]
    empty = [row for row, track in enumerate(audio) if isinstance(track, str) and not track]
    if empty and missing == "raise":
        raise ValueError(
            f"{source}, row {empty[0]} (the first is 0): the column {name!r} is empty"
            f"{_and_others(len(empty))}. Expected the name of an audio file: fill it in, or use "
            "missing='drop' to go on without these tracks."
        )
    tracks = tracks.drop(columns="audio", errors="ignore")
    tracks.insert(0, "audio", pd.Series(audio, index=tracks.index, dtype=object))

    is_file = [not isinstance(path, str) or os.path.isfile(path) for path in audio]
    missing_files = [path for path, found in zip(audio, is_file, strict=True) if not found]
    if missing_files:
        report = _describe_missing(missing_files, len(audio), folder)
        if missing == "raise":
            raise FileNotFoundError(
                f"{report}\nPass the folder of the audio files as audio_dir, or missing='drop' to "
                "go on without these tracks."
            )
        tracks = _drop(tracks, is_file, report, "Pass the right folder as audio_dir.")

    unreadable_files = {}
    if unreadable is not None:
        reasons = list(in_threads(n_jobs)(map(joblib.delayed(_why_unreadable), tracks["audio"])))
        unreadable_files = {
            audio[row] if isinstance(audio[row], str) else f"row {row}": reason
            for row, reason in zip(np.flatnonzero(is_file), reasons, strict=True)
            if reason is not None
        }
    if unreadable_files:
        report = _describe_unreadable(unreadable_files, len(tracks))
        if unreadable == "raise":
            raise AudioError(
                f"{report}\nMend or remove these files, or use unreadable='drop' to go on without "
                "them."
            )
        is_readable = [reason is None for reason in reasons]
        tracks = _drop(tracks, is_readable, report, "Convert the files, with ffmpeg for example.")

    reasons = []
    lyrics: list[str | None] = [None] * len(tracks)
    if "lyrics" in tracks.columns:
        for row, text in enumerate(tracks["lyrics"]):
            reason = _why_no_lyric(text)
            if reason is None:
                lyrics[row] = str(text)
            else:
                reasons.append(reason)
    # pandas' own text type would turn None into NaN.
    tracks["lyrics"] = pd.Series(lyrics, index=tracks.index, dtype=object)
    tracks.attrs["lyrics_cleaned"] = {
        str(reason): int(count) for reason, count in pd.Series(reasons).value_counts().items()
    }
    tracks.attrs["missing_files"] = missing_files
    tracks.attrs["unreadable_files"] = unreadable_files
    return tracks


def _as_pandas(table):
    if isinstance(table, pd.DataFrame):
        return table.copy()
    if hasattr(table, "column_names"):  # pyarrow
        return table.to_pandas()
    if not hasattr(table, "shape") or not hasattr(table, "columns"):
        raise ValueError(
            "The 'table' parameter of load_tracks must be a path or a table of pandas, polars or "
            f"pyarrow, got a {type(table).__qualname__}. Paths alone are a table by "
            'pandas.DataFrame({"filename": paths}).'
        )
    # polars: its own to_pandas needs pyarrow.
    arrays = {name: np.asarray(table[name]) for name in table.columns}
    return pd.DataFrame(
        {name: list(array) if array.ndim > 1 else array for name, array in arrays.items()}
    )


def _check_names(names, source):
    names = [str(name).strip() for name in names]
    repeated = [name for name in TEXT_COLUMNS if names.count(name) > 1]
    if repeated:
        raise ValueError(
            f"{source} has more than one column {repeated} (white space around a name does not "
            "count), expected one of each at most: rename or drop the others."
        )


def _header(path):
    """Return the separator of a table in a file, and the names of its columns."""
    # Spreadsheets write ";" where the comma is the decimal point.
    separators = "\t,;" if path.suffix.lower() == ".tsv" else ",;\t"
    headers = {}
    for separator in separators:
        with path.open(encoding="utf-8-sig", newline="") as file:
            headers[separator] = next(filter(None, csv.reader(file, delimiter=separator)), [])

    def fits(separator):
        names = headers[separator]
        return not {"filename", "audio"}.isdisjoint(map(str.strip, names)), len(names)

    separator = max(separators, key=fits)
    return separator, headers[separator]


def _check_quotes(path, separator):
    """Raise where a quote that is never closed would make one field of many rows."""
    limit = csv.field_size_limit(2**31 - 1)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for _ in csv.reader(file, delimiter=separator, strict=True):
                pass
    finally:
        csv.field_size_limit(limit)


def _read_table(path):
    try:
        separator, names = _header(path)
        # Before pandas gives the second of two columns another name.
        _check_names(names, path)
        _check_quotes(path, separator)
        tracks = pd.read_csv(
            path,
            sep=separator,
            encoding="utf-8-sig",
            dtype={name: str for name in names if name.strip() in TEXT_COLUMNS},
            keep_default_na=False,
            na_values=[""],
        )
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 text ({error.reason}, byte {error.start}): save it as UTF-8."
        ) from error
    except (csv.Error, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(
            f"{path} could not be read as a table: {str(error).strip()}. Expected a header and "
            "the same number of fields in each row. Quote fields that hold the separator or a "
            "quote, and double the quotes in them."
        ) from error
    if not isinstance(tracks.index, pd.RangeIndex):
        # pandas makes an index of the fields that it has no name for.
        raise ValueError(f"{path}: the rows have more fields than the header has names.")
    return tracks.rename(columns=str.strip)


def _check_ids(ids, source):
    def as_text(value):
        # One missing ID makes pandas turn a column of integers into floats.
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)

    is_empty = ids.isna() | (ids.astype(str).str.strip() == "")
    if is_empty.any():
        raise ValueError(
            f"{source}: track_id is empty in row {is_empty.to_numpy().argmax()} (the first is 0)"
            f"{_and_others(is_empty.sum())}. Fill it in, or leave the column out."
        )
    texts = ids.map(as_text)
    twice = texts[texts.duplicated()].unique()
    if len(twice):
        raise ValueError(
            f"{source}: track_id must differ from track to track, but {_shorten(twice)} "
            "occur more than once. Remove the duplicates."
        )
    return texts


def _resolve(value, folder):
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


def _why_unreadable(track):
    """Return why a track can't be used, or None if it can."""
    try:
        if isinstance(track, str):
            read_audio(file_stamp(track).path, sample_rate=22050)
        else:
            check_waveform(track, "the waveform")
    except AudioError as error:
        return str(error)
    return None


def _drop(tracks, is_kept, report, cure):
    if not any(is_kept):
        raise ValueError(f"No track is left. {report}\n{cure}")
    # 4, because the validation of the parameters stands between load_tracks and its caller.
    warnings.warn(f"Dropped: {report}", UserWarning, stacklevel=4)
    return tracks.loc[is_kept].copy()


def _describe_unreadable(reasons, n_tracks):
    lines = "\n".join(
        f"  {reason if name in reason else f'{name}: {reason}'}"
        for name, reason in list(reasons.items())[:N_SHOWN]
    )
    return (
        f"{len(reasons)} of {n_tracks} tracks can't be read:\n"
        f"{lines}{_and_others(len(reasons) - N_SHOWN + 1)}"
    )


def _describe_missing(paths, n_tracks, folder):
    lines = "\n".join(f"  {path!r}" if path else "  (no file name)" for path in paths[:N_SHOWN])
    return (
        f"{len(paths)} of {n_tracks} tracks have no audio file. Searched in {folder}:\n"
        f"{lines}{_and_others(len(paths) - N_SHOWN + 1)}"
    )


def _and_others(count):
    return f" and {count - 1} more" if count > 1 else ""


def _shorten(values):
    shown = ", ".join(repr(str(value)) for value in values[:N_SHOWN])
    return shown + _and_others(len(values) - N_SHOWN + 1)


def _why_no_lyric(text):
    """Return why a text is no lyric, or None if it is one."""
    reason = why_no_lyrics(text)
    if reason is not None:
        return reason
    found = set(words(str(text)))
    return "one word" if len(found) == 1 and len(found.pop()) <= LONGEST_WORD else None
