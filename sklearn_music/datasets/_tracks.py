"""`load_tracks`: a table of tracks beside a folder of audio files."""

import os
import re
import unicodedata
import warnings
from pathlib import Path

import pandas as pd
from sklearn.utils._param_validation import StrOptions, validate_params

TEXT_COLUMNS = ("filename", "audio", "track_id", "genre", "lyrics")
SPREADSHEET_ERROR = re.compile(r"#(ERROR|NAME|REF|VALUE|N/A|NULL|DIV/0|NUM|SPILL|CALC)[!?]?", re.I)
INSTRUMENTAL = re.compile(r"\W*instrumental\W*", re.I)
LONGEST_WORD = 30  # letters; a longer run is a line in a script that has no spaces
N_SHOWN = 10


@validate_params(
    {
        "table": [str, os.PathLike, pd.DataFrame],
        "audio_dir": [str, os.PathLike, None],
        "missing": [StrOptions({"raise", "drop"})],
    },
    prefer_skip_nested_validation=True,
)
def load_tracks(table, audio_dir=None, *, missing="raise"):
    """Load a table of tracks, find their audio files and clean their lyrics.

    Parameters
    ----------
    table : str, os.PathLike or DataFrame
        The tracks, one a row, or the CSV or TSV file (UTF-8, with a header) that holds them. The
        columns used are:

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
        What to do if audio files are missing: raise an error, or drop their rows with a warning.

    Returns
    -------
    tracks : DataFrame
        The columns of the table after the column `audio`, the absolute path of each file (str).
        Lyrics are str or None. Rows keep their index, so that dropped ones leave a gap. `attrs`
        holds "lyrics_cleaned", how many lyrics became None for each reason, and "missing_files",
        the paths of the dropped rows.

    Raises
    ------
    FileNotFoundError
        If the table is missing, or audio files are and `missing="raise"`.
    ValueError
        If the table is no UTF-8 text, has no rows, lacks a column or a file name, if a `track_id`
        is empty or occurs twice, or if no row is left.

    See Also
    --------
    make_music : Make synthetic tracks.

    Notes
    -----
    Lyrics become None, for these reasons:

    - "missing": empty, or white space;
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
    if isinstance(table, pd.DataFrame):
        tracks, source = table.copy(), "the DataFrame"
        folder = Path(audio_dir or "")
    else:
        path = Path(table).expanduser()
        tracks, source = _read_table(path), str(path)
        folder = Path(audio_dir or path.parent)
    folder = Path(os.path.abspath(folder.expanduser()))

    name = "audio" if "audio" in tracks.columns else "filename"
    if name not in tracks.columns:
        raise ValueError(
            f"{source} has no column 'filename' (or 'audio'). Got the columns "
            f"{[str(column) for column in tracks.columns]}: rename the one that names the audio "
            "files."
        )
    if len(tracks) == 0:
        raise ValueError(f"{source} has no rows; at least one track is needed.")
    if "track_id" in tracks.columns:
        tracks["track_id"] = _check_ids(tracks["track_id"], source)

    audio = [
        _resolve(value, folder, f"{source}, row {row} (the first is 0): the column {name!r}")
        for row, value in enumerate(tracks[name])
    ]
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
        if len(missing_files) == len(audio):
            raise ValueError(f"No track is left. {report}\nPass the right folder as audio_dir.")
        # 3, because the validation of the parameters stands between this and the caller.
        warnings.warn(f"Dropped: {report}", UserWarning, stacklevel=3)
        tracks = tracks.loc[is_file].copy()

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
    return tracks


def _read_table(path):
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline()
        # Spreadsheets write ";" where the comma is the decimal point.
        separator = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=header.count)
        names = pd.read_csv(path, sep=separator, encoding="utf-8-sig", nrows=0).columns
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
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(
            f"{path} could not be read as a table: {str(error).strip()}. Expected a header and "
            "the same number of fields in each row; quote fields that hold the separator."
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


def _resolve(value, folder, where):
    """Return the absolute path of a file, or the value itself if it is a waveform."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        if getattr(value, "ndim", 0) > 0:
            return value
        value = "" if pd.isna(value) else str(value)
    if not value.strip():
        raise ValueError(f"{where} is empty. Expected the name of an audio file.")
    path = os.path.abspath(folder / value)
    # The same name may be spelt in two ways in Unicode: archives made on macOS decompose it.
    spellings = [path, *(unicodedata.normalize(form, path) for form in ("NFC", "NFD"))]
    return next((spelling for spelling in spellings if os.path.isfile(spelling)), path)


def _describe_missing(paths, n_tracks, folder):
    lines = "\n".join(f"  {path}" for path in paths[:N_SHOWN])
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
    if text is None or (not isinstance(text, str) and pd.isna(text)) or not str(text).strip():
        return "missing"
    text = str(text)
    if SPREADSHEET_ERROR.fullmatch(text.strip()):
        return "spreadsheet error"
    if INSTRUMENTAL.fullmatch(text):
        return "instrumental"
    words = set(_words(text))
    if not words:
        return "no words"
    if len(words) == 1 and len(words.pop()) <= LONGEST_WORD:
        return "one word"
    return None


def _words(text):
    """Split a text of any script into its words: letters with their combining marks."""

    def keep(character):
        category = unicodedata.category(character)
        if category[0] in "LM":
            return character
        # Bangla joins letters by invisible marks (Cf), English by an apostrophe.
        return "" if category == "Cf" or character in "'’" else " "

    words = "".join(map(keep, text.casefold())).split()
    # What makes an emoji of a symbol is a mark too.
    return [word for word in words if any(map(str.isalpha, word))]
