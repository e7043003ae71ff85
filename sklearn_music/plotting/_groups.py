"""The groups that tracks are in: clusters, and labels."""

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils import column_or_1d
from sklearn.utils.validation import _num_samples

MISSING = "missing"


def number_groups(groups):
    """Return the number of each track's group, the groups' names, and whether any is missing.

    Groups are sorted, numbers as numbers; tracks without a group are the last one.
    """
    groups = column_or_1d(np.asarray(groups, dtype=object))
    numbers, names = pd.factorize(groups, sort=True)
    names = [str(name) for name in names]
    any_missing = bool((numbers < 0).any())
    if any_missing:
        numbers = np.where(numbers < 0, len(names), numbers)
        # There may be a label of this name.
        names.append(f"({MISSING})" if MISSING in names else MISSING)
    return numbers, names, any_missing


def embed_and_cluster(pipeline, X):
    """Return the latent space and the clusters of tracks, by a fitted pipeline."""
    if not isinstance(pipeline, Pipeline) or len(pipeline) < 2:
        raise ValueError(
            f"Got {pipeline!r}, expected a fitted Pipeline of transformers and a clusterer."
        )
    Z = pipeline[:-1].transform(X)
    clusterer = pipeline[-1]
    if hasattr(clusterer, "predict"):
        return Z, clusterer.predict(Z)
    # Some clusterers know the clusters of no tracks but their own.
    clusters = getattr(clusterer, "labels_", ())
    n_tracks = _num_samples(Z)  # a sparse matrix has no length
    if len(clusters) != n_tracks:
        raise ValueError(
            f"Got {n_tracks} tracks, and a pipeline that ends in {type(clusterer).__name__}, which "
            f"has no predict: pass the {len(clusters)} tracks that it was fitted to."
            if len(clusters)
            else f"Got a pipeline that ends in {type(clusterer).__name__}, expected a clusterer: "
            "one that has predict or labels_."
        )
    return Z, clusters
