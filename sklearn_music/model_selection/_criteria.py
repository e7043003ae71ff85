"""What is measured of the clusters of latent vectors, for each number of clusters."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import (
    calinski_harabasz_score,
    davies_bouldin_score,
    pairwise_distances,
    silhouette_score,
)
from sklearn.mixture import GaussianMixture

from .._inspection import with_seed
from ..metrics import stability_score

# Of the reference data of the gap statistic.
_N_REFERENCES = 10


class Settings(NamedTuple):
    """How the criteria are measured."""

    n_seeds: int
    subsample: float
    seed: int


class Data(NamedTuple):
    """Latent vectors, their distances, and data of the same extent without clusters."""

    Z: NDArray[np.float64]
    distances: NDArray[np.float64]
    references: list[NDArray[np.float64]]


def prepare(Z: NDArray[np.float64], seed: int) -> Data:
    """Compute once what all numbers of clusters need."""
    rng = np.random.RandomState(seed)
    # Uniform in the box of the principal components, as in the paper's variant (b).
    center = Z.mean(axis=0)
    axes = np.linalg.svd(Z - center, full_matrices=False)[2]
    turned = (Z - center) @ axes.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    references = [rng.uniform(low, high, turned.shape) @ axes for _ in range(_N_REFERENCES)]
    return Data(Z, pairwise_distances(Z), references)


def measure(clusterer: Any, n_clusters: int, data: Data, settings: Settings) -> dict[str, Any]:
    """Return the criteria of one number of clusters, by name.

    `clusterer` has this number of clusters already.
    """
    clusterer = with_seed(clusterer, settings.seed, overwrite=False)
    with warnings.catch_warnings():
        # Equal latent vectors are fewer clusters than were asked for.
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = np.asarray(clusterer.fit_predict(data.Z))
        stability = stability_score(
            clusterer,
            data.Z,
            n_seeds=settings.n_seeds,
            subsample=settings.subsample,
            random_state=settings.seed,
        )
        # Before the clusterer is fitted to other data.
        bic = _bic(clusterer, n_clusters, data.Z, settings.seed)
        gap, gap_error = _gap(clusterer, labels, data)
    sizes = np.unique(labels, return_counts=True)[1]
    return {
        "n_clusters": n_clusters,
        "smallest": int(sizes.min()),
        **_distance_scores(labels, data),
        "stability": stability,
        "bic": bic,
        "gap": gap,
        "gap_error": gap_error,
        "inertia": _inertia(data.Z, labels),
    }


def _distance_scores(labels: NDArray[Any], data: Data) -> dict[str, float]:
    names = ("silhouette", "calinski_harabasz", "davies_bouldin")
    if not 1 < len(np.unique(labels)) < len(labels):
        return dict.fromkeys(names, float("nan"))
    scores = (
        silhouette_score(data.distances, labels, metric="precomputed"),
        calinski_harabasz_score(data.Z, labels),
        davies_bouldin_score(data.Z, labels),
    )
    return dict(zip(names, map(float, scores), strict=True))


def _inertia(Z: NDArray[np.float64], labels: NDArray[Any]) -> float:
    """Return the sum of the squared distances to the centres of the clusters."""
    return sum(
        float(((Z[labels == label] - Z[labels == label].mean(axis=0)) ** 2).sum())
        for label in np.unique(labels)
    )


def _gap(clusterer: Any, labels: NDArray[Any], data: Data) -> tuple[float, float]:
    """Return the gap statistic and its standard error, simulation included."""
    logs = [np.log(_inertia(R, clusterer.fit_predict(R))) for R in data.references]
    error = np.std(logs) * np.sqrt(1 + 1 / len(logs))
    return float(np.mean(logs) - np.log(_inertia(data.Z, labels))), float(error)


def _bic(clusterer: Any, n_clusters: int, Z: NDArray[np.float64], seed: int) -> float:
    """Return the BIC of the clusterer, if it is a mixture, or of a GaussianMixture."""
    mixture = getattr(clusterer, "estimator_", clusterer)
    if not hasattr(mixture, "bic"):
        mixture = GaussianMixture(
            n_clusters, covariance_type="diag", reg_covar=1e-3 * Z.var(), random_state=seed
        ).fit(Z)
    return float(mixture.bic(Z))
