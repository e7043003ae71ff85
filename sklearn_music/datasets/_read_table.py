"""Tables of tracks from files and from other libraries, as pandas has them."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

# The columns that load_tracks uses; in a file all of them are text.
COLUMNS = ("filename", "audio", "track_id", "genre", "lyrics")


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


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV or TSV file, whatever its separator."""
    try:
        separator, names = _header(path)
        # Before pandas gives the second of two columns another name.
        check_names(names, path)
        _check_quotes(path, separator)
        tracks = pd.read_csv(
            path,
            sep=separator,
            encoding="utf-8-sig",
            dtype={name: str for name in names if name.strip() in COLUMNS},
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
    return tracks.rename(columns=str.strip)


def check_names(names: Any, source: Any) -> None:
    """Raise where a table has two columns of a name that load_tracks uses."""
    names = [str(name).strip() for name in names]
    repeated = [name for name in COLUMNS if names.count(name) > 1]
    if repeated:
        raise ValueError(
            f"{source} has more than one column {repeated} (white space around a name does not "
            "count), expected at most one of each: rename or drop the others."
        )


def _header(path: Path) -> tuple[str, list[str]]:
    """Return the separator of a table in a file, and the names of its columns."""
    # Spreadsheets write ";" where the comma is the decimal point.
    separators = "\t,;" if path.suffix.lower() == ".tsv" else ",;\t"
    headers = {}
    for separator in separators:
        with path.open(encoding="utf-8-sig", newline="") as file:
            headers[separator] = next(filter(None, csv.reader(file, delimiter=separator)), [])

    def fits(separator: str) -> tuple[bool, int]:
        names = headers[separator]
        return not {"filename", "audio"}.isdisjoint(map(str.strip, names)), len(names)

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
