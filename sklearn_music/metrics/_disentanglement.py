"""Whether each latent dimension stands for one factor, where the factors are known."""

from numbers import Integral

import numpy as np
import pandas as pd
from pandas.api.types import is_float_dtype
from sklearn.metrics import balanced_accuracy_score, mutual_info_score
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length

from .._tables import as_labels


@validate_params(
    {
        "factors": ["array-like"],
        "Z": ["array-like"],
        "n_bins": [Interval(Integral, 2, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def mutual_information_gap(factors, Z, *, n_bins=20):
    """Return how far one latent dimension alone tells each known factor (MIG).

    For each factor it is the mutual information with the dimension that tells most of it,
    less that with the second, as a share of the factor's entropy; the mean over factors.

    Parameters
    ----------
    factors : array-like of shape (n_samples,) or (n_samples, n_factors)
        The known factors: labels, or numbers.
    Z : array-like of shape (n_samples, n_components)
        The latent space, such as `transform` returns.
    n_bins : int, default=20
        Number of equal bins of each latent dimension and of each continuous factor, a
        factor of floats that are not whole.

    Returns
    -------
    gap : float
        In [0, 1]. 1: each factor is told by one dimension alone, and wholly.

    Raises
    ------
    ValueError
        If a factor has a missing or infinite value, or one value only.

    See Also
    --------
    separated_attribute_predictability : The same question, asked of predictions.

    Notes
    -----
    Equation 6 of Chen et al. [1]_, with the histogram of the posterior means for the
    density, as Locatello et al. [2]_ take it. Many bins for few rows blur the gap. It says
    nothing of a dimension that tells several factors.

    References
    ----------
    .. [1] R. T. Q. Chen et al., "Isolating Sources of Disentanglement in Variational
       Autoencoders", 2018.
    .. [2] F. Locatello et al., "Challenging Common Assumptions in the Unsupervised Learning
       of Disentangled Representations", 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_music.metrics import mutual_information_gap
    >>> factors = np.random.default_rng(0).integers(4, size=(1000, 2))
    >>> mutual_information_gap(factors, factors)
    0.99
    >>> rotated = factors @ [[1, 1], [-1, 1]]
    >>> mutual_information_gap(factors, rotated)
    0.03
    """
    factors, Z = _check(factors, Z)
    codes = [_bins(z, n_bins) for z in Z.T]
    gaps = []
    for factor, is_continuous in factors:
        values = _bins(factor, n_bins) if is_continuous else factor
        information = [mutual_info_score(values, code) for code in codes]
        gaps.append(_gap(information) / mutual_info_score(values, values))
    return float(np.mean(gaps))


@validate_params(
    {"factors": ["array-like"], "Z": ["array-like"]}, prefer_skip_nested_validation=True
)
def separated_attribute_predictability(factors, Z):
    """Return how far one latent dimension alone predicts each known factor (SAP).

    For each factor it is how well the best dimension predicts it, less how well the second
    does; the mean over factors.

    Parameters
    ----------
    factors : array-like of shape (n_samples,) or (n_samples, n_factors)
        The known factors: labels, or numbers. One of floats that are not whole is
        continuous.
    Z : array-like of shape (n_samples, n_components)
        The latent space, such as `transform` returns.

    Returns
    -------
    sap : float
        In [0, 1]. 1, or 1 - 1/k for labels of k classes, since the second dimension guesses
        1/k of them: each factor is predicted by one dimension alone, and wholly.

    Raises
    ------
    ValueError
        If a factor has a missing or infinite value, or one value only.

    See Also
    --------
    mutual_information_gap : The same question, asked of information.

    Notes
    -----
    Section 3 of Kumar et al. [1]_. A continuous factor's prediction is scored by the squared
    correlation; that of labels by the balanced accuracy of thresholds on the dimension, one
    fewer than there are classes, found by a decision tree on the same rows.

    References
    ----------
    .. [1] A. Kumar, P. Sattigeri and A. Balakrishnan, "Variational Inference of Disentangled
       Latent Concepts from Unlabeled Observations", 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_music.metrics import separated_attribute_predictability
    >>> factors = np.random.default_rng(0).uniform(size=(1000, 2))
    >>> separated_attribute_predictability(factors, factors)
    0.99
    >>> rotated = factors @ [[1, 1], [-1, 1]]
    >>> separated_attribute_predictability(factors, rotated)
    0.06
    """
    factors, Z = _check(factors, Z)
    gaps = []
    for factor, is_continuous in factors:
        predict = _squared_correlation if is_continuous else _balanced_accuracy
        gaps.append(_gap([predict(factor, z) for z in Z.T]))
    return float(np.mean(gaps))


def _check(factors, Z):
    """Return each factor with whether it is continuous, and the latent space."""
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
                "drop those rows."
            )
        if factor.nunique() < 2:
            raise ValueError(
                f"Factor {name!r} has one value only, which any latent space tells: leave it out."
            )
        is_continuous = is_float_dtype(factor) and type_of_target(factor) == "continuous"
        if is_continuous:
            values = factor.to_numpy(np.float64)
        else:
            # Not by appearance: the result must not depend on the order of the samples.
            values = pd.factorize(as_labels(factor), sort=True)[0]
        checked.append((values, is_continuous))
    return checked, Z


def _gap(values):
    """Return the difference of the two highest, the second of which is 0 where there is one."""
    second, first = np.sort([0.0, *values])[-2:]
    return first - second


def _bins(values, n_bins):
    return np.digitize(values, np.histogram_bin_edges(values, bins=n_bins)[1:-1])


def _squared_correlation(factor, z):
    if np.ptp(z) == 0:
        return 0.0
    return np.corrcoef(factor, z)[0, 1] ** 2


def _balanced_accuracy(factor, z):
    n_classes = len(np.unique(factor))
    # Where two thresholds are equally good, the tree chooses by rounding, and that by the order.
    order = np.lexsort((factor, z))
    factor, z = factor[order], z[order]
    tree = DecisionTreeClassifier(max_leaf_nodes=n_classes, class_weight="balanced", random_state=0)
    predicted = tree.fit(z[:, None], factor).predict(z[:, None])
    return balanced_accuracy_score(factor, predicted)
