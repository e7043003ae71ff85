"""scikit-learn's decorators with types: it ships none, so what they decorate would be Any."""

from collections.abc import Callable
from typing import Any, TypeVar

from sklearn import base
from sklearn.utils import _param_validation

F = TypeVar("F", bound=Callable[..., Any])


def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[F], F]:
    """Validate an estimator's parameters before the method runs."""
    decorate: Callable[[F], F] = base._fit_context(
        prefer_skip_nested_validation=prefer_skip_nested_validation
    )
    return decorate


def validate_params(
    constraints: dict[str, Any], *, prefer_skip_nested_validation: bool
) -> Callable[[F], F]:
    """Validate the arguments before the function runs."""
    decorate: Callable[[F], F] = _param_validation.validate_params(
        constraints, prefer_skip_nested_validation=prefer_skip_nested_validation
    )
    return decorate
