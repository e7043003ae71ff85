"""scikit-learn's own checks, on one table of instances."""

import pickle
import warnings

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.exceptions import SkipTestWarning
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator

import sklearn_music
from sklearn_music import (
    VAE,
    AudioEncoder,
    BetaCVAE,
    ConvVAE,
    GenreEncoder,
    LyricVectorizer,
    SpectrogramExtractor,
    TrackVAE,
    VaDE,
)


class Statistics:
    """A model that a pickle knows."""

    def __call__(self, waveform, sample_rate):
        return [waveform.mean(), waveform.std(), np.abs(waveform).max()]

    def __repr__(self):
        return "Statistics()"


# Tiny nets and few epochs: the checks fit each instance some fifty times.
INSTANCES = [
    SpectrogramExtractor(n_mels=8),
    SpectrogramExtractor("mfcc", n_mels=20, n_mfcc=5),
    SpectrogramExtractor("chroma", n_fft=256),
    SpectrogramExtractor(n_mels=8, pooling="stats"),
    SpectrogramExtractor(n_mels=8, duration=0.01, n_jobs=2),
    SpectrogramExtractor(n_mels=8, dtype="float16"),
    AudioEncoder(Statistics()),
    AudioEncoder(Statistics(), duration=0.01, n_jobs=2, dtype="float16"),
    LyricVectorizer(),
    GenreEncoder(),
    GenreEncoder(min_frequency=2),
    VAE(max_epochs=2),
    VAE(2, max_epochs=3, hidden_layer_sizes=(), early_stopping=True, n_iter_no_change=1),
    VAE(2, max_epochs=2, hidden_layer_sizes=[5], batch_size=7),
    ConvVAE(2, max_epochs=2, channels=(2, 3)),
    ConvVAE(2, max_epochs=2, image_shape=(1, 1), channels=(8,)),  # the rest are side features
    TrackVAE(2, max_epochs=2, channels=(2, 3)),
    TrackVAE(2, max_epochs=2, channels=(2,), window_frames=1, contrastive_weight=0, augmentation=0),
    BetaCVAE(2, max_epochs=2),
    BetaCVAE(2, max_epochs=2, condition_features=[0], encode_condition=True),
    BetaCVAE(2, max_epochs=2, condition_features=[-1], image_shape=(1, -1), channels=(2,)),
    VaDE(2, max_epochs=2, hidden_layer_sizes=[5]),  # the mixture begins with the end
    VaDE(3, n_components=3, pretrain_epochs=1, max_epochs=2, batch_size=20, n_init=1),
]
pytestmark = [
    # Some checks fit with column names and transform without them, or the other way round.
    pytest.mark.filterwarnings("ignore:X .*feature names:UserWarning"),
    # Two epochs over unscaled columns find no clusters.
    pytest.mark.filterwarnings("ignore:Only . of n_clusters"),
    # The columns of the checks are no spectrograms.
    pytest.mark.filterwarnings(r"ignore:Got image_shape=\(1, -1\)"),
    pytest.mark.filterwarnings("ignore:Each column of the spectrograms"),
]
EMBEDDERS = [instance for instance in INSTANCES if hasattr(instance, "max_epochs")]


def checks():
    """Yield each check of each instance. Of columns of text there is one: see test_lyrics.py."""
    for instance in INSTANCES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SkipTestWarning)
            found = list(estimator_checks_generator(instance, mark="xfail"))
        for estimator, check in found:
            name = check.func.__name__
            if name == "check_array_api_input":
                continue  # for estimators that claim to take arrays of other libraries
            yield pytest.param(estimator, check, id=f"{estimator}-{name}")


@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_check_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("instance", INSTANCES, ids=str)
@pytest.mark.parametrize(
    "check",
    [
        "check_param_validation",
        "check_set_output_transform_pandas",
        "check_transformer_get_feature_names_out_pandas",
        "check_dataframe_column_names_consistency",
    ],
)
def test_further_checks(instance, check):
    getattr(estimator_checks, check)(type(instance).__name__, instance)


def test_every_public_estimator_is_checked():
    public = {getattr(sklearn_music, name) for name in sklearn_music.__all__}
    estimators = {cls for cls in public if isinstance(cls, type) and hasattr(cls, "fit")}
    assert estimators == {type(instance) for instance in INSTANCES}


@pytest.mark.parametrize("instance", INSTANCES, ids=str)
def test_all_but_the_first_parameter_are_keyword_only(instance):
    with pytest.raises(TypeError, match="positional"):
        type(instance)(None, None)


@pytest.mark.parametrize("instance", EMBEDDERS, ids=str)
@pytest.mark.parametrize("way", ["pickle", "joblib", "skops", "clone and fit"])
def test_round_trips_give_the_same_embedding(instance, way, blobs, tmp_path):
    X, _ = blobs
    fitted = clone(instance).set_params(random_state=3).fit(X)
    if way == "pickle":
        other = pickle.loads(pickle.dumps(fitted))
    elif way == "joblib":
        joblib.dump(fitted, tmp_path / "vae.joblib")
        other = joblib.load(tmp_path / "vae.joblib")
    elif way == "skops":
        skops.io.dump(fitted, tmp_path / "vae.skops")
        unknown = skops.io.get_untrusted_types(file=tmp_path / "vae.skops")
        assert all(name.startswith("sklearn_music.") for name in unknown)
        other = skops.io.load(tmp_path / "vae.skops", trusted=unknown)
    else:
        other = clone(fitted).fit(X)
    np.testing.assert_array_equal(other.transform(X), fitted.transform(X))
    np.testing.assert_array_equal(other.score_samples(X), fitted.score_samples(X))
    if way != "clone and fit":
        assert other.history_ == fitted.history_
        np.testing.assert_array_equal(
            other.partial_fit(X).transform(X), fitted.partial_fit(X).transform(X)
        )


def test_spectrogram_round_trips(write_tone, tmp_path):
    paths = [write_tone("a.wav"), write_tone("b.wav", frequency=200)]
    fitted = SpectrogramExtractor(n_mels=8).fit(paths)
    expected = fitted.transform(paths)
    skops.io.dump(fitted, tmp_path / "mel.skops")
    unknown = skops.io.get_untrusted_types(file=tmp_path / "mel.skops")
    for other in (
        clone(fitted).fit(paths),
        pickle.loads(pickle.dumps(fitted)),
        skops.io.load(tmp_path / "mel.skops", trusted=unknown),
    ):
        np.testing.assert_array_equal(other.transform(paths), expected)
