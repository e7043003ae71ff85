"""Embeddings side by side: over several seeds, beside chance and the plain baselines."""

from numbers import Integral

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.stats import t as student_t
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_consistent_length
from tqdm.auto import tqdm

from ._clustering import CLUSTERING_SCORES

_CHANCE = "chance"


@validate_params(
    {
        "estimators": [dict],
        "targets": ["array-like", dict],
        "n_seeds": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def compare_embeddings(
    estimators, X, targets, *, n_seeds=10, random_state=0, n_jobs=None, verbose=0
):
    """Score the KMeans clusters of several embeddings against several targets.

    Each embedding is fitted anew with each seed, without labels, and clustered into
    as many clusters as the target has classes. Chance, clusters drawn at random, is
    always beside them.

    Parameters
    ----------
    estimators : dict of str to transformer
        The embeddings by name: a transformer or a pipeline of them, or
        ``"passthrough"`` for X itself.
    X : array-like or DataFrame of length n_tracks
        What every one of the estimators takes.
    targets : array-like of shape (n_tracks,), or DataFrame or dict of such
        Labels by name. Tracks whose label is missing are clustered, but not scored.
    n_seeds : int, default=10
        Number of seeds.
    random_state : int, RandomState instance or None, default=0
        Determines the seeds.
    n_jobs : int, default=None
        Number of fits at a time. The scores don't depend on it.
    verbose : int, default=0
        Shows a progress bar where not 0.

    Returns
    -------
    scores : DataFrame
        One row per embedding and target: ``embedding``, ``target``, ``n_clusters``,
        ``n_tracks``, and for each of purity, nmi, ami and ari the mean over the seeds
        and, as ``purity_ci`` and so on, half the width of its 95 % interval
        (Student's t).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_music.metrics import compare_embeddings
    >>> iris = load_iris()
    >>> scores = compare_embeddings({"PCA": PCA(2)}, iris.data, iris.target, n_seeds=3)
    >>> scores[["embedding", "ari"]].round(2)
      embedding   ari
    0    chance  ...
    1       PCA  0.72
    """
    if not isinstance(targets, (dict, pd.DataFrame)):
        targets = {getattr(targets, "name", None) or "target": targets}
    targets = {name: _check_target(name, labels, X) for name, labels in targets.items()}
    for name, estimator in estimators.items():
        if name == _CHANCE:
            raise ValueError('The name "chance" is taken: it is always among the rows.')
        if estimator != "passthrough" and not hasattr(estimator, "fit_transform"):
            raise ValueError(
                f'Got {estimator!r} as {name!r}, expected a transformer or "passthrough".'
            )
    seeds = check_random_state(random_state).randint(np.iinfo(np.int32).max, size=n_seeds)
    fits = [(name, seed) for name in [_CHANCE, *estimators] for seed in seeds]
    jobs = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_scores)(estimators.get(name), X, targets, int(seed)) for name, seed in fits
    )
    rows = [
        {"embedding": name, "target": target, **scores}
        for (name, _), by_target in zip(
            fits,
            tqdm(jobs, total=len(fits), desc="Comparison", unit="fit", disable=not verbose),
            strict=True,
        )
        for target, scores in by_target.items()
    ]
    groups = pd.DataFrame(rows).groupby(
        ["embedding", "target", "n_clusters", "n_tracks"], sort=False
    )
    means = groups.mean()
    half_widths = groups.sem() * student_t.ppf(0.975, max(1, n_seeds - 1))
    table = means.join(half_widths.add_suffix("_ci"))
    order = [column for name in CLUSTERING_SCORES for column in (name, f"{name}_ci")]
    return table[order].reset_index()


def _check_target(name, labels, X):
    labels = pd.Series(np.asarray(labels, dtype=object))
    check_consistent_length(X, labels)
    if labels.isna().all():
        raise ValueError(f"All labels of the target {name!r} are missing.")
    return labels


def format_comparison(scores):
    """Return the result of `compare_embeddings` as a Markdown table.

    Parameters
    ----------
    scores : DataFrame
        What `compare_embeddings` returned.

    Returns
    -------
    markdown : str
        A table with a row per embedding and target, each score as mean ± interval.
    """
    lines = [
        "| target | embedding | k | purity | NMI | AMI | ARI |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for _, row in scores.sort_values("target", kind="stable").iterrows():
        cells = [f"{row[name]:.3f} ± {row[f'{name}_ci']:.3f}" for name in CLUSTERING_SCORES]
        label = [str(row["target"]), row["embedding"], str(row["n_clusters"])]
        lines.append("| " + " | ".join(label + cells) + " |")
    return "\n".join(lines)


def _scores(estimator, X, targets, seed):
    """Return the scores by target of one embedding with one seed; of chance without one."""
    rng = np.random.RandomState(seed)
    if estimator is None:
        Z = None
    elif isinstance(estimator, str):
        Z = np.asarray(X)
    else:
        Z = _with_seed(clone(estimator), seed).fit_transform(X)
    by_target = {}
    for target, labels in targets.items():
        has_label = labels.notna().to_numpy()
        labels = labels[has_label].astype(str)
        k = labels.nunique()
        if Z is None:
            clusters = rng.randint(k, size=len(has_label))
        else:
            clusters = KMeans(k, n_init=10, random_state=seed).fit_predict(Z)
        by_target[target] = {"n_clusters": k, "n_tracks": len(labels)} | {
            name: score(labels, clusters[has_label]) for name, score in CLUSTERING_SCORES.items()
        }
    return by_target


def _with_seed(estimator, seed):
    """Give every random step of an estimator the seed."""
    names = [
        name
        for name in estimator.get_params()
        if name == "random_state" or name.endswith("__random_state")
    ]
    return estimator.set_params(**dict.fromkeys(names, seed))
