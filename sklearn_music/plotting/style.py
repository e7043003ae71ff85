"""matplotlib, which is optional: figures, colours, and letters of any script."""

import unicodedata
import warnings

import numpy as np

from .._tables import readable

# Okabe and Ito's colours, which the colour-blind can tell apart; black comes last.
COLORS = [
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#F0E442",
    "#000000",
]
_N_CHARACTERS = 60
MARKERS = ["o", "^", "s", "D", "v", "P", "X"]


def import_pyplot():
    """Return matplotlib.pyplot, or say how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            'The displays need matplotlib. Install it with: pip install "sklearn-music[plot]"'
        ) from error
    return plt


def make_panels(ax, n_rows, n_columns, *, panel_size, **kwargs):
    """Return the axes that were given, or those of a new figure, as rows and columns."""
    plt = import_pyplot()
    if ax is None:
        width, height = panel_size
        _, ax = plt.subplots(
            n_rows,
            n_columns,
            figsize=(width * n_columns, height * n_rows),
            layout="constrained",
            squeeze=False,
            **kwargs,
        )
    panels = np.asarray(ax, dtype=object)
    if panels.size != n_rows * n_columns:
        raise ValueError(
            f"Got {panels.size} axes as ax, expected {n_rows} x {n_columns}: one per panel."
        )
    return panels.reshape(n_rows, n_columns)


def plain(text):
    """Return a text that matplotlib draws as it is: no formula, no control character, not too long.

    One that is longer would leave no room for the picture.
    """
    text = "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) == "Cc" else character
        for character in readable(text).replace("\t", " ").replace("\n", " ")
    )
    if len(text) > _N_CHARACTERS:
        text = text[: _N_CHARACTERS - 1] + "…"
    return text.replace("$", r"\$")


def font_families(texts):
    """Return the font families to draw some texts with, a fallback for other scripts among them.

    matplotlib takes each letter from the first family that has it. Where no installed
    font has a letter, a warning names the font to install.
    """
    from matplotlib import font_manager, rcParams

    families = list(rcParams["font.family"])
    # Spaces and joiners, which isprintable leaves out, are never drawn as boxes.
    letters = {letter for text in texts for letter in str(text) if letter.isprintable()}
    for family in families:
        font = font_manager.findfont(font_manager.FontProperties(family=[family]))
        letters -= _letters_in(font, letters)
    letters = _add_fallbacks(families, letters)
    if letters:
        # matplotlib reads its list of fonts from a cache, which may be older than a font.
        _find_new_fonts()
        letters = _add_fallbacks(families, letters)
    if letters:
        scripts = ", ".join(f"Noto Sans {script.title()}" for script in _scripts(letters))
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
    from matplotlib.font_manager import FontPath, fontManager

    scripts = _scripts(letters)

    def rank(font):
        """Put a font of the script, and a plain one, first."""
        name = font.name.upper()
        is_plain = font.style == "normal" and font.weight in (400, "normal") and "SANS" in name
        return not any(script in name for script in scripts), not is_plain, name

    for font in sorted(fontManager.ttflist, key=rank) if letters else ():
        if "lastresort" in font.name.lower().replace(" ", ""):
            continue  # it has nothing but boxes
        if found := _letters_in(FontPath(font.fname, font.index), letters):
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
            try:
                fontManager.addfont(path)
            except Exception:  # as matplotlib itself does: what it can't read is no font
                continue


def _scripts(letters):
    """Return the names of the scripts, such as BENGALI."""
    return sorted({unicodedata.name(letter, "Symbols").split()[0] for letter in letters})
