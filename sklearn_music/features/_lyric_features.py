"""Numbers from lyrics: the words, the vectors of an encoder, latent semantic analysis."""

import unicodedata
from collections.abc import Collection
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import row_norms

from .stop_words import BENGALI, ENGLISH, GERMAN
from .text import words

STOP_WORDS = {"english": ENGLISH, "german": GERMAN, "bengali": BENGALI}


def cut(lyrics: list[str]) -> list[str]:
    """Return lyrics as words with a space between them."""
    return [" ".join(words(text)) for text in lyrics]


def check_strings(name: str, values: Collection[str]) -> None:
    """Raise a ValueError unless a parameter holds nothing but strings."""
    for value in values:
        if not isinstance(value, str):
            raise ValueError(
                f"Got {value!r} ({type(value).__name__}) in {name}, expected strings only: leave "
                "it out or convert it."
            )


def make_tfidf(
    ngram_range: tuple[int, int],
    char_ngram_range: tuple[int, int] | None,
    stop_words: str | Collection[str] | None,
    **parameters: Any,
) -> TfidfVectorizer | FeatureUnion:
    """Return the TF-IDF of text that is cut into words, so that no function has to be pickled."""
    for name, value in (("ngram_range", ngram_range), ("char_ngram_range", char_ngram_range)):
        if value is not None and (
            len(value) != 2
            or not all(isinstance(n, Integral) for n in value)
            or not 1 <= value[0] <= value[1]
        ):
            raise ValueError(
                f"Got {name}={value!r}, expected a tuple (min_n, max_n) with 1 <= min_n <= max_n."
            )
    if isinstance(stop_words, str):
        stop_words = STOP_WORDS[stop_words]
    elif stop_words is not None:
        check_strings("stop_words", stop_words)
    tfidf = TfidfVectorizer(lowercase=False, dtype=np.float32, **parameters)
    by_word = clone(tfidf).set_params(token_pattern=r"\S+", ngram_range=ngram_range)
    if stop_words is not None:
        by_word.stop_words = sorted({word for entry in stop_words for word in words(entry)})
    if char_ngram_range is None:
        return by_word
    by_character = tfidf.set_params(analyzer="char_wb", ngram_range=char_ngram_range)
    return FeatureUnion([("word", by_word), ("char", by_character)])


def encode(encoder: Any, lyrics: list[str]) -> NDArray[np.float32]:
    """Return what the user's encoder makes of lyrics, once it is checked."""
    # A sentence transformer is callable, but not with strings.
    if hasattr(encoder, "encode") or not callable(encoder):
        raise ValueError(
            f"Got a {type(encoder).__name__} as encoder, expected a function from a list of "
            "strings to an array: pass its method, encoder=model.encode."
        )
    encoded = encoder([unicodedata.normalize("NFC", text) for text in lyrics])
    try:
        with np.errstate(over="ignore"):
            features = np.asarray(encoded, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The encoder returned a {type(encoded).__name__} that is no array of numbers "
            f"({error}): let it return a dense array of shape (n_lyrics, d)."
        ) from error
    if features.ndim != 2 or len(features) != len(lyrics) or features.shape[1] == 0:
        raise ValueError(
            f"The encoder returned an array of shape {features.shape} for {len(lyrics)} "
            f"lyrics, expected ({len(lyrics)}, d): let it return one row per lyric."
        )
    if not np.isfinite(features).all():
        row = int(np.flatnonzero(~np.isfinite(features).all(axis=1))[0])
        raise ValueError(
            f"The encoder returned NaN or infinity (in float32) for {lyrics[row][:40]!r}: "
            "expected finite numbers for every lyric."
        )
    return features


def fit_components(
    features: Any, n_components: int, random_state: int | np.random.RandomState | None
) -> tuple[TruncatedSVD | None, int]:
    """Return the decomposition and its number of components, no more than there is rank."""
    n_components = min(n_components, *features.shape)
    if features.shape[1] == 1:  # TruncatedSVD refuses it, and it can't be reduced anyway
        return None, n_components
    # In float32, the singular values that are 0 would be hard to distinguish from small ones.
    features = features.astype(np.float64)
    # What rounding the features to float32 can make of a singular value of 0, with a margin.
    zero = 10 * np.finfo(np.float32).eps * np.sqrt((row_norms(features) ** 2).sum())
    while True:
        # Lyrics have a flat spectrum, of which the randomized solver finds another part with
        # every seed and every order of the tracks. ARPACK is exact, but can do neither all
        # components nor a matrix of zeros.
        solver = "arpack" if n_components < min(features.shape) and zero > 0 else "randomized"
        svd = TruncatedSVD(n_components, algorithm=solver, random_state=random_state)
        # The explained variance ratio is 0 / 0 where all lyrics are alike.
        with np.errstate(invalid="ignore", divide="ignore"):
            svd.fit(features)
        rank = max(1, int((svd.singular_values_ > zero).sum()))
        if rank == n_components:
            return svd, n_components
        # Beyond the rank, directions are arbitrary, and new lyrics would lie in them.
        n_components = rank


def reduce(features: Any, svd: TruncatedSVD | None) -> NDArray[np.float32]:
    """Return the components of each lyric, scaled to unit L2 norm."""
    if svd is not None:
        reduced = svd.transform(features).astype(np.float32)
    else:
        reduced = sparse.csr_matrix(features).toarray()
    # What rounding leaves of lyrics outside the components must not be scaled up to length 1.
    reduced[row_norms(reduced) <= 1e-5 * row_norms(features)] = 0
    return normalize(reduced)
