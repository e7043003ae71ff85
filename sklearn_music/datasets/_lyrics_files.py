"""Lyrics from `.lrc` and `.txt` files, without time stamps."""

import codecs
import os
import re

from .._tables import readable

# In bytes, and in characters of a tag. The longest songs have about 20,000; what is longer is a
# book, a log or a broken tag.
LONGEST = 100_000

_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Latin-1 has control characters where cp1252, which it is mistaken for, has quotes and the like.
FROM_CP1252 = {code: bytes([code]).decode("cp1252", "replace") for code in range(0x80, 0xA0)}

_TIME = r"-?\d{1,3}:\d{1,2}(?:[.:]\d{1,3})?"
_TIME_STAMP = re.compile(rf"\[{_TIME}\]|<{_TIME}>")
# Listed one by one: "[Chorus: all]" is no tag.
_LRC_TAG = re.compile(
    r"^[^\S\n]*\[(?:al|ar|au|by|encoding|id|la|length|lr|offset|re|ti|tool|ve|#):[^\]\n]*\]"
    r"[^\S\n]*$",
    re.IGNORECASE | re.MULTILINE,
)
# No text in an encoding of single bytes holds these.
_NOT_TEXT = bytes([*range(9), *range(14, 27)])
_OTHER_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufeff]")


def read_lyrics(path: str) -> str | None:
    """Return the lyrics in a text file; None if it can't be read, is long, or is no text."""
    try:
        if os.path.getsize(path) > LONGEST:
            return None
        with open(path, "rb") as file:
            content = file.read(LONGEST)
    except OSError:
        return None
    text = _decode(content)
    return None if text is None else clean_lyrics(text)


def clean_lyrics(text: str) -> str | None:
    """Return lyrics without the time stamps and tags of LRC; None if nothing is left."""
    if len(text) > LONGEST:
        return None
    text = readable(text).translate(FROM_CP1252).replace("\r\n", "\n").replace("\r", "\n")
    text = _OTHER_CONTROL.sub("", text)
    text = _LRC_TAG.sub("", text)
    text, n_stamps = _TIME_STAMP.subn("", text)
    if n_stamps:
        text = "\n".join(" ".join(line.split()) for line in text.split("\n"))
    return text.strip() or None


def _decode(content: bytes) -> str | None:
    """Return the text of a file by its byte order mark, as UTF-8 or cp1252; None for no text."""
    marks = (name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark))
    if encoding := next(marks, None):
        return content.decode(encoding, "replace")
    if len(content.translate(None, _NOT_TEXT)) < len(content):
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        # FROM_CP1252 does the rest.
        return content.decode("latin-1")
