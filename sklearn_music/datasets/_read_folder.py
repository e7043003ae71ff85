"""A table of the audio files in a folder."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import pandas as pd

from ..exceptions import AudioError
from ..features.audio import AUDIO_SUFFIXES, file_stamp
from ..features.text import why_no_lyrics
from ..features.workers import in_threads
from ._lyrics_files import read_lyrics
from ._tags import TAGS, TEXTS, Tags, read_tags

# Beside the hidden ones: copies that programs and systems keep for themselves.
_SKIPPED = frozenset({"__MACOSX", "$RECYCLE.BIN", "#recycle", "@eaDir", "@Recycle"})
_LYRICS_SUFFIXES = (".lrc", ".txt")
_TABLE_SUFFIXES = (".csv", ".tsv")
# Reading headers is waiting for the disk, so that more threads than CPUs help.
_N_THREADS = 4
_BATCH = 64


class _AudioFile(NamedTuple):
    path: str
    parts: tuple[str, ...]  # of the path from the folder on
    lyrics: tuple[str, ...]  # files that may hold them


class _Found:
    """What is in a folder and in those within."""

    def __init__(self) -> None:
        self.audio: list[_AudioFile] = []
        self.others: list[str] = []
        self.unlisted: dict[str, str] = {}


def read_folder(folder: Path, n_jobs: int | None) -> tuple[pd.DataFrame, dict[int, str], Any]:
    """Return a table of the audio files in a folder.

    With it come the rows that can't be opened, with the reason, and the same for the folders that
    can't be listed, by their path.
    """
    found = _search(str(folder))
    if not found.audio:
        raise ValueError(_nothing_found(folder, found))
    found.audio.sort(key=lambda file: file.parts)
    batches = (found.audio[i : i + _BATCH] for i in range(0, len(found.audio), _BATCH))
    read = in_threads(_N_THREADS if n_jobs is None else n_jobs)
    outcomes = [x for xs in read(map(joblib.delayed(_read_files), batches)) for x in xs]
    unopened = {row: str(x) for row, x in enumerate(outcomes) if isinstance(x, AudioError)}
    tags = [{} if isinstance(x, AudioError) else x for x in outcomes]
    return _as_table(found.audio, tags), unopened, found.unlisted


def _as_table(files: list[_AudioFile], tags: list[Tags]) -> pd.DataFrame:
    columns: dict[str, pd.Series] = {
        "audio": pd.Series([file.path for file in files], dtype=object),
        "filename": pd.Series(["/".join(file.parts) for file in files], dtype=object),
    }
    # As objects: pandas' own text type would turn None into NaN, and refuses names in bytes.
    types = dict.fromkeys((*TEXTS, "lyrics"), "object")
    types |= {"year": "Int64", "duration": "float64", "sample_rate": "Int64"}
    for name in (*TAGS, "lyrics"):
        values = [found.get(name) for found in tags]
        columns[name] = pd.Series(values, dtype=types[name])
    return pd.DataFrame(columns)


def _read_files(files: Iterable[_AudioFile]) -> list[Tags | AudioError]:
    return [_read_file(file) for file in files]


def _read_file(file: _AudioFile) -> Tags | AudioError:
    """Return the tags and lyrics of a file, or why it can't be opened."""
    try:
        os.close(os.open(file_stamp(file.path).path, os.O_RDONLY))
    except AudioError as error:
        return error
    except OSError as error:
        return AudioError(f"{file.path!r} cannot be opened: {error.strerror}.")
    tags = read_tags(file.path)
    texts = [tags.pop("lyrics", None)]
    for path in file.lyrics:
        if why_no_lyrics(texts[-1]) is None:
            break
        texts.append(read_lyrics(path))
    texts = [text for text in texts if text is not None]
    lyrics = (text for text in texts if why_no_lyrics(text) is None)
    return tags | {"lyrics": next(lyrics, texts[0] if texts else None)}


def _search(root: str) -> _Found:
    """Find the audio files, and follow links to folders, but list no folder twice."""
    found = _Found()
    # A link to a folder above would bring in what the user did not ask for.
    listed = {_identity(str(parent)) for parent in Path(root).resolve().parents}
    folders: list[tuple[str, ...]] = [()]
    links: list[tuple[str, ...]] = []
    while folders or links:
        # Links last: a folder is found where it really is, if that is here.
        parts = folders.pop() if folders else links.pop()
        path = os.path.join(root, *parts)
        try:
            identity = _identity(path)
            if identity in listed:
                continue
            listed.add(identity)
            with os.scandir(path) as entries:
                within = [x for x in entries if not x.name.startswith(".")]
        except OSError as error:
            found.unlisted[path] = f"The folder can't be listed: {error.strerror}."
            continue
        within = [entry for entry in within if entry.name not in _SKIPPED]
        _sort_out([entry for entry in within if not _is_folder(entry)], parts, found)
        # In reverse, as the last one is taken first.
        for entry in sorted(filter(_is_folder, within), key=lambda x: x.name, reverse=True):
            (links if entry.is_symlink() else folders).append((*parts, entry.name))
    return found


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # Its own is_dir raises where a link leads to itself.
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _sort_out(files: list[os.DirEntry[str]], parts: tuple[str, ...], found: _Found) -> None:
    """Add the files of one folder to what was found."""
    audio, texts = [], {}
    for entry in files:
        stem, suffix = os.path.splitext(entry.name)
        suffix = suffix.lower()
        if suffix in AUDIO_SUFFIXES:
            audio.append((entry, stem))
            continue
        found.others.append(entry.name)
        if suffix in _LYRICS_SUFFIXES and os.path.isfile(entry.path):
            texts[_normal(stem), suffix] = entry.path
    for entry, stem in audio:
        keys = [(_normal(stem), suffix) for suffix in _LYRICS_SUFFIXES]
        lyrics = tuple(texts[key] for key in keys if key in texts)
        found.audio.append(_AudioFile(entry.path, (*parts, entry.name), lyrics))


def _normal(name: str) -> str:
    # Archives made on macOS decompose some of the names.
    return unicodedata.normalize("NFC", name)


def _nothing_found(folder: Path, found: _Found) -> str:
    """Return the message where a folder holds no audio."""
    suffixes = Counter(os.path.splitext(name)[1].lower() or "no suffix" for name in found.others)
    others = ", ".join(f"{count} {suffix}" for suffix, count in suffixes.most_common(10))
    message = (
        f"No audio file in {folder} and the folders within. Expected files that end with one of "
        f"{' '.join(sorted(AUDIO_SUFFIXES))}. "
    )
    message += f"Found: {others}." if others else "Found no file at all."
    message += " Hidden files and folders are left out."
    if found.unlisted:
        message += "".join(f"\n  {path!r}: {why}" for path, why in found.unlisted.items())
    tables = sorted(x for x in found.others if x.lower().endswith(_TABLE_SUFFIXES))
    if tables:
        message += f" To load a table, pass its path, of {tables[0]!r} for example."
    return message
