"""The one space in which the silhouettes of different embeddings can be compared."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.metrics import pairwise_distances, silhouette_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array

from .._inspection import with_seed
from .._tables import drop_unlabelled, is_present
from ..features import SpectrogramExtractor
from ._clustering import CLUSTERING_SCORES

# A silhouette needs the distances between all samples: larger sets are subsampled.
_N_SAMPLES = 2000

_ADVICE = (
    "Pass a transformer that makes a dense row of finite numbers of each track: as features of "
    "compare_embeddings, as space of silhouette_scorer."
)


class ReferenceSpace:
    """Plain features `Z` of tracks, NaN for missing ones, and silhouettes of clusters in them.

    `features` is a transformer that makes them of X, or "passthrough"; None chooses by X. Random
    steps without a random state get 0.
    """

    def __init__(self, X: Any, features: Any = None):
        if features is None:
            name, features = _default_features(X)
        else:
            name = _name(features)
        self.transformer = with_seed(features, 0, overwrite=False)
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
        self._rows = rows[np.sort(order[:_N_SAMPLES])]
        self._distances = pairwise_distances(self.Z[self._rows])

    def silhouette(self, clusters: Any, counts: NDArray[np.bool_]) -> float:
        """Return the mean silhouette of the tracks that count and are not missing here.

        It is 0 where all of them are in one cluster, or each has its own.
        """
        counts = counts[self._rows]
        clusters = np.asarray(clusters)[self._rows][counts]
        if not 1 < len(np.unique(clusters)) < len(clusters):
            return 0.0
        distances = self._distances[np.ix_(counts, counts)]
        return float(silhouette_score(distances, clusters, metric="precomputed"))

    def scores(
        self, labels: Any, clusters: NDArray[Any], present: NDArray[np.bool_], n_clusters: int
    ) -> dict[str, Any]:
        """Return the scores of clusters against labels, and what they are taken of, by name.

        `present` is False for the tracks without a latent vector.
        """
        known, rows = drop_unlabelled(labels)
        return {
            "n_clusters": n_clusters,
            "n_tracks": len(known),
            "n_missing": int(np.sum(~present)),
            **{
                name: score.function(known, clusters[rows])
                for name, score in CLUSTERING_SCORES.items()
            },
            "silhouette": self.silhouette(clusters, present),
        }


def score_headings() -> dict[str, str]:
    """Return the name of each score that `ReferenceSpace.scores` takes, and its heading."""
    headings = {name: score.heading for name, score in CLUSTERING_SCORES.items()}
    return headings | {"silhouette": "silhouette"}


def pooled_mfccs(extractor: SpectrogramExtractor | None = None) -> Pipeline:
    """Return a pipeline from a table with a column ``audio`` to its scaled pooled MFCCs.

    Cache, duration and so on are those of the extractor, if one is given.
    """
    mfcc = clone(extractor or SpectrogramExtractor()).set_params(
        feature="mfcc", n_mels=128, n_mfcc=20, pooling="stats", verbose=0, on_error="nan"
    )
    audio = ColumnTransformer([("mfcc", mfcc, ["audio"])])
    return Pipeline([("audio", audio), ("scale", StandardScaler())])


def _default_features(X: Any) -> tuple[str, Any]:
    try:
        check_array(X, ensure_all_finite=False)
        return "X, scaled", StandardScaler()
    except (TypeError, ValueError) as error:
        if isinstance(X, pd.DataFrame) and "audio" in X:
            return "pooled MFCCs, scaled", pooled_mfccs()
        raise ValueError(
            "Got X that is neither a table of numbers nor a DataFrame with a column 'audio', so "
            f"there are no plain features to take silhouettes in. {_ADVICE}"
        ) from error


def _name(features: Any) -> str:
    if isinstance(features, str):
        return "X"
    if isinstance(features, Pipeline):
        return " + ".join(map(_name, features))
    if isinstance(features, ColumnTransformer):
        return ", ".join(f"{_name(block)} of {name}" for name, block, _ in features.transformers)
    return type(features).__name__
