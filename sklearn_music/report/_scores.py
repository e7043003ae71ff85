"""Scores of the clusters against labels, next to chance and plain baselines."""

import warnings

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer

from ..exceptions import AudioError
from ..features import LyricVectorizer
from ..metrics import compare_embeddings
from ..metrics.leakage import find_telling_columns, measure_leakage
from ..metrics.reference_space import ReferenceSpace, pooled_mfccs

THIS = "this pipeline"


def score(embedding, found, tracks, targets, features, **seeds):
    """Return the table of `compare_embeddings` with a row of these clusters per target, and notes.

    Tracks without a cluster are scored as one more cluster, and left out of the silhouette. The
    features are those of the baselines and of the silhouettes.
    """
    # Any clusters score perfectly against one class.
    scored = {name: y for name, y in targets.items() if len(y.dropna().unique()) > 1}
    notes, table, leakage = [], None, {}
    try:
        if scored:
            table, leakage = _score(embedding, found, tracks, scored, features, seeds)
    except AudioError as error:  # none of the files can be read
        notes.append(f"No scores are shown: {error}")
    for target, labels in targets.items():
        if value := leakage.get(target):
            notes.append(
                f"Label leakage: the embedding reads a column of the table that predicts the label "
                f"{target!r} (normalised mutual information {value:.2f}). The scores against "
                f"{target!r} measure this, not what the embedding found."
            )
        elif n := labels.isna().sum():
            notes.append(f"{n} of {len(labels)} tracks have no {target!r}: not scored by it.")
    return table, notes


def _score(embedding, found, tracks, targets, features, seeds):
    with warnings.catch_warnings():
        # About too few lyrics for so many topics, or unreadable tracks: the page says so elsewhere.
        warnings.simplefilter("ignore", UserWarning)
        space = ReferenceSpace(tracks, features)
        telling = find_telling_columns(tracks, targets)
        leakage, leakage_of_baselines = (
            measure_leakage(transformer, tracks, targets, telling)
            for transformer in (embedding, space.transformer)
        )
    k = len(found.order)
    # The features of files take long: they are made once.
    baselines = compare_embeddings(
        {}, space.Z, targets, features="passthrough", n_clusters=k, **seeds
    )
    baselines["silhouette_space"] = space.name
    is_chance = baselines["embedding"] == "chance"
    baselines["leakage"] = baselines["target"].map(leakage_of_baselines).mask(is_chance, 0.0)
    clusters = np.where(found.present, found.names, "")
    tables = []
    for target, labels in targets.items():
        this = {"embedding": THIS, "target": target, "leakage": leakage[target], "n_seeds": 1}
        this |= {"silhouette_space": space.name}
        this |= space.scores(labels, clusters, found.present, k)
        tables += [pd.DataFrame([this]), baselines[baselines["target"] == target]]
    return pd.concat(tables, ignore_index=True), leakage


def choose_features(tracks, extractor, features):
    """Return a transformer that makes plain features of the table, and their name."""
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
