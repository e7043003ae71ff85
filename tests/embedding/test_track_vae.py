import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, pairwise_distances
from sklearn.preprocessing import PowerTransformer, RobustScaler, StandardScaler, normalize
from sklearn_music.embedding._track_network import frames_before_padding, product

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
    """The same with three side features that tell the kinds, too."""
    X, labels = tracks
    side = np.eye(4)[labels][:, :3] + 0.05 * rng.standard_normal((80, 3))
    return np.hstack([X, side]).astype(np.float32), labels


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
    # To each band as much as it is divided by later: the level is one of standardised bands.
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


@settings(max_examples=50)
@given(
    images=arrays(np.float32, (3, 2, 6), elements=st.integers(0, 2).map(np.float32)),
    n_padding=st.integers(0, 5),
)
def test_length_of_a_padded_spectrogram(images, n_padding):
    images[:, 0, 5 - n_padding] = 7  # the last frame of the track differs from the padding
    images[:, :, 6 - n_padding :] = -80
    lengths = frames_before_padding(torch.from_numpy(images))
    # One frame that equals nothing may as well be of the track.
    expected = 6 if n_padding == 1 else 6 - n_padding
    assert lengths.tolist() == [expected] * 3


def test_product_of_experts_is_that_of_densities():
    experts = [(2.0, 0.5), (-1.0, 4.0)]  # mean, precision
    precisions = [torch.tensor([[p]]) for _, p in experts]
    mean, log_variance = product(
        *((p, p * m) for p, (m, _) in zip(precisions, experts, strict=True))
    )
    z = np.linspace(-8, 8, 20001)
    density = multivariate_normal(0, 1).pdf(z)
    for m, p in experts:
        density = density * multivariate_normal(m, 1 / p).pdf(z)
    density /= density.sum()
    assert mean.item() == pytest.approx((z * density).sum(), abs=1e-4)
    variance = (z**2 * density).sum() - (z * density).sum() ** 2
    assert log_variance.exp().item() == pytest.approx(variance, abs=1e-4)


def test_consistency_brings_windows_of_a_track_together(rng):
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


def test_neighbors_bring_kinds_together(tracks, rng):
    X, labels = tracks
    # Each track has a colour of its own, too, which its windows know it by.
    X = X + 6 * rng.standard_normal((80, 8)).repeat(40, axis=1)

    def ratio(n_neighbors):
        vae = TrackVAE(4, n_neighbors=n_neighbors, max_epochs=20, random_state=0, **TINY)
        distances = pairwise_distances(vae.fit_transform(X))
        alike = labels[:, None] == labels
        return distances[alike].mean() / distances[~alike].mean()

    assert ratio(5) < 0.9 * ratio(0)


@pytest.mark.parametrize("n_rows", [1, 2])
def test_fewer_tracks_than_neighbors(tracks, n_rows):
    X = tracks[0][:n_rows]
    vae = TrackVAE(2, max_epochs=4, random_state=0, **TINY)
    assert np.isfinite(vae.fit_transform(X)).all()


def test_reconstruction_repeats_one_window(tracks):
    X, labels = tracks
    vae = TrackVAE(4, max_epochs=20, beta=0.1, contrastive_weight=10, random_state=0, **TINY).fit(X)
    images = vae.inverse_transform(vae.transform(X)).reshape(-1, *SHAPE)
    np.testing.assert_array_equal(images[:, :, :8], images[:, :, 8:16])
    levels = images[labels == 1].mean(axis=(0, 2))
    assert levels[2:4].min() > np.delete(levels, [2, 3]).max() + 5  # dB
    assert vae.sample(3, random_state=0).shape == (3, X.shape[1])


def test_reconstruction_at_the_level_of_the_track(tracks):
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


def test_score_tells_music_from_noise(tracks, rng):
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
    has_side = ~np.isnan(partial[:, -1])
    partial[has_side & (rng.random(80) < 0.3), :n_pixels] = np.nan
    vae = TrackVAE(4, auxiliary_weight=30, max_epochs=60, random_state=0, **TINY)
    whole = clusters(vae.fit_transform(X))
    assert adjusted_rand_score(labels, whole) == 1
    Z = vae.fit_transform(partial)
    assert np.isfinite(Z).all()
    assert adjusted_rand_score(labels, clusters(Z)) > 0.8


def test_a_window_finds_the_side_features_of_its_track(hybrid):
    X, _ = hybrid
    n_pixels = np.prod(SHAPE)
    audio, side = X.copy(), X.copy()
    audio[:, n_pixels:] = np.nan
    side[:, :n_pixels] = np.nan

    def cosine(cross_modal_weight):
        vae = TrackVAE(4, max_epochs=20, beta=4, random_state=0, **TINY)
        vae.set_params(cross_modal_weight=cross_modal_weight).fit(X)
        assert ("cross_modal" in vae.history_[0]) == (cross_modal_weight > 0)
        pairs = (normalize(vae.transform(part)) for part in (audio, side))
        return np.multiply(*pairs).sum(axis=1).mean()

    assert cosine(1) > cosine(0) + 0.05


def test_no_track_has_a_spectrogram(hybrid):
    X = hybrid[0].copy()
    X[:, : np.prod(SHAPE)] = np.nan
    vae = TrackVAE(2, max_epochs=2, random_state=0, **TINY).fit(X)
    assert np.isfinite(vae.transform(X)).all()


def test_half_a_spectrogram_is_an_error(hybrid):
    X = hybrid[0].copy()
    X[3, 5] = np.nan
    with pytest.raises(ValueError, match="row 3, column 5, in 1 of its 320 pixels"):
        TrackVAE(2, **TINY).fit(X)


def test_a_warm_start_with_another_image_is_an_error(tracks):
    X, _ = tracks
    vae = TrackVAE(2, max_epochs=1, warm_start=True, random_state=0, **TINY).fit(X)
    with pytest.raises(ValueError, match=r"image_shape from \[8, 40\] to \[4, 80\]"):
        vae.set_params(image_shape=(4, 80)).fit(X)


def test_a_warm_start_may_change_what_is_of_the_training(hybrid):
    X, _ = hybrid
    vae = TrackVAE(2, max_epochs=1, warm_start=True, random_state=0, **TINY).fit(X)
    vae.set_params(contrastive_weight=0, augmentation=0, auxiliary_weight=1).fit(X)
    assert ["contrastive" in epoch for epoch in vae.history_] == [True, False]
    vae.set_params(contrastive_weight=300).fit(X)
    assert "contrastive" in vae.history_[-1]


def test_a_collapse_of_few_steps_says_how_few(tracks):
    X, _ = tracks
    vae = TrackVAE(8, beta=0, contrastive_weight=0, lr=1e-5, max_epochs=3, random_state=0)
    vae.set_params(image_shape=SHAPE, window_frames=8, channels=(8,), batch_size=20)
    with pytest.warns(PosteriorCollapseWarning, match="more than these 12 steps") as caught:
        vae.fit(X)
    assert "lower beta" not in str(caught[0].message)


@pytest.mark.parametrize(("n_rows", "n_rows_per_step"), [(10, 8), (80, 11), (480, 64)])
def test_few_tracks_make_as_many_steps(tracks, n_rows, n_rows_per_step):
    X = np.resize(tracks[0], (n_rows, tracks[0].shape[1]))
    vae = TrackVAE(2, image_shape=SHAPE, channels=(2,), max_epochs=1, random_state=0).fit(X)
    assert vae.net_.history[0, "train_batch_count"] == -(-n_rows // n_rows_per_step)


def test_no_image_shape_is_a_warning(tracks):
    with pytest.warns(UserWarning, match=r"one band.*\(n_mels, -1\).*\(1, 320\)"):
        TrackVAE(2, max_epochs=1, channels=(2,)).fit(tracks[0])


def padded(X):
    """Give the tracks lengths of their own, with silence behind them."""
    images = X.copy().reshape(-1, *SHAPE)
    for i, image in enumerate(images):
        image[:, 20 + i % 20 :] = -80
    return images.reshape(X.shape)


@pytest.mark.parametrize(
    "scaler", [StandardScaler(), RobustScaler(), PowerTransformer(method="yeo-johnson")], ids=str
)
@pytest.mark.parametrize("with_side", [False, True])
def test_columns_that_were_scaled_are_said(hybrid, scaler, with_side):
    """A scaler before it takes from silence what tells it: that one frame is as the other."""
    X, _ = hybrid
    n_pixels = np.prod(SHAPE)
    images = padded(X[:, :n_pixels])
    if with_side:
        images[:3] = np.nan
    rows = [scaler.fit_transform(images), X[:, n_pixels : X.shape[1] if with_side else n_pixels]]
    vae = TrackVAE(2, max_epochs=1, random_state=0, **TINY)
    with pytest.warns(UserWarning, match="scaled by itself.*as SpectrogramExtractor makes them"):
        vae.fit(np.hstack(rows))


@pytest.mark.parametrize(
    "change",
    [
        lambda X: X,
        padded,
        lambda X: (X - X.mean()) / X.std(),  # all of them alike
        lambda X: np.full_like(X, -80),
        lambda X: X[:2],
        lambda X: X[:1],
    ],
)
def test_columns_that_were_not_scaled_one_by_one_are_fine(tracks, change):
    TrackVAE(2, max_epochs=1, random_state=0, **TINY).fit(change(tracks[0]))


def test_validation_rows_and_checkpoints(tracks, tmp_path):
    X, _ = tracks
    vae = TrackVAE(2, max_epochs=3, random_state=0, **TINY)
    stopped = clone(vae).set_params(early_stopping=True).fit(X)
    assert "valid_loss" in stopped.history_[0]
    kept = clone(vae).set_params(checkpoint_dir=tmp_path).fit(X)
    np.testing.assert_array_equal(kept.transform(X), vae.fit(X).transform(X))


@pytest.mark.parametrize("decoder_variance", ["learned", "optimal"])
def test_noise_variance_is_that_of_the_numbers_not_of_the_weights(hybrid, rng, decoder_variance):
    X, _ = hybrid
    vae = TrackVAE(4, beta=4, cross_modal_weight=0, max_epochs=20, random_state=0, **TINY)
    vae.set_params(decoder_variance=decoder_variance)
    plain, weighed = (clone(vae).set_params(auxiliary_weight=w).fit(X) for w in (1, 1000))
    # Of standardised bands that hold noise for the most part.
    assert 0.3 < plain.noise_variance_ < 1.5
    assert 0.1 < weighed.noise_variance_ < 3
