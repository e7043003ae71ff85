"""Latent semantic analysis of lyrics, of no more components than they have rank."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import row_norms


def fit_components(
    features: Any, n_components: int, random_state: int | np.random.RandomState | None
) -> tuple[TruncatedSVD | None, int]:
    """Return the decomposition, None of a single column, and its number of components."""
    n_components = min(n_components, *features.shape)
    if features.shape[1] == 1:  # TruncatedSVD refuses it, and it can't be reduced anyway
        return None, n_components
    # In float32, the singular values that are 0 would be hard to distinguish from small ones.
    features = features.astype(np.float64)
    # What rounding the features to float32 can make of a singular value of 0, with a margin.
    zero = 10 * np.finfo(np.float32).eps * np.sqrt((row_norms(features) ** 2).sum())
    while True:
        # Lyrics have a flat spectrum, of which the randomized solver finds another part with
        # every seed and every order of the tracks. ARPACK is exact, but can do neither all
        # components nor a matrix of zeros.
        partial = n_components < min(features.shape) and zero > 0
        # The explained variance ratio is 0 / 0 where all lyrics are alike.
        with np.errstate(invalid="ignore", divide="ignore"):
            svd = TruncatedSVD(
                n_components,
                algorithm="arpack" if partial else "randomized",
                random_state=random_state,
            ).fit(features)
        rank = max(1, int((svd.singular_values_ > zero).sum()))
        if rank == n_components:
            return svd, n_components
        # Beyond the rank, directions are arbitrary, and new lyrics would lie in them.
        n_components = rank


def reduce(features: Any, svd: TruncatedSVD | None) -> NDArray[np.float32]:
    """Return the components of each lyric, scaled to unit L2 norm."""
    if svd is not None:
        reduced = svd.transform(features).astype(np.float32)
    else:
        reduced = sparse.csr_matrix(features).toarray()
    # What rounding leaves of lyrics outside the components must not be scaled up to length 1.
    reduced[row_norms(reduced) <= 1e-5 * row_norms(features)] = 0
    return normalize(reduced)
