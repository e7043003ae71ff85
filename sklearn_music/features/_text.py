"""What the text columns, lyrics and genres, have in common."""

import unicodedata


def fold(text: str) -> str:
    """Return `text` composed (NFC) and case folded, so that spellings of one word are equal."""
    # Before folding, so that it sees whole letters; after it, because it can decompose them ('ǰ').
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
