"""The clusters' scores against labels, with chance and plain baselines beside them."""

import warnings

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.metrics import normalized_mutual_info_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from ..features import LyricVectorizer, SpectrogramExtractor
from ..metrics import compare_embeddings
from ..metrics._clustering import CLUSTERING_SCORES

THIS = "this pipeline"

# Above it, a column all but tells the labels; BetaCVAE warns from there on too.
_LEAKAGE = 0.5
_N_PROBED = 32


def score_table(clusters, leakage, features, targets, *, n_seeds, random_state):
    """Return what `compare_embeddings` does, with a row of the clusters for each target.

    Parameters
    ----------
    clusters : ndarray of shape (n_tracks,)
        The clusters of the one fit that the page shows.
    leakage : dict of str to float
        For each target, how much the embedding was told of it.
    features : ndarray of shape (n_tracks, n_features)
        What the baselines cluster.
    targets : dict of str to Series of shape (n_tracks,)
        Labels; tracks whose label is missing are not scored.
    n_seeds : int
        Number of seeds of chance and of the baselines.
    random_state : int, RandomState instance or None
        Where the seeds come from.
    """
    pca = PCA(min(16, *features.shape))
    baselines = compare_embeddings(
        {"raw features": "passthrough", "PCA": pca},
        features,
        targets,
        n_seeds=n_seeds,
        random_state=random_state,
    )
    tables = []
    for target, labels in targets.items():
        known = labels.notna().to_numpy()
        row = {
            "embedding": THIS,
            "target": target,
            "n_clusters": len(np.unique(clusters)),
            "n_tracks": int(known.sum()),
            "leakage": leakage[target],
            **{
                name: score(labels[known], clusters[known])
                for name, score in CLUSTERING_SCORES.items()
            },
        }
        tables += [pd.DataFrame([row]), baselines[baselines["target"] == target]]
    return pd.concat(tables, ignore_index=True)


def baseline_features(tracks, extractor, features):
    """Return the features that the baselines cluster.

    Parameters
    ----------
    tracks : DataFrame of length n_tracks
        The tracks.
    extractor : SpectrogramExtractor or None
        The pipeline's own, whose stretch of the tracks and cache are used.
    features : transformer or None
        Makes the features of the table; None takes the pooled MFCCs, or the topics of the
        lyrics where there is no audio.

    Returns
    -------
    features : ndarray of shape (n_tracks, n_features)
        The features.
    description : str
        What they are.
    """
    table, description = tracks, "those that the report was given"
    if features is None and "audio" in tracks:
        extractor = clone(extractor or SpectrogramExtractor()).set_params(
            feature="mfcc", n_mels=128, n_mfcc=20, pooling="stats", verbose=0, on_error="nan"
        )
        features = make_pipeline(extractor, SimpleImputer(), StandardScaler())
        table, description = tracks[["audio"]], "the scaled means and deviations of the MFCCs"
    elif features is None and "lyrics" in tracks:
        features = LyricVectorizer(64, random_state=0)
        table, description = tracks["lyrics"], "the topics of the lyrics"
    elif features is None:
        raise ValueError(
            f"Got a table with the columns {tracks.columns.tolist()}, expected 'audio' or 'lyrics' "
            "to make the baselines' features of: pass a transformer of the table as features."
        )
    with warnings.catch_warnings():
        # Too few lyrics for so many topics, or unreadable tracks, of which the page tells.
        warnings.simplefilter("ignore", UserWarning)
        return np.asarray(clone(features).fit_transform(table)), description


def measure_leakage(embedding, Z, tracks, labels, random_state):
    """Return how much of the labels the embedding was told, from 0 to 1.

    A column of the table leaks where it all but tells the labels, and the embedding changes
    with it: where the genre is an input, say, and not only the condition of a decoder.

    Parameters
    ----------
    embedding : Pipeline
        The fitted pipeline without its clusterer.
    Z : ndarray or sparse matrix of shape (n_tracks, n_components)
        What it makes of the tracks.
    tracks : DataFrame of length n_tracks
        The tracks.
    labels : Series of shape (n_tracks,)
        The labels.
    random_state : int, RandomState instance or None
        Which tracks are tried.

    Returns
    -------
    leakage : float
        The normalised mutual information of the leaking column with the labels; 0 where
        there is none.
    """
    known = labels.notna().to_numpy()
    rng = check_random_state(random_state)
    leakage = 0.0
    for name in tracks.columns.difference(["audio", "lyrics"], sort=False):
        values = np.array([str(value) for value in tracks[name]], dtype=object)
        groups = values[known]
        if len(set(groups)) > len(groups) / 2:
            continue  # nearly each track has a value of its own, which tells anything
        told = float(normalized_mutual_info_score(labels[known], groups))
        if told <= max(_LEAKAGE, leakage):
            continue
        rows = rng.permutation(len(tracks))[:_N_PROBED]
        swapped = [rng.choice(np.flatnonzero(values != values[row])) for row in rows]
        others = tracks.iloc[rows].copy()
        others[name] = tracks[name].array[swapped]
        change = abs(embedding.transform(others) - Z[rows]).max()
        if change > 1e-3 * abs(Z).max():
            leakage = told
    return leakage
