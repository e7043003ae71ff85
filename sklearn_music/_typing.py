"""scikit-learn's decorator of `fit` with its type: without, each `fit` would be Any."""

from collections.abc import Callable
from typing import Any, TypeVar

from sklearn.base import _fit_context

F = TypeVar("F", bound=Callable[..., Any])


def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[F], F]:
    """Validate an estimator's parameters before the method runs."""
    decorate: Callable[[F], F] = _fit_context(
        prefer_skip_nested_validation=prefer_skip_nested_validation
    )
    return decorate
