"""What SpectrogramExtractor and AudioEncoder share: the tracks they take, keys, failures."""

import pickle
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import soundfile
from joblib.parallel import ThreadingBackend
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sklearn_music import AudioEncoder, GenreEncoder, LyricVectorizer, SpectrogramExtractor
from sklearn_music.exceptions import AudioError, AudioNotFoundError
from sklearn_music.features import _audio_encoder, _track_transformer
from sklearn_music.features.encoders import BaseEncoder


class Statistics:
    """A model whose content identifies it in the cache."""

    def __init__(self, *names):
        self.names = names

    def __call__(self, waveform, sample_rate):
        statistics = [getattr(waveform, name)() for name in self.names]
        return [*statistics, len(waveform) / 1000, sample_rate / 1000]


class Extremes(BaseEncoder):
    """An encoder of windows of 1,000 samples."""

    sample_rate, window_length = 22050, 1000

    def __init__(self, first="max", second="std"):
        self.first = first
        self.second = second

    n_features = 2

    def identity(self):
        return self.first, self.second

    def encode(self, batch, device):
        return np.stack([getattr(batch, name)(axis=1) for name in self.identity()], axis=1)


MODEL = Statistics("mean", "std")
TRANSFORMERS = [
    SpectrogramExtractor(n_mels=4, n_fft=256, duration=0.1),
    AudioEncoder(MODEL),
]


@pytest.fixture(params=TRANSFORMERS, ids=["spectrogram", "encoder"])
def transformer(request):
    return clone(request.param)


@pytest.fixture
def paths(tmp_path, rng):
    paths = [str(tmp_path / f"{i}.wav") for i in range(3)]
    for path in paths:
        soundfile.write(path, rng.uniform(-0.5, 0.5, 11025), 22050)
    return paths


# Keys

MEL = {"n_mels": 8, "n_fft": 512, "hop_length": 256}
# For each parameter a value that gives other rows, or the same if it is in _NOT_IN_KEY, and the
# settings in which it does.
OTHER = {
    "SpectrogramExtractor": {
        "feature": ("mfcc", {"n_mfcc": 8}),
        "sample_rate": (11025, {}),
        "n_mels": (9, {}),
        "n_mfcc": (5, {"feature": "mfcc", "n_mfcc": 6}),
        "n_chroma": (11, {"feature": "chroma"}),
        "n_fft": (256, {}),
        "hop_length": (128, {}),
        "fmin": (100.0, {}),
        "fmax": (5000.0, {}),
        "top_db": (1.0, {}),
        "offset": (0.1, {}),
        "duration": (0.2, {}),
        "pooling": ("stats", {}),
        "dtype": ("float16", {}),
        "n_jobs": (2, {}),
        "verbose": (1, {}),
        "on_error": ("nan", {}),
        "memory": ("other", {}),
    },
    "AudioEncoder": {
        "encoder": (Extremes("min", "max"), {}),
        "windows": (2, {}),
        "pooling": ("stats", {}),
        "model_id": ("other", {"encoder": MODEL}),
        "sample_rate": (11025, {"encoder": MODEL}),
        "batch_size": (1, {}),
        "device": ("cpu", {}),
        "offset": (0.1, {}),
        "duration": (0.2, {}),
        "dtype": ("float16", {}),
        "n_jobs": (2, {}),
        "verbose": (1, {}),
        "on_error": ("nan", {}),
        "memory": ("other", {}),
    },
}
CASES = [
    (estimator, name, duration, on_disk)
    for estimator in (SpectrogramExtractor(**MEL), AudioEncoder(Extremes()))
    for name in estimator.get_params(deep=False)
    for duration in (None, 0.3)
    for on_disk in (False, True)
]


@pytest.mark.parametrize(("estimator", "name", "duration", "on_disk"), CASES)
def test_each_parameter_is_in_the_key_or_changes_nothing(
    estimator, name, duration, on_disk, paths, tmp_path, monkeypatch
):
    others = OTHER[type(estimator).__name__]
    assert name in others, f"{name} is new: give it another value here"
    value, settings = others[name]
    monkeypatch.setattr(_track_transformer, "_SHARE_OF_MEMORY", 0 if on_disk else 0.25)
    if name == "memory":
        value = tmp_path / value
    estimator = clone(estimator).set_params(duration=duration, **settings)
    before = clone(estimator).set_params(memory=tmp_path / "cache").fit(paths).transform(paths)
    changed = clone(estimator).set_params(**{"memory": tmp_path / "cache", name: value})
    after = changed.fit(paths).transform(paths)
    expected = clone(changed).set_params(memory=None).fit_transform(paths)
    np.testing.assert_array_equal(after, expected, strict=True)
    has_no_effect = name in estimator._NOT_IN_KEY and name != "encoder"
    unchanged = before.dtype == after.dtype and np.array_equal(before, after)
    assert unchanged == has_no_effect
    if on_disk:
        is_one_file = has_no_effect and name not in ("memory", "model_id")
        assert (before.filename == after.filename) == is_one_file


def test_what_is_not_in_the_key_has_a_reason(transformer):
    assert transformer._NOT_IN_KEY.keys() <= transformer.get_params().keys()
    assert all(transformer._NOT_IN_KEY.values())


def test_a_subclass_cannot_forget_a_parameter(paths, tmp_path, monkeypatch):
    class Louder(AudioEncoder):
        def __init__(self, encoder, *, gain=1.0, sample_rate=22050, offset=0.0, memory=None):
            super().__init__(encoder, sample_rate=sample_rate, offset=offset, memory=memory)
            self.gain = gain

        def _row(self, track, vectors):
            return self.gain * super()._row(track, vectors)

    monkeypatch.setattr(_track_transformer, "_SHARE_OF_MEMORY", 0)
    encoder = Louder(MODEL, memory=tmp_path / "cache").fit(paths)
    rows = encoder.transform(paths)
    np.testing.assert_array_equal(encoder.set_params(gain=2.0).transform(paths), 2 * rows)


def test_equal_numbers_are_one_key(paths, tmp_path, monkeypatch):
    monkeypatch.setattr(_track_transformer, "_SHARE_OF_MEMORY", 0)
    for one, other in (
        ({"offset": 0}, {"offset": np.float64(0)}),
        ({"sample_rate": 22050}, {"sample_rate": np.int64(22050)}),
        ({"dtype": "float16"}, {"dtype": np.float16}),
    ):
        files = {
            AudioEncoder(MODEL, memory=tmp_path, **params).fit_transform(paths).filename
            for params in (one, other)
        }
        assert len(files) == 1


def test_an_older_version_of_the_numbers_is_not_used(paths, tmp_path, count_decoded, monkeypatch):
    encoder = AudioEncoder(MODEL, memory=tmp_path / "cache")
    encoder.fit_transform(paths)
    assert len(count_decoded) == 3
    encoder.fit_transform(paths)
    assert len(count_decoded) == 3
    for module in (_track_transformer, _audio_encoder):
        monkeypatch.setattr(module, "CACHE_VERSION", _track_transformer.CACHE_VERSION + 1)
    encoder.fit_transform(paths)
    assert len(count_decoded) == 6


# Failures


def test_failures_are_kept_by_row(transformer, paths, tmp_path):
    assert not hasattr(transformer, "failures_")
    broken, gone = tmp_path / "broken.wav", tmp_path / "gone.wav"
    broken.write_text("not audio")
    transformer.set_params(on_error="nan")
    assert transformer.fit(paths).failures_ == {}
    with pytest.warns(UserWarning, match="3 of 5 tracks") as caught:
        rows = transformer.transform([broken, paths[0], gone, None, paths[1]])
    assert caught[0].filename == __file__
    assert np.isnan(rows).all(axis=1).tolist() == [True, False, True, True, False]
    assert list(transformer.failures_) == [0, 2, 3]
    assert "broken.wav" in transformer.failures_[0]
    assert "gone.wav" in transformer.failures_[2]
    assert "a missing value" in transformer.failures_[3]
    copy = pickle.loads(pickle.dumps(transformer))
    assert copy.failures_ == transformer.failures_
    transformer.transform(paths)
    assert transformer.failures_ == {}
    with pytest.warns(UserWarning, match="1 of 4 tracks"):
        transformer.fit_transform([*paths, broken])
    assert list(transformer.failures_) == [3]
    transformer.fit([gone, *paths])
    assert list(transformer.failures_) == [0]


def test_failures_of_a_call_that_raised(transformer, paths, tmp_path):
    gone = tmp_path / "gone.wav"
    for call in (transformer.fit, clone(transformer).fit(paths).transform):
        with pytest.raises(AudioNotFoundError, match="Row 1"):
            call([paths[0], gone, paths[1], gone])
        assert list(call.__self__.failures_) == [1, 3]
    with pytest.raises(NotFittedError):
        transformer.transform(paths)
    with pytest.raises(AudioNotFoundError, match="Row 1"):
        transformer.set_params(on_error="nan").fit([gone, gone])


def test_fit_of_an_encoder_names_the_tracks_before_the_first_vector(paths, tmp_path):
    calls = []

    def fails_once(waveform, sample_rate):
        calls.append(len(waveform))
        if len(calls) == 1:
            raise RuntimeError("out of memory")
        return waveform[:2]

    encoder = AudioEncoder(fails_once, on_error="nan").fit([*paths, tmp_path / "gone.wav"])
    assert list(encoder.failures_) == [0, 3]
    assert "out of memory" in encoder.failures_[0]


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_failure_that_passes_is_not_cached(paths, tmp_path, monkeypatch, on_disk):
    monkeypatch.setattr(_track_transformer, "_SHARE_OF_MEMORY", 0 if on_disk else 0.25)
    fails = tmp_path / "fails"

    def model(waveform, sample_rate):
        if Path(fails).exists():
            raise MemoryError
        return waveform[:2]

    encoder = AudioEncoder(
        model, memory=tmp_path / "cache", model_id="first two samples", on_error="nan"
    ).fit(paths)
    fails.touch()
    with pytest.warns(UserWarning, match="2 of 3 tracks"):  # fit has cached the first
        rows = encoder.transform(paths)
    assert np.isnan(rows).any(axis=1).tolist() == [False, True, True]
    fails.unlink()
    again = encoder.transform(paths)
    assert encoder.failures_ == {}
    np.testing.assert_array_equal(again, AudioEncoder(model).fit_transform(paths))


@pytest.mark.parametrize("on_disk", [False, True])
def test_an_interrupt_is_none_of_the_failures(paths, tmp_path, monkeypatch, on_disk):
    monkeypatch.setattr(_track_transformer, "_SHARE_OF_MEMORY", 0 if on_disk else 0.25)
    pressed = tmp_path / "pressed"

    def model(waveform, sample_rate):
        if Path(pressed).exists():
            raise KeyboardInterrupt
        return waveform[:2]

    encoder = AudioEncoder(
        model, memory=tmp_path / "cache", model_id="first two samples", on_error="nan"
    ).fit(paths)
    pressed.touch()
    with pytest.raises(KeyboardInterrupt):
        encoder.transform(paths)
    assert list((tmp_path / "cache").rglob("*.npy")) == []
    pressed.unlink()
    assert np.isfinite(encoder.transform(paths)).all()


# Backends of joblib


class NoGenerators(ThreadingBackend):
    """As those of others may be."""

    supports_return_generator = False


@pytest.mark.parametrize("backend", ["multiprocessing", "threading", "no generators"])
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_any_backend(transformer, paths, backend, n_jobs):
    joblib.register_parallel_backend("no generators", NoGenerators)
    expected = transformer.fit_transform(paths)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        rows = transformer.set_params(n_jobs=n_jobs).fit_transform(paths)
    np.testing.assert_array_equal(rows, expected)


# Columns of all kinds


def arrow():
    """Return pyarrow, which `make unit` installs for the tests that are named after it."""
    return pytest.importorskip("pyarrow")


def over_arrow(cells, dtype=None):
    return pd.Series(cells, dtype=dtype or pd.ArrowDtype(arrow().string()))


COLUMNS = {
    "tuple": tuple,
    "list of lists": lambda x: [[value] for value in x],
    "array of objects": lambda x: np.array(x, dtype=object),
    "array of strings": lambda x: np.array(x, dtype=np.dtypes.StringDType(na_object=None)),
    "pandas str": lambda x: pd.Series(x, index=[7] * len(x)),
    "pandas string": lambda x: pd.Series(x, dtype="string[python]"),
    "pandas string[pyarrow]": lambda x: over_arrow(x, f"string[{arrow().__name__}]"),
    "pandas ArrowDtype": over_arrow,
    "pandas category": lambda x: pd.Series(x, dtype="category"),
    "pandas Index": pd.Index,
    "pandas array": lambda x: pd.array(x, dtype="string"),
    "pandas frame": lambda x: pd.DataFrame({"column": x}),
    "pandas frame of ArrowDtype": lambda x: pd.DataFrame({"column": over_arrow(x)}),
    "polars series": pl.Series,
    "polars categories": lambda x: pl.Series(x, dtype=pl.Categorical),
    "polars frame": lambda x: pl.DataFrame({"column": x}),
    "pyarrow array": lambda x: arrow().array(x),
    "pyarrow large_string": lambda x: arrow().array(x, arrow().large_string()),
    "pyarrow dictionary": lambda x: arrow().array(x).dictionary_encode(),
    "pyarrow chunks": lambda x: arrow().chunked_array([x[:2], x[2:]]),
    "pyarrow table": lambda x: arrow().table({"column": x}),
}
ESTIMATORS = {
    "spectrogram": SpectrogramExtractor(n_mels=4, n_fft=256, duration=0.1, on_error="nan"),
    "encoder": AudioEncoder(MODEL, on_error="nan"),
    "lyrics": LyricVectorizer(2, fill_value=np.nan, random_state=0),
    "genre": GenreEncoder(),
}
LYRICS = ["the river sings", "row a boat", "the boat sings"]


@pytest.mark.parametrize("make", COLUMNS.values(), ids=COLUMNS)
@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.filterwarnings("ignore:1 of 4 tracks")
def test_columns_of_all_kinds(name, make, paths):
    estimator = clone(ESTIMATORS[name])
    values = paths if name in ("spectrogram", "encoder") else LYRICS
    for missing in ([], [None]):
        column = [*values[:1], *missing, *values[1:]]
        expected = clone(estimator).fit_transform(column)
        rows = estimator.fit_transform(make(column))
        np.testing.assert_allclose(rows, expected, atol=1e-6)
        np.testing.assert_allclose(estimator.transform(make(column)), expected, atol=1e-6)
        if name in ("spectrogram", "encoder"):
            assert list(estimator.failures_) == [1] * len(missing)
            assert np.isnan(rows).any(axis=1).sum() == len(missing)


@pytest.mark.parametrize("name", ["spectrogram", "encoder", "genre"])
@pytest.mark.parametrize(
    "make",
    [pd.DataFrame, pl.DataFrame, lambda x: arrow().table(x)],
    ids=["pandas", "polars", "pyarrow"],
)
def test_names_of_columns(name, make, paths):
    estimator = clone(ESTIMATORS[name]).fit(make({"column": paths}))
    assert estimator.feature_names_in_.tolist() == ["column"]
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.transform(make({"another": paths}))


def test_a_named_series_of_genres_is_a_table_of_one_column():
    for series in (pd.Series(["Rock"], name="genre"), pl.Series("genre", ["Rock"])):
        assert GenreEncoder().fit(series).get_feature_names_out().tolist() == ["genre_rock"]
    for series in (pd.Series([3, 4]), pl.Series([3, None, 4])):
        assert GenreEncoder().fit(series).categories_.tolist() == ["3", "4"]


def test_paths_in_columns(transformer, paths):
    expected = transformer.fit_transform(paths)
    objects = [Path(path) for path in paths]
    for column in (objects, pd.Series(objects), pd.DataFrame({"a": objects}), pl.Series(objects)):
        np.testing.assert_array_equal(transformer.fit_transform(column), expected)


@pytest.mark.parametrize("lengths", [(3000, 3000), (3000, 4000)])
@pytest.mark.parametrize(
    "make",
    [
        pl.Series,
        lambda x: arrow().array(x),
        pd.Series,
        lambda x: pl.DataFrame({"audio": x}),
        lambda x: arrow().table({"audio": x}),
        lambda x: pd.DataFrame({"audio": x}),
    ],
    ids=["polars", "pyarrow", "pandas", "polars frame", "pyarrow table", "pandas frame"],
)
def test_waveforms_in_columns(transformer, make, lengths, rng):
    waveforms = [rng.uniform(-1, 1, n).astype(np.float32) for n in lengths]
    expected = transformer.fit_transform(waveforms)
    np.testing.assert_array_equal(transformer.fit_transform(make(waveforms)), expected)
    assert transformer.n_features_in_ == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda x: (value for value in x),
        lambda x: map(str, x),
        lambda x: zip(x, strict=True),
        set,
        lambda x: dict(enumerate(x)).values(),
        lambda x: dict.fromkeys(x).keys(),
        lambda x: Path(x[0]).parent.rglob("*.wav"),
    ],
)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_what_is_read_only_once_or_in_no_order(name, make, paths):
    estimator = clone(ESTIMATORS[name])
    column = LYRICS if name == "lyrics" else paths
    for method in (estimator.fit, clone(estimator).fit(column).transform):
        with pytest.raises(
            ValueError, match=r"expected one value per track.*pass a list, list\(X\)"
        ):
            method(make(paths))


@pytest.mark.parametrize(
    "make",
    [
        lambda _: None,
        lambda _: 3,
        lambda paths: dict(enumerate(paths)),
        lambda paths: pl.DataFrame({"audio": paths}).lazy(),
    ],
)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_what_is_no_column(name, make, paths):
    with pytest.raises(ValueError, match="Got a single"):
        clone(ESTIMATORS[name]).fit(make(paths))


@pytest.mark.parametrize("empty", [[], (), pd.Series([], dtype=str), pl.Series([])])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_no_tracks(name, empty):
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        clone(ESTIMATORS[name]).fit(empty)


@pytest.mark.parametrize(
    "column",
    [
        lambda: [None],
        lambda: [np.nan, np.nan],
        lambda: [pd.NA],
        lambda: np.array([np.nan]),
        lambda: np.array([[np.nan], [np.nan]]),
        lambda: pd.Series([None, None]),
        lambda: pd.Series([pd.NA], dtype="string"),
        lambda: pl.Series([None, None]),
        lambda: over_arrow([None]),
        lambda: arrow().nulls(2),
    ],
    ids=[*map(str, range(8)), "pandas over pyarrow", "pyarrow"],
)
def test_all_tracks_missing(transformer, paths, column):
    column = column()
    transformer.fit(paths)
    for method in (transformer.transform, clone(transformer).fit):
        with pytest.raises(AudioError, match=r"Row 0: got .*a missing value, expected a path"):
            method(column)
    transformer.set_params(on_error="nan")
    with pytest.warns(UserWarning, match=f"{len(column)} of {len(column)} tracks"):
        rows = transformer.transform(column)
    assert rows.shape[0] == len(column)
    assert np.isnan(rows).all()
    assert list(transformer.failures_) == list(range(len(column)))
    with pytest.raises(AudioError, match="Row 0"):
        transformer.fit(column)
