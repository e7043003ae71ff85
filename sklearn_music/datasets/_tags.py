"""Title, artist, length and the like, from the tags and the header of an audio file."""

import io
import math
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath
from typing import Any

import soundfile
from tinytag import TinyTag

from .._tables import readable
from ._lyrics_files import FROM_CP1252, clean_lyrics

TEXTS = ("title", "artist", "album", "genre")
TAGS = (*TEXTS, "year", "duration", "sample_rate")

# Their tags are at the beginning, but tinytag goes through all pages for their length.
_OGG = frozenset({".oga", ".ogg", ".opus"})
# By libsndfile's count, which takes no time. Not mp3: its count of those is a guess.
_SOUNDFILE = _OGG | set(".aif .aifc .aiff .au .caf .flac .rf64 .snd .w64 .wav .wave".split())
# Of one file. tinytag takes a few hundred; where it looks for the first frame of an mp3 file that
# is none, one for every four bytes.
_MOST_READS = 20_000
_LONGEST_TEXT = 1_000
_LYRICS = ("lyrics", "unsyncedlyrics", "unsynced lyrics", "uslt", "syncedlyrics")
# No playlists and the like, which make FFmpeg open other files. No mp3: FFmpeg takes nearly
# anything for that in the end, and looks through the whole file for it.
_PYAV = {
    "protocol_whitelist": "file",
    "format_whitelist": "aac,ac3,aiff,ape,asf,au,caf,dsf,eac3,flac,matroska,webm,mov,mpc,mpc8,"
    "ogg,tta,w64,wav,wv",
}
_CONTROL = re.compile(r"[\x01-\x1f\x7f\ufeff]+")

Tags = dict[str, Any]


def read_tags(path: str) -> Tags:
    """Return what is known of a file without decoding it: `TAGS` and "lyrics", if it is there.

    Whatever is in the file, this raises nothing.
    """
    found: Tags = {}
    for read in _readers(path):
        try:
            found = _clean(read(path)) | found
        except Exception:  # broken files raise errors of any kind
            continue
        if "duration" in found and "sample_rate" in found:
            break
    return found


def _readers(path: str) -> Iterator[Callable[[str], Tags]]:
    """Yield functions that read a file, the best one first."""
    suffix = PurePath(path).suffix.lower()
    if TinyTag.is_supported(path):
        if suffix not in _OGG:
            yield _by_tinytag
        # Where the length is broken, the tags need not be.
        yield _by_tinytag_without_length
    if suffix in _SOUNDFILE:
        yield _by_soundfile
    yield _by_pyav


class _Header(io.BufferedReader):
    """A file that fails when it is read for too long."""

    n_reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.n_reads += 1
        if self.n_reads > _MOST_READS:
            raise ValueError("too many reads")
        return super().read(size)


def _by_tinytag(path: str, *, duration: bool = True) -> Tags:
    with _Header(io.FileIO(path)) as file:
        try:
            # By the content, where it says what it is: names may be wrong.
            tag = TinyTag.get(file_obj=file, duration=duration)
        except Exception:
            file.n_reads = 0
            tag = TinyTag.get(path, file, duration=duration)
    found: Tags = {name: getattr(tag, name) for name in (*TEXTS, "year", "duration")}
    found["year"] = found["year"] or next(iter(tag.other.get("date", [])), None)
    found["sample_rate"] = tag.samplerate
    found["lyrics"] = _find_lyrics({name: values[0] for name, values in tag.other.items()})
    # A program that writes to a pipe doesn't know the length.
    if isinstance(tag.duration, float) and tag.is_lossless and tag.bitrate:
        is_pcm = PurePath(path).suffix.lower() in {".wav", ".aif", ".aiff", ".aifc"}
        if is_pcm and tag.duration * tag.bitrate * 125 > 1.01 * tag.filesize:
            del found["duration"]
    return found


def _by_tinytag_without_length(path: str) -> Tags:
    return _by_tinytag(path, duration=False)


def _by_soundfile(path: str) -> Tags:
    # soundfile encodes a str strictly.
    with soundfile.SoundFile(path if sys.platform == "win32" else os.fsencode(path)) as file:
        found = {name: getattr(file, name) for name in TEXTS}
        known = file.frames < 2**36
        return found | {
            "year": file.date,
            "duration": file.frames / file.samplerate if known else None,
            "sample_rate": file.samplerate,
        }


def _by_pyav(path: str) -> Tags:
    import av

    # As a file: FFmpeg takes some names for addresses.
    with av.open(f"file:{path}", metadata_errors="replace", container_options=_PYAV) as container:
        stream = container.streams.audio[0]
        tags = {**stream.metadata, **container.metadata}
        tags = {name.lower(): text for name, text in tags.items()}
        length = container.duration
        return {name: tags.get(name) for name in TEXTS} | {
            "year": tags.get("date") or tags.get("year"),
            "duration": None if length is None else length / av.time_base,
            "sample_rate": stream.rate,
            "lyrics": _find_lyrics(tags),
        }


def _find_lyrics(tags: Mapping[str, Any]) -> Any:
    """Return the lyrics among tags with names in lower case."""
    names = [*_LYRICS, *(name for name in tags if name.startswith(("lyrics-", "uslt:")))]
    return next((tags[name] for name in names if tags.get(name)), None)


def _clean(found: Tags) -> Tags:
    """Return the tags that have a value, and one that makes sense."""
    cleaners: dict[str, Callable[[Any], Any]] = {
        **dict.fromkeys(TEXTS, _as_text),
        "genre": _as_genre,
        "year": _as_year,
        "duration": _as_duration,
        "sample_rate": _as_rate,
        "lyrics": lambda text: clean_lyrics(str(text)),
    }
    values = {name: cleaners[name](x) for name, x in found.items() if x is not None}
    return {name: value for name, value in values.items() if value is not None}


def _as_text(value: Any) -> str | None:
    """Return one line of text, the first one of several; None if it is empty."""
    for part in str(value).split("\0"):
        text = readable(part).translate(FROM_CP1252)
        # Lines and runs of spaces would break tables and playlists.
        if text := " ".join(_CONTROL.sub(" ", text).split()):
            return text[:_LONGEST_TEXT]
    return None


def _as_genre(value: Any) -> str | None:
    text = _as_text(value)
    # ID3's "none". tinytag gives the others their names.
    return None if text in {"255", "(255)"} else text


def _as_year(value: Any) -> int | None:
    match = re.search(r"(?<!\d)[12]\d{3}", str(value))
    return int(match[0]) if match else None


def _as_duration(value: Any) -> float | None:
    seconds = float(value)
    return seconds if 0 < seconds < math.inf else None


def _as_rate(value: Any) -> int | None:
    return int(value) if 1_000 <= value <= 1_000_000 else None
