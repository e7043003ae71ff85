"""A sample that is missing takes no part in the training, and what is made of it is NaN."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from sklearn_music import VAE, BetaCVAE, ConvVAE, TrackVAE, VaDE
from sklearn_music.embedding import _mapped_rows, _training

FEW = {"max_epochs": 3, "batch_size": 16, "random_state": 0, "device": "cpu"}
EMBEDDERS = {
    "VAE": VAE(3, n_neighbors=3, **FEW),
    "VAE, early stopping": VAE(3, early_stopping=True, n_iter_no_change=1, **FEW),
    "VaDE": VaDE(2, n_components=3, pretrain_epochs=1, n_init=1, **FEW),
    "ConvVAE": ConvVAE(3, image_shape=(4, 6), channels=(4,), **FEW),
    "BetaCVAE": BetaCVAE(3, condition_features=[0, 3], **FEW),
    "BetaCVAE, image": BetaCVAE(
        3, condition_features=[0, 3], image_shape=(4, 6), channels=(4,), **FEW
    ),
    "TrackVAE": TrackVAE(3, image_shape=(4, 6), window_frames=3, channels=(4,), **FEW),
    "TrackVAE, no side": TrackVAE(3, image_shape=(5, 6), window_frames=3, channels=(4,), **FEW),
}
MISSING = [0, 7, 8, 30, 65]
embedders = pytest.mark.parametrize("embedder", EMBEDDERS.values(), ids=EMBEDDERS)
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings(r"ignore:Got image_shape=\(1, -1\)"),
]


@pytest.fixture
def rows(rng):
    """Samples with some missing among them, and those that are there."""
    X = (5 * rng.standard_normal((66, 30))).astype(np.float32)
    X[MISSING] = np.nan
    return X, np.delete(X, MISSING, axis=0)


def weights(embedder):
    return [
        part.detach().numpy() for part in embedder.net_.module_.state_dict().values()
    ], embedder.net_.history[:, "train_loss"]


@embedders
@pytest.mark.parametrize("way", ["fit", "on disk", "partial_fit", "warm start", "DataFrame"])
def test_the_training_is_that_without_them(embedder, way, rows, tmp_path, monkeypatch):
    X, present = rows
    with_them, without = clone(embedder), clone(embedder)
    if way == "partial_fit":
        for _ in range(2):
            with_them.partial_fit(X)
            without.partial_fit(present)
    elif way == "warm start":
        with_them.set_params(warm_start=True).fit(X).fit(X[:40])
        without.set_params(warm_start=True).fit(present).fit(present[:36])
    elif way == "DataFrame":
        names = [f"c{i}" for i in range(30)]
        with_them.fit(pd.DataFrame(X, columns=names).astype("Float32"))
        without.fit(pd.DataFrame(present, columns=names))
    elif way == "on disk":
        for module in (_mapped_rows, _training):
            monkeypatch.setattr(module, "N_BUFFERED", 600)
        X.tofile(tmp_path / "rows")
        with_them.fit(np.memmap(tmp_path / "rows", np.float32, mode="r", shape=X.shape))
        without.fit(present)
    else:
        with_them.fit(X)
        without.fit(present)
    for ours, theirs in zip(weights(with_them), weights(without), strict=True):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(with_them.kl_per_component_, without.kl_per_component_)
    if "Track" in str(embedder):
        np.testing.assert_array_equal(with_them.band_mean_, without.band_mean_)
        np.testing.assert_array_equal(with_them.band_scale_, without.band_scale_)


@embedders
def test_what_is_made_of_them_is_nan(embedder, rows):
    X, present = rows
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
        np.testing.assert_array_equal(clone(embedder).fit_predict(X), fitted.labels_)
        proba = fitted.predict_proba(X)
        assert np.isnan(proba[is_missing]).all()
        np.testing.assert_allclose(proba[~is_missing].sum(axis=1), 1, rtol=1e-5)


@embedders
def test_nothing_is_there(embedder, monkeypatch):
    monkeypatch.setattr(_training.EmbeddingNet, "initialize", lambda self: pytest.fail("trains"))
    with pytest.raises(ValueError, match="All 20 samples of X are missing"):
        clone(embedder).fit(np.full((20, 30), np.nan))


@embedders
def test_a_sample_that_is_nan_in_part_is_an_error(embedder, rows):
    X, present = rows
    fitted = clone(embedder).fit(present)
    column = 2  # of the input, of the image
    X[12, column] = np.nan
    for call in (clone(embedder).fit, fitted.transform, fitted.score_samples, fitted.score):
        with pytest.raises(ValueError, match=f"NaN in row 12, column {column}, in 1 of its"):
            call(X)
    Z = fitted.transform(present)
    Z[4, 1] = np.nan
    with pytest.raises(ValueError, match="NaN in row 4, column 1"):
        fitted.inverse_transform(Z)


def test_what_no_track_can_do_without(rng):
    """A track of TrackVAE can do with either part, those of the others need their image."""
    n_pixels = 24
    X = 5 * rng.standard_normal((30, 27))
    X[0] = np.nan
    X[1, :n_pixels] = np.nan
    X[2, n_pixels:] = np.nan
    X[3, :n_pixels] = X[3, -1] = np.nan  # side features of which one is NaN are missing
    params = {"image_shape": (4, 6), "channels": (4,), **FEW}
    track = TrackVAE(3, window_frames=3, **params).fit_transform(X)
    assert np.isnan(track).all(axis=1).tolist()[:5] == [True, False, False, True, False]
    conv = ConvVAE(3, **params).fit_transform(X)
    assert np.isnan(conv).all(axis=1).tolist()[:5] == [True, True, False, True, False]
    # A condition places no track, and may be unknown where the rest is.
    conditional = BetaCVAE(3, condition_features=[25, 26], **params)
    with pytest.raises(ValueError, match="row 2, column 25, which belongs to the condition"):
        conditional.fit(X)
    X[2, n_pixels + 1 :] = 0
    Z = conditional.fit_transform(X)
    assert np.isnan(Z).all(axis=1).tolist()[:5] == [True, True, False, True, False]
    assert np.isnan(conditional.inverse_transform(Z, condition=X[:, 25:])[[0, 1, 3]]).all()
    with pytest.raises(ValueError, match="condition contains NaN"):
        conditional.inverse_transform(Z[2:3], condition=[[np.nan, 0]])
    dense = BetaCVAE(3, condition_features=[25, 26], **FEW)
    X[1:4, :n_pixels] = 0
    X[1:4, n_pixels:] = 0
    X[1, :25] = np.nan
    assert np.isnan(dense.fit_transform(X)).all(axis=1).tolist()[:3] == [True, True, False]


def test_a_leak_is_measured_over_those_that_are_there(blobs):
    X, y = blobs
    X = np.hstack([X, np.eye(3)[y]])
    X[::4] = np.nan
    cvae = BetaCVAE(2, condition_features=[10, 11, 12], max_epochs=1)
    assert cvae.fit(X, y).condition_leakage_ == pytest.approx(1)


def test_early_stopping_and_clusters_count_those_that_are_there(blobs):
    X = blobs[0].copy()
    X[1:] = np.nan
    with pytest.raises(ValueError, match="n_samples=1"):
        VAE(3, early_stopping=True).fit(X)
    with pytest.raises(ValueError, match="n_samples=1 rows for n_clusters=8"):
        VaDE().fit(X)


def test_missing_clusters_are_counted_without_the_missing(blobs):
    """Else the -1 of the missing would pass for the cluster that has no samples."""
    X = np.ones((20, 4))
    X[::5] = np.nan
    with pytest.warns(UserWarning, match="Only 1 of n_clusters=2"):
        VaDE(2, n_components=2, max_epochs=2, random_state=0).fit(X)


def test_through_a_scaler(rows):
    X, _ = rows
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
        (TrackVAE(2, image_shape=[-1, 2]), False),
        (TrackVAE(2, image_shape=(2, 2)), True),
    ],
    ids=str,
)
def test_the_tag_tells_whether_single_columns_may_be_nan(embedder, allowed, rng):
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
    [ConvVAE(2, image_shape=(1, 1), **SIZES), TrackVAE(2, image_shape=(1, 1), **SIZES)],
    ids=str,
)
def test_any_number_may_be_nan_behind_a_single_pixel(embedder):
    for estimator, check in estimator_checks_generator(embedder):
        if check.func.__name__ in ("check_estimators_nan_inf", "check_estimators_pickle"):
            check(estimator)


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
@embedders
def test_infinite_values_are_refused(embedder, bad, rows):
    X, _ = rows
    X[5, 4] = bad
    with pytest.raises(ValueError, match="infinity"):
        clone(embedder).fit(X)
