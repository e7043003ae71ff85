"""By which words, tags and labels a cluster differs from the others."""

import re
from collections.abc import Collection, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer

from .._tables import as_labels, as_objects
from ..features.text import why_no_lyrics, words

# Sites mark the parts of a song like this: [Chorus], [Verse 2: name].
_HEADINGS = re.compile(r"\[[^\]\n]*\]")
# A lift that is above 1 by rounding only is none.
_ROUNDING = 1e-9


class MainLabel(NamedTuple):
    """The most frequent label in a cluster."""

    label: str | None  # None if no track in it has a label
    share: float  # of its tracks that have a label
    is_distinctive: bool  # whether half of them have it, and fewer elsewhere


def find_words(
    lyrics: Any, members: Sequence[NDArray[np.bool_]], n_words: int, stop_words: Collection[str]
) -> list[list[str]]:
    """Return the words of each cluster, the most distinctive first."""
    texts = as_objects(lyrics)
    known = np.array([why_no_lyrics(text) is None for text in texts], dtype=bool)
    left_out = {word for entry in stop_words for word in words(entry)}
    songs = [sorted({*words(_HEADINGS.sub(" ", str(text)))} - left_out) for text in texts[known]]
    if not any(songs):
        return [[] for _ in members]
    vectorizer = CountVectorizer(analyzer=list)
    has_word = vectorizer.fit_transform(songs)
    vocabulary = vectorizer.get_feature_names_out()
    everywhere, weights = _mean(has_word, less=1), np.log(_mean(has_word)) ** 2
    scores = [(_mean(has_word[inside[known]], less=1) - everywhere) * weights for inside in members]
    return [_best(of_cluster, vocabulary, n_words) for of_cluster in scores]


def find_tags(
    tags: pd.DataFrame, members: Sequence[NDArray[np.bool_]], n_tags: int
) -> list[list[str]]:
    """Return the tags of each cluster, the one with the highest lift first."""
    values = tags.to_numpy(dtype=np.float64, na_value=np.nan)
    known = ~np.isnan(values).any(axis=1)
    mean = _mean(values[known])
    # All is 0 where this is.
    smoothing = max(mean.sum() / max(1, len(mean)), np.finfo(np.float64).tiny)
    lifts = [(_mean(values[known & inside]) + smoothing) / (mean + smoothing) for inside in members]
    return [_best(lift - 1 - _ROUNDING, tags.columns, n_tags) for lift in lifts]


def find_main_labels(labels: Any, members: Sequence[NDArray[np.bool_]]) -> list[MainLabel]:
    """Return the most frequent label in each cluster."""
    # A cell may hold a list of genres.
    labels = as_labels([x if isinstance(x, Hashable) else str(x) for x in as_objects(labels)])
    shares = labels.value_counts(normalize=True)
    found = []
    for inside in members:
        counts = labels[inside].value_counts()
        if not len(counts):
            found.append(MainLabel(None, np.nan, False))
            continue
        # Of those that are equally frequent, the rarest in the collection.
        label = min(counts.index, key=lambda label: (-counts[label], shares[label], label))
        share = counts[label] / counts.sum()
        is_distinctive = share >= 0.5 and share > shares[label] * (1 + _ROUNDING)
        found.append(MainLabel(label, share, is_distinctive))
    return found


def _mean(rows: Any, less: int = 0) -> NDArray[np.float64]:
    """Return the mean of each column, and 0 without rows; of the sum less a number."""
    total = np.asarray(rows.sum(axis=0), dtype=np.float64).ravel()
    return (total - less) / max(1, rows.shape[0])


def _best(scores: NDArray[np.float64], names: Any, n: int) -> list[str]:
    """Return the names with the highest scores above 0."""
    order = np.argsort(-scores, kind="stable")[:n]
    return [str(names[i]) for i in order if scores[i] > 0]
