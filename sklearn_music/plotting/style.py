"""matplotlib, which is optional: colours, plain texts, and letters of any script."""

import contextlib
import unicodedata
import warnings
from collections.abc import Iterable
from typing import Any

from .._tables import readable

# The colours of Okabe and Ito, which colour-blind people can distinguish. Black comes last.
COLORS = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000"]
MARKERS = ["o", "^", "s", "D", "v", "P", "X"]
_N_CHARACTERS = 60
# Scripts whose letters join or change their order, and the version that draws them so.
_JOINED = set(
    "ARABIC BENGALI DEVANAGARI GUJARATI GURMUKHI KANNADA KHMER MALAYALAM MONGOLIAN MYANMAR NKO "
    "ORIYA SINHALA SYRIAC TAMIL TELUGU TIBETAN".split()
)
_JOINED_SINCE = (3, 11)


def import_pyplot() -> Any:
    """Return matplotlib.pyplot, or say how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            'The displays need matplotlib. Install it with: pip install "sklearn-music[plot]"'
        ) from error
    return plt


def plain(text: Any) -> str:
    """Return a text that matplotlib draws as it is: no formula, no control character, not too long.

    A longer text would leave no room for the picture.
    """
    text = "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) == "Cc" else character
        for character in readable(text).replace("\t", " ").replace("\n", " ")
    )
    if len(text) > _N_CHARACTERS:
        text = text[: _N_CHARACTERS - 1] + "…"
    return text.replace("$", r"\$")


def font_families(texts: Iterable[str]) -> list[str]:
    """Return the font families for all texts of a figure, with fallbacks for other scripts.

    matplotlib takes each letter from the first family that has it. A warning says what to
    install where no font has a letter, or where matplotlib can't join the letters.
    """
    import matplotlib
    from matplotlib import font_manager

    # Spaces and joiners, which isprintable leaves out, are never drawn as boxes.
    letters = {letter for text in texts for letter in text if letter.isprintable()}
    joined = sorted(map(str.title, _scripts(letters) & _JOINED))
    if joined and matplotlib.__version_info__[:2] < _JOINED_SINCE:
        version = ".".join(map(str, _JOINED_SINCE))
        warnings.warn(
            f"Got labels in {', '.join(joined)}, whose letters matplotlib {matplotlib.__version__} "
            "can't join: it draws them one by one. Install a version that joins them: "
            f'pip install "matplotlib>={version}"',
            UserWarning,
            stacklevel=3,
        )
    families = list(matplotlib.rcParams["font.family"])
    for family in families:
        font = font_manager.findfont(font_manager.FontProperties(family=[family]))
        letters -= _letters_in(font, letters)
    letters = _add_fallbacks(families, letters)
    if letters:
        # matplotlib reads its list of fonts from a cache, which may be older than a font.
        _find_new_fonts()
        letters = _add_fallbacks(families, letters)
    if letters:
        scripts = ", ".join(f"Noto Sans {script.title()}" for script in sorted(_scripts(letters)))
        warnings.warn(
            f"No installed font has the letters {''.join(sorted(letters))!r}: they show as boxes. "
            f"Install one that has, such as {scripts} (https://fonts.google.com/noto; on Debian, "
            "the package fonts-noto-core).",
            UserWarning,
            stacklevel=3,
        )
    return families


def _add_fallbacks(families, letters):
    """Append families that have the letters, and return the letters that none has."""
    from matplotlib import font_manager

    scripts = _scripts(letters)

    def rank(font):
        """Put a font of the script, and a plain one, first."""
        name = font.name.upper()
        is_plain = font.style == "normal" and font.weight in (400, "normal") and "SANS" in name
        return not any(script in name for script in scripts), not is_plain, name

    for font in sorted(font_manager.fontManager.ttflist, key=rank) if letters else ():
        path = font.fname
        if hasattr(font, "index"):  # since matplotlib 3.11: a file may hold several fonts
            path = font_manager.FontPath(path, font.index)
        found = _letters_in(path, letters)
        # The font Last Resort has nothing but boxes.
        if found and "lastresort" not in font.name.lower().replace(" ", ""):
            families.append(font.name)
            letters = letters - found
        if not letters:
            break
    return letters


def _letters_in(path, letters):
    """Return those of the letters that the font at the path has."""
    from matplotlib.font_manager import get_font

    try:
        font = get_font(path)
    except (OSError, RuntimeError):  # it was removed, or is broken
        return set()
    return {letter for letter in letters if font.get_char_index(ord(letter))}


def _find_new_fonts():
    from matplotlib.font_manager import findSystemFonts, fontManager

    known = {font.fname for font in fontManager.ttflist}
    for path in findSystemFonts():
        if path not in known:
            # As in matplotlib itself: a file that it can't read is no font.
            with contextlib.suppress(Exception):
                fontManager.addfont(path)


def _scripts(letters):
    """Return the names of the scripts, such as BENGALI."""
    return {unicodedata.name(letter, "Symbols").split()[0] for letter in letters}
