import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_music import LyricVectorizer
from sklearn_music.features.text import MISSING_LYRICS, why_no_lyrics
from sklearn_music.features.text import words as words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("গল্প ভৌতিক", ["গল্প", "ভৌতিক"]),
        ("শেষ।শুরু॥আবার", ["শেষ", "শুরু", "আবার"]),
        ("হৃদয়ের ক’রে ব'লে", ["হৃদয়ের", "ক'রে", "ব'লে"]),
        ("১২টি গান ৩", ["টি", "গান"]),
        ("প্রेम हिन्दी में गीत।", ["প্রेम", "हिन्दी", "में", "गीत"]),
        ("தமிழ் பாடல்கள்", ["தமிழ்", "பாடல்கள்"]),
        ("السَّلامُ عليكم، يا", ["السَّلامُ", "عليكم", "يا"]),
        ("Él cantó ÀÉÎ, naïve", ["él", "cantó", "àéî", "naïve"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("Don't DON’T l'amour 'cause lovin' rock'n'roll", ["don't", "don't", "l'amour", "cause",
                                                           "lovin", "rock'n'roll"]),
        ("one_two-three/four 5six7", ["one", "two", "three", "four", "six"]),
        ("[00:12.5] I love ❤️ you 1️⃣ 🎵", ["i", "love", "you"]),
        ("春が来た Привет", ["春が来た", "привет"]),
        ("soft\u00adhyphen \u202bright\u202c zero\u200bwidth", ["softhyphen", "right", "zero",
                                                               "width"]),
        # A mark without a letter is no word.
        ("\u0301 \u09be ।\u09be", []),
        ("\ud800 '' ’ ... ½ ² Ⅷ", []),
        ("", []),
    ],
)  # fmt: skip
def test_words(text, words):
    assert words_of(text) == [unicodedata.normalize("NFC", word) for word in words]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("সময়", "সময\u09bc"),
        ("বড\u09bc গাঢ\u09bc", "বড় গাঢ়"),
        ("ক\u09c7\u09beথায়", "ক\u09cbথায\u09bc"),
        ("کتاب‌ها", "کتابها"),
        ("কোন্\u200c দেখ্\u200cতে", "কোন্ দেখ্তে"),
        ("cafe\u0301", "CAFÉ"),
        ("ǰ", "J\u030c"),
    ],
)
def test_two_spellings_of_one_word(one, other):
    assert words_of(one) == words_of(other)


@given(st.text())
def test_any_text_has_stable_words(text):
    words = words_of(text)
    assert words_of(" ".join(words)) == words
    for form in ("NFC", "NFD"):
        assert words_of(unicodedata.normalize(form, text)) == words
    for word in words:
        assert unicodedata.category(word[0])[0] == "L"
        assert all(c == "'" or unicodedata.category(c)[0] in "LM" for c in word)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *MISSING_LYRICS.items(),
        *((value, "missing") for value in (None, np.nan, pd.NA, pd.NaT, "", " \n")),
        ("(INSTRUMENTAL)", "instrumental"),
        (" #n/a ", "spreadsheet error"),
        ("N/A", "spreadsheet error"),
        (42, "no words"),
        ("♪ ♪", "no words"),
        ("\u200b", "no words"),
        ("sea", None),
        ("#error in my heart", None),
        ("this instrumental life", None),
    ],
    ids=str,
)
def test_why_a_cell_holds_no_lyrics(text, reason):
    assert why_no_lyrics(text) == reason
    if isinstance(text, str):
        lyrics = LyricVectorizer().fit(["the river sings", text])
        assert lyrics.n_missing_ == (reason is not None)


def test_own_texts_for_no_lyrics():
    assert why_no_lyrics("(No Words)", {("no", "words"): "none"}) == "none"
    assert why_no_lyrics("[Instrumental]", {}) is None
