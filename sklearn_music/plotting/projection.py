"""Projections of a latent space to two dimensions."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn import config_context
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.utils import check_array

Method = Literal["tsne", "pca", "umap"]
Seed = int | np.random.RandomState | None


@config_context(transform_output="default")
def project(Z: Any, random_state: Seed, method: Method = "tsne") -> tuple[str, NDArray[Any]]:
    """Return the name of the axes, and the points of shape (n_tracks, 2).

    `Z` holds latent vectors of finite numbers, and may be sparse. They are not projected if they
    have one or two components, or if all are equal but for rounding.
    """
    if method not in _PROJECTIONS:
        raise ValueError(f"Got method={method!r}, expected one of {sorted(_PROJECTIONS)}.")
    Z = Z.toarray() if sparse.issparse(Z) else np.asarray(Z)
    Z = Z.astype(np.float64)
    rounding = 10 * np.finfo(np.float64).eps * np.abs(Z).max(axis=0)
    if Z.shape[1] <= 2 or (np.ptp(Z, axis=0) <= rounding).all():
        return "component", np.pad(Z[:, :2], [(0, 0), (0, max(0, 2 - Z.shape[1]))])
    axis_name, function = _PROJECTIONS[method]
    return axis_name, function(Z, random_state)


def _by_tsne(Z, random_state):
    # t-SNE computes in float32, where a tiny standard deviation becomes 0, and divides by it. Only
    # ratios of distances matter to it.
    Z = (Z - Z.min(axis=0)) / np.ptp(Z, axis=0).max()
    # As scikit-learn advises: fewer dimensions are faster, and hold less noise.
    Z = PCA(min(50, *Z.shape), random_state=random_state).fit_transform(Z)
    # t-SNE needs fewer neighbours than there are tracks.
    perplexity = min(30.0, max(1.0, (len(Z) - 1) / 3))
    return TSNE(perplexity=perplexity, init="pca", random_state=random_state).fit_transform(Z)


def _by_umap(Z, random_state):
    check_array(Z, ensure_min_samples=3, estimator="UMAP")
    try:
        from umap import UMAP
    except ImportError as error:
        raise ImportError(
            'method="umap" needs umap-learn. Install it with: pip install "sklearn-music[umap]"'
        ) from error
    # With a seed, UMAP runs in one process, and warns where n_jobs is not 1.
    umap = UMAP(n_neighbors=min(15, len(Z) - 1), init="pca", random_state=random_state, n_jobs=1)
    return umap.fit_transform(Z)


# By method: the name of the axes, and the function.
_PROJECTIONS = {
    "tsne": ("t-SNE", _by_tsne),
    "pca": ("PCA", lambda Z, _: PCA(2).fit_transform(Z)),
    "umap": ("UMAP", _by_umap),
}
