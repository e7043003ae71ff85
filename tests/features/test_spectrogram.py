import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from joblib import Memory
from scipy import sparse
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from sklearn_music import VAE, SpectrogramExtractor
from sklearn_music.exceptions import AudioError, AudioNotFoundError

FEATURES = ["mel", "mfcc", "chroma"]


def librosa_image(path, feature, *, duration, offset=0.0, n_fft=2048, hop_length=512):
    """What a user would write with librosa alone."""
    y, sr = librosa.load(path, sr=22050, offset=offset, duration=duration)
    y = librosa.util.fix_length(y, size=round(duration * sr))
    frames = {"sr": sr, "n_fft": n_fft, "hop_length": hop_length}
    if feature == "mel":
        return librosa.power_to_db(
            librosa.feature.melspectrogram(y=y, n_mels=32, **frames), ref=np.max
        )
    if feature == "mfcc":
        return librosa.feature.mfcc(y=y, n_mfcc=13, n_mels=32, **frames)
    return librosa.feature.chroma_stft(y=y, **frames)


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize(
    ("name", "rate", "channels"),
    [
        ("a.wav", 22050, 1),
        ("a.flac", 44100, 2),
        ("a.ogg", 48000, 2),
        ("a.mp3", 44100, 2),
        ("b.wav", 32000, 5),
    ],
)
@pytest.mark.parametrize("offset", [0.0, 0.4])
def test_equals_librosa(write_tone, feature, name, rate, channels, offset):
    path = write_tone(name, seconds=2, rate=rate, channels=channels)
    extractor = SpectrogramExtractor(feature, n_mels=32, n_mfcc=13, duration=1.2, offset=offset)
    image = extractor.fit_transform([path]).reshape(extractor.image_shape_)
    expected = librosa_image(path, feature, duration=1.2, offset=offset)
    np.testing.assert_allclose(image, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("n_fft", "hop_length"), [(512, 100), (1000, 250), (1001, 90), (4096, 2048)]
)
def test_equals_librosa_for_other_frames(write_tone, n_fft, hop_length):
    path = write_tone("a.wav")
    extractor = SpectrogramExtractor(n_mels=32, n_fft=n_fft, hop_length=hop_length, duration=0.9)
    image = extractor.fit_transform([path]).reshape(extractor.image_shape_)
    expected = librosa_image(path, "mel", duration=0.9, n_fft=n_fft, hop_length=hop_length)
    np.testing.assert_allclose(image, expected, atol=1e-3)


@pytest.mark.parametrize("feature", FEATURES)
def test_a_short_track_is_padded_with_silence(write_tone, feature):
    """Whether the stretch is given, or is that of a longer track."""
    short, long = write_tone("a.wav", seconds=0.7), write_tone("b.wav", seconds=2)
    expected = librosa_image(short, feature, duration=2)
    for duration in (None, 2):
        extractor = SpectrogramExtractor(feature, n_mels=32, n_mfcc=13, duration=duration)
        image = extractor.fit_transform([short, long])[0].reshape(extractor.image_shape_)
        np.testing.assert_allclose(image, expected, atol=1e-3)


def test_a_longer_track_than_those_of_fit_is_cropped(write_tone):
    short, long = write_tone("a.wav"), write_tone("b.wav", seconds=2)
    extractor = SpectrogramExtractor(n_mels=32).fit([short])
    image = extractor.transform([long]).reshape(extractor.image_shape_)
    np.testing.assert_allclose(image, librosa_image(long, "mel", duration=1), atol=1e-3)


def test_pooled_statistics(write_tone):
    path = write_tone("a.wav", seconds=2)
    extractor = SpectrogramExtractor("mfcc", n_mels=32, n_mfcc=13, duration=2, pooling="stats")
    pooled = extractor.fit_transform([path]).reshape(extractor.image_shape_)
    image = librosa_image(path, "mfcc", duration=2)
    delta = librosa.feature.delta(image)
    expected = np.stack([image.mean(axis=1), image.std(axis=1), delta.std(axis=1)], axis=1)
    np.testing.assert_allclose(pooled, expected, atol=1e-3)
    assert extractor.get_feature_names_out()[:4].tolist() == [
        "mfcc0_mean",
        "mfcc0_std",
        "mfcc0_delta_std",
        "mfcc1_mean",
    ]


def test_pooling_does_not_pad(write_tone):
    """Else the mean of a short track would show its length."""
    short, long = write_tone("a.wav", seconds=1), write_tone("b.wav", seconds=2)
    alone = SpectrogramExtractor("mfcc", pooling="stats").fit_transform([short])
    beside = SpectrogramExtractor("mfcc", pooling="stats", duration=2).fit_transform([short, long])
    np.testing.assert_allclose(beside[:1], alone, atol=1e-4)


NOISES = st.fixed_dictionaries(
    {
        "n_samples": st.integers(1, 12000),
        "seed": st.integers(0, 2**32 - 1),
        "n_fft": st.sampled_from([512, 1023, 1024, 2047, 2048]),
        "hop_length": st.sampled_from([100, 441, 512, 2500]),
    }
)


def noise_and_frames(n_samples, seed, n_fft, hop_length):
    waveform = 0.1 * np.random.default_rng(seed).standard_normal(n_samples).astype(np.float32)
    return waveform, {"n_fft": n_fft, "hop_length": hop_length}


@settings(max_examples=10)
@given(noise=NOISES, n_chroma=st.sampled_from([7, 12, 24, 36]))
@example(
    noise={"n_samples": 2049, "seed": 6, "n_fft": 2048, "hop_length": 512}, n_chroma=12
)  # where the frames of the padding moved the tuning
def test_chroma_equals_librosa_where_fit_learns_the_duration(noise, n_chroma):
    waveform, frames = noise_and_frames(**noise)
    extractor = SpectrogramExtractor("chroma", n_chroma=n_chroma, **frames)
    image = extractor.fit_transform([waveform]).reshape(extractor.image_shape_)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of too few samples
        expected = librosa.feature.chroma_stft(y=waveform, n_chroma=n_chroma, **frames)
    np.testing.assert_allclose(image, expected, atol=1e-4)


@settings(max_examples=25)
@given(noise=NOISES)
def test_the_number_of_frames_is_librosas(noise):
    waveform, frames = noise_and_frames(**noise)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of too few samples
        power = np.abs(librosa.stft(waveform, **frames)) ** 2
    expected = librosa.power_to_db(
        librosa.feature.melspectrogram(S=power, n_fft=frames["n_fft"], n_mels=16), ref=np.max
    )
    for duration in (None, len(waveform) / 22050):
        extractor = SpectrogramExtractor(n_mels=16, duration=duration, **frames)
        image = extractor.fit_transform([waveform]).reshape(extractor.image_shape_)
        np.testing.assert_allclose(image, expected, atol=1e-2)
        assert len(extractor.get_feature_names_out()) == image.size
        pooled = extractor.set_params(pooling="stats").fit_transform([waveform])
        np.testing.assert_allclose(pooled.reshape(16, 3)[:, 0], expected.mean(axis=1), atol=1e-2)


@settings(max_examples=25)
@given(
    noise=NOISES,
    feature=st.sampled_from(FEATURES),
    pooling=st.sampled_from([None, "stats"]),
    n_more=st.integers(0, 6000),
)
def test_a_row_does_not_depend_on_the_padding(noise, feature, pooling, n_more):
    """Nor, so, on the longest track: a track's own frames are those of the track alone."""
    waveform, frames = noise_and_frames(**noise)
    longer = np.ones(len(waveform) + n_more, dtype=np.float32)
    extractor = SpectrogramExtractor(feature, n_mels=8, n_mfcc=5, pooling=pooling, **frames)
    alone = extractor.fit_transform([waveform]).reshape(extractor.image_shape_)
    beside = extractor.fit_transform([longer, waveform])[1].reshape(extractor.image_shape_)
    extractor.set_params(duration=len(longer) / 22050)
    padded = extractor.fit_transform([waveform]).reshape(extractor.image_shape_)
    np.testing.assert_allclose(beside[:, : alone.shape[1]], alone, atol=1e-4)
    np.testing.assert_allclose(padded, beside, atol=1e-4)


def test_layout_names_and_pandas_output(write_tone):
    paths = pd.DataFrame({"audio": [write_tone("a.wav")]}, index=["x"])
    extractor = SpectrogramExtractor(n_mels=8, duration=0.5).set_output(transform="pandas")
    frame = extractor.fit_transform(paths)
    n_bands, n_frames = extractor.image_shape_
    assert (n_bands, n_frames) == (8, 1 + 11025 // 512)
    assert frame.index.tolist() == ["x"]
    assert frame.columns[0] == "mel0_t0"
    assert frame.columns[n_frames] == "mel1_t0"
    assert frame.dtypes.unique() == [np.float32]
    # The tone of 440 Hz is in a low band, in every frame.
    image = frame.to_numpy().reshape(n_bands, n_frames)
    assert set(image.argmax(axis=0)) <= {0, 1}


def as_paths(paths, kind):
    return {
        "list": list(paths),
        "strings": [str(path) for path in paths],
        "tuple": tuple(paths),
        "array": np.array([str(path) for path in paths]),
        "objects": np.array(paths, dtype=object),
        "column": np.array([[str(path)] for path in paths], dtype=object),
        "lists": [[str(path)] for path in paths],
        "series": pd.Series([str(path) for path in paths], index=[7, 7]),
        "frame": pd.DataFrame({"audio": [str(path) for path in paths]}, index=["b", "a"]),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    ["strings", "tuple", "array", "objects", "column", "lists", "series", "frame"],
)
def test_forms_of_paths(write_tone, kind):
    paths = [write_tone("গান.wav"), write_tone("b c.flac", frequency=300)]
    expected = SpectrogramExtractor(n_mels=8).fit_transform(as_paths(paths, "list"))
    actual = SpectrogramExtractor(n_mels=8).fit_transform(as_paths(paths, kind))
    np.testing.assert_array_equal(actual, expected)


def test_waveforms_as_a_table_and_as_a_column(rng):
    waveforms = rng.standard_normal((3, 4000))
    expected = [
        librosa.power_to_db(librosa.feature.melspectrogram(y=y, n_mels=16), ref=np.max).ravel()
        for y in waveforms
    ]
    column = np.empty(3, dtype=object)
    for row, waveform in enumerate(waveforms):
        column[row] = waveform
    frame = pd.DataFrame({"audio": list(waveforms)})
    for X in (waveforms, list(waveforms), column, column[:, None], frame, frame["audio"]):
        np.testing.assert_allclose(
            SpectrogramExtractor(n_mels=16).fit_transform(X), expected, atol=1e-3
        )


def test_waveforms_of_different_lengths(rng):
    waveforms = [rng.standard_normal(n).astype(np.float32) for n in (3000, 9000, 6000)]
    extractor = SpectrogramExtractor(n_mels=8)
    assert extractor.fit_transform(waveforms).shape == (3, 8 * (1 + 9000 // 512))
    assert extractor.n_samples_ == 9000
    assert extractor.transform(waveforms[:1]).shape == (1, 8 * (1 + 9000 // 512))


def test_waveforms_and_files_may_be_mixed(write_tone):
    path = write_tone("a.wav", subtype="FLOAT")
    waveform = soundfile.read(path, dtype="float32")[0]
    images = SpectrogramExtractor(n_mels=8).fit_transform([path, waveform])
    np.testing.assert_array_equal(images[0], images[1])


@settings(max_examples=30)
@given(
    n_samples=st.integers(1, 3000),
    n_fft=st.integers(2, 600),
    hop_length=st.integers(1, 400),
    pooling=st.sampled_from([None, "stats"]),
    feature=st.sampled_from(["mel", "mfcc"]),
    scale=st.sampled_from([0.0, 1e-30, 1.0, 1e10]),
)
def test_any_waveform_gives_finite_numbers(n_samples, n_fft, hop_length, pooling, feature, scale):
    waveforms = scale * np.random.default_rng(0).standard_normal((2, n_samples))
    extractor = SpectrogramExtractor(
        feature, n_mels=1, n_mfcc=1, n_fft=n_fft, hop_length=hop_length, pooling=pooling
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Empty filters detected")
        images = extractor.fit_transform(waveforms)
    assert images.shape == (2, np.prod(extractor.image_shape_))
    assert np.isfinite(images).all()
    assert len(extractor.get_feature_names_out()) == images.shape[1]


@pytest.mark.parametrize("feature", FEATURES)
def test_a_silent_track_gives_finite_numbers(feature):
    assert np.isfinite(SpectrogramExtractor(feature).fit_transform(np.zeros((1, 22050)))).all()


def break_file(good, path, kind):
    data = good.read_bytes()
    if kind == "missing":
        return
    if kind == "directory":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "truncated":
        path.write_bytes(data[: int(0.6 * len(data))])
    elif kind == "last byte":
        path.write_bytes(data[:-1])
    elif kind == "corrupt":
        middle = len(data) // 2
        noise = np.random.default_rng(0).integers(0, 256, 3000, dtype=np.uint8).tobytes()
        path.write_bytes(data[:middle] + noise + data[middle + len(noise) :])
    elif kind == "unknown":
        path.write_text("not audio")
    elif kind == "no samples":
        soundfile.write(path, np.zeros(0), 22050, format="WAV")
    elif kind in ("nan", "inf"):
        samples = np.zeros(22050)
        samples[100] = float(kind)
        soundfile.write(path, samples, 22050, subtype="FLOAT", format="WAV")


BROKEN = [
    ("wav", "missing", "does not exist"),
    ("wav", "directory", "is a directory"),
    ("wav", "empty", "is empty"),
    ("wav", "unknown", "not audio that libsndfile reads"),
    ("wav", "no samples", "no sample"),
    ("wav", "nan", "NaN or infinity"),
    ("wav", "inf", "NaN or infinity"),
    ("wav", "truncated", "truncated"),
    ("aiff", "truncated", "truncated"),
    ("w64", "truncated", "truncated"),
    ("au", "truncated", "truncated"),
    ("rf64", "truncated", "truncated"),
    ("ogg", "last byte", "truncated"),
    ("flac", "truncated", "truncated or corrupt"),
    ("flac", "corrupt", "truncated or corrupt"),
    ("ogg", "truncated", "truncated"),
    ("ogg", "corrupt", "truncated or corrupt"),
    ("mp3", "truncated", "truncated or corrupt"),
    ("mp3", "corrupt", "truncated or corrupt"),
]


@pytest.mark.parametrize(("suffix", "kind", "reason"), BROKEN)
@pytest.mark.parametrize("duration", [None, 5])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_bad_file_is_named(write_tone, tmp_path, suffix, kind, reason, duration, n_jobs):
    good = write_tone(f"good.{suffix}", seconds=5, channels=2)
    bad = tmp_path / f"bad.{suffix}"
    break_file(good, bad, kind)
    extractor = SpectrogramExtractor(n_mels=8, duration=duration, n_jobs=n_jobs)
    with pytest.raises(AudioError, match=reason) as info:
        extractor.fit_transform([good, bad, good])
    assert isinstance(info.value, ValueError)
    assert "Row 1" in str(info.value)
    assert str(bad) in str(info.value)
    assert 'on_error="nan"' in str(info.value)

    extractor.set_params(on_error="nan")
    with pytest.warns(UserWarning, match="1 of 3 tracks") as caught:
        images = extractor.fit_transform([good, bad, good])
    assert len(caught) == 1
    assert str(bad) in str(caught[0].message)
    assert np.isnan(images[1]).all()
    assert np.isfinite(images[[0, 2]]).all()


def test_missing_files_are_all_listed_before_any_is_decoded(write_tone, tmp_path, count_decoded):
    X = [write_tone("good.wav"), tmp_path / "x.wav", tmp_path / "y.wav"]
    with pytest.raises(AudioNotFoundError) as info:
        SpectrogramExtractor(duration=1).fit_transform(X)
    assert isinstance(info.value, FileNotFoundError)
    assert "Row 1" in str(info.value)
    assert "Row 2" in str(info.value)
    assert not count_decoded


def test_many_failures_are_counted_and_a_warning_lists_them_all(write_tone, tmp_path):
    X = [tmp_path / f"{i}.wav" for i in range(30)]
    with pytest.raises(AudioError, match=r"and 20 more"):
        SpectrogramExtractor(duration=1).fit(X)
    with pytest.warns(UserWarning, match="30 of 31") as caught:
        SpectrogramExtractor(duration=1, on_error="nan").fit_transform([write_tone("a.wav"), *X])
    assert all(str(path) in str(caught[0].message) for path in X)


def test_a_raw_file_is_named(write_tone, tmp_path):
    raw = tmp_path / "x.raw"
    raw.write_bytes(bytes(1000))
    with pytest.raises(AudioError, match=r"Row 1: .*x\.raw' is not audio"):
        SpectrogramExtractor().fit([write_tone("a.wav"), raw])


def test_an_empty_path_is_named(write_tone):
    with pytest.raises(AudioError, match="Row 1: the path is empty"):
        SpectrogramExtractor().fit([str(write_tone("a.wav")), ""])


@pytest.mark.parametrize("value", [None, np.nan, pd.NA, 3.5])
def test_a_cell_that_is_no_track_is_named(write_tone, value):
    with pytest.raises(AudioError, match=r"Row 1: got .* expected a path"):
        SpectrogramExtractor(duration=1).fit([str(write_tone("a.wav")), value])


def test_if_no_track_can_be_used_fit_fails(tmp_path):
    with pytest.raises(AudioNotFoundError, match="Row 0"):
        SpectrogramExtractor(on_error="nan").fit([tmp_path / "x.wav"])


def test_bad_waveforms_are_named(rng):
    waveforms = rng.standard_normal((3, 100))
    waveforms[2, 5] = np.nan
    with pytest.raises(ValueError, match="Row 2: the waveform contains NaN"):
        SpectrogramExtractor().fit(waveforms)
    with pytest.raises(ValueError, match="Row 1: the waveform holds no sample"):
        SpectrogramExtractor().fit([np.ones(5), np.ones(0)])
    with pytest.raises(ValueError, match=r"Row 1: the waveform is an array of shape \(2, 5\)"):
        SpectrogramExtractor().fit([np.ones(5), np.ones((2, 5))])
    with pytest.raises(ValueError, match="beyond ±1e12"):
        SpectrogramExtractor().fit(np.full((1, 5), 1e30))
    extractor = SpectrogramExtractor(on_error="nan")
    with pytest.warns(UserWarning, match="Row 2"):
        assert np.isnan(extractor.fit_transform(waveforms)[2]).all()


@pytest.mark.parametrize("duration", [None, 1])
def test_an_offset_past_the_end(write_tone, duration):
    short, long = write_tone("a.wav", seconds=1), write_tone("b.wav", seconds=3)
    extractor = SpectrogramExtractor(offset=2, duration=duration)
    with pytest.raises(AudioError, match=r"Row 1: .*a.wav.* is 1.00 s long"):
        extractor.fit_transform([long, short])
    with pytest.raises(AudioError, match=r"Row 0: the waveform is 0\.00 s long"):
        extractor.fit_transform(np.ones((1, 100)))
    with pytest.raises(ValueError, match="'offset' parameter"):
        SpectrogramExtractor(offset=-1).fit([long])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"fmin": 5000, "fmax": 400}, "fmin < fmax"),
        ({"fmax": 20000}, "sample_rate / 2"),
        ({"feature": "mfcc", "n_mfcc": 30, "n_mels": 20}, "n_mfcc=30"),
    ],
)
def test_parameters_that_contradict_each_other(params, message):
    with pytest.raises(ValueError, match=message):
        SpectrogramExtractor(**params).fit(np.ones((1, 100)))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("a.wav", "got the single path"),
        (Path("a.wav"), "got the single path"),
        ([["a.wav", "b.wav"]], "one column"),
        (pd.DataFrame({"a": ["x.wav"], "b": ["y.wav"]}), "one column"),
        (np.ones(5), "Expected 2D array"),
        (sparse.eye(3), "[Ss]parse"),
        ([], r"0 sample\(s\)"),
    ],
    ids=str,
)
def test_input_of_a_wrong_form(X, message):
    with pytest.raises((ValueError, TypeError), match=message):
        SpectrogramExtractor().fit(X)


def test_an_mp3_file_without_a_length_in_its_header(write_tone, tmp_path):
    """libsndfile guesses its length, so a shortfall does not mean that it is cut short."""
    path = write_tone("a.mp3", seconds=5, rate=44100, bitrate_mode="VARIABLE")
    data = path.read_bytes()
    header = max(data.find(b"Xing"), data.find(b"Info"))
    bare = tmp_path / "bare.mp3"
    bare.write_bytes(data[data.find(b"\xff\xfb", header) :])
    image = SpectrogramExtractor(n_mels=8, duration=4).fit_transform([bare])
    assert np.isfinite(image).all()
    tagged = tmp_path / "tagged.mp3"
    tag = b"ID3\x04\x00\x00\x00\x00\x02\x00" + b"\x00" * 256
    tagged.write_bytes(tag + data[: len(data) // 2])
    with pytest.raises(AudioError, match="truncated or corrupt"):
        SpectrogramExtractor(n_mels=8).fit_transform([tagged])


def test_a_wav_file_written_to_a_pipe_is_not_truncated(write_tone):
    path = write_tone("a.wav")
    data = bytearray(path.read_bytes())
    size = data.find(b"data") + 4
    data[size : size + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert np.isfinite(SpectrogramExtractor(n_mels=8).fit_transform([path])).all()


def test_n_jobs_does_not_change_the_result(write_tone):
    paths = [write_tone(f"{i}.wav", frequency=100 * (i + 1)) for i in range(6)]
    one, two = (SpectrogramExtractor(n_mels=8, n_jobs=n).fit_transform(paths) for n in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_progress_bar(write_tone, capsys):
    SpectrogramExtractor(n_mels=8, verbose=1).fit_transform([write_tone("a.wav")])
    assert "1/1" in capsys.readouterr().err


@pytest.mark.parametrize("as_object", [False, True])
def test_the_cache_reads_each_file_once(write_tone, tmp_path, count_decoded, as_object):
    paths = [write_tone(f"{i}.wav", seconds=0.3 + 0.1 * i) for i in range(4)]
    cache = tmp_path / "cache"
    memory = Memory(cache, verbose=0) if as_object else cache
    extractor = SpectrogramExtractor(n_mels=8, memory=memory, duration=0.5)
    first = extractor.fit_transform(paths)
    np.testing.assert_array_equal(extractor.fit_transform(paths), first)
    np.testing.assert_array_equal(extractor.transform(paths[::-1]), first[::-1])
    assert sorted(count_decoded) == ["0.wav", "1.wav", "2.wav", "3.wav"]
    # Another parameter that shapes the image is another entry; where it is kept is not.
    extractor.set_params(n_mels=9).fit_transform(paths[:1])
    extractor.set_params(n_jobs=2, verbose=0, on_error="nan").fit_transform(paths[:1])
    assert len(count_decoded) == 5
    # Nor is what kind of number it was.
    extractor.set_params(n_mels=np.int64(9), offset=0, fmin=np.float32(0), top_db=80)
    extractor.fit_transform(paths[:1])
    assert len(count_decoded) == 5


def test_a_changed_file_is_read_again(write_tone, tmp_path, count_decoded):
    path = write_tone("a.wav")
    extractor = SpectrogramExtractor(n_mels=8, memory=str(tmp_path / "cache"), duration=1)
    before = extractor.fit_transform([path])
    write_tone("a.wav", frequency=2000)
    os.utime(path, ns=(1, 1))
    after = extractor.fit_transform([path])
    assert len(count_decoded) == 2
    assert not np.allclose(before, after)


@pytest.mark.parametrize("duration", [None, 0.6])
def test_a_search_reads_each_file_once(write_tone, tmp_path, count_decoded, duration):
    """Test folds included, and whatever the longest track of a fold is."""
    paths = [write_tone(f"{i}.wav", seconds=0.4 + 0.02 * i) for i in range(8)]
    paths.append(write_tone("8.wav", seconds=1))
    pipe = Pipeline(
        [
            ("mel", SpectrogramExtractor(n_mels=8, memory=str(tmp_path / "c"), duration=duration)),
            ("vae", VAE(2, max_epochs=1)),
        ]
    )
    search = GridSearchCV(pipe, {"vae__beta": [0.1, 1]}, cv=3, error_score="raise")
    search.fit(np.array(paths, dtype=object))
    # Where fit learns the duration, a test track longer than its whole training fold is cropped,
    # which makes another image of it: those are the last three.
    n_cropped = 3 if duration is None else 0
    assert len(count_decoded) == 9 + n_cropped


def test_nothing_is_lost_when_one_file_fails(write_tone, tmp_path, count_decoded):
    good = [write_tone(f"{i}.wav") for i in range(3)]
    bad = tmp_path / "bad.wav"
    bad.write_text("not audio")
    extractor = SpectrogramExtractor(n_mels=8, memory=str(tmp_path / "cache"), duration=1)
    with pytest.raises(AudioError, match="Row 3"):
        extractor.fit_transform([*good, bad])
    extractor.fit_transform(good)
    assert sorted(count_decoded) == ["0.wav", "1.wav", "2.wav", "bad.wav"]


def test_two_processes_on_one_cache(write_tone, tmp_path):
    paths = [str(write_tone(f"{i}.wav", frequency=100 * (i + 1))) for i in range(8)]
    cache = str(tmp_path / "cache")
    script = (
        "from sklearn_music import SpectrogramExtractor\n"
        f"X = SpectrogramExtractor(n_mels=8, memory={cache!r}, duration=1).fit_transform({paths})\n"
        "print(float(X.sum(dtype=float)))"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    sums = [float(run.communicate(timeout=120)[0]) for run in runs]
    expected = SpectrogramExtractor(n_mels=8, duration=1).fit_transform(paths).sum(dtype=float)
    assert sums == [expected, expected]
    assert [run.returncode for run in runs] == [0, 0]


def test_the_cache_is_not_needed_to_transform(write_tone, tmp_path):
    path = write_tone("a.wav")
    extractor = SpectrogramExtractor(n_mels=8, memory=str(tmp_path / "cache"), duration=1)
    expected = extractor.fit_transform([path])
    shutil.rmtree(tmp_path / "cache")
    np.testing.assert_array_equal(extractor.transform([path]), expected)


def test_ctrl_c_ends_the_process_cleanly_and_keeps_the_cache(write_tone, tmp_path):
    """Python must not end while a worker is decoding: that aborts."""
    track = write_tone("0.flac", seconds=20, rate=44100)
    paths = [str(shutil.copy(track, tmp_path / f"{i + 1}.flac")) for i in range(100)]
    cache = str(tmp_path / "cache")
    script = (
        "from sklearn_music import SpectrogramExtractor\n"
        f"mel = SpectrogramExtractor(duration=20, n_jobs=2, memory={cache!r}).fit({paths})\n"
        "print('ready', flush=True)\n"
        f"mel.transform({paths})\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout.readline() == "ready\n"
    while run.poll() is None and not list((tmp_path / "cache").rglob("output.pkl")):
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    assert run.returncode == -signal.SIGINT
    n_kept = len(list((tmp_path / "cache").rglob("output.pkl")))
    assert 0 < n_kept < 100
