"""The words of a text in any script, and the texts that mean that a track has no lyrics."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

import pandas as pd

# What people and programs write where there are no lyrics, and the reason that it stands for.
_ERRORS = "#CALC! #DIV/0! #ERROR! #N/A #NAME? #NUM! #REF! #SPILL! #VALUE!".split()
MISSING_LYRICS = {
    "[Instrumental]": "instrumental",
    **dict.fromkeys(["[No lyrics]", "NA", "NaN", "None", "null"], "missing"),
    **dict.fromkeys(_ERRORS, "spreadsheet error"),
}


def fold(text: str) -> str:
    """Return a text composed (NFC) and case folded, so that spellings of one word are equal."""
    # Before folding, so that it sees whole letters; after it, because it can decompose them ('ǰ').
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


class _WordCharacters(dict):
    r"""A table for `str.translate` that keeps only words, filled as characters come up.

    `re` knows no Unicode categories, and its ``\w`` leaves out the vowel signs of Bangla,
    Devanagari and Tamil: they are marks, not letters.
    """

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        category = unicodedata.category(character)
        kept: str | None = " "
        if character in "'’ʼ＇":
            kept = "'"
        elif category[0] in "LM":
            kept = character
        elif category == "Cf" and character != "\u200b":
            # Soft hyphens, joiners and direction marks are invisible and stand inside words;
            # only the zero width space ends one.
            kept = None
        self[code] = kept
        return kept


_WORD_CHARACTERS = _WordCharacters()

# In translated text, only letters are \w; all else that is neither space nor ' is a mark.
_WORD = re.compile(r"\w[^\s']*(?:'\w[^\s']*)*")


def words(text: str) -> list[str]:
    """Return the words of a text: case folded letters with their combining marks."""
    # Without an invisible character between them, a letter and its mark can come together.
    kept = unicodedata.normalize("NFC", fold(text).translate(_WORD_CHARACTERS))
    return _WORD.findall(kept)


_REASONS = {tuple(words(text)): reason for text, reason in MISSING_LYRICS.items()}


def why_no_lyrics(text: Any, reasons: Mapping[tuple[str, ...], str] = _REASONS) -> str | None:
    """Return why a cell of a table holds no lyrics; None if it holds some.

    The reasons are "missing" (None, NaN, NA, nothing but white space), "no words" and those of
    `reasons`, by the words of the text: case, punctuation and digits make no difference.
    """
    if not isinstance(text, str) and pd.isna(text):
        return "missing"
    text = str(text)
    if found := words(text):
        return reasons.get(tuple(found))
    return "no words" if text.strip() else "missing"
