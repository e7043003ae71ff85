"""TrackVAE: windows, levels and padding, the contrastive losses, what is missing."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import PowerTransformer, RobustScaler, StandardScaler, normalize

from sklearn_music import TrackVAE
from sklearn_music.exceptions import PosteriorCollapseWarning

SHAPE = (8, 40)
TINY = {"image_shape": SHAPE, "window_frames": 8, "channels": (8, 8), "batch_size": 20, "lr": 0.01}


@pytest.fixture
def tracks(rng):
    """Spectrograms of four kinds, bright in other bands: X (80, 8 * 40) in dB, labels."""
    labels = np.arange(80) % 4
    pictures = -40 + 3 * rng.standard_normal((80, *SHAPE))
    for kind in range(4):
        pictures[labels == kind, 2 * kind : 2 * kind + 2] += 12
    return pictures.reshape(80, -1).astype(np.float32), labels


@pytest.fixture
def hybrid(tracks, rng):
    """The same with three auxiliary features that differ between the kinds too."""
    X, labels = tracks
    auxiliary = np.eye(4)[labels][:, :3] + 0.05 * rng.standard_normal((80, 3))
    return np.hstack([X, auxiliary]).astype(np.float32), labels


def clusters(Z, n_clusters=4):
    return KMeans(n_clusters, n_init=10, random_state=0).fit_predict(Z)


def test_finds_the_kinds(tracks):
    X, labels = tracks
    vae = TrackVAE(4, max_epochs=10, random_state=0, **TINY).fit(X)
    assert adjusted_rand_score(labels, clusters(vae.transform(X))) == 1
    assert vae.image_shape_ == SHAPE
    assert {"reconstruction", "kl", "contrastive"} <= vae.history_[-1].keys()


def test_bands_are_standardised_over_all_tracks(tracks):
    X, _ = tracks
    vae = TrackVAE(2, max_epochs=1, random_state=0, **TINY).fit(X)
    bands = X.reshape(80, *SHAPE).transpose(1, 0, 2).reshape(8, -1)
    np.testing.assert_allclose(vae.band_mean_, bands.mean(axis=1), rtol=1e-4)
    np.testing.assert_allclose(vae.band_scale_, bands.std(axis=1), rtol=1e-4)


def test_the_level_of_a_track_makes_no_difference(tracks):
    X, _ = tracks
    vae = TrackVAE(2, max_epochs=1, random_state=0, **TINY).fit(X)
    # The level is that of standardised bands: it changes each by its standard deviation.
    louder = X + np.repeat(vae.band_scale_, SHAPE[1]).astype(np.float32)
    np.testing.assert_allclose(vae.transform(louder), vae.transform(X), atol=1e-4)


def test_padding_makes_no_difference(tracks):
    X = tracks[0].copy()
    vae = TrackVAE(2, max_epochs=1, random_state=0, **TINY).fit(X)
    images = X.reshape(-1, *SHAPE)
    images[:, :, 21:] = -80
    by_floor = vae.transform(X)
    images[:, :, 21:] = -100
    np.testing.assert_array_equal(vae.transform(X), by_floor)
    images[:, :, 20] = 0
    assert np.abs(vae.transform(X) - by_floor).max() > 1e-3


def test_a_track_shorter_than_a_window_is_repeated(tracks):
    X = tracks[0].copy()
    vae = TrackVAE(2, max_epochs=1, random_state=0, **TINY).fit(X)
    images = X.reshape(-1, *SHAPE)
    images[:, :, 4:8] = images[:, :, :4]
    images[:, :, 8:] = -80
    repeated = vae.transform(X)
    images[:, :, 4:8] = -80
    np.testing.assert_allclose(vae.transform(X), repeated, atol=1e-5)


def test_silent_tracks_and_spectrograms_narrower_than_a_window():
    X = np.zeros((5, 12), dtype=np.float32)
    vae = TrackVAE(2, image_shape=(4, 3), max_epochs=1, random_state=0).fit(X)
    assert np.isfinite(vae.transform(X)).all()
    assert vae.inverse_transform(vae.transform(X)).shape == (5, 12)


def test_the_contrastive_loss_brings_windows_of_a_track_together(rng):
    # The tracks differ in one band only, the notes fall anywhere.
    images = rng.standard_normal((60, *SHAPE)).astype(np.float32)
    images[:, 0] += rng.standard_normal((60, 1))

    def ratio(contrastive_weight):
        vae = TrackVAE(
            4,
            beta=0.1,
            max_epochs=30,
            contrastive_weight=contrastive_weight,
            random_state=0,
            **TINY,
        )
        vae.fit(images.reshape(60, -1))
        halves = [vae.transform(np.tile(h, 2).reshape(60, -1)) for h in np.split(images, 2, axis=2)]
        within = np.linalg.norm(halves[0] - halves[1], axis=1).mean()
        return within / np.linalg.norm(halves[0] - rng.permutation(halves[1]), axis=1).mean()

    assert ratio(1000) < 0.8 * ratio(0)


@pytest.mark.parametrize("n_tracks", [1, 2])
def test_one_or_two_tracks(tracks, n_tracks):
    X = tracks[0][:n_tracks]
    vae = TrackVAE(2, max_epochs=4, random_state=0, **TINY)
    assert np.isfinite(vae.fit_transform(X)).all()


def test_a_decoded_track_repeats_one_window(tracks):
    X, labels = tracks
    vae = TrackVAE(4, max_epochs=20, beta=0.1, contrastive_weight=10, random_state=0, **TINY).fit(X)
    images = vae.inverse_transform(vae.transform(X)).reshape(-1, *SHAPE)
    np.testing.assert_array_equal(images[:, :, :8], images[:, :, 8:16])
    levels = images[labels == 1].mean(axis=(0, 2))
    assert levels[2:4].min() > np.delete(levels, [2, 3]).max() + 5  # dB
    assert vae.sample(3, random_state=0).shape == (3, X.shape[1])


def test_decoding_at_the_level_of_the_track(tracks):
    X, _ = tracks
    vae = TrackVAE(2, max_epochs=1, random_state=0, **TINY).fit(X)
    louder = vae.levels(X + 6) - vae.levels(X)
    np.testing.assert_allclose(louder, 6 * (1 / vae.band_scale_).mean(), rtol=1e-4)
    Z = vae.transform(X)
    images = vae.inverse_transform(Z, vae.levels(X)) - vae.inverse_transform(Z)
    expected = vae.levels(X)[:, None] * vae.band_scale_.repeat(SHAPE[1])
    np.testing.assert_allclose(images, expected, atol=1e-4)
    np.testing.assert_array_equal(
        vae.inverse_transform(Z, 1), vae.inverse_transform(Z, np.ones(80))
    )
    with pytest.raises(ValueError, match=r"shape \(3,\).*80 tracks"):
        vae.inverse_transform(Z, np.ones(3))


def test_a_track_without_a_spectrogram_has_no_level(hybrid):
    X, _ = hybrid
    X[0, : np.prod(SHAPE)] = np.nan
    vae = TrackVAE(2, max_epochs=1, random_state=0, **TINY).fit(X)
    assert np.isnan(vae.levels(X)).tolist() == [True] + [False] * 79
    Z = vae.transform(X)
    images = [vae.inverse_transform(Z, level)[0] for level in (vae.levels(X), 0)]
    np.testing.assert_array_equal(*images)


def test_music_scores_higher_than_noise(tracks, rng):
    X, _ = tracks
    vae = TrackVAE(4, max_epochs=10, random_state=0, **TINY).fit(X)
    noise = X.mean() + 30 * rng.standard_normal(X.shape)
    assert vae.score_samples(X).min() > vae.score_samples(noise).max()
    assert vae.score(X) == pytest.approx(vae.score_samples(X).mean())


def test_either_part_may_be_missing(hybrid, rng):
    X, labels = hybrid
    n_pixels = np.prod(SHAPE)
    partial = X.copy()
    partial[rng.random(80) < 0.4, n_pixels:] = np.nan
    has_auxiliary = ~np.isnan(partial[:, -1])
    partial[has_auxiliary & (rng.random(80) < 0.3), :n_pixels] = np.nan
    vae = TrackVAE(4, auxiliary_weight=30, max_epochs=60, random_state=0, **TINY)
    whole = clusters(vae.fit_transform(X))
    assert adjusted_rand_score(labels, whole) == 1
    Z = vae.fit_transform(partial)
    assert np.isfinite(Z).all()
    assert adjusted_rand_score(labels, clusters(Z)) > 0.8


def test_the_cross_modal_loss_pulls_audio_and_auxiliary_features_together(hybrid):
    X, _ = hybrid
    n_pixels = np.prod(SHAPE)
    audio, auxiliary = X.copy(), X.copy()
    audio[:, n_pixels:] = np.nan
    auxiliary[:, :n_pixels] = np.nan

    def cosine(cross_modal_weight):
        vae = TrackVAE(4, max_epochs=20, beta=4, random_state=0, **TINY)
        vae.set_params(cross_modal_weight=cross_modal_weight).fit(X)
        assert ("cross_modal" in vae.history_[0]) == (cross_modal_weight > 0)
        pairs = (normalize(vae.transform(part)) for part in (audio, auxiliary))
        return np.multiply(*pairs).sum(axis=1).mean()

    assert cosine(1) > cosine(0) + 0.05


def test_no_track_has_a_spectrogram(hybrid):
    X = hybrid[0].copy()
    X[:, : np.prod(SHAPE)] = np.nan
    vae = TrackVAE(2, max_epochs=2, random_state=0, **TINY).fit(X)
    assert np.isfinite(vae.transform(X)).all()


def test_a_warm_start_may_change_the_weights_of_the_loss(hybrid):
    X, _ = hybrid
    vae = TrackVAE(2, max_epochs=1, warm_start=True, random_state=0, **TINY).fit(X)
    vae.set_params(contrastive_weight=0, augmentation=0, auxiliary_weight=1).fit(X)
    assert ["contrastive" in epoch for epoch in vae.history_] == [True, False]
    vae.set_params(contrastive_weight=300).fit(X)
    assert "contrastive" in vae.history_[-1]


def test_the_warning_of_a_collapse_has_the_number_of_steps(tracks):
    X, _ = tracks
    vae = TrackVAE(8, beta=0, contrastive_weight=0, lr=1e-5, max_epochs=3, random_state=0)
    vae.set_params(image_shape=SHAPE, window_frames=8, channels=(8,), batch_size=20)
    with pytest.warns(PosteriorCollapseWarning, match="more than these 12 steps") as caught:
        vae.fit(X)
    assert "lower beta" not in str(caught[0].message)


@pytest.mark.parametrize(("n_tracks", "batch_size"), [(10, 8), (80, 11), (480, 64)])
def test_batch_size_auto_follows_the_number_of_tracks(tracks, n_tracks, batch_size):
    X = np.resize(tracks[0], (n_tracks, tracks[0].shape[1]))
    vae = TrackVAE(2, image_shape=SHAPE, channels=(2,), max_epochs=1, random_state=0).fit(X)
    assert vae.net_.history[0, "train_batch_count"] == -(-n_tracks // batch_size)


def test_no_image_shape_is_a_warning(tracks):
    with pytest.warns(UserWarning, match=r"one band.*\(n_mels, -1\).*\(1, 320\)"):
        TrackVAE(2, max_epochs=1, channels=(2,)).fit(tracks[0])


def padded(X):
    """Give the tracks different lengths, with silence behind them."""
    images = X.copy().reshape(-1, *SHAPE)
    for i, image in enumerate(images):
        image[:, 20 + i % 20 :] = -80
    return images.reshape(X.shape)


@pytest.mark.parametrize(
    ("scaler", "with_auxiliary"),
    [
        (StandardScaler(), False),
        (StandardScaler(), True),
        (RobustScaler(), False),
        (RobustScaler(), True),
        (PowerTransformer(), True),
    ],
    ids=str,
)
def test_columns_that_were_scaled_are_a_warning(hybrid, scaler, with_auxiliary):
    """A scaler makes the frames of the padding differ, so the padding is no longer found."""
    X, _ = hybrid
    n_pixels = np.prod(SHAPE)
    images = padded(X[:, :n_pixels])
    auxiliary = X[:, n_pixels:]
    if with_auxiliary:
        images[:3] = np.nan
    else:
        auxiliary = auxiliary[:, :0]
    X = np.hstack([clone(scaler).fit_transform(images), auxiliary])
    vae = TrackVAE(2, max_epochs=1, random_state=0, **TINY)
    with pytest.warns(UserWarning, match="scaled by itself.*as SpectrogramExtractor makes them"):
        vae.fit(X)


@pytest.mark.parametrize(
    "change",
    [
        lambda X: X,
        padded,
        lambda X: (X - X.mean()) / X.std(),  # all columns in the same way
        lambda X: np.full_like(X, -80),
        lambda X: X[:2],
        lambda X: X[:1],
    ],
)
def test_columns_that_were_not_scaled_one_by_one_are_fine(tracks, change):
    TrackVAE(2, max_epochs=1, random_state=0, **TINY).fit(change(tracks[0]))


def test_early_stopping_and_checkpoints(tracks, tmp_path):
    X, _ = tracks
    vae = TrackVAE(2, max_epochs=3, random_state=0, **TINY)
    stopped = clone(vae).set_params(early_stopping=True).fit(X)
    assert "valid_loss" in stopped.history_[0]
    kept = clone(vae).set_params(checkpoint_dir=tmp_path).fit(X)
    np.testing.assert_array_equal(kept.transform(X), vae.fit(X).transform(X))


@pytest.mark.parametrize("decoder_variance", ["learned", "optimal"])
def test_the_noise_variance_does_not_depend_on_the_weights(hybrid, rng, decoder_variance):
    X, _ = hybrid
    vae = TrackVAE(4, beta=4, cross_modal_weight=0, max_epochs=20, random_state=0, **TINY)
    vae.set_params(decoder_variance=decoder_variance)
    plain, weighted = (clone(vae).set_params(auxiliary_weight=w).fit(X) for w in (1, 1000))
    # Noise is a quarter of the variance of each standardised band: 9 of 36 dB².
    assert 0.2 < plain.noise_variance_ < 1
    assert 0.1 < weighted.noise_variance_ < 3
