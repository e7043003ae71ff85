"""Disentanglement: whether each known factor belongs to one latent dimension."""

from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_float_dtype
from sklearn.metrics import balanced_accuracy_score, mutual_info_score
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, validate_parameter_constraints
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length

from .._docstrings import shared
from .._tables import as_labels
from ._docstrings import TEXTS

_CONSTRAINTS = {
    "factors": ["array-like"],
    "Z": ["array-like"],
    "n_bins": [Interval(Integral, 2, None, closed="left")],
}


@shared(TEXTS)
def mutual_information_gap(factors: Any, Z: Any, *, n_bins: int = 20) -> float:
    """Return how far single latent dimensions determine the known factors (MIG).

    For each factor: the largest mutual information with a latent dimension, minus the second
    largest, as a share of the factor's entropy. The result is the mean over the factors.
    `separated_attribute_predictability` is the same for predictions.

    Parameters
    ----------
    {factors}
    n_bins : int, default=20
        Number of equal bins of each latent dimension and of each continuous factor.

    Returns
    -------
    gap : float
        In [0, 1]. 1: each factor is determined by a single dimension.

    Raises
    ------
    {factors_raises}

    Notes
    -----
    Equation 6 of Chen et al. [1]_, with a histogram of the posterior means as in [2]_. Many bins
    for few samples blur the gap. A dimension that determines several factors is not penalised.

    References
    ----------
    .. [1] Chen et al., "Isolating Sources of Disentanglement in Variational Autoencoders", 2018.
    .. [2] Locatello et al., "Challenging Common Assumptions in the Unsupervised Learning of
       Disentangled Representations", 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_music.metrics import mutual_information_gap
    >>> factors = np.random.default_rng(0).integers(4, size=(1000, 2))
    >>> mutual_information_gap(factors, factors)
    0.99
    >>> mutual_information_gap(factors, factors @ [[1, 1], [-1, 1]])
    0.03
    """
    validate_parameter_constraints(_CONSTRAINTS, locals(), caller_name="mutual_information_gap")
    checked, Z = _check(factors, Z)
    codes, gaps = [_bins(z, n_bins) for z in Z.T], []
    for factor, is_continuous in checked:
        values = _bins(factor, n_bins) if is_continuous else factor
        information = [mutual_info_score(values, code) for code in codes]
        gaps.append(_gap(information) / mutual_info_score(values, values))
    return float(np.mean(gaps))


@shared(TEXTS)
def separated_attribute_predictability(factors: Any, Z: Any) -> float:
    """Return how far single latent dimensions predict the known factors (SAP).

    For each factor: how well the best dimension predicts it, minus how well the second best
    does. The result is the mean over the factors. `mutual_information_gap` is the same for
    information.

    Parameters
    ----------
    {factors}

    Returns
    -------
    sap : float
        In [0, 1]. 1, or 1 - 1/k for labels of k classes (of which the second dimension guesses
        1/k): each factor is predicted by a single dimension.

    Raises
    ------
    {factors_raises}

    Notes
    -----
    For a continuous factor, the prediction is scored by the squared correlation. For labels, it
    is the balanced accuracy of thresholds on the dimension, one fewer than there are classes,
    which a decision tree finds on the same samples.

    References
    ----------
    Kumar et al., "Variational Inference of Disentangled Latent Concepts from Unlabeled
    Observations", 2018, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_music.metrics import separated_attribute_predictability
    >>> factors = np.random.default_rng(0).uniform(size=(1000, 2))
    >>> separated_attribute_predictability(factors, factors)
    0.99
    >>> separated_attribute_predictability(factors, factors @ [[1, 1], [-1, 1]])
    0.06
    """
    name = "separated_attribute_predictability"
    validate_parameter_constraints(_CONSTRAINTS, locals(), caller_name=name)
    checked, Z = _check(factors, Z)
    gaps = []
    for factor, is_continuous in checked:
        predict = _squared_correlation if is_continuous else _balanced_accuracy
        gaps.append(_gap([predict(factor, z) for z in Z.T]))
    return float(np.mean(gaps))


def _check(factors: Any, Z: Any) -> tuple[list[tuple[NDArray[Any], bool]], NDArray[np.float64]]:
    """Return each factor with whether it is continuous, and the latent vectors."""
    Z = check_array(Z, dtype=np.float64, input_name="Z")
    table = pd.DataFrame(factors)
    check_consistent_length(table, Z)
    checked = []
    for i, name in enumerate(table):
        factor = table.iloc[:, i].infer_objects()
        n_missing = (factor.isna() | factor.isin([np.inf, -np.inf])).sum()
        if n_missing:
            raise ValueError(
                f"{n_missing} of {len(factor)} values of factor {name!r} are missing or infinite: "
                "drop those samples."
            )
        if factor.nunique() < 2:
            raise ValueError(f"Factor {name!r} has one value only: leave it out.")
        is_continuous = is_float_dtype(factor) and type_of_target(factor) == "continuous"
        # Sorted: the result must not depend on the order of the samples.
        codes = pd.factorize(as_labels(factor), sort=True)[0]
        checked.append((factor.to_numpy(np.float64) if is_continuous else codes, is_continuous))
    return checked, Z


def _gap(values: list[float]) -> float:
    """Return the difference of the two highest; a single dimension has a second one of 0."""
    second, first = np.sort([0.0, *values])[-2:]
    return first - second


def _bins(values: NDArray[Any], n_bins: int) -> NDArray[np.intp]:
    return np.digitize(values, np.histogram_bin_edges(values, bins=n_bins)[1:-1])


def _squared_correlation(factor: NDArray[Any], z: NDArray[Any]) -> float:
    return 0.0 if np.ptp(z) == 0 else np.corrcoef(factor, z)[0, 1] ** 2


def _balanced_accuracy(factor: NDArray[Any], z: NDArray[Any]) -> float:
    n_classes = len(np.unique(factor))
    # If two thresholds are equally good, the tree chooses by rounding, and so by the order.
    order = np.lexsort((factor, z))
    factor, z = factor[order], z[order]
    tree = DecisionTreeClassifier(max_leaf_nodes=n_classes, class_weight="balanced", random_state=0)
    predicted = tree.fit(z[:, None], factor).predict(z[:, None])
    return balanced_accuracy_score(factor, predicted)
