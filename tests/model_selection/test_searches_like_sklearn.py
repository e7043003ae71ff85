"""scikit-learn's own tests of its searches, on the batched ones in their place."""

import importlib.util
import sys
from unittest import mock

import pytest
import sklearn.model_selection
from sklearn.utils._test_common.instance_generator import (
    _construct_instances,
    _get_expected_failed_checks,
)
from sklearn.utils.estimator_checks import check_estimator, check_param_validation

from sklearn_music import model_selection

BATCHED = {
    name.removeprefix("Batched"): getattr(model_selection, name)
    for name in model_selection.__all__
    if name.startswith("Batched")
}

# Which of scikit-learn's tests are left out, and why.
LEFT_OUT = {
    "test_array_api_search_cv_classifier": "needs array_api_strict, and no embedder is inside",
}

# They warn where they mean to: a warning is no error here.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("name", BATCHED)
def test_common_checks(name):
    plain = next(_construct_instances(getattr(sklearn.model_selection, name)))
    batched = BATCHED[name](**plain.get_params(deep=False))
    expected = _get_expected_failed_checks(plain)
    check_estimator(batched, expected_failed_checks=expected, on_skip=None)
    check_param_validation(type(batched).__name__, batched)


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
    spec = importlib.util.spec_from_file_location(f"batched_{module}", spec.origin)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # for pickle
    with mock.patch.multiple(sklearn.model_selection, **BATCHED):
        spec.loader.exec_module(module)
    return {
        name: _left_out(LEFT_OUT[name]) if name in LEFT_OUT else test
        for name, test in vars(module).items()
        if name.startswith("test_")
    }


for _module in ("test_search",):
    _tests = _tests_of(_module)
    assert not _tests.keys() & globals().keys()
    globals().update(_tests)
