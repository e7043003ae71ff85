"""The clusters' scores against labels, with chance and plain baselines beside them."""

import warnings

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer

from .._tables import drop_unlabelled
from ..features import LyricVectorizer
from ..metrics import compare_embeddings
from ..metrics._clustering import CLUSTERING_SCORES
from ..metrics.leakage import find_telling_columns, measure_leakage
from ..metrics.reference_space import ReferenceSpace, pooled_mfccs

THIS = "this pipeline"


def score_table(embedding, clusters, tracks, targets, *, features, n_seeds, random_state):
    """Return what `compare_embeddings` does, with a row of the clusters for each target.

    None where no target has two classes.

    Parameters
    ----------
    embedding : Pipeline
        The fitted pipeline without its clusterer.
    clusters : ndarray of shape (n_tracks,)
        The clusters of the one fit that the page shows, None where a track has none.
    tracks : DataFrame of length n_tracks
        The tracks.
    targets : dict of str to Series of shape (n_tracks,)
        Labels; tracks whose label is missing are not scored. Tracks without a cluster are scored
        as one more cluster, and left out of the silhouette.
    features : transformer
        Makes what the baselines cluster, and the space of the silhouettes, of the table.
    n_seeds : int
        Number of seeds of chance and of the baselines.
    random_state : int, RandomState instance or None
        Where the seeds come from.
    """
    # One class is found by any clusters.
    targets = {
        name: labels for name, labels in targets.items() if len(labels.dropna().unique()) > 1
    }
    if not targets:
        return None
    present = np.array([cluster is not None for cluster in clusters])
    n_clusters = len(np.unique(clusters[present]))
    clusters = np.where(present, clusters, "")
    with warnings.catch_warnings():
        # Too few lyrics for so many topics, or unreadable tracks, of which the page tells.
        warnings.simplefilter("ignore", UserWarning)
        space = ReferenceSpace(tracks, features)
        telling = find_telling_columns(tracks, targets)
        told, told_to_baselines = (
            measure_leakage(transformer, tracks, targets, telling)
            for transformer in (embedding, space.transformer)
        )
    # Of the features, which are made once, since they may be those of files.
    baselines = compare_embeddings(
        {},
        space.Z,
        targets,
        features="passthrough",
        n_clusters=n_clusters,
        n_seeds=n_seeds,
        random_state=random_state,
    )
    is_chance = baselines["embedding"] == "chance"
    baselines["leakage"] = baselines["target"].map(told_to_baselines).mask(is_chance, 0.0)
    tables = []
    for target, labels in targets.items():
        known, rows = drop_unlabelled(labels)
        row = {
            "embedding": THIS,
            "target": target,
            "leakage": told[target],
            "n_clusters": n_clusters,
            "n_tracks": len(known),
            "n_missing": int(np.sum(~present)),
            **{name: score(known, clusters[rows]) for name, score in CLUSTERING_SCORES.items()},
            "silhouette": space.silhouette(clusters, present),
        }
        tables += [pd.DataFrame([row]), baselines[baselines["target"] == target]]
    return pd.concat(tables, ignore_index=True)


def choose_features(tracks, extractor, features):
    """Return what makes the plain features of the table, and what they are.

    Parameters
    ----------
    tracks : DataFrame of length n_tracks
        The tracks.
    extractor : SpectrogramExtractor or None
        The pipeline's own, whose stretch of the tracks and cache are used.
    features : transformer or None
        None takes the pooled MFCCs, or the topics of the lyrics where there is no audio.
    """
    if features is not None:
        return features, "those that the report was given"
    if "audio" in tracks:
        return pooled_mfccs(extractor), "the scaled pooled MFCCs"
    if "lyrics" in tracks:
        lyrics = LyricVectorizer(64)
        return ColumnTransformer([("lyrics", lyrics, "lyrics")]), "the topics of the lyrics"
    raise ValueError(
        f"Got a table with the columns {tracks.columns.tolist()}, expected 'audio' or 'lyrics' "
        "to make the baselines' features of: pass a transformer of the table as features."
    )
