"""How good the clusters are, as far as it shows without labels."""

import warnings
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.metrics import silhouette_samples

from .._inspection import is_embedder
from ..metrics import cluster_stability_scores, stability_score
from ._clusters import NOISE, Cluster, Clustering

# Distances between all tracks: larger sets are subsampled.
_N_TRACKS = 2000
_N_RANDOM = 5


class Quality(NamedTuple):
    """Silhouettes and stability of the clusters; NaN where there is none."""

    silhouette: float  # the mean over all tracks
    chance: float  # that of random clusters of the same sizes
    stability: float
    by_cluster: pd.DataFrame  # silhouette and stability, by the name of the cluster


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
    stability = np.nan
    # The tracks of a part of a clusterer that trains a network would take too long.
    if not is_embedder(clusterer) and not sparse.issparse(Z):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a clusterer, about the parts
            try:
                stability = stability_score(clusterer, Z, random_state=seed)
                found_again = cluster_stability_scores(clusterer, Z, codes, random_state=seed)
                by_cluster["stability"] = found_again.reindex(range(len(order))).to_numpy()
            except ValueError:  # too few tracks for parts, or for as many clusters
                pass
    return Quality(float(silhouette), float(chance), float(stability), by_cluster)


def tabulate_clusters(
    found: Clustering, clusters: list[Cluster], quality: Quality, frame: pd.DataFrame
) -> pd.DataFrame:
    """Return the table of `describe_clusters` with quality and labels; tracks by their titles."""
    titles = frame["title"].tolist()
    table = found.table.copy()
    for name in ("typical", "outliers"):
        table[name] = [[titles[row] for row in rows] for rows in table[name]]
    measured = quality.by_cluster.reindex(found.order)
    table[["silhouette", "stability"]] = measured.to_numpy()
    for target in clusters[0].composition if clusters else ():
        if target not in table:
            counts = [cluster.composition[target] for cluster in clusters]
            table[target] = [next(iter(labels), None) for labels in counts]
            shares = [max(x.values()) / sum(x.values()) if x else np.nan for x in counts]
            table[f"{target}_share"] = shares
    table.attrs = {
        "silhouette": quality.silhouette,
        "chance": quality.chance,
        "stability": quality.stability,
    }
    return table
