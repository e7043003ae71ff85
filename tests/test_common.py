"""scikit-learn's own checks, on a table of instances. The embedders are in `embedders.py`."""

import pickle
import warnings

import embedders
import joblib
import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.exceptions import SkipTestWarning
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator
from tiny_tagger import TinyTagger

import sklearn_music
from sklearn_music import AudioEncoder, GenreEncoder, LyricVectorizer, SpectrogramExtractor
from sklearn_music.pipelines import BlockScaler


class Statistics:
    """A model that a pickle knows."""

    def __call__(self, waveform, sample_rate):
        return [waveform.mean(), waveform.std(), np.abs(waveform).max()]

    def __repr__(self):
        return "Statistics()"


# The checks fit each instance some fifty times.
EMBEDDERS = embedders.for_checks()
INSTANCES = EMBEDDERS | {
    "SpectrogramExtractor": SpectrogramExtractor(n_mels=8),
    "SpectrogramExtractor, mfcc": SpectrogramExtractor("mfcc", n_mels=20, n_mfcc=5),
    "SpectrogramExtractor, chroma": SpectrogramExtractor("chroma", n_fft=256),
    "SpectrogramExtractor, stats": SpectrogramExtractor(n_mels=8, pooling="stats"),
    "SpectrogramExtractor, workers": SpectrogramExtractor(n_mels=8, duration=0.01, n_jobs=2),
    "SpectrogramExtractor, float16": SpectrogramExtractor(n_mels=8, dtype="float16"),
    "AudioEncoder": AudioEncoder(Statistics()),
    "AudioEncoder, workers, float16": AudioEncoder(
        Statistics(), duration=0.01, n_jobs=2, dtype="float16"
    ),
    "AudioEncoder, windows": AudioEncoder(TinyTagger(), pooling="stats", windows=2),
    "BlockScaler": BlockScaler(),
    "LyricVectorizer": LyricVectorizer(),
    "GenreEncoder": GenreEncoder(),
    "GenreEncoder, rare genres": GenreEncoder(min_frequency=2),
}
pytestmark = [
    # Some checks fit with column names and transform without them, or the other way round.
    pytest.mark.filterwarnings("ignore:X .*feature names:UserWarning"),
    # Two epochs over unscaled columns find no clusters.
    pytest.mark.filterwarnings("ignore:Only . of n_clusters"),
    # The columns of the checks are no spectrograms.
    pytest.mark.filterwarnings(r"ignore:Got image_shape=\(1, -1\)"),
    pytest.mark.filterwarnings("ignore:Each column of the spectrograms"),
]


def checks():
    """Yield each check of each instance. Of columns of text there is one: see test_lyrics.py."""
    for name, instance in INSTANCES.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SkipTestWarning)
            found = list(estimator_checks_generator(instance, mark="xfail"))
        for estimator, check in found:
            if check.func.__name__ == "check_array_api_input":
                continue  # for estimators that claim to take arrays of other libraries
            yield pytest.param(estimator, check, id=f"{name}-{check.func.__name__}")


@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_check_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("instance", INSTANCES.values(), ids=INSTANCES)
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
    assert estimators | {BlockScaler} == {type(instance) for instance in INSTANCES.values()}


def test_every_embedder_is_in_the_table_by_its_name():
    names = set(sklearn_music.embedding.__all__) - {"BaseEmbedder"}
    assert embedders.EMBEDDERS.keys() == names
    for table in (embedders.EMBEDDERS, embedders.VARIANTS, embedders.CHECKED_VARIANTS):
        for name, embedder in table.items():
            assert name.partition(",")[0] == type(embedder).__name__


@pytest.mark.parametrize("instance", INSTANCES.values(), ids=INSTANCES)
def test_all_but_the_first_parameter_are_keyword_only(instance):
    with pytest.raises(TypeError, match="positional"):
        type(instance)(None, None)


@pytest.mark.parametrize("instance", EMBEDDERS.values(), ids=EMBEDDERS)
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
