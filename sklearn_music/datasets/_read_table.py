"""Tables of tracks from files and from other libraries, as pandas has them."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

# The columns that load_tracks uses; in a file all of them are text.
COLUMNS = ("filename", "audio", "track_id", "genre", "lyrics")
# All names that this library knows.
_KNOWN = (*COLUMNS, "title", "artist", "album", "year", "duration", "sample_rate", "language")


def as_table(table: Any) -> pd.DataFrame:
    """Return a pandas copy of a table of pandas, polars or pyarrow."""
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


def read_table(path: Path, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Read a CSV or TSV file, whatever its separator, and rename its columns."""
    try:
        separator, names = _header(path, columns)
        # Before pandas gives the second of two columns another name.
        check_names(rename(names, columns, path), path)
        _check_quotes(path, separator)
        tracks = pd.read_csv(
            path,
            sep=separator,
            encoding="utf-8-sig",
            dtype={
                old: str
                for old, new in zip(names, rename(names, columns, path), strict=True)
                if new in COLUMNS
            },
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
            "the same number of fields in each row. Quote fields that contain the separator or a "
            "quote, and double the quotes in them."
        ) from error
    if not isinstance(tracks.index, pd.RangeIndex):
        # pandas makes an index of the fields that it has no name for.
        raise ValueError(f"{path}: the rows have more fields than the header has names.")
    tracks.columns = pd.Index(rename(list(tracks), columns, path))
    return tracks


def rename(names: Sequence[Any], columns: Mapping[str, Any], source: Any) -> list[Any]:
    """Return the names of a table's columns, stripped, with our own names for those in `columns`.

    Raise if one of them is not there, or if a name would occur twice.
    """
    stripped = [name.strip() if isinstance(name, str) else name for name in names]
    if unknown := [name for name in columns if name not in _KNOWN]:
        raise ValueError(
            f"Got columns={dict(columns)}, but load_tracks knows no column {unknown[0]!r}. "
            f"Expected {{name: name in the table}}, with the names {list(_KNOWN)}."
        )
    wanted = {
        ours: theirs.strip() if isinstance(theirs, str) else theirs
        for ours, theirs in columns.items()
    }
    for ours, theirs in wanted.items():
        if stripped.count(theirs) != 1:
            how_many = "no" if theirs not in stripped else "more than one"
            raise ValueError(
                f"Got columns={dict(columns)}, but {source} has {how_many} column {theirs!r}. "
                f"It has: {names}."
            )
        if list(wanted.values()).count(theirs) > 1:
            raise ValueError(
                f"Got columns={dict(columns)}, with {theirs!r} for more than one name; expected "
                "a column for each."
            )
        if ours in stripped and ours not in wanted.values():
            raise ValueError(
                f"Got columns={dict(columns)}, but {source} has a column {ours!r} too: rename or "
                "drop that one."
            )
    new = {theirs: ours for ours, theirs in wanted.items()}
    return [new.get(name, name) for name in stripped]


def check_names(names: Any, source: Any) -> None:
    """Raise where a table has two columns of a name that load_tracks uses."""
    names = [str(name).strip() for name in names]
    repeated = [name for name in COLUMNS if names.count(name) > 1]
    if repeated:
        raise ValueError(
            f"{source} has more than one column {repeated} (white space around a name does not "
            "count), expected at most one of each: rename or drop the others."
        )


def _header(path: Path, columns: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return the separator of a table in a file, and the names of its columns."""
    # Spreadsheets write ";" where the comma is the decimal point.
    separators = "\t,;" if path.suffix.lower() == ".tsv" else ",;\t"
    expected = {str(columns.get(name, name)).strip() for name in ("filename", "audio")}
    headers = {}
    for separator in separators:
        with path.open(encoding="utf-8-sig", newline="") as file:
            headers[separator] = next(filter(None, csv.reader(file, delimiter=separator)), [])

    def fits(separator: str) -> tuple[bool, int]:
        names = headers[separator]
        return not expected.isdisjoint(map(str.strip, names)), len(names)

    separator = max(separators, key=fits)
    return separator, headers[separator]


def _check_quotes(path: Path, separator: str) -> None:
    """Raise where a quote that is never closed would make one field of many rows."""
    limit = csv.field_size_limit(2**31 - 1)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for _ in csv.reader(file, delimiter=separator, strict=True):
                pass
    finally:
        csv.field_size_limit(limit)
