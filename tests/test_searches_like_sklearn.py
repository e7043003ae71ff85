"""scikit-learn's own tests of its searches, on the batched ones in their place."""

import importlib.util
from unittest import mock

import pytest
import sklearn.model_selection
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.utils._test_common.instance_generator import (
    _construct_instances,
    _get_expected_failed_checks,
)
from sklearn.utils.estimator_checks import check_param_validation, parametrize_with_checks

from sklearn_music import VAE, model_selection

BATCHED = {
    name.removeprefix("Batched"): getattr(model_selection, name)
    for name in model_selection.__all__
    if name.startswith("Batched")
}

# Which of scikit-learn's tests are left out, and why.
LEFT_OUT = {
    "test_array_api_search_cv_classifier": "needs array_api_strict, and no embedder is inside",
}

# scikit-learn runs its tests with Python's own filters.
pytestmark = pytest.mark.filterwarnings("default")


def _instances():
    """Yield each search that scikit-learn checks, and the batched one in its place."""
    for name, batched in BATCHED.items():
        for search in _construct_instances(getattr(sklearn.model_selection, name)):
            yield search, batched(**search.get_params(deep=False))


_PLAIN, _IN_PLACE = map(list, zip(*_instances(), strict=True))
_EXPECTED = {
    id(batched): _get_expected_failed_checks(plain)
    for plain, batched in zip(_PLAIN, _IN_PLACE, strict=True)
}


@parametrize_with_checks(
    _IN_PLACE, expected_failed_checks=lambda search: _EXPECTED.get(id(search), {})
)
def test_common_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", BATCHED)
def test_parameters_are_validated_before_they_are_used(name):
    search = next(search for search in _IN_PLACE if type(search) is BATCHED[name])
    check_param_validation(type(search).__name__, search)


def _left_out(reason):
    @pytest.mark.skip(reason)
    def test():
        pass

    return test


def _tests_of(module):
    """Return the tests of one of scikit-learn's modules, with the batched searches in them."""
    try:
        spec = importlib.util.find_spec(f"sklearn.model_selection.tests.{module}")
    except ModuleNotFoundError:
        spec = None
    if spec is None:
        return {f"test_{module}": _left_out("scikit-learn was installed without its tests")}
    module = importlib.util.module_from_spec(spec)
    with mock.patch.multiple(sklearn.model_selection, **BATCHED):
        spec.loader.exec_module(module)
    return {
        name: _left_out(LEFT_OUT[name]) if name in LEFT_OUT else test
        for name, test in vars(module).items()
        if name.startswith("test_")
    }


for _module in ("test_search", "test_successive_halving"):
    _tests = _tests_of(_module)
    assert not _tests.keys() & globals().keys()
    globals().update(_tests)
