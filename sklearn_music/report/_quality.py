"""How good the clusters are, as far as it shows without labels."""

import warnings
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import silhouette_samples

from .._inspection import find_embedders
from ..metrics import cluster_stability_scores, stability_score
from ._clusters import NOISE, Cluster, Clustering

# Distances between all tracks: larger sets are subsampled.
_N_TRACKS = 2000
_N_RANDOM = 5
# By Hennig, of the mean Jaccard index of a cluster.
_STABLE, _DOUBTFUL = 0.75, 0.6


class Quality(NamedTuple):
    """Silhouettes and stability of the clusters; NaN where there is none."""

    silhouette: float  # the mean over all tracks
    chance: float  # that of random clusters of the same sizes
    stability: float
    # By the name of the cluster: silhouette, stability, and what that means in words.
    by_cluster: pd.DataFrame


def measure_quality(found: Clustering, clusterer: Any, seed: int) -> Quality:
    """Measure the clusters in the latent space that they were found in."""
    rng = np.random.RandomState(seed)
    rows = np.flatnonzero(found.present)
    rows = np.sort(rng.permutation(rows)[:_N_TRACKS])
    Z, names = found.Z[rows], found.names[rows]
    order = [name for name in found.order if name != NOISE]
    codes = pd.Index(order).get_indexer(pd.Index(names))  # noise: -1
    by_cluster = pd.DataFrame(np.nan, index=order, columns=["silhouette", "stability"])
    silhouette = chance = np.nan
    inside = codes >= 0
    if 1 < len(np.unique(codes[inside])) < inside.sum():
        values = silhouette_samples(Z[inside], codes[inside])
        silhouette = values.mean()
        by_cluster["silhouette"] = pd.Series(values).groupby(names[inside]).mean()
        shuffled = (rng.permutation(codes[inside]) for _ in range(_N_RANDOM))
        chance = np.mean([silhouette_samples(Z[inside], other).mean() for other in shuffled])
    stability, by_cluster["stability"] = _measure_stability(clusterer, Z, codes, len(order), seed)
    by_cluster["reading"] = [_read(value) for value in by_cluster["stability"]]
    return Quality(float(silhouette), float(chance), stability, by_cluster)


def _measure_stability(
    clusterer: Any, Z: Any, codes: NDArray[np.int64], n_clusters: int, seed: int
) -> tuple[float, Any]:
    """Return the stability of all clusters, and that of each; NaN if it can't be measured."""
    if find_embedders(clusterer):  # to train a network for each part would take too long
        return np.nan, np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a clusterer, about the parts
        try:
            stability = stability_score(clusterer, Z, random_state=seed)
            found_again = cluster_stability_scores(clusterer, Z, codes, random_state=seed)
        # Too few tracks for the parts, or anybody's clusterer that can't be copied or fitted again:
        # the page has more to say.
        except Exception:
            return np.nan, np.nan
    return stability, found_again.reindex(range(n_clusters)).to_numpy()


def _read(stability: float) -> str:
    """Return what the stability of a cluster means in words; empty where there is none."""
    if np.isnan(stability):
        return ""
    if stability >= _STABLE:
        return "stable"
    return "doubtful" if stability >= _DOUBTFUL else "not to be trusted"


def tabulate_clusters(
    found: Clustering, clusters: list[Cluster], quality: Quality, frame: pd.DataFrame
) -> pd.DataFrame:
    """Return the table of `describe_clusters` with quality and labels; tracks by their titles."""
    titles = frame["title"].tolist()
    table = found.table.copy()
    for name in ("typical", "outliers"):
        table[name] = [[titles[row] for row in rows] for rows in table[name]]
    measured = quality.by_cluster.reindex(found.order)
    for name in ("silhouette", "stability"):
        table[name] = measured[name].to_numpy()
    targets = clusters[0].composition
    # Columns of metadata that are labels, too: the labels are what the page shows.
    twice = [name for name in targets if name in table and f"{name}_share" in table]
    table = table.drop(columns=[*twice, *(f"{name}_share" for name in twice)])
    for target in targets:
        name = target
        while name in table or f"{name}_share" in table:
            name = f"label {name}"
        counts = [cluster.composition[target] for cluster in clusters]
        # As objects: pandas would make NaN of None, and may keep strings in pyarrow.
        main = [next(iter(labels), None) for labels in counts]
        table[name] = pd.Series(main, dtype=object)
        shares = [max(x.values()) / sum(x.values()) if x else np.nan for x in counts]
        table[f"{name}_share"] = shares
    table.attrs = {
        "silhouette": quality.silhouette,
        "chance": quality.chance,
        "stability": quality.stability,
    }
    return table
