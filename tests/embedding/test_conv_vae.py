"""ConvVAE: images of any shape, auxiliary features, what is missing."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_music import VAE, BetaCVAE, ConvVAE, SpectrogramExtractor
from sklearn_music.datasets import make_music
from sklearn_music.metrics import CLUSTERING_SCORERS


@pytest.fixture
def images(rng):
    """Spectrograms of two kinds, bright below or above: X (80, 8 * 11), labels."""
    labels = np.arange(80) % 2
    pictures = 0.3 * rng.standard_normal((80, 8, 11))
    pictures[labels == 0, :4] += 1.5
    pictures[labels == 1, 4:] += 1.5
    return pictures.reshape(80, -1).astype(np.float32), labels


def test_finds_the_kinds(images):
    X, labels = images
    vae = ConvVAE(2, image_shape=(8, 11), channels=(8, 16), max_epochs=30, batch_size=16)
    vae.set_params(random_state=0).fit(X)
    clusters = KMeans(2, n_init=5, random_state=0).fit_predict(vae.transform(X))
    assert adjusted_rand_score(labels, clusters) == 1
    assert vae.image_shape_ == (8, 11)
    # The reconstruction is that of the sample, not of the mean over samples.
    error = np.square(X - vae.inverse_transform(vae.transform(X))).sum()
    assert error < 0.6 * np.square(X - X.mean(axis=0)).sum()


@pytest.mark.parametrize("shape", [(8, -1), (-1, 11), (8, 11), [8, 11], np.array([8, 11])])
def test_one_size_may_be_left_open(images, shape):
    vae = ConvVAE(2, image_shape=shape, channels=(2,), max_epochs=1).fit(images[0])
    assert vae.image_shape_ == (8, 11)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((128, 640), r"image_shape=\(128, 640\), which needs 81920 columns, but X has 88"),
        ((7, -1), "needs a multiple of 7 columns, but X has 88"),
    ],
)
def test_the_error_of_a_wrong_shape_has_both_numbers(images, shape, message):
    with pytest.raises(ValueError, match=message):
        ConvVAE(2, image_shape=shape).fit(images[0])


@pytest.mark.parametrize("embedder", [ConvVAE(2), BetaCVAE(2, image_shape=(1, -1))], ids=str)
def test_an_image_of_one_band_is_a_warning(images, embedder):
    embedder = clone(embedder).set_params(channels=(2,), max_epochs=1)
    with pytest.warns(UserWarning, match=r"one band.*\(n_mels, -1\).*\(1, 88\)"):
        embedder.fit(images[0])
    embedder.set_params(image_shape=(1, 88)).fit(images[0])  # warnings are errors


def test_the_latent_space_represents_the_auxiliary_features(images, rng):
    """Two kinds of images and, independently, two kinds of lyrics: four kinds of samples."""
    X, kinds = images
    lyrics = rng.integers(2, size=80)
    auxiliary = 1.5 * np.where(lyrics == 0, -1, 1)[:, None] + 0.1 * rng.standard_normal((80, 4))
    samples = np.hstack([X, auxiliary])
    vae = ConvVAE(
        4, image_shape=(8, 11), channels=(8,), auxiliary_weight=10, beta=0.5, max_epochs=40
    )
    Z = vae.set_params(random_state=0, batch_size=16).fit_transform(samples)
    clusters = KMeans(4, n_init=10, random_state=0).fit_predict(Z)
    assert adjusted_rand_score(2 * kinds + lyrics, clusters) > 0.9
    assert vae.inverse_transform(Z).shape == samples.shape


def test_missing_auxiliary_features_are_left_out_and_are_no_zeros(images, rng):
    X, _ = images
    auxiliary = 1 + rng.standard_normal((80, 4))
    samples = np.hstack([X, auxiliary]).astype(np.float32)
    samples[::3, -4:] = np.nan
    vae = ConvVAE(3, image_shape=(8, 11), channels=(4,), auxiliary_weight=5, max_epochs=5)
    vae.set_params(random_state=0).fit(samples)
    Z = vae.transform(samples)
    assert np.isfinite(Z).all()
    assert np.isfinite(vae.score_samples(samples)).all()
    assert np.isfinite([epoch["train_loss"] for epoch in vae.history_]).all()
    # The decoder fills in what is missing.
    assert np.isfinite(vae.inverse_transform(Z)).all()
    zeros = np.where(np.isnan(samples), 0, samples)
    assert not np.allclose(vae.transform(zeros)[::3], Z[::3])
    np.testing.assert_allclose(vae.transform(zeros)[1::3], Z[1::3], atol=1e-5)


def test_nan_in_the_image_is_an_error(images):
    X = images[0].copy()
    X[3, 5] = np.nan
    with pytest.raises(ValueError, match="NaN in row 3, column 5, in 1 of its 88 pixels"):
        ConvVAE(2, image_shape=(8, 11)).fit(X)
    with pytest.raises(
        ValueError, match=r"1 of its 80 pixels.* Only auxiliary features \(columns 80 to 87\)"
    ):
        ConvVAE(2, image_shape=(8, 10)).fit(X)


def test_the_embedders_and_pca_in_one_grid(tmp_path):
    music = make_music(24, duration=1.0, directory=tmp_path / "audio", random_state=0)
    mel = SpectrogramExtractor(n_mels=64, hop_length=2048, memory=tmp_path / "cache")
    pipe = Pipeline(
        [
            ("mel", mel),
            ("scale", StandardScaler()),
            ("embed", PCA()),
            ("cluster", KMeans(6, n_init=2, random_state=0)),
        ]
    )
    embedders = [
        PCA(random_state=0),
        VAE(max_epochs=2, random_state=0),
        ConvVAE(image_shape=(64, -1), channels=(4, 4), max_epochs=2, random_state=0),
        BetaCVAE(max_epochs=2, random_state=0),
    ]
    search = GridSearchCV(
        pipe,
        {"embed": embedders, "embed__n_components": [2, 3]},
        scoring=CLUSTERING_SCORERS,
        refit="ari",
        cv=2,
        error_score="raise",
    ).fit(music.data[["audio"]], music.target)
    assert len(search.cv_results_["mean_test_ari"]) == 8
    assert np.isfinite(search.cv_results_["mean_test_ari"]).all()


def test_the_score_counts_the_observed_features_without_weights(rng):
    X = rng.standard_normal((60, 12 + 4)).astype(np.float32)
    X[:20, 12:] = np.nan
    vae = ConvVAE(
        2, image_shape=(3, 4), channels=(4,), max_epochs=3, auxiliary_weight=0, random_state=0
    )
    scores = vae.fit(X).score_samples(X)
    vae.net_.module_.auxiliary_weight = 100.0
    np.testing.assert_array_equal(vae.score_samples(X), scores)
    # Of four features of variance 1 that are missing in the first samples.
    gap = scores[:20].mean() - scores[20:].mean()
    assert gap == pytest.approx(0.5 * 4 * (np.log(2 * np.pi) + 1), rel=0.3)


def test_the_optimal_variance_is_that_of_the_observed_features(rng):
    X = rng.standard_normal((200, 12 + 40)).astype(np.float32)
    X[:100, 12:] = np.nan
    vae = ConvVAE(2, image_shape=(3, 4), channels=(4,), decoder_variance="optimal", random_state=0)
    assert vae.set_params(max_epochs=5).fit(X).noise_variance_ == pytest.approx(1, abs=0.15)
