"""Embeddings compared over several seeds, with chance and the plain baselines."""

from contextlib import contextmanager
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy import sparse
from scipy.stats import t as student_t
from sklearn.base import BaseEstimator, is_clusterer
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, check_random_state, get_tags
from sklearn.utils._indexing import _get_column_indices
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils._param_validation import validate_parameter_constraints as validate
from sklearn.utils.validation import _num_samples, check_consistent_length
from tqdm.auto import tqdm

from .._docstrings import shared
from .._inspection import named_estimators, with_seed
from .._tables import as_labels, as_pandas, by_name, drop_unlabelled, is_present, readable
from ._clustering import CLUSTERING_SCORES
from ._docstrings import TEXTS
from .leakage import find_telling_columns, measure_leakage
from .reference_space import ReferenceSpace, score_headings

_CHANCE, _RAW, _PCA = _BASELINES = ("chance", "raw features", "PCA")

# As many as the embedders have by default.
_N_COMPONENTS = 16

_MARK = "⚠ label leakage"

_CONSTRAINTS = {
    "estimators": [dict],
    "targets": ["array-like", dict],
    "features": [HasMethods(["fit_transform"]), StrOptions({"passthrough"}), None],
    "n_clusters": [Interval(Integral, 1, None, closed="left"), None],
    "n_seeds": [Interval(Integral, 1, None, closed="left")],
    "random_state": ["random_state"],
    "n_jobs": [Integral, None],
    "verbose": ["verbose"],
}


@shared({"names_of_scores": ", ".join(f"``{name}``" for name in CLUSTERING_SCORES)})
@shared(TEXTS)
def compare_embeddings(
    estimators: dict[str, Any],
    X: Any,
    targets: Any,
    *,
    features: Any = None,
    n_clusters: int | None = None,
    n_seeds: int = 10,
    random_state: int | np.random.RandomState | None = 0,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> pd.DataFrame:
    """Score the KMeans clusters of several embeddings against several targets.

    Each embedding is fitted with each seed, without labels, and clustered. So are three
    baselines: chance (random clusters), the raw features, and PCA of those (16 components, or
    as many as there can be).

    Parameters
    ----------
    {comparison}
    {features}
    n_clusters : int, default=None
        Number of clusters; None is the number of the target's classes.
    {n_seeds}
    {random_state}
    {n_jobs}
    verbose : int, default=0
        Shows a progress bar if not 0.

    {comparison_results}

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_music.metrics import compare_embeddings
    >>> iris = load_iris()
    >>> scores = compare_embeddings({"unscaled": "passthrough"}, iris.data, iris.target, n_seeds=3)
    >>> scores[["embedding", "ari", "silhouette"]].round(2)
          embedding   ari  silhouette
    0        chance  0.01       -0.03
    1  raw features  0.62        0.46
    2           PCA  0.62        0.46
    3      unscaled  0.73        0.44
    """
    validate(_CONSTRAINTS, locals(), caller_name="compare_embeddings")
    X, targets, estimators = _check(X, targets, estimators, n_clusters)
    space = ReferenceSpace(X, features)
    rng = check_random_state(random_state)
    seeds = rng.randint(np.iinfo(np.int32).max, size=n_seeds).tolist()
    fits = [(*embedding, seed) for embedding in _embeddings(estimators, X, space) for seed in seeds]
    rows = _run(fits, X, targets, space, n_clusters, n_jobs=n_jobs, verbose=verbose)
    return _summarize(rows, n_seeds).assign(n_seeds=n_seeds, silhouette_space=space.name)


def _check(X, targets, estimators, n_clusters):
    """Raise for all that is wrong and can be known without a fit."""
    if sparse.issparse(X):
        raise ValueError(
            "Got a sparse X, expected an array or a table. Put what made it into each of the "
            "estimators, or pass X.toarray()."
        )
    X = as_pandas(X)
    targets = {
        name: _check_target(name, labels, X) for name, labels in by_name(targets, "target").items()
    }
    if not targets:
        raise ValueError("Got no targets, expected at least one.")
    if (n_clusters or 1) > _num_samples(X):
        raise ValueError(
            f"Got n_clusters={n_clusters} for {_num_samples(X)} tracks: there can't be more "
            "clusters than tracks. Lower n_clusters."
        )
    estimators = {readable(name): estimator for name, estimator in estimators.items()}
    for name, estimator in estimators.items():
        with _noting(f"This was the embedding {name!r}."):
            _check_entry(name, estimator, X)
    return X, targets, estimators


def _check_target(name, labels, X):
    if np.ndim(labels) != 1:
        raise ValueError(
            f"Got labels of shape {np.shape(labels)} as target {name!r}, expected one dimension: "
            "pass several targets as the columns of a DataFrame."
        )
    labels = as_labels(labels)
    check_consistent_length(X, labels)
    n_classes = labels.nunique()
    if n_classes == 0:
        raise ValueError(f"All labels of the target {name!r} are missing.")
    if n_classes == 1:
        raise ValueError(
            f"All labels of the target {name!r} are {labels.dropna().iloc[0]!r}, so all clusters "
            "would have the same score: leave it out."
        )
    return labels


def _check_entry(name, estimator, X):
    if name in _BASELINES:
        raise ValueError(
            f"The name {name!r} is taken: {', '.join(_BASELINES)} are always among the rows."
        )
    if isinstance(estimator, str) and estimator == "passthrough":
        return
    if not hasattr(estimator, "fit_transform"):
        raise ValueError(f'Got {estimator!r} as {name!r}, expected a transformer or "passthrough".')
    if is_clusterer(estimator):
        raise ValueError(
            f"Got a clusterer as {name!r}, expected an embedding, which is clustered here: of "
            "a pipeline that ends in a clusterer, pass pipe[:-1]."
        )
    estimator = with_seed(estimator, 0)
    for part in named_estimators(estimator).values():
        if not isinstance(part, BaseEstimator):
            continue
        if hasattr(part, "_parameter_constraints"):
            part._validate_params()
        if isinstance(part, Pipeline):
            part._validate_steps()
        elif get_tags(part).target_tags.required:
            raise ValueError(
                f"Got {part!r} in {name!r}, which can't be fitted without labels. Embeddings are "
                "compared without: use a transformer that needs none."
            )
    first = estimator[0] if isinstance(estimator, Pipeline) else estimator
    if isinstance(first, ColumnTransformer):
        for _, _, columns in first.transformers:
            if not callable(columns):
                _get_column_indices(X, columns)


@contextmanager
def _noting(note):
    try:
        yield
    except Exception as error:
        error.add_note(note)
        raise


def _embeddings(estimators, X, space):
    """Return for each its name, estimator (None for chance), input, and the tracks in that."""
    everything = np.ones(_num_samples(X), dtype=bool)
    has_features = is_present(space.Z)
    Z = space.Z[has_features]
    return [
        (_CHANCE, None, None, everything),
        (_RAW, "passthrough", Z, has_features),
        (_PCA, PCA(min(_N_COMPONENTS, *Z.shape)), Z, has_features),
        *((name, estimator, X, everything) for name, estimator in estimators.items()),
    ]


def _run(fits, X, targets, space, n_clusters, *, n_jobs, verbose):
    """Return the scores of each fit for each target."""
    telling_columns = find_telling_columns(X, targets)
    by_features = measure_leakage(space.transformer, X, targets, telling_columns)
    leakages = {_CHANCE: dict.fromkeys(targets, 0.0), _RAW: by_features, _PCA: by_features}
    # It counts the fits that have begun: not all of joblib's backends report those that are done.
    progress = tqdm(fits, desc="Comparison", unit="fit", disable=not verbose)
    # The leakage is measured with the first seed of each embedding.
    measured = [
        None if name in leakages or seed != fits[0][-1] else telling_columns
        for name, *_, seed in fits
    ]
    results = Parallel(n_jobs=n_jobs)(
        delayed(_fit_and_score)(*fit, targets, space, n_clusters, columns)
        for fit, columns in zip(progress, measured, strict=True)
    )
    rows = []
    for (name, *_), (by_target, leakage) in zip(fits, results, strict=True):
        leakage = leakages.setdefault(name, leakage)
        rows += [
            {"embedding": name, "target": target, "leakage": leakage[target], **scores}
            for target, scores in by_target.items()
        ]
    return rows


def _fit_and_score(name, estimator, X, present, seed, targets, space, n_clusters, telling_columns):
    """Return an embedding's scores by target with one seed; with telling columns, its leakage."""
    with _noting(f"This was the embedding {name!r} with the seed {seed}."):
        rng, leakage, Z, present = np.random.RandomState(seed), None, None, present.copy()
        if estimator is not None:
            estimator = with_seed(estimator, seed)
            Z = estimator.fit_transform(X)
            Z = Z.tocsr() if sparse.issparse(Z) else Z  # not all formats can be indexed
            if telling_columns is not None:
                leakage = measure_leakage(estimator, X, targets, telling_columns)
            has_vector = is_present(Z)
            present[present] = has_vector
            Z = _safe_indexing(Z, np.flatnonzero(has_vector))
        by_target = {}
        for target, labels in targets.items():
            k = n_clusters or len(np.unique(drop_unlabelled(labels)[0]))
            if Z is None:
                clusters = rng.randint(k, size=len(present))
            elif k > _num_samples(Z):
                raise ValueError(
                    f"{_num_samples(Z)} of {len(present)} tracks have a latent vector, the others "
                    f"are NaN: too few for {k} clusters of the target {target!r}."
                )
            else:
                clusters = np.full(len(present), -1)
                clusters[present] = KMeans(k, n_init=10, random_state=seed).fit_predict(Z)
            by_target[target] = space.scores(labels, clusters, present, k)
        return by_target, leakage


def _summarize(rows, n_seeds):
    groups = pd.DataFrame(rows).groupby(
        ["embedding", "target", "leakage", "n_clusters", "n_tracks"], sort=False
    )
    means = groups.mean()
    half_widths = groups.sem() * student_t.ppf(0.975, max(1, n_seeds - 1))
    table = means.join(half_widths.add_suffix("_ci"))
    table["n_missing"] = groups["n_missing"].max()
    order = ["n_missing"] + [c for name in score_headings() for c in (name, f"{name}_ci")]
    return table[order].reset_index()


def format_comparison(scores: pd.DataFrame) -> str:
    """Return the result of `compare_embeddings` as a Markdown table.

    Parameters
    ----------
    scores : DataFrame
        The result of `compare_embeddings`, or some of its rows.

    Returns
    -------
    markdown : str
        A table with a row per embedding and target, each score as mean ± interval. Embeddings
        with a `leakage` above 0 are marked "⚠ label leakage". The lines below explain the mark,
        the interval, the space of the silhouettes and missing tracks.

    Raises
    ------
    ValueError
        If the silhouettes are of several spaces, and so can't be compared.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_music.metrics import compare_embeddings, format_comparison
    >>> iris = load_iris()
    >>> print(format_comparison(compare_embeddings({}, iris.data, iris.target, n_seeds=2)))
    | target | embedding | k | purity | NMI | ...
    |---|---|---:|---:|---:|...
    | target | chance | 3 | ...
    | target | raw features | 3 | 0.833 ± 0.000 | ...
    | target | PCA | 3 | 0.833 ± 0.000 | ...
    <BLANKLINE>
    Silhouettes are measured in one space: X, scaled, 4 columns.
    ± is half the 95 % interval of the mean over 2 seeds on these tracks, not on other tracks.
    """
    spaces = scores["silhouette_space"].unique()
    if len(spaces) > 1:
        raise ValueError(
            f"Got silhouettes in {len(spaces)} spaces ({'; '.join(spaces)}), which can't be "
            "compared: format each comparison by itself, or give all of them the same features."
        )
    headings = score_headings()
    lines = [
        f"| target | embedding | k | {' | '.join(headings.values())} |",
        f"|---|---|---:|{'---:|' * len(headings)}",
    ]
    for _, row in scores.sort_values("target", kind="stable").iterrows():
        embedding = f"{row['embedding']} {_MARK}" if row["leakage"] else row["embedding"]
        label = [_in_table(row["target"]), _in_table(embedding), str(row["n_clusters"])]
        cells = [_cell(row[name], row[f"{name}_ci"]) for name in headings]
        lines.append("| " + " | ".join(label + cells) + " |")
    lines += ["", f"Silhouettes are measured in one space: {spaces[0]}.", *_footnotes(scores)]
    return "\n".join(lines)


def _footnotes(scores):
    lines = []
    if (scores["n_seeds"] > 1).any():
        lines.append(
            f"± is half the 95 % interval of the mean over {scores['n_seeds'].max()} seeds on "
            "these tracks, not on other tracks."
        )
    if scores["n_missing"].any():
        lines += ["", "Tracks without a latent vector, which count as one more cluster:"]
        missing = scores[scores["n_missing"] > 0].drop_duplicates("embedding")
        for name, n_missing in zip(missing["embedding"], missing["n_missing"], strict=True):
            lines.append(f"- {_in_table(name)}: {n_missing:.0f}")
    if scores["leakage"].any():
        lines += [
            "",
            f"{_MARK}: the embedding was given what predicts the target, so its scores measure "
            "this, not what it found.",
        ]
    return lines


def _in_table(text):
    """Return a text that stays within its cell of a Markdown table."""
    return " ".join(readable(text).split()).replace("|", "\\|")


def _cell(mean, half_width):
    # A single seed has no interval.
    return f"{mean:.3f}" if np.isnan(half_width) else f"{mean:.3f} ± {half_width:.3f}"
