"""BetaCVAE: its condition, decoding under another one, and label leakage."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_music import BetaCVAE, GenreEncoder, SpectrogramExtractor
from sklearn_music.datasets import make_music
from sklearn_music.exceptions import LabelLeakageWarning
from sklearn_music.metrics import CLUSTERING_SCORERS


@pytest.fixture(scope="module")
def music():
    return make_music(150, n_genres=3, duration=2.0, crossover=0.0, random_state=0).data


@pytest.fixture(scope="module")
def samples(music):
    """Scaled pooled MFCCs, then the genre: a DataFrame, the last three columns genre__..."""
    features = Pipeline(
        [("mfcc", SpectrogramExtractor("mfcc", pooling="stats")), ("scale", StandardScaler())]
    )
    return (
        ColumnTransformer([("audio", features, ["audio"]), ("genre", GenreEncoder(), ["genre"])])
        .set_output(transform="pandas")
        .fit_transform(music)
    )


N_AUDIO = 60


@pytest.mark.parametrize(
    "condition_features",
    [
        make_column_selector(pattern="^genre__"),
        slice(N_AUDIO, None),
        [60, 61, 62],
        [-1, -2, -3],
        np.arange(63) >= N_AUDIO,
        ["genre__genre_classical", "genre__genre_electronic", "genre__genre_folk"],
    ],
    ids=["callable", "slice", "integers", "negative", "mask", "names"],
)
def test_the_condition_is_selected_as_in_column_transformer(samples, condition_features):
    cvae = BetaCVAE(3, condition_features=condition_features, max_epochs=2, random_state=0)
    expected = BetaCVAE(3, condition_features=[60, 61, 62], max_epochs=2, random_state=0)
    np.testing.assert_array_equal(cvae.fit_transform(samples), expected.fit_transform(samples))
    assert cvae.condition_columns_.tolist() == [60, 61, 62]


def test_columns_keep_their_order(samples):
    """The condition may be anywhere, and is decoded where it was."""
    shuffled = samples[[*samples.columns[60:], *samples.columns[:60]]]
    cvae = BetaCVAE(3, condition_features=[0, 1, 2], max_epochs=2, random_state=0).fit(shuffled)
    decoded = cvae.inverse_transform(cvae.transform(shuffled), condition=shuffled.iloc[:, :3])
    np.testing.assert_array_equal(decoded[:, :3], shuffled.iloc[:, :3])
    plain = BetaCVAE(3, condition_features=[60, 61, 62], max_epochs=2, random_state=0).fit(samples)
    again = plain.inverse_transform(plain.transform(samples), condition=samples.iloc[:, 60:])
    np.testing.assert_array_equal(decoded[:, 3:], again[:, :60])


def test_transform_does_not_need_the_condition(samples):
    cvae = BetaCVAE(3, condition_features=slice(60, None), max_epochs=2, random_state=0).fit(
        samples
    )
    unknown = samples.copy()
    unknown.iloc[:, 60:] = 0
    np.testing.assert_array_equal(cvae.transform(unknown), cvae.transform(samples))
    assert np.isfinite(cvae.score_samples(unknown)).all()
    with pytest.warns(LabelLeakageWarning):
        cvae.set_params(encode_condition=True).fit(samples, samples.iloc[:, 60:].idxmax(axis=1))
    assert not np.allclose(cvae.transform(unknown), cvae.transform(samples))


def test_the_condition_changes_the_decoded_genre(samples, music):
    """Decoded under a genre, a track is nearest to the mean of that genre."""
    cvae = BetaCVAE(8, condition_features=slice(60, None), beta=1.0, max_epochs=150)
    cvae.set_params(random_state=0).fit(samples)
    audio, genres = samples.to_numpy()[:, :60], samples.to_numpy()[:, 60:].argmax(axis=1)
    means = np.stack([audio[genres == genre].mean(axis=0) for genre in range(3)])
    Z = cvae.transform(samples)
    for genre, condition in enumerate(np.eye(3)):
        decoded = cvae.inverse_transform(Z, condition=condition)[:, :60]
        distances = np.linalg.norm(decoded[:, None] - means, axis=2)
        assert (distances.argmin(axis=1) == genre).mean() > 0.8
        samples = cvae.sample(50, condition=condition)
        assert samples.shape == (50, 63)
        np.testing.assert_array_equal(samples[:, 60:], np.tile(condition, (50, 1)))
        distances = np.linalg.norm(samples[:, None, :60] - means, axis=2)
        assert (distances.argmin(axis=1) == genre).mean() > 0.8


def test_a_condition_lets_the_latent_space_represent_less_of_it(samples, music):
    audio = samples.iloc[:, :60]
    params = {"n_components": 8, "beta": 4.0, "max_epochs": 150, "random_state": 0}
    unconditional = BetaCVAE(**params).fit_transform(audio)
    conditional = BetaCVAE(condition_features=slice(60, None), **params).fit_transform(samples)
    with_plain, with_condition = (
        cross_val_score(make_pipeline(StandardScaler(), LogisticRegression()), Z, music["genre"])
        for Z in (unconditional, conditional)
    )
    assert with_condition.mean() < with_plain.mean() - 0.05


def test_label_leakage_is_a_warning(samples, music):
    pipe = Pipeline(
        [
            ("cvae", BetaCVAE(3, condition_features=slice(60, None), max_epochs=2)),
            ("cluster", KMeans(3, n_init=2, random_state=0)),
        ]
    )
    genre = music["genre"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("error", LabelLeakageWarning)
        pipe.fit(samples, genre)  # only the decoder is conditioned
        CLUSTERING_SCORERS["ari"](pipe, samples, genre)
        assert pipe["cvae"].condition_leakage_ == pytest.approx(1)
        pipe.set_params(cvae__encode_condition=True).fit(samples, music["language"])
        assert pipe["cvae"].condition_leakage_ < 0.1
        pipe.fit(samples)
        assert pipe["cvae"].condition_leakage_ is None
    with pytest.warns(LabelLeakageWarning, match="information 1.00"):
        pipe.fit(samples, genre)
    nested = Pipeline([("columns", ColumnTransformer([("all", pipe[:1], slice(0, None))]))])
    with pytest.warns(LabelLeakageWarning):
        nested.fit(samples.to_numpy(), genre)
    for scorer in CLUSTERING_SCORERS.values():
        with pytest.warns(LabelLeakageWarning):
            scorer(pipe, samples, genre)


def test_no_label_enters_the_training(samples, music):
    cvae = BetaCVAE(3, condition_features=slice(60, None), max_epochs=2, random_state=0)
    without = cvae.fit(samples).transform(samples)
    np.testing.assert_array_equal(cvae.fit(samples, music["genre"]).transform(samples), without)


def test_image_auxiliary_features_and_condition(rng):
    image, auxiliary = rng.standard_normal((40, 30)), rng.standard_normal((40, 2))
    condition = np.eye(2)[np.arange(40) % 2]
    auxiliary[::2] = np.nan
    X = np.hstack([condition[:, :1], image, auxiliary, condition[:, 1:]])
    cvae = BetaCVAE(
        3, condition_features=[0, -1], image_shape=(5, 6), channels=(3,), max_epochs=2
    ).fit(X)
    assert cvae.image_shape_ == (5, 6)
    assert cvae.inverse_transform(cvae.transform(X), condition=condition).shape == X.shape
    with pytest.raises(ValueError, match="needs 36 columns, but X has 32"):
        cvae.set_params(image_shape=(6, 6)).fit(X)


def test_wrong_conditions_are_errors(samples):
    cvae = BetaCVAE(3, condition_features=slice(60, None), max_epochs=1).fit(samples)
    Z = cvae.transform(samples)
    with pytest.raises(ValueError, match=r"condition of shape \(2,\), expected \(3,\)"):
        cvae.inverse_transform(Z, condition=[1, 0])
    with pytest.raises(ValueError, match="leaves no input"):
        BetaCVAE(condition_features=slice(None)).fit(samples)
    with pytest.raises(ValueError, match="not columns of the dataframe"):
        BetaCVAE(condition_features=["mood"]).fit(samples)
    assert np.isfinite(cvae.inverse_transform(Z)).all()
    assert np.isfinite(cvae.sample(2)).all()


def test_a_condition_of_unique_values_measures_no_leakage(rng):
    X = pd.DataFrame(rng.standard_normal((40, 4)))
    cvae = BetaCVAE(2, condition_features=[0], encode_condition=True, max_epochs=1)
    assert cvae.fit(X, np.arange(40) % 2).condition_leakage_ is None


def test_missing_labels_do_not_hide_the_leakage(blobs):
    X, y = blobs
    X = np.hstack([X, np.eye(3)[y]])
    cvae = BetaCVAE(2, condition_features=[10, 11, 12], max_epochs=1)
    for labels in (
        pd.Series(list("abc"))[y].mask(np.arange(90) < 10).to_numpy(),
        np.where(np.arange(90) < 10, np.nan, y),
        pd.array(y).astype("Int64"),
    ):
        assert cvae.fit(X, labels).condition_leakage_ == pytest.approx(1)
    assert cvae.fit(X, np.full(90, None)).condition_leakage_ is None


def test_labels_of_another_length_are_an_error_before_the_training(blobs):
    X, y = blobs
    cvae = BetaCVAE(2, condition_features=[0], max_epochs=1)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        cvae.fit(X, y[:9])
    assert not hasattr(cvae, "net_")
    assert cvae.partial_fit(X).condition_leakage_ is None


def test_scorers_measure_the_leakage_of_a_fit_without_labels(blobs):
    X, y = blobs
    cvae = BetaCVAE(2, condition_features=[10, 11, 12], encode_condition=True, max_epochs=1)
    X = np.hstack([X, np.eye(3)[y]])
    pipe = make_pipeline(cvae, KMeans(3, n_init=1)).fit(X)
    assert cvae.condition_leakage_ is None
    assert cvae.label_leakage(X, y) == pytest.approx(1)
    with pytest.warns(LabelLeakageWarning, match=r"information 1\.00"):
        CLUSTERING_SCORERS["ari"](pipe, X, y)
