"""The one space in which the silhouettes of different embeddings can be compared."""

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import pairwise_distances, silhouette_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import check_array

from ..features import SpectrogramExtractor
from ._parts import with_seed

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
        What turns X into the features; None chooses by X.

    Attributes
    ----------
    name : str
        What the features are.
    transformer : transformer
        The fitted one.
    Z : ndarray of shape (n_tracks, n_features)
        The features.
    """

    def __init__(self, X, features=None):
        if features is None:
            name, features = _default_features(X)
        else:
            name = _name(features)
        self.transformer = seeded_transformer(features, 0)
        Z = self.transformer.fit_transform(X)
        try:
            self.Z = check_array(Z, ensure_min_samples=2)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"Silhouettes can't be taken in the reference features ({name}): {error}\n{_ADVICE}"
            ) from error
        self.name = f"{name}, {self.Z.shape[1]} columns"
        order = np.random.RandomState(0).permutation(len(self.Z))
        self._rows = np.sort(order[:_N_ROWS])
        self._distances = pairwise_distances(self.Z[self._rows])

    def silhouette(self, clusters):
        """Return the mean silhouette, 0 where all rows are in one cluster or each has its own."""
        clusters = np.asarray(clusters)[self._rows]
        if not 1 < len(np.unique(clusters)) < len(clusters):
            return 0.0
        return float(silhouette_score(self._distances, clusters, metric="precomputed"))


def seeded_transformer(estimator, seed):
    """Return an unfitted copy with the seed; for "passthrough" one that changes nothing."""
    if isinstance(estimator, str):
        return FunctionTransformer(np.asarray)
    return with_seed(clone(estimator), seed)


def _default_features(X):
    if _is_numeric(X):
        return "X, scaled", StandardScaler()
    if isinstance(X, pd.DataFrame) and "audio" in X:
        # What is unreadable here may still have lyrics.
        mfcc = SpectrogramExtractor("mfcc", pooling="stats", on_error="nan")
        audio = ColumnTransformer([("mfcc", mfcc, ["audio"])])
        steps = [("audio", audio), ("fill", SimpleImputer()), ("scale", StandardScaler())]
        return "pooled MFCCs, scaled", Pipeline(steps)
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
