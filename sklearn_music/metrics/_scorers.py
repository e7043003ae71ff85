"""Scorers for a search without labels."""

import functools
from collections.abc import Callable
from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import HasMethods, StrOptions, validate_parameter_constraints

from .._docstrings import shared
from .._inspection import Part, find_embedders
from .._tables import as_numbers, as_pandas, is_clustered
from ._clustering import predict_clusters
from ._docstrings import TEXTS
from .reference_space import ReferenceSpace

_SPACES = [StrOptions({"reference", "passthrough"}), HasMethods(["fit_transform"]), None]


def silhouette_scorer(space: Any = "reference") -> Callable[..., float]:
    """Make a scorer of clusters by their mean silhouette, without labels.

    Parameters
    ----------
    space : "reference", "passthrough", transformer or None, default="reference"
        Where the distances are measured. ``"reference"``: in plain features of the tracks, the
        default `features` of `compare_embeddings`. ``"passthrough"``: in X itself. A transformer:
        in its output, fitted to the scored samples. None: in the space that the estimator itself
        clusters, the output of all steps but the last.

    Returns
    -------
    scorer : callable
        Called with a fitted estimator and samples X; y is ignored. It returns the mean
        silhouette, in [-1, 1], higher is better; 0 if there is only one cluster, or each sample
        has its own. Samples with a negative label (missing samples, or noise) are left out, and
        so are those whose features in the space are all NaN. A clusterer without `predict`
        (HDBSCAN, AgglomerativeClustering) can be scored on the samples it was fitted to: search
        with ``cv=`` :class:`~sklearn_music.model_selection.NoSplit`. On others the scorer raises
        an AttributeError.

    Notes
    -----
    Silhouettes in the spaces of two embeddings can't be compared: an embedding that shrinks all
    distances but one scores best. So use None only to search over the clusterer of one fixed
    embedding. Of more than 2,000 samples, the same 2,000 random ones are scored each time. A
    search computes the features again for each candidate: give a SpectrogramExtractor a `memory`.

    References
    ----------
    P. J. Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of
    cluster analysis", J. Computational and Applied Mathematics 20, 1987.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn_music.metrics import silhouette_scorer
    >>> X, _ = make_blobs(60, centers=3, cluster_std=0.5, random_state=0)
    >>> scorer = silhouette_scorer()
    >>> [round(scorer(KMeans(k, random_state=0).fit(X), X), 2) for k in (1, 2, 3)]
    [0.0, 0.6, 0.7]
    """
    validate_parameter_constraints({"space": _SPACES}, locals(), caller_name="silhouette_scorer")
    return functools.partial(_silhouette, space=space)


def _silhouette(estimator: Any, X: Any, y: Any = None, *, space: Any) -> float:
    clusters = predict_clusters(estimator, X)
    if space is None:
        if isinstance(estimator, Pipeline) and len(estimator) > 1:
            X = as_numbers(estimator[:-1].transform(X))
        space = "passthrough"
    is_reference = isinstance(space, str) and space == "reference"
    features = ReferenceSpace(as_pandas(X)) if is_reference else ReferenceSpace(X, space)
    return features.silhouette(clusters, is_clustered(clusters))


@shared(TEXTS)
def elbo_scorer(estimator: Any, X: Any, y: Any = None) -> float:
    """Score the one embedder in a pipeline by its mean evidence lower bound, in nats.

    Pass it as ``scoring=`` of a search without labels. It measures how likely the samples are
    under the model, whatever its `beta` and whatever step follows it.

    Parameters
    ----------
    estimator : estimator
        A fitted embedder, or a Pipeline, ColumnTransformer or FeatureUnion with one inside.
    {samples}

    Returns
    -------
    elbo : float
        The mean over the samples, higher is better.

    Raises
    ------
    ValueError
        If there is no embedder inside, or more than one.

    Notes
    -----
    It bounds the likelihood of the embedder's own input. So it compares sizes, betas and
    decoders on the same features and scaling, never one feature set with another. The bound of
    each sample is the embedder's `score_samples`.

    References
    ----------
    D. P. Kingma and M. Welling, "Auto-Encoding Variational Bayes", 2014.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_music import VAE
    >>> from sklearn_music.metrics import elbo_scorer
    >>> pipe = make_pipeline(StandardScaler(), VAE(2, contrastive_weight=0, random_state=0))
    >>> search = GridSearchCV(pipe, {"vae__max_epochs": [1, 10]}, scoring=elbo_scorer, cv=2)
    >>> search.fit(load_iris().data).best_params_
    {'vae__max_epochs': 10}
    """
    embedder = _find_one_embedder(estimator)
    return embedder.estimator.score(embedder.get_input(X))


def _find_one_embedder(estimator: Any) -> Part:
    embedders = find_embedders(estimator)
    if len(embedders) != 1:
        names = ", ".join(type(part.estimator).__name__ for part in embedders) or "none"
        raise ValueError(
            f"Expected one embedder (such as VAE) in the estimator, got {names}. Score another "
            "model by its clusters (silhouette_scorer, stability_score), and one of several "
            "embedders by its own score method."
        )
    return embedders[0]
