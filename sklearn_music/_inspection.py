"""What an estimator is made of."""

from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import _safe_indexing, get_tags


def parts(estimator, rows):
    """Yield a fitted estimator and all that it is made of, each with its own input.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    rows : callable
        Returns the rows that the estimator is given. The input of a part is such a
        function too, since it takes the transforms of all steps before it.

    Yields
    ------
    part : estimator
        The estimator, a step, a block, the best one of a search, what another wraps, and theirs.
    rows : callable
        Returns the rows that the part is given.
    """
    yield estimator, rows
    if isinstance(estimator, Pipeline):
        for i, step in enumerate(estimator):
            before = estimator[:i]
            yield from parts(step, (lambda b=before: b.transform(rows())) if i else rows)
    elif isinstance(estimator, ColumnTransformer):
        for _, block, columns in getattr(estimator, "transformers_", ()):
            yield from parts(block, lambda c=columns: _safe_indexing(rows(), c, axis=1))
    elif isinstance(estimator, FeatureUnion):
        for _, block in estimator.transformer_list:
            yield from parts(block, rows)
    elif hasattr(estimator, "best_estimator_"):
        yield from parts(estimator.best_estimator_, rows)
    elif hasattr(estimator, "estimator_"):  # SkipMissing, for one
        yield from parts(estimator.estimator_, rows)


def fitted_with_labels(estimator):
    """Return the names of the parts that can't be fitted without labels y."""
    return [
        type(part).__name__
        for part, _ in parts(estimator, lambda: None)
        if hasattr(part, "__sklearn_tags__") and get_tags(part).target_tags.required
        if not isinstance(part, (Pipeline, ColumnTransformer, FeatureUnion))
    ]


def with_seed(estimator, seed, *, overwrite=True):
    """Give every random step of an estimator the seed, or those that have none, and return it."""
    names = [
        name
        for name, value in estimator.get_params().items()
        if name == "random_state" or name.endswith("__random_state")
        if overwrite or value is None
    ]
    return estimator.set_params(**dict.fromkeys(names, seed))
