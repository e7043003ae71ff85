"""How many clusters there are."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError
from sklearn.mixture._base import BaseMixture
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.validation import check_is_fitted
from tqdm.auto import tqdm

from .._inspection import named_estimators, with_seed
from .._tables import as_numbers, is_finite
from ._criteria import Settings, measure, prepare
from ._rules import RULES, explain, separated_and_stable

_CONSTRAINTS = {
    "rule": [StrOptions(set(RULES))],
    "clusterer": [HasMethods(["fit_predict"]), None],
    "n_seeds": [Interval(Integral, 2, None, closed="left")],
    "subsample": [Interval(Real, 0.5, 1, closed="right")],
    "max_tracks": [Interval(Integral, 10, None, closed="left"), None],
    "random_state": ["random_state"],
    "n_jobs": [Integral, None],
    "verbose": ["verbose"],
}
# The stability needs two parts that share some tracks.
_MIN_TRACKS = 4


@dataclass(frozen=True, eq=False)
class NClustersChoice:
    """A number of clusters, why it was chosen, and the criteria for each number tried.

    `choose_n_clusters` returns it.

    Parameters
    ----------
    n_clusters : int
        The number chosen.
    rule : str
        The rule that has chosen it.
    reason : str
        Why, in one sentence.
    table : DataFrame
        One row per number of clusters. Columns: ``n_clusters``; ``smallest``, the number of tracks
        in the smallest cluster; ``auto``, the product of silhouette and stability; ``silhouette``,
        ``calinski_harabasz`` and ``stability``, the higher the better; ``davies_bouldin`` and
        ``bic``, the lower the better; ``gap``, the gap statistic, and ``gap_error``, its standard
        error; and ``inertia``, the sum of the squared distances to the centres.
    by_rule : dict of str to int
        What each rule would choose.
    embedding : ndarray of shape (n_tracks, n_components)
        The latent vectors of all tracks, NaN where there is none.

    See Also
    --------
    choose_n_clusters : Chooses it.
    sklearn_music.plotting.NClustersDisplay : Draws it.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn_music.model_selection import choose_n_clusters
    >>> Z, _ = make_blobs(100, centers=5, cluster_std=0.5, random_state=3)
    >>> choice = choose_n_clusters(Z, n_clusters=range(2, 8), n_seeds=3)
    >>> choice.rule, choice.n_clusters
    ('auto', 5)
    """

    n_clusters: int
    rule: str
    reason: str
    table: pd.DataFrame = field(repr=False)
    by_rule: dict[str, int] = field(repr=False)
    embedding: NDArray[np.float64] = field(repr=False)


def choose_n_clusters(
    estimator: Any,
    X: Any = None,
    *,
    n_clusters: Iterable[int] = range(2, 16),
    clusterer: Any = None,
    rule: str = "auto",
    n_seeds: int = 10,
    subsample: float = 0.8,
    max_tracks: int | None = 1000,
    random_state: int | np.random.RandomState | None = 0,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> NClustersChoice:
    """Choose the number of clusters, without labels, by silhouette, stability and other criteria.

    The tracks are embedded once. Their latent vectors are clustered with each number of clusters,
    and a rule chooses one of these.

    Parameters
    ----------
    estimator : Pipeline, clusterer or array-like of shape (n_tracks, n_components)
        Transformers and a clusterer. If the pipeline is fitted, its transformers embed the tracks
        as they are; if not, copies are fitted first. A clusterer alone clusters X itself. An array
        holds latent vectors. A row with a NaN is left out.
    X : array-like or DataFrame of length n_tracks, default=None
        The tracks, as the estimator takes them. None beside latent vectors.
    n_clusters : iterable of int, default=range(2, 16)
        The numbers to try, from 2 up. Those that are too large for the tracks are left out: each
        fit needs more tracks than clusters, and as many different latent vectors.
    clusterer : clusterer, default=None
        It has a parameter ``n_clusters``, or is a mixture with ``n_components``. None is that of
        the estimator, and KMeans for an array.
    rule : {"auto", "silhouette", "calinski_harabasz", "davies_bouldin", "stability", "bic", \
"gap", "elbow"}, default="auto"
        Which number is chosen; see Notes.
    n_seeds : int, default=10
        Number of fits for each stability.
    subsample : float, default=0.8
        Share of the tracks in each of them.
    max_tracks : int, default=1000
        Of more tracks, a random part of this size is clustered. None is all.
    random_state : int, RandomState instance or None, default=0
        Determines every random step of the choice, and those of the estimator that have no random
        state of their own.
    n_jobs : int, default=None
        How many numbers of clusters are tried at a time. The choice doesn't depend on it.
    verbose : int, default=0
        If not 0, shows a progress bar.

    Returns
    -------
    choice : NClustersChoice
        The number chosen, the reason, and the table of the criteria.

    Raises
    ------
    ValueError
        If the clusterer has no number of clusters to set (HDBSCAN, DBSCAN), if fewer than four
        tracks have a latent vector, if all are equal, or if no number is small enough for them.

    See Also
    --------
    sklearn_music.plotting.NClustersDisplay : Draws the criteria.
    sklearn_music.metrics.stability_score : The stability.

    Notes
    -----
    The rules:

    - ``"auto"``: the largest product of silhouette and stability from four clusters up. Clusters
      should be separate, and come out again from other tracks. Two and three clusters are left
      out unless no others are tried: they nearly always score well, and seldom help.
    - ``"silhouette"``, ``"calinski_harabasz"``: the largest; ``"davies_bouldin"``, ``"bic"``: the
      smallest. The BIC is that of the clusterer, if it is a mixture, or of a GaussianMixture with
      diagonal covariances.
    - ``"stability"``: the largest number with a stability of at least .9, or else the most stable.
    - ``"gap"``: the smallest number whose gap statistic the next one does not exceed by more than
      its standard error [1]_. Ten sets of reference data are uniform along the principal
      components.
    - ``"elbow"``: the point of the inertia's curve that is farthest below the line through its
      ends. It depends on the range.

    No rule finds the number of genres of real music reliably. Of 25 labelled sets, "auto" finds
    the number of classes of 12: synthetic tracks and blobs, and none of the 6 of real music,
    where it takes 4 or 5 (``benchmarks/bench_n_clusters.py``; :ref:`choosing_k` has the table). It
    is a reproducible choice, and no discovery. It does not grow with the number of tracks. If you
    need a dozen playlists, try ``n_clusters=range(8, 17)``.

    For each number of clusters, the clusterer is fitted `n_seeds` + 11 times: to the tracks, to
    parts of them for the stability, and to the ten sets of the gap statistic.
    With KMeans, 500 latent vectors of 70 columns take about 20 seconds on one core, and 10,000
    about 25 seconds, since `max_tracks` of them are used.

    References
    ----------
    .. [1] R. Tibshirani, G. Walther and T. Hastie, "Estimating the number of clusters in a data
       set via the gap statistic", J. Royal Statistical Society B 63(2), 2001.

    Examples
    --------
    >>> from sklearn_music.datasets import make_music
    >>> from sklearn_music.model_selection import choose_n_clusters
    >>> from sklearn_music.pipelines import make_pca_pipeline
    >>> tracks = make_music(40, duration=1, random_state=0).data
    >>> pipe = make_pca_pipeline(duration=1, random_state=0)
    >>> choice = choose_n_clusters(pipe, tracks, n_clusters=range(2, 8), n_seeds=3)
    >>> choice.table["n_clusters"].tolist()
    [2, 3, 4, 5, 6, 7]
    >>> pipe = pipe.set_params(cluster__estimator__n_clusters=choice.n_clusters).fit(tracks)
    """
    validate_parameter_constraints(_CONSTRAINTS, locals(), caller_name="choose_n_clusters")
    rng = check_random_state(random_state)
    seeds = rng.randint(np.iinfo(np.int32).max, size=3).tolist()
    Z, own = _embed(estimator, X, seeds[0])
    if clusterer is None:
        clusterer = own
    name = _name_of_number(clusterer)
    sample = _sample(Z, max_tracks, seeds[1])
    numbers = _check_numbers(n_clusters, sample, subsample)
    data = prepare(sample, seeds[2])
    settings = Settings(n_seeds, subsample, seeds[2])
    tasks = tqdm(numbers, desc="Numbers of clusters", unit="number", disable=not verbose)
    rows = Parallel(n_jobs=n_jobs)(
        delayed(measure)(clone(clusterer).set_params(**{name: k}), k, data, settings) for k in tasks
    )
    table = pd.DataFrame(rows)
    table.insert(2, "auto", separated_and_stable(table))
    by_rule = {each: choose(table) for each, choose in RULES.items()}
    chosen = by_rule[rule]
    return NClustersChoice(chosen, rule, explain(rule, chosen, table), table, by_rule, Z)


def _embed(estimator: Any, X: Any, seed: int) -> tuple[NDArray[np.float64], Any]:
    """Return the latent vectors of all tracks, and the clusterer behind them."""
    clusterer: Any = KMeans(n_init=10)
    if not hasattr(estimator, "fit"):
        if X is not None:
            raise ValueError(
                "Got latent vectors and X, expected one of them: pass latent vectors alone, or a "
                "pipeline and its tracks."
            )
        Z = estimator
    elif X is None:
        raise ValueError(
            f"Got {type(estimator).__name__} and no X: pass the tracks as X, or latent vectors in "
            "place of the estimator."
        )
    elif isinstance(estimator, Pipeline):
        clusterer = estimator[-1]
        Z = _transform(estimator, X, seed) if len(estimator) > 1 else X
    else:
        clusterer, Z = estimator, X
    Z = as_numbers(Z)
    if sparse.issparse(Z):
        raise ValueError(
            f"Got a sparse matrix of {Z.shape[1]} columns as latent vectors, expected an array: "
            "let a TruncatedSVD be the step before the clusterer."
        )
    if Z.ndim != 2 or not Z.shape[1]:
        raise ValueError(
            f"Got latent vectors of shape {Z.shape}, expected (n_tracks, n_components)."
        )
    return Z.astype(np.float64), clusterer


def _transform(pipeline: Pipeline, X: Any, seed: int) -> Any:
    try:
        check_is_fitted(pipeline)
    except NotFittedError:
        return with_seed(pipeline[:-1], seed, overwrite=False).fit_transform(X)
    return pipeline[:-1].transform(X)


def _name_of_number(clusterer: Any) -> str:
    """Return the name of the parameter that sets the number of clusters."""
    names = clusterer.get_params() if hasattr(clusterer, "get_params") else {}
    found = [name for name in names if name.split("__")[-1] == "n_clusters"]
    for name, part in named_estimators(clusterer).items():
        if isinstance(part, BaseMixture):
            found.append(f"{name}__n_components".removeprefix("__"))
    if not found:
        raise ValueError(
            f"Got {clusterer!r}, expected a clusterer with a number of clusters to choose "
            "(n_clusters, or n_components of a mixture). HDBSCAN and DBSCAN find the number "
            "themselves: fit them, or pass another one, such as clusterer=KMeans()."
        )
    return min(found, key=lambda name: name.count("__"))


def _sample(Z: NDArray[np.float64], max_tracks: int | None, seed: int) -> NDArray[np.float64]:
    """Return the latent vectors without missing ones, or a random part of them."""
    rows = np.flatnonzero(is_finite(Z))
    if len(rows) < _MIN_TRACKS:
        raise ValueError(
            f"Got {len(rows)} tracks with a latent vector ({len(Z) - len(rows)} without), expected "
            f"at least {_MIN_TRACKS} to choose a number of clusters."
        )
    if max_tracks is not None and len(rows) > max_tracks:
        rows = np.sort(np.random.RandomState(seed).permutation(rows)[:max_tracks])
    return Z[rows]


def _check_numbers(
    n_clusters: Iterable[int], Z: NDArray[np.float64], subsample: float
) -> list[int]:
    """Return the numbers that the tracks allow, sorted."""
    tried: list[Any] = [n_clusters] if isinstance(n_clusters, Integral) else list(n_clusters)
    if not tried or not all(isinstance(k, Integral) and int(k) >= 2 for k in tried):
        raise ValueError(f"Got n_clusters={n_clusters!r}, expected integers from 2 up.")
    n_different = len(np.unique(Z, axis=0))
    if n_different == 1:
        raise ValueError(
            f"All {len(Z)} latent vectors are equal, so there are no clusters: check the features. "
            "If an embedder made them, its posterior may have collapsed; lower its beta."
        )
    most = min(n_different, round(subsample * len(Z)) - 1)
    numbers = sorted({int(k) for k in tried})
    possible = [k for k in numbers if k <= most]
    if not possible:
        raise ValueError(
            f"Got n_clusters={numbers} for {len(Z)} tracks with {n_different} different latent "
            f"vectors, expected at least one number of at most {most}."
        )
    return possible
