"""Embeddings side by side: over several seeds, beside chance and the plain baselines."""

from numbers import Integral

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
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_params,
)
from sklearn.utils.validation import _num_samples, check_consistent_length
from tqdm.auto import tqdm

from .._inspection import named_estimators
from .._tables import as_labels, as_pandas, by_name, drop_unlabelled, is_present, readable
from ._clustering import CLUSTERING_SCORES
from .leakage import find_telling_columns, measure_leakage
from .reference_space import ReferenceSpace, seeded_transformer

_CHANCE, _RAW, _PCA = _BASELINES = ("chance", "raw features", "PCA")

# As many as the embedders have by default.
_N_COMPONENTS = 16

_SCORES = [*CLUSTERING_SCORES, "silhouette"]

_MARK = "⚠ leaks"


@validate_params(
    {
        "estimators": [dict],
        "targets": ["array-like", dict],
        "features": [HasMethods(["fit_transform"]), StrOptions({"passthrough"}), None],
        "n_clusters": [Interval(Integral, 1, None, closed="left"), None],
        "n_seeds": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def compare_embeddings(
    estimators,
    X,
    targets,
    *,
    features=None,
    n_clusters=None,
    n_seeds=10,
    random_state=0,
    n_jobs=None,
    verbose=0,
):
    """Score the KMeans clusters of several embeddings against several targets.

    Each embedding is fitted anew with each seed, without labels, and clustered. Three
    baselines are always beside them: chance, clusters drawn at random; raw features, the
    plain features of the tracks; and PCA, 16 components of those (fewer where there are
    fewer tracks or features).

    Parameters
    ----------
    estimators : dict of str to transformer
        The embeddings by name: a transformer or a pipeline of them, or
        ``"passthrough"`` for X itself.
    X : array-like or DataFrame of length n_tracks
        What every one of the estimators takes.
    targets : array-like of shape (n_tracks,), or DataFrame or dict of such
        Labels by name. Tracks whose label is missing (None, NaN) are clustered, but not scored.
    features : transformer or "passthrough", default=None
        What turns X into the plain features: those of the baselines, and the one space in
        which the silhouettes of all rows are measured. None scales the columns of a table
        of numbers (StandardScaler), and takes the scaled pooled MFCCs of the files in the
        column ``audio`` of a table of tracks (SpectrogramExtractor, ``pooling="stats"``). Each
        of its random steps keeps its ``random_state``; where that is None, it is 0.
    n_clusters : int, default=None
        Number of clusters; None is the number of the target's classes.
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
        One row per embedding and target: ``embedding``, ``target``, ``leakage``,
        ``n_clusters``, ``n_tracks`` (those that have a label), ``n_missing`` (those that the
        embedding has no latent vector of); for each of purity, nmi, ami, ari and silhouette the
        mean over the seeds and, as ``purity_ci`` and so on, half the width of its 95 %
        interval (Student's t); ``n_seeds``; and ``silhouette_space``, the name of the plain
        features.

    Raises
    ------
    ValueError
        If features is None and X is neither numbers nor has a column ``audio``, if the
        features are not finite, if a target has one class only, if there are more clusters than
        tracks, or if an entry is no transformer, has an invalid parameter, or reads a column
        that X lacks. What is wrong with an entry is found before anything is fitted.

    See Also
    --------
    format_comparison : The same as a Markdown table.
    silhouette_scorer : The silhouette of a search.

    Notes
    -----
    ``leakage`` tells whether the embedding was told the target, in which case its scores
    measure that: it is the normalised mutual information of the target with what was told,
    where that is above .5, else 0. What counts as told are the condition of a `BetaCVAE`
    with ``encode_condition=True``, and columns of X that the embedding changes with: a column
    of labels, or the columns of a one-hot block. A condition that only the decoder is told
    does not count. Where X holds such columns beside others, pass features without them.
    What stands in the lyrics, in a file's name or in the index can't be seen, nor what a
    transformer of yours reads in `fit` only.

    A track is missing for an embedding that makes a row of NaN of it, as of a file that can't be
    read. It gets the label -1, which counts as one more cluster, and is left out of the
    silhouette. The same holds for the baselines, where the plain features are missing.

    The silhouette is 0 where all tracks are in one cluster. Of more than 2,000 tracks, 2,000
    drawn at random are taken for it, the same for all rows.

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
        try:
            _check_entry(name, estimator, X)
        except Exception as error:
            error.add_note(f"This was the embedding {name!r}.")
            raise
    space = ReferenceSpace(X, features)
    telling_columns = find_telling_columns(X, targets)
    by_features = measure_leakage(space.transformer, X, targets, telling_columns)
    leakages = {_CHANCE: dict.fromkeys(targets, 0.0), _RAW: by_features, _PCA: by_features}

    everything = np.ones(_num_samples(X), dtype=bool)
    has_features = is_present(space.Z)
    Z = space.Z[has_features]
    embeddings = {
        _CHANCE: (None, None, everything),
        _RAW: ("passthrough", Z, has_features),
        _PCA: (PCA(min(_N_COMPONENTS, *Z.shape)), Z, has_features),
        **{name: (estimator, X, everything) for name, estimator in estimators.items()},
    }
    seeds = check_random_state(random_state).randint(np.iinfo(np.int32).max, size=n_seeds).tolist()
    fits = [(name, seed) for name in embeddings for seed in seeds]
    # Of what is begun, since not all of joblib's backends tell what is done.
    progress = tqdm(fits, desc="Comparison", unit="fit", disable=not verbose)
    results = Parallel(n_jobs=n_jobs)(
        delayed(_scores)(
            *embeddings[name],
            targets,
            space,
            n_clusters,
            name,
            seed,
            telling_columns if name in estimators and i % n_seeds == 0 else None,
        )
        for i, (name, seed) in enumerate(progress)
    )
    rows = []
    for (name, _), (by_target, leakage) in zip(fits, results, strict=True):
        leakages.setdefault(name, leakage)  # measured with the first seed
        leakage = leakages[name]
        rows += [
            {"embedding": name, "target": target, "leakage": leakage[target], **scores}
            for target, scores in by_target.items()
        ]
    groups = pd.DataFrame(rows).groupby(
        ["embedding", "target", "leakage", "n_clusters", "n_tracks"], sort=False
    )
    means = groups.mean()
    half_widths = groups.sem() * student_t.ppf(0.975, max(1, n_seeds - 1))
    table = means.join(half_widths.add_suffix("_ci"))
    table["n_missing"] = groups["n_missing"].max()
    order = ["n_missing"] + [column for name in _SCORES for column in (name, f"{name}_ci")]
    return table[order].reset_index().assign(n_seeds=n_seeds, silhouette_space=space.name)


def _check_target(name, labels, X):
    if np.ndim(labels) != 1:
        raise ValueError(
            f"Got labels of shape {np.shape(labels)} as target {name!r}, expected one dimension: "
            "pass several targets as the columns of a DataFrame."
        )
    labels = as_labels(labels)
    check_consistent_length(X, labels)
    if labels.isna().all():
        raise ValueError(f"All labels of the target {name!r} are missing.")
    if len(labels.dropna().unique()) == 1:
        raise ValueError(
            f"All labels of the target {name!r} are {labels.dropna().iloc[0]!r}, so that any "
            "clusters would score alike: leave it out."
        )
    return labels


def _check_entry(name, estimator, X):
    """Raise for what can't be an embedding of X, as far as that can be told without a fit."""
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
    estimator = seeded_transformer(estimator, 0)
    for part in named_estimators(estimator).values():
        if not isinstance(part, BaseEstimator):
            continue
        if hasattr(part, "_parameter_constraints"):
            try:
                part._validate_params()
            except InvalidParameterError as error:
                # Else scikit-learn would say that it is a parameter of this function.
                raise ValueError(str(error)) from error
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


def format_comparison(scores):
    """Return the result of `compare_embeddings` as a Markdown table.

    Parameters
    ----------
    scores : DataFrame
        What `compare_embeddings` returned, or some of its rows.

    Returns
    -------
    markdown : str
        A table with a row per embedding and target, each score as mean ± interval. A row
        whose embedding was told the target is marked "⚠ leaks". Below it stands the space
        of the silhouettes, and what the mark means.

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
    | target | embedding | k | purity | NMI | AMI | ARI | silhouette |
    |---|---|---:|---:|---:|---:|---:|---:|
    | target | chance | 3 | ...
    | target | raw features | 3 | 0.833 ± 0.000 | ...
    | target | PCA | 3 | 0.833 ± 0.000 | ...
    <BLANKLINE>
    Silhouettes are taken in one space: X, scaled, 4 columns.
    ± is half the 95 % interval of the mean over 2 seeds on these tracks; it says nothing of others.
    """
    spaces = scores["silhouette_space"].unique()
    if len(spaces) > 1:
        raise ValueError(
            f"Got silhouettes in {len(spaces)} spaces ({'; '.join(spaces)}), which can't be "
            "compared: format each comparison by itself, or give all of them the same features."
        )
    lines = [
        "| target | embedding | k | purity | NMI | AMI | ARI | silhouette |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for _, row in scores.sort_values("target", kind="stable").iterrows():
        embedding = f"{row['embedding']} {_MARK}" if row["leakage"] else row["embedding"]
        label = [_in_table(row["target"]), _in_table(embedding), str(row["n_clusters"])]
        cells = [_cell(row[name], row[f"{name}_ci"]) for name in _SCORES]
        lines.append("| " + " | ".join(label + cells) + " |")
    lines += ["", f"Silhouettes are taken in one space: {spaces[0]}."]
    if (scores["n_seeds"] > 1).any():
        lines.append(
            f"± is half the 95 % interval of the mean over {scores['n_seeds'].max()} seeds on "
            "these tracks; it says nothing of others."
        )
    if scores["n_missing"].any():
        lines += ["", "Tracks without a latent vector, which count as one more cluster:"]
        missing = scores[scores["n_missing"] > 0].drop_duplicates("embedding")
        for name, n_missing in zip(missing["embedding"], missing["n_missing"], strict=True):
            lines.append(f"- {_in_table(name)}: {n_missing:.0f}")
    if scores["leakage"].any():
        lines += [
            "",
            f"{_MARK}: the embedding was told labels that all but give the target away, so that "
            "its scores measure this, not what it found.",
        ]
    return "\n".join(lines)


def _in_table(text):
    """Return a text that stays within its cell of a Markdown table."""
    return " ".join(readable(text).split()).replace("|", "\\|")


def _cell(mean, half_width):
    # A single seed has no interval.
    return f"{mean:.3f}" if np.isnan(half_width) else f"{mean:.3f} ± {half_width:.3f}"


def _scores(estimator, X, present, targets, space, n_clusters, name, seed, telling_columns):
    """Return one embedding's scores by target with one seed, and its leakage if asked for.

    Without an estimator they are those of chance. X has a row for each track that is present.
    """
    try:
        return _scores_of(estimator, X, present, targets, space, n_clusters, seed, telling_columns)
    except Exception as error:
        error.add_note(f"This was the embedding {name!r} with the seed {seed}.")
        raise


def _scores_of(estimator, X, present, targets, space, n_clusters, seed, telling_columns):
    rng = np.random.RandomState(seed)
    leakage = None
    present = present.copy()
    if estimator is not None:
        estimator = seeded_transformer(estimator, seed)
        Z = estimator.fit_transform(X)
        Z = Z.tocsr() if sparse.issparse(Z) else Z  # not all formats have rows to take
        if telling_columns is not None:
            leakage = measure_leakage(estimator, X, targets, telling_columns)
        # Of the tracks that the embedding was given, those that it has a latent vector of.
        has_vector = is_present(Z)
        present[present] = has_vector
        Z = _safe_indexing(Z, np.flatnonzero(has_vector))
    by_target = {}
    for target, labels in targets.items():
        labels, rows = drop_unlabelled(labels)
        k = n_clusters or len(np.unique(labels))
        if estimator is None:
            clusters = rng.randint(k, size=len(present))
        else:
            if k > _num_samples(Z):
                raise ValueError(
                    f"{_num_samples(Z)} of {len(present)} tracks have a latent vector, the others "
                    f"are NaN: too few for {k} clusters of the target {target!r}."
                )
            clusters = np.full(len(present), -1)
            clusters[present] = KMeans(k, n_init=10, random_state=seed).fit_predict(Z)
        by_target[target] = {
            "n_clusters": k,
            "n_tracks": len(labels),
            "n_missing": int(np.sum(~present)),
            **{name: score(labels, clusters[rows]) for name, score in CLUSTERING_SCORES.items()},
            "silhouette": space.silhouette(clusters, present),
        }
    return by_target, leakage
