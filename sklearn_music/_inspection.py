"""Walk through an estimator: its parts, what each is given, its embedders, seeds and labels."""

import sys
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.validation import _num_samples

from .exceptions import LabelLeakageWarning

# With a normalised mutual information above this, labels count as known to the model.
LEAKAGE_THRESHOLD = 0.5


class Part(NamedTuple):
    """An estimator inside another one."""

    estimator: Any
    # The estimators around it, outermost first, each with where in it the next one is: the number
    # of the step of a Pipeline, (name, columns) of the block of a ColumnTransformer, else None.
    path: tuple[tuple[Any, Any], ...] = ()

    def get_input(self, X: Any) -> Any:
        """Return what this part is given where the outermost estimator, fitted, is given X."""
        for parent, where in self.path:
            if isinstance(parent, Pipeline) and where:
                X = parent[:where].transform(X)
            elif isinstance(parent, ColumnTransformer):
                X = _safe_indexing(X, where[1], axis=1)
        return X


def iter_estimators(estimator: Any, path: tuple[tuple[Any, Any], ...] = ()) -> Iterator[Part]:
    """Yield an estimator and, outside in and in order, all that are fitted inside it.

    These are the steps, the blocks, the best one of a search, what another one wraps, and theirs.
    """
    if estimator is None or isinstance(estimator, str):  # "passthrough", "drop"
        return
    yield Part(estimator, path)
    inside: list[tuple[Any, Any]] = []
    if isinstance(estimator, Pipeline):
        inside = [(step, i) for i, (_, step) in enumerate(estimator.steps)]
    elif isinstance(estimator, ColumnTransformer):
        blocks = getattr(estimator, "transformers_", ())
        inside = [(block, (name, columns)) for name, block, columns in blocks]
    elif isinstance(estimator, FeatureUnion):
        inside = [(block, None) for _, block in estimator.transformer_list]
    elif hasattr(estimator, "best_estimator_"):
        inside = [(estimator.best_estimator_, None)]
    elif hasattr(estimator, "estimator_"):  # SkipMissing, for one
        inside = [(estimator.estimator_, None)]
    for part, where in inside:
        yield from iter_estimators(part, (*path, (estimator, where)))


def named_estimators(estimator: Any) -> dict[str, Any]:
    """Return an estimator as "" and all in its parameters, fitted or not, by their names."""
    if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        return {}
    inside = estimator.get_params().items()
    return {"": estimator, **{n: v for n, v in inside if hasattr(v, "get_params")}}


def flat_steps(pipeline: Any) -> list[Any]:
    """Return the steps of a pipeline, those of the pipelines in it in their place."""
    return [
        part.estimator
        for part in iter_estimators(pipeline)
        if not isinstance(part.estimator, Pipeline)
        and all(isinstance(parent, Pipeline) for parent, _ in part.path)
    ]


def is_embedder(estimator: Any) -> bool:
    """Return whether an estimator is an embedder of this library, without loading torch."""
    # Where nobody has loaded the module, there is no embedder.
    embedding = sys.modules.get("sklearn_music.embedding")
    return embedding is not None and isinstance(estimator, embedding.BaseEmbedder)


def find_embedders(estimator: Any) -> list[Part]:
    """Return the embedders inside an estimator."""
    return [part for part in iter_estimators(estimator) if is_embedder(part.estimator)]


def find_failures(estimator: Any) -> dict[int, str]:
    """Return why tracks could not be read by a fitted estimator, by their row numbers."""
    return {
        row: reason
        for part in iter_estimators(estimator)
        if not isinstance(part.estimator, Pipeline)  # whose failures are those of its steps
        for row, reason in getattr(part.estimator, "failures_", {}).items()
    }


def tag_probabilities(estimator: Any, X: Any) -> pd.DataFrame | None:
    """Return the probabilities of tags, if a tagger is in a fitted estimator: tracks by tags."""
    for part in iter_estimators(estimator):
        names = getattr(part.estimator, "tag_columns_", [])
        if names:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of tracks, raised before
                rows = np.asarray(part.estimator.transform(part.get_input(X)))
            columns = part.estimator.get_feature_names_out().tolist()
            return pd.DataFrame(rows, columns=columns)[names]
    return None


def fitted_with_labels(estimator: Any) -> list[str]:
    """Return the names of the classes inside an estimator that can't be fitted without labels."""
    return [
        type(part).__name__
        for part, _ in iter_estimators(estimator)
        if hasattr(part, "__sklearn_tags__") and get_tags(part).target_tags.required
        if not isinstance(part, (Pipeline, ColumnTransformer, FeatureUnion))
    ]


def warn_of_leakage(leakage: float | None) -> None:
    """Warn if the condition of an encoder predicts the labels, by its mutual information."""
    if leakage is not None and leakage > LEAKAGE_THRESHOLD:
        warnings.warn(
            f"Label leakage: the encoder's condition predicts the labels y (normalised mutual "
            f"information {leakage:.2f}). Any score of its clusters against y measures this, not "
            "what the model found. Use encode_condition=False for a score that means something.",
            LabelLeakageWarning,
            stacklevel=4,
        )


def with_seed(estimator: Any, seed: int, *, overwrite: bool = True) -> Any:
    """Return an unfitted copy with the seed in every random step, or in those that have none.

    Of "passthrough", return a transformer that changes nothing.
    """
    if isinstance(estimator, str):
        # Whatever set_config says: a table whose columns have no names would be a warning.
        return FunctionTransformer(np.asarray).set_output(transform="default")
    estimator = clone(estimator)
    names = [
        name
        for name, value in estimator.get_params().items()
        if name == "random_state" or name.endswith("__random_state")
        if overwrite or value is None
    ]
    return estimator.set_params(**dict.fromkeys(names, seed))


def embed_and_cluster(pipeline: Any, X: Any) -> tuple[Any, Any]:
    """Return the latent vectors and the clusters of tracks, by a fitted pipeline."""
    if not isinstance(pipeline, Pipeline) or len(pipeline) < 2:
        raise ValueError(
            f"Got {pipeline!r}, expected a fitted Pipeline of transformers and a clusterer."
        )
    Z = pipeline[:-1].transform(X)
    clusterer = pipeline[-1]
    if hasattr(clusterer, "predict"):
        return Z, clusterer.predict(Z)
    # Some clusterers know the clusters of no tracks but their own.
    clusters = getattr(clusterer, "labels_", ())
    n_tracks = _num_samples(Z)  # a sparse matrix has no length
    if len(clusters) != n_tracks:
        raise ValueError(
            f"Got {n_tracks} tracks, and a pipeline that ends in {type(clusterer).__name__}, which "
            f"has no predict: pass the {len(clusters)} tracks that it was fitted to."
            if len(clusters)
            else f"Got a pipeline that ends in {type(clusterer).__name__}, expected a clusterer: "
            "one that has predict or labels_."
        )
    return Z, clusters
