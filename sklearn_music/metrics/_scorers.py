"""Scorers for a search without labels."""

import functools

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import HasMethods, StrOptions, validate_params

from .._inspection import find_embedders
from .._tables import as_numbers, as_pandas, is_clustered
from ._clustering import check_predicts
from .reference_space import ReferenceSpace


@validate_params(
    {
        "space": [
            StrOptions({"reference", "passthrough"}),
            HasMethods(["fit_transform"]),
            None,
        ]
    },
    prefer_skip_nested_validation=True,
)
def silhouette_scorer(space="reference"):
    """Make a scorer of the clusters by their mean silhouette, which needs no labels.

    Parameters
    ----------
    space : "reference", "passthrough", transformer or None, default="reference"
        Where the distances are taken. ``"reference"``: in plain features of the tracks, as
        `compare_embeddings` does: the scaled columns of a table of numbers, or the scaled
        pooled MFCCs of a table of tracks with a column ``audio``. ``"passthrough"``: in X
        itself. A transformer: in what it makes of the scored rows, to which it is fitted.
        None: in the space that the estimator itself clusters, that of all steps but the last.

    Returns
    -------
    scorer : callable
        Called with a fitted estimator that has `predict`, and rows X; y is ignored. It
        returns the mean silhouette, in [-1, 1], higher is better; 0 where there are no two
        clusters, as Rousseeuw sets it for a cluster of one row. Samples with a negative
        label (missing samples, or noise) are left out, and so are those that are missing in the
        space: all of their features are NaN there.

    See Also
    --------
    compare_embeddings : Embeddings side by side, by several scores.

    Notes
    -----
    Silhouettes of two embeddings' own spaces can't be compared: one that shrinks all
    distances but one to nothing scores best. So use None only to search over the clusterer
    of one fixed embedding. Of more than 2,000 rows, 2,000 drawn at random are scored, always
    the same ones.

    The features are computed anew for each candidate of a search: give a
    SpectrogramExtractor a `memory`.

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
    return functools.partial(_silhouette, space=space)


def _silhouette(estimator, X, y=None, *, space):
    check_predicts(estimator)
    clusters = np.asarray(estimator.predict(X))
    if space is None:
        if isinstance(estimator, Pipeline) and len(estimator) > 1:
            X = as_numbers(estimator[:-1].transform(X))
        space = "passthrough"
    is_reference = isinstance(space, str) and space == "reference"
    features = ReferenceSpace(as_pandas(X)) if is_reference else ReferenceSpace(X, space)
    return features.silhouette(clusters, is_clustered(clusters))


def elbo_scorer(estimator, X, y=None):
    """Score the one embedder in a pipeline by its mean evidence lower bound, in nats.

    To be passed as ``scoring=`` of a search, with no labels. It measures how likely the
    rows are under the model, whatever its `beta` and whatever comes behind it.

    Parameters
    ----------
    estimator : estimator
        A fitted VAE, ConvVAE, BetaCVAE, TrackVAE or VaDE, or a Pipeline, ColumnTransformer or
        FeatureUnion with one somewhere inside.
    X : array-like or DataFrame
        Rows, held out, as the estimator takes them.
    y : None
        Ignored.

    Returns
    -------
    elbo : float
        The mean over the rows, higher is better.

    Raises
    ------
    ValueError
        If there is no embedder inside, or more than one.

    See Also
    --------
    sklearn_music.VAE.score_samples : The bound of each row.

    Notes
    -----
    It bounds the likelihood of the embedder's own input. So it compares sizes, betas and
    decoders over the same features and scaling, never one feature set with another.

    References
    ----------
    D. P. Kingma and M. Welling, "Auto-Encoding Variational Bayes",
    2014.

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
    embedders = find_embedders(estimator)
    if len(embedders) != 1:
        names = ", ".join(type(part.estimator).__name__ for part in embedders) or "none"
        raise ValueError(
            "Expected one embedder (VAE, ConvVAE, BetaCVAE, TrackVAE or VaDE) in the estimator, "
            f"got {names}. Score another model by its clusters (silhouette_scorer, "
            "stability_score), and one of several embedders by its own score method."
        )
    return embedders[0].estimator.score(embedders[0].get_input(X))
