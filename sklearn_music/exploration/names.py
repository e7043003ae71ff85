"""Short names for clusters, all different."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from .._tables import readable
from ..features.text import fold

# The tracks that are in none.
NO_CLUSTER = "No cluster"
_N_TAGS = 2
_N_WORDS = 3


def make_names(
    clusters: Sequence[Any],
    tags: Sequence[list[str]],
    words: Sequence[list[str]],
    metadata: Sequence[list[str]],
) -> list[str]:
    """Return a name for each cluster, from its tags, else its words, else its metadata.

    Clusters that would share one get longer ones, in the end with a number. The cluster None is
    that of the tracks without a cluster.
    """
    parts, lengths = [], []
    for t, w, m in zip(tags, words, metadata, strict=True):
        own: dict[str, str] = {}
        for part in (*t, *w, *m):
            own.setdefault(fold(part), part)
        parts.append(own)
        lengths.append(min(_N_TAGS, len(t)) or min(_N_WORDS, len(w)) or 1)
    while True:
        # In another order, the same parts are no other name.
        keys = [frozenset(list(own)[:n]) for own, n in zip(parts, lengths, strict=True)]
        counts = Counter(keys)
        longer = [i for i, key in enumerate(keys) if counts[key] > 1 and lengths[i] < len(parts[i])]
        if not longer:
            break
        for i in longer:
            lengths[i] += 1
    names: list[str] = []
    used = {fold(NO_CLUSTER)}
    for cluster, own, n in zip(clusters, parts, lengths, strict=True):
        if cluster is None:
            names.append(NO_CLUSTER)
            continue
        name = plain = readable(", ".join(list(own.values())[:n]) or f"Cluster {cluster}")
        number = 1
        while fold(name) in used:
            number += 1
            name = f"{plain} ({number})"
        used.add(fold(name))
        names.append(name)
    return names
