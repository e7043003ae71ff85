import numpy as np
import pandas as pd
import pytest

from sklearn_music.metrics import mutual_information_gap, separated_attribute_predictability

SCORES = [mutual_information_gap, separated_attribute_predictability]


@pytest.mark.parametrize("score", SCORES)
def test_aligned_with_the_axes_and_rotated(rng, score):
    factors = rng.uniform(-1, 1, size=(5000, 4))
    aligned = factors[:, [2, 0, 3, 1]] * [1, -3, 0.1, 20] + 5
    constant = np.zeros((5000, 2))  # collapsed dimensions change nothing
    assert score(factors, np.hstack([constant, aligned])) > 0.9
    rotated = factors @ np.kron(np.eye(2), [[1, -1], [1, 1]])  # by 45 degrees, two by two
    assert score(factors, rotated) < 0.05
    assert score(factors, rng.standard_normal((5000, 6))) < 0.01


@pytest.mark.parametrize("score", SCORES)
def test_a_factor_in_two_dimensions_has_no_gap(rng, score):
    factors = rng.uniform(size=(2000, 2))
    assert score(factors, np.hstack([factors, factors])) == pytest.approx(0, abs=1e-9)
    # Of one factor alone, half of the mean is left.
    assert score(factors, np.hstack([factors, factors[:, :1]])) == pytest.approx(
        score(factors, factors) / 2, abs=0.02
    )


def test_labels_and_numbers_together(rng):
    labels, tempo = rng.integers(4, size=4000), rng.uniform(60, 180, size=4000)
    table = pd.DataFrame({"genre": np.array(["a", "b", "গ", "d"])[labels], "tempo": tempo})
    Z = np.c_[tempo, labels].astype(np.float32)
    Z.flags.writeable = False
    assert mutual_information_gap(table["genre"], Z) == pytest.approx(1, abs=0.02)
    assert mutual_information_gap(table, Z) == pytest.approx(1, abs=0.05)
    # The other dimension guesses one in four.
    assert separated_attribute_predictability(table["genre"], Z) == pytest.approx(0.75, abs=0.05)
    assert separated_attribute_predictability(table["tempo"], Z) == pytest.approx(1, abs=0.01)
    both = separated_attribute_predictability(table, Z)
    assert both == pytest.approx(0.875, abs=0.03)
    # One dimension has no second.
    assert mutual_information_gap(labels, Z[:, 1:]) == pytest.approx(1)


@pytest.mark.parametrize("score", SCORES)
def test_factors_that_cannot_be_scored(score):
    Z = np.arange(6.0).reshape(3, 2)
    with pytest.raises(ValueError, match="1 of 3 values of factor 'genre' are missing"):
        score(pd.DataFrame({"genre": ["a", None, "b"]}), Z)
    with pytest.raises(ValueError, match="or infinite"):
        score([0.5, np.inf, 1], Z)
    with pytest.raises(ValueError, match="Factor 0 has one value only"):
        score([1, 1, 1], Z)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        score([1, 2], Z)
    with pytest.raises(ValueError, match="Z contains NaN"):
        score([1, 2, 3], Z * np.nan)


@pytest.mark.parametrize("score", SCORES)
def test_the_order_of_the_samples_makes_no_difference(rng, score):
    """Where thresholds are equally good, too: few values, few samples."""
    for _ in range(150):
        n_samples = rng.integers(4, 12)
        factors = rng.integers(3, size=n_samples)
        factors[:2] = 0, 1
        names = np.array(["b", "a", "গ"], dtype=object)[factors]
        Z = rng.integers(4, size=(n_samples, 2)).astype(float)
        order = rng.permutation(n_samples)
        assert score(names[order], Z[order]) == pytest.approx(score(names, Z), abs=1e-12)


@pytest.mark.parametrize("score", SCORES)
def test_equal_values_of_a_factor_are_one(rng, score):
    values = rng.standard_normal((300, 2))
    factor = np.round(values[:, 0])  # some of which are -0.0
    expected = pytest.approx(score(factor.astype(int), values))
    assert score(factor, values) == expected
    mixed = [True if value == 1 else value for value in factor + 0.0]
    assert score(pd.Series(mixed, dtype=object), values) == expected
