"""A missing sample takes no part in the training, and what is made of it is NaN."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from sklearn_music import VAE, BetaCVAE, ConvVAE, JointVAE, TrackVAE, VaDE
from sklearn_music.embedding.training import _data, _out_of_core

FEW = {"max_epochs": 2, "batch_size": 16, "random_state": 0, "device": "cpu"}
MISSING = [0, 7, 8, 30, 65]
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings(r"ignore:Got image_shape=\(1, -1\)"),
]


@pytest.fixture
def embedder(any_embedder):
    return any_embedder.set_params(**FEW)


@pytest.fixture
def samples(rng):
    """Samples with some missing among them, and those that are present."""
    X = (5 * rng.standard_normal((66, 30))).astype(np.float32)
    X[MISSING] = np.nan
    return X, np.delete(X, MISSING, axis=0)


def assert_same_training(one, other):
    for (name, part), expected in zip(
        one.net_.module_.named_parameters(), other.net_.module_.parameters(), strict=True
    ):
        np.testing.assert_array_equal(part.detach(), expected.detach(), err_msg=name)
    losses = [fitted.net_.history[:, "train_loss"] for fitted in (one, other)]
    np.testing.assert_array_equal(*losses)
    np.testing.assert_array_equal(one.kl_per_component_, other.kl_per_component_)
    if isinstance(one, TrackVAE):
        np.testing.assert_array_equal(one.band_mean_, other.band_mean_)
        np.testing.assert_array_equal(one.band_scale_, other.band_scale_)


@pytest.mark.parametrize("method", ["fit", "on disk", "partial_fit", "warm start", "DataFrame"])
def test_the_training_is_that_without_them(embedder, method, samples, tmp_path, monkeypatch):
    X, present = samples
    with_missing, without = embedder, clone(embedder)
    if method == "partial_fit":
        with_missing.partial_fit(X).partial_fit(X)
        without.partial_fit(present).partial_fit(present)
    elif method == "warm start":
        with_missing.set_params(warm_start=True).fit(X).fit(X[:40])
        without.set_params(warm_start=True).fit(present).fit(present[:36])
    elif method == "DataFrame":
        names = [f"c{i}" for i in range(30)]
        with_missing.fit(pd.DataFrame(X, columns=names).astype("Float32"))
        without.fit(pd.DataFrame(present, columns=names))
    elif method == "on disk":
        for module in (_out_of_core, _data):
            monkeypatch.setattr(module, "N_BUFFERED", 600)
        X.tofile(tmp_path / "samples")
        with_missing.fit(np.memmap(tmp_path / "samples", np.float32, mode="r", shape=X.shape))
        without.fit(present)
    else:
        with_missing.fit(X)
        without.fit(present)
    assert_same_training(with_missing, without)


def test_what_is_made_of_them_is_nan(embedder, samples):
    X, present = samples
    fitted = clone(embedder).fit(X)
    is_missing = np.isin(np.arange(len(X)), MISSING)
    Z = fitted.transform(X)
    for made, expected in (
        (Z, fitted.transform(present)),
        (fitted.score_samples(X), fitted.score_samples(present)),
        (fitted.inverse_transform(Z), fitted.inverse_transform(fitted.transform(present))),
    ):
        assert made.dtype == np.float32
        assert np.isnan(made[is_missing]).all()
        np.testing.assert_allclose(made[~is_missing], expected, rtol=1e-4, atol=1e-5)
    assert fitted.score(X) == pytest.approx(fitted.score(present), rel=1e-5)
    assert np.isfinite(fitted.score(X))
    assert np.isnan(fitted.transform(X[MISSING])).all()
    assert np.isnan(fitted.score(X[MISSING]))
    if isinstance(embedder, VaDE):
        assert (fitted.labels_[is_missing] == -1).all()
        assert set(fitted.labels_[~is_missing]) <= {0, 1}
        np.testing.assert_array_equal(fitted.predict(X), fitted.labels_)
        np.testing.assert_array_equal(embedder.fit_predict(X), fitted.labels_)
        proba = fitted.predict_proba(X)
        assert np.isnan(proba[is_missing]).all()
        np.testing.assert_allclose(proba[~is_missing].sum(axis=1), 1, rtol=1e-5)


def test_all_samples_are_missing(embedder, no_training):
    with pytest.raises(ValueError, match="All 20 samples of X are missing"):
        embedder.fit(np.full((20, 30), np.nan))


def test_a_sample_that_is_nan_in_part_is_an_error(embedder, samples):
    X, present = samples
    fitted = clone(embedder).fit(present)
    column = 2  # of the input, and of the image if there is one
    X[12, column] = np.nan
    for call in (embedder.fit, fitted.transform, fitted.score_samples, fitted.score):
        with pytest.raises(ValueError, match=f"NaN in row 12, column {column}, in 1 of its"):
            call(X)
    Z = fitted.transform(present)
    Z[4, 1] = np.nan
    with pytest.raises(ValueError, match="NaN in row 4, column 1"):
        fitted.inverse_transform(Z)


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinite_values_are_errors(embedder, bad, samples):
    X, _ = samples
    X[5, 4] = bad
    with pytest.raises(ValueError, match="infinity"):
        embedder.fit(X)


N_PIXELS = 24
IMAGES = {"image_shape": (4, 6), "channels": (4,), **FEW}


@pytest.fixture
def partial(rng):
    """Images with three auxiliary features, of which different parts are missing."""
    X = 5 * rng.standard_normal((30, N_PIXELS + 3))
    X[0] = np.nan
    X[1, :N_PIXELS] = np.nan
    X[2, N_PIXELS:] = np.nan
    X[3, :N_PIXELS] = X[3, -1] = np.nan  # if one auxiliary feature is NaN, they are missing
    return X


def test_a_track_needs_either_part_and_other_samples_their_image(partial):
    track = TrackVAE(3, window_frames=3, **IMAGES).fit_transform(partial)
    assert np.isnan(track).all(axis=1).tolist()[:5] == [True, False, False, True, False]
    joint = JointVAE(3, n_main=N_PIXELS, **FEW).fit_transform(partial)
    np.testing.assert_array_equal(np.isnan(joint), np.isnan(track))
    conv = ConvVAE(3, **IMAGES).fit_transform(partial)
    assert np.isnan(conv).all(axis=1).tolist()[:5] == [True, True, False, True, False]


def test_a_condition_is_unknown_only_where_the_input_is_missing(partial):
    cvae = BetaCVAE(3, condition_features=[25, 26], **IMAGES)
    with pytest.raises(ValueError, match="row 2, column 25, which belongs to the condition"):
        cvae.fit(partial)
    partial[2, N_PIXELS + 1 :] = 0
    Z = cvae.fit_transform(partial)
    assert np.isnan(Z).all(axis=1).tolist()[:5] == [True, True, False, True, False]
    decoded = cvae.inverse_transform(Z, condition=partial[:, 25:])
    assert np.isnan(decoded[[0, 1, 3]]).all()
    with pytest.raises(ValueError, match="condition contains NaN"):
        cvae.inverse_transform(Z[2:3], condition=[[np.nan, 0]])
    dense = BetaCVAE(3, condition_features=[25, 26], **FEW)
    partial[1:4] = 0
    partial[1, :25] = np.nan
    assert np.isnan(dense.fit_transform(partial)).all(axis=1).tolist()[:3] == [True, True, False]


def test_label_leakage_is_measured_without_missing_samples(blobs):
    X, y = blobs
    X = np.hstack([X, np.eye(3)[y]])
    X[::4] = np.nan
    cvae = BetaCVAE(2, condition_features=[10, 11, 12], max_epochs=1)
    assert cvae.fit(X, y).condition_leakage_ == pytest.approx(1)


def test_too_few_samples_are_counted_without_missing_ones(blobs):
    X = blobs[0].copy()
    X[1:] = np.nan
    with pytest.raises(ValueError, match="n_samples=1"):
        VAE(3, early_stopping=True).fit(X)
    with pytest.raises(ValueError, match=r"n_samples=1 .*n_clusters=8"):
        VaDE().fit(X)


def test_empty_clusters_are_counted_without_missing_samples():
    """Their label -1 is no cluster."""
    X = np.ones((20, 4))
    X[::5] = np.nan
    with pytest.warns(UserWarning, match="Only 1 of n_clusters=2"):
        VaDE(2, n_components=2, max_epochs=2, random_state=0).fit(X)


def test_through_a_scaler(samples):
    X, _ = samples
    Z = make_pipeline(StandardScaler(), VAE(3, **FEW)).fit_transform(X)
    assert np.flatnonzero(np.isnan(Z).any(axis=1)).tolist() == MISSING


SIZES = {"channels": (2,), "max_epochs": 1}


@pytest.mark.parametrize(
    ("embedder", "allowed"),
    [
        (VAE(2), False),
        (VaDE(2), False),
        (BetaCVAE(2), False),
        (BetaCVAE(2, image_shape=(2, -1)), False),
        (BetaCVAE(2, image_shape=(2, 2)), True),
        (ConvVAE(2), False),
        (ConvVAE(2, image_shape=np.array([2, 2])), True),
        (JointVAE(2), False),
        (JointVAE(2, n_main=4), True),
        (TrackVAE(2, image_shape=[-1, 2]), False),
        (TrackVAE(2, image_shape=(2, 2)), True),
    ],
    ids=str,
)
def test_the_tag_says_whether_single_columns_may_be_nan(embedder, allowed, rng):
    """As scikit-learn's own checks mean it, which set single numbers to NaN."""
    assert embedder.__sklearn_tags__().input_tags.allow_nan is allowed
    X = rng.standard_normal((20, 6))
    X[0, 5] = np.nan
    embedder = clone(embedder).set_params(max_epochs=1)
    if allowed:
        embedder.fit(X)
    else:
        with pytest.raises(ValueError, match="NaN"):
            embedder.fit(X)


@pytest.mark.parametrize(
    "embedder",
    [
        ConvVAE(2, image_shape=(1, 1), **SIZES),
        JointVAE(2, n_main=1, max_epochs=1),
        TrackVAE(2, image_shape=(1, 1), **SIZES),
    ],
    ids=str,
)
def test_any_number_may_be_nan_behind_a_single_column(embedder):
    for estimator, check in estimator_checks_generator(embedder):
        if check.func.__name__ in ("check_estimators_nan_inf", "check_estimators_pickle"):
            check(estimator)
