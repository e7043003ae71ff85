"""The one space in which the silhouettes of different embeddings can be compared."""

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.metrics import pairwise_distances, silhouette_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import check_array

from .._inspection import with_seed
from .._tables import is_present
from ..features import SpectrogramExtractor

# A silhouette needs the distances between all rows: of more than these, a random part is taken.
_N_ROWS = 2000

_ADVICE = (
    "Pass a transformer that makes a dense row of finite numbers of each track: as features of "
    "compare_embeddings, as space of silhouette_scorer."
)


class ReferenceSpace:
    """Plain features of the tracks, which no embedding had a say in.

    Parameters
    ----------
    X : array-like or DataFrame of length n_tracks
        The tracks.
    features : transformer or "passthrough", default=None
        What turns X into the features; None chooses by X. Where it has no random state of its
        own, it gets 0.

    Attributes
    ----------
    name : str
        What the features are.
    transformer : transformer
        The fitted one.
    Z : ndarray of shape (n_tracks, n_features)
        The features; NaN for a missing track.
    """

    def __init__(self, X, features=None):
        if features is None:
            name, features = _default_features(X)
        else:
            name = _name(features)
        self.transformer = seeded_transformer(features, 0, overwrite=False)
        Z = self.transformer.fit_transform(X)
        try:
            self.Z = check_array(Z, ensure_min_samples=2, ensure_all_finite="allow-nan")
            present = is_present(self.Z)
            check_array(self.Z[present], ensure_min_samples=2)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"Silhouettes can't be taken in the reference features ({name}): {error}\n{_ADVICE}"
            ) from error
        self.name = f"{name}, {self.Z.shape[1]} columns"
        rows = np.flatnonzero(present)
        order = np.random.RandomState(0).permutation(len(rows))
        self._rows = rows[np.sort(order[:_N_ROWS])]
        self._distances = pairwise_distances(self.Z[self._rows])

    def silhouette(self, clusters, counts):
        """Return the mean silhouette of the tracks that count, without those that are missing.

        0 where all of them are in one cluster, or each has its own.

        Parameters
        ----------
        clusters : array-like of shape (n_tracks,)
            The cluster of each track.
        counts : ndarray of bool of shape (n_tracks,)
            Whether the track counts; those that don't are missing in the space of the clusters.
        """
        counts = counts[self._rows]
        clusters = np.asarray(clusters)[self._rows][counts]
        if not 1 < len(np.unique(clusters)) < len(clusters):
            return 0.0
        distances = self._distances[np.ix_(counts, counts)]
        return float(silhouette_score(distances, clusters, metric="precomputed"))


def seeded_transformer(estimator, seed, *, overwrite=True):
    """Return an unfitted copy with the seed; for "passthrough" one that changes nothing."""
    if isinstance(estimator, str):
        # Whatever set_config says: a table of columns without names would be a warning.
        return FunctionTransformer(np.asarray).set_output(transform="default")
    return with_seed(clone(estimator), seed, overwrite=overwrite)


def pooled_mfccs(extractor=None):
    """Return what makes the scaled pooled MFCCs of a table with a column ``audio``.

    Parameters
    ----------
    extractor : SpectrogramExtractor, default=None
        Whose stretch of the tracks, cache and so on are used.
    """
    mfcc = clone(extractor or SpectrogramExtractor()).set_params(
        feature="mfcc", n_mels=128, n_mfcc=20, pooling="stats", verbose=0, on_error="nan"
    )
    audio = ColumnTransformer([("mfcc", mfcc, ["audio"])])
    return Pipeline([("audio", audio), ("scale", StandardScaler())])


def _default_features(X):
    if _is_numeric(X):
        return "X, scaled", StandardScaler()
    if isinstance(X, pd.DataFrame) and "audio" in X:
        return "pooled MFCCs, scaled", pooled_mfccs()
    raise ValueError(
        "X is neither a table of numbers nor a DataFrame with a column 'audio', so that it can't "
        f"be told which plain features to take silhouettes in. {_ADVICE}"
    )


def _is_numeric(X):
    try:
        check_array(X, ensure_all_finite=False)
    except (TypeError, ValueError):
        return False
    return True


def _name(features):
    if isinstance(features, str):
        return "X"
    if isinstance(features, Pipeline):
        return " + ".join(map(_name, features))
    if isinstance(features, ColumnTransformer):
        return ", ".join(f"{_name(block)} of {name}" for name, block, _ in features.transformers)
    return type(features).__name__
