import copy
import functools
import os
import pickle
import subprocess
import sys
import threading

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io as skops
import soundfile
import torch
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_music import AudioEncoder, SpectrogramExtractor, TrackVAE
from sklearn_music.exceptions import AudioError
from sklearn_music.features import _track_transformer
from sklearn_music.features.encoders import BaseEncoder, MusicNN
from sklearn_music.metrics import silhouette_scorer


class Net(torch.nn.Module):
    """A pretrained network in miniature."""

    def __init__(self, n_components=3):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv1d(1, 4, 16, stride=8),
            torch.nn.BatchNorm1d(4),
            torch.nn.ReLU(),
            torch.nn.AdaptiveAvgPool1d(1),
            torch.nn.Flatten(),
            torch.nn.Linear(4, n_components),
        )

    def forward(self, waveform, sample_rate):
        assert waveform.dtype == np.float32
        assert sample_rate == 16000
        assert not torch.is_grad_enabled()
        return self.layers(torch.from_numpy(waveform)[None, None])[0]


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net().eval()


def mean_and_std(waveform, sample_rate):
    return [waveform.mean(), waveform.std()]


def test_a_network_of_files(net, write_tone):
    paths = [write_tone(f"{i}.wav", rate=16000, frequency=200 * (i + 1)) for i in range(3)]
    encoder = AudioEncoder(net, sample_rate=16000)
    vectors = encoder.fit_transform(paths)
    assert vectors.dtype == np.float32
    assert encoder.n_components_ == 3
    for path, vector in zip(paths, vectors, strict=True):
        waveform = _track_transformer.read_audio(path, sample_rate=16000)
        with torch.no_grad():
            np.testing.assert_array_equal(vector, net(waveform, 16000).numpy())
    assert encoder.get_feature_names_out().tolist() == [f"audioencoder{i}" for i in range(3)]
    frame = encoder.set_output(transform="pandas").fit_transform(pd.DataFrame({"audio": paths}))
    np.testing.assert_array_equal(frame, vectors)


def test_files_and_waveforms_are_heard_alike(write_tone):
    path = write_tone("a.wav", rate=16000, subtype="FLOAT")
    waveform = _track_transformer.read_audio(path, sample_rate=16000)
    heard = []

    def listen(waveform, sample_rate):
        heard.append(waveform)
        return [sample_rate]

    for offset, duration, n_samples in ((0, None, 16000), (0.5, None, 8000), (0.5, 0.1, 1600)):
        encoder = AudioEncoder(listen, sample_rate=16000, offset=offset, duration=duration)
        del heard[:]
        encoder.fit([path]).transform([path, waveform])
        start = int(offset * 16000)
        for stretch in heard:
            np.testing.assert_array_equal(stretch, waveform[start : start + n_samples])
    with pytest.raises(AudioError, match=r"Row 0: .* past its end"):
        AudioEncoder(listen, sample_rate=16000, offset=2).fit([path])


def test_a_short_track_is_not_padded(write_tone):
    short, long = write_tone("a.wav", seconds=0.5), write_tone("b.wav", seconds=2)
    lengths = AudioEncoder(lambda waveform, _: [len(waveform)], duration=1)
    assert lengths.fit_transform([short, long]).tolist() == [[11025], [22050]]


@pytest.mark.parametrize(
    "vector",
    [
        [1, 2],
        (1.0, 2.0),
        np.array([1.0, 2.0]),
        torch.tensor([1, 2]),
        torch.tensor([1.0, 2.0], requires_grad=True),
        torch.tensor([1.0, 2.0], dtype=torch.bfloat16),
    ],
    ids=str,
)
def test_kinds_of_vectors(vector):
    rows = AudioEncoder(lambda *_: vector).fit_transform(np.ones((2, 10)))
    np.testing.assert_array_equal(rows, np.float32([[1, 2], [1, 2]]), strict=True)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([1.0], "returned 1 numbers"),
        ([[1.0, 2.0]], r"shape \(1, 2\)"),
        (3.0, r"shape \(\)"),
        ([], r"shape \(0,\)"),
        (["a", "b"], "dtype <U1"),
        (None, "dtype object"),
        ([[1.0], [1.0, 2.0]], "the encoder failed"),
        ([1.0, np.nan], "NaN or infinity"),
        ([1.0, np.inf], "NaN or infinity"),
        ([1.0, 1e300], "NaN or infinity"),
        (ZeroDivisionError("no"), "the encoder failed on .* ZeroDivisionError: no"),
    ],
    ids=str,
)
def test_a_bad_vector_is_named(write_tone, bad, message):
    paths = [write_tone("a.wav"), write_tone("b.wav", seconds=0.5), write_tone("c.wav")]

    def model(waveform, sample_rate):
        if len(waveform) > 20000:
            return [1.0, 2.0]
        if isinstance(bad, Exception):
            raise bad
        return bad

    encoder = AudioEncoder(model).fit(paths)
    with pytest.raises(AudioError, match=rf"(?s)Row 1: .*{message}") as info:
        encoder.transform(paths)
    assert "b.wav" in str(info.value)
    assert 'on_error="nan"' in str(info.value)
    if isinstance(bad, Exception):
        assert info.value.__cause__ is bad
    with pytest.warns(UserWarning, match=r"1 of 3 tracks"):
        rows = encoder.set_params(on_error="nan").transform(paths)
    assert np.isnan(rows[:, 0]).tolist() == [False, True, False]
    if bad == [1.0]:
        return
    # The first track that can be used determines the length.
    assert encoder.fit(paths[1:]).n_components_ == 2
    with pytest.raises(AudioError, match="Row 0"):
        encoder.fit(paths[1:2])


def test_numbers_too_large_for_float16():
    encoder = AudioEncoder(lambda *_: [1e6], dtype="float16")
    with pytest.raises(AudioError, match=r'Row 0: .* the waveform, .*Use dtype="float32"'):
        encoder.fit_transform(np.ones((1, 10)))


@pytest.mark.parametrize("model", [None, "model", 3])
def test_a_model_that_cannot_be_called(model):
    with pytest.raises(ValueError, match="'encoder' parameter"):
        AudioEncoder(model).fit(np.ones((1, 10)))


def test_missing_and_broken_files_are_named(net, write_tone, tmp_path):
    good, bad = write_tone("a.wav"), tmp_path / "b.wav"
    bad.write_text("not audio")
    encoder = AudioEncoder(net, sample_rate=16000).fit([good])
    with pytest.raises(AudioError, match=r"Row 1: .*b\.wav.* not audio"):
        encoder.transform([good, bad])
    with pytest.raises(FileNotFoundError, match="Row 1"):
        encoder.fit([good, tmp_path / "c.wav"])


def test_the_model_may_write_to_its_input(rng):
    waveforms = rng.standard_normal((2, 100)).astype(np.float32)
    before = waveforms.copy()
    waveforms.flags.writeable = False

    def greedy(waveform, sample_rate):
        waveform[:] = 0
        return waveform[:2]

    AudioEncoder(greedy).fit_transform(waveforms)
    np.testing.assert_array_equal(waveforms, before)


def test_the_model_is_called_for_one_track_at_a_time(write_tone):
    paths = [write_tone(f"{i}.wav") for i in range(6)]
    busy = threading.Lock()

    def model(waveform, sample_rate):
        assert busy.acquire(blocking=False)
        spectrum = np.abs(np.fft.fft(waveform))
        busy.release()
        return [spectrum.mean(), sample_rate]

    one, two = (AudioEncoder(model, n_jobs=n).fit_transform(paths) for n in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_other_weights_are_another_entry_of_the_cache(net, write_tone, tmp_path, count_decoded):
    paths = [write_tone("a.wav"), write_tone("b.wav", frequency=200)]
    encoder = AudioEncoder(net, sample_rate=16000, memory=tmp_path / "cache")
    first = encoder.fit_transform(paths)
    assert len(count_decoded) == 2  # the first one in fit
    for same in (encoder, clone(encoder), pickle.loads(pickle.dumps(encoder))):
        np.testing.assert_array_equal(same.fit_transform(paths), first)
    assert len(count_decoded) == 2
    with torch.no_grad():
        net.layers[-1].bias[0] += 1
    other = encoder.fit_transform(paths)
    np.testing.assert_allclose(other - first, [[1, 0, 0]] * 2, atol=1e-5)
    assert len(count_decoded) == 4
    encoder.set_params(duration=0.5).fit_transform(paths)
    assert len(count_decoded) == 6
    with torch.no_grad():
        net.layers[-1].bias[0] -= 1
    encoder.set_params(duration=None, n_jobs=2, verbose=0, dtype="float16").transform(paths)
    assert len(count_decoded) == 6


class Scaled:
    """A model without torch."""

    def __init__(self, scale):
        self.scale = scale

    def __call__(self, waveform, sample_rate):
        return self.scale * waveform[:2]

    def encode(self, waveform, sample_rate):
        return self.scale * waveform[2:4]


def test_what_a_model_is_to_the_cache(net):
    def key(model):
        return joblib.hash(AudioEncoder(model)._identity())

    def scaled_by(scale):
        return functools.partial(Scaled(scale).encode, sample_rate=16000)

    for same, other in (
        ([Scaled(2), Scaled(2)], Scaled(3)),
        ([Scaled(2).encode, Scaled(2).encode], Scaled(3).encode),
        ([scaled_by(2), scaled_by(2)], scaled_by(3)),
        ([net, copy.deepcopy(net)], Net(4)),
    ):
        assert key(same[0]) == key(same[1]) != key(other)
    assert key(Scaled(2)) != key(Scaled(2).encode)
    with torch.no_grad():
        before = key(net)
        net.layers[-1].bias[0] += 1
    assert key(net) != before


def locked(lock):
    scaled = Scaled(2)
    scaled.lock = lock
    return scaled


NOT_IDENTIFIED = {
    "function": (mean_and_std, "a function"),
    "lambda": (lambda waveform, _: waveform[:2], "a function"),
    "partial": (functools.partial(mean_and_std), "a function"),
    "class": (Net, "a function"),
    "lock": (locked(threading.Lock()), "pickle"),
    "lambda inside": (locked(lambda: None), "pickle"),
}


@pytest.mark.parametrize("name", NOT_IDENTIFIED)
def test_a_model_that_the_cache_cannot_identify_needs_a_name(
    write_tone, tmp_path, count_decoded, name
):
    model, reason = NOT_IDENTIFIED[name]
    path = write_tone("a.wav")
    with pytest.raises(ValueError, match=f"(?s)can't identify: .*{reason}.*set model_id"):
        AudioEncoder(model, memory=tmp_path).fit([path])
    assert not count_decoded
    if name == "class":
        return
    expected = AudioEncoder(model).fit([path])
    encoder = AudioEncoder(model, memory=tmp_path, model_id="a").fit([path])
    np.testing.assert_array_equal(encoder.transform([path]), expected.transform([path]))
    with pytest.raises(ValueError, match="set model_id"):
        encoder.set_params(model_id=None).transform([path])


def test_the_name_stands_for_the_model(write_tone, tmp_path, count_decoded):
    path = write_tone("a.wav")
    encoder = AudioEncoder(mean_and_std, memory=tmp_path, model_id="a")
    first = encoder.fit_transform([path])
    encoder.set_params(encoder=lambda *_: [1.0, 2.0])
    np.testing.assert_array_equal(encoder.fit_transform([path]), first)
    assert len(count_decoded) == 1
    assert encoder.set_params(model_id="b").fit_transform([path]).tolist() == [[1, 2]]
    assert len(count_decoded) == 2
    # Not even the hash of another model is the same key.
    by_content, name = AudioEncoder(Scaled(2)), AudioEncoder(Scaled(3))
    name.model_id = by_content._identity()[1]
    assert name._identity() != by_content._identity()


def test_another_process_knows_the_model(net, tmp_path):
    """Though the tensors lie elsewhere in its memory, and sets of strings are in another order."""
    net.words = {"a", "b", "c", "d"}
    encoder = AudioEncoder(net)
    (tmp_path / "encoder.pkl").write_bytes(pickle.dumps(encoder))
    script = (
        "import pickle, sys\n"
        f"sys.path = {[os.path.dirname(__file__), *sys.path]}\n"
        f"print(pickle.load(open({str(tmp_path / 'encoder.pkl')!r}, 'rb'))._identity())\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    )
    assert run.stdout.strip() == str(encoder._identity())


def test_a_result_larger_than_memory_is_mapped(net, write_tone, tmp_path, monkeypatch):
    monkeypatch.setattr(_track_transformer, "_SHARE_OF_MEMORY", 0)
    paths = [write_tone("a.wav"), write_tone("b.wav", frequency=200)]
    encoder = AudioEncoder(net, sample_rate=16000).fit(paths)
    expected = encoder.transform(paths)
    mapped = encoder.set_params(memory=tmp_path / "cache").transform(paths)
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, expected)


def test_it_stands_in_a_pipeline(write_tone):
    paths = [write_tone(f"{i}.wav", frequency=100 + 900 * (i % 2)) for i in range(6)]
    brightness = AudioEncoder(lambda waveform, rate: [np.abs(np.diff(waveform)).mean() * 100])
    labels = make_pipeline(brightness, KMeans(2, n_init=1, random_state=0)).fit_predict(paths)
    assert labels[0] != labels[1]
    assert labels.tolist() == [labels[0], labels[1]] * 3


def test_pickle_and_clone(write_tone):
    paths = [write_tone("a.wav"), write_tone("b.wav", frequency=200)]
    fitted = AudioEncoder(mean_and_std).fit(paths)
    expected = fitted.transform(paths)
    for other in (clone(fitted).fit(paths), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(other.transform(paths), expected)


# Encoders of windows


class Levels(BaseEncoder):
    """Mean and maximum of windows of 0.1 s at 8 kHz."""

    sample_rate, window_length, n_features = 8000, 800, 2

    def __init__(self, scale=1.0):
        self.scale = scale

    def identity(self):
        return "Levels", self.scale

    def preprocess(self, window):
        assert window.shape == (800,)
        assert window.dtype == np.float32
        return window.reshape(8, 100)

    def encode(self, batch, device):
        assert batch.shape[1:] == (8, 100)
        assert device.type == "cpu"
        SIZES.append(len(batch))
        return self.scale * np.stack([batch.mean((1, 2)), batch.max((1, 2))], axis=1)

    def get_feature_names(self):
        return ["mean", "max"]


SIZES = []


def staircase(seconds, rate=8000):
    """A waveform whose level is the time in units of 10 s."""
    return (np.arange(int(seconds * rate)) / rate / 10).astype(np.float32)


def levels_of(waveform, n_windows, rate=8000):
    """The means of windows of 0.1 s in the middles of equal parts of where one can start."""
    room = max(0, len(waveform) - 800)
    starts = [int(room * (i + 0.5) / n_windows) for i in range(n_windows)]
    return np.array(
        [[w.mean(), w.max()] for w in (np.resize(waveform[s : s + 800], 800) for s in starts)]
    )


@pytest.mark.parametrize("n_windows", [1, 2, 5])
@pytest.mark.parametrize("kind", ["waveform", "file", "long file"])
def test_windows_are_spread_over_a_track(n_windows, kind, tmp_path, count_decoded):
    waveform = staircase(8.0 if kind == "long file" else 0.3)
    track = waveform
    if kind != "waveform":
        track = tmp_path / "a.wav"
        soundfile.write(track, waveform, 8000, subtype="FLOAT")
    rows = AudioEncoder(Levels(), windows=n_windows, pooling=None).fit_transform([track])
    np.testing.assert_allclose(
        rows.reshape(2, n_windows).T, levels_of(waveform, n_windows), atol=2e-5
    )
    # Of a long file no more than the windows is decoded.
    n_reads = {"waveform": 0, "file": 1, "long file": n_windows}[kind]
    assert len(count_decoded) == n_reads


def test_pooling_and_names():
    waveforms = [staircase(2.0), staircase(3.0)]
    windows = np.stack([levels_of(waveform, 4) for waveform in waveforms])
    mean, std = windows.mean(axis=1), windows.std(axis=1)
    for pooling, expected, names in [
        ("mean", mean, ["mean", "max"]),
        ("stats", np.hstack([mean, std]), ["mean_mean", "max_mean", "mean_std", "max_std"]),
        (
            None,
            windows.transpose(0, 2, 1).reshape(2, 8),
            [f"{name}_w{i}" for name in ("mean", "max") for i in range(4)],
        ),
    ]:
        encoder = AudioEncoder(Levels(), pooling=pooling)
        np.testing.assert_allclose(encoder.fit_transform(waveforms), expected, atol=1e-6)
        assert encoder.get_feature_names_out().tolist() == names
        assert encoder.n_components_ == len(names)
        assert getattr(encoder, "image_shape_", None) == (None if pooling else (2, 4))
    assert not hasattr(encoder.set_params(pooling="mean").fit(waveforms), "image_shape_")


def test_a_stretch_of_the_track(tmp_path):
    waveform = staircase(4.0)
    path = tmp_path / "a.wav"
    soundfile.write(path, waveform, 8000, subtype="FLOAT")
    encoder = AudioEncoder(Levels(), offset=1.0, duration=2.0, pooling=None)
    rows = encoder.fit_transform([waveform, path])
    expected = levels_of(waveform[8000:24000], 4).T.ravel()
    np.testing.assert_allclose(rows, [expected, expected], atol=2e-5)


def test_a_track_shorter_than_a_window_is_repeated():
    waveform = staircase(0.03)
    rows = AudioEncoder(Levels()).fit_transform([waveform])
    expected = np.resize(waveform, 800)
    np.testing.assert_allclose(rows, [[expected.mean(), expected.max()]], rtol=1e-5)


def test_waveforms_of_another_rate_are_resampled():
    waveform = np.sin(2 * np.pi * 50 * np.arange(44100) / 44100).astype(np.float32)
    rows = AudioEncoder(Levels(), sample_rate=44100).fit_transform([waveform])
    np.testing.assert_allclose(rows, [[0, 1]], atol=0.01)


@pytest.mark.parametrize("batch_size", [1, 3, 8, 100])
def test_batches_hold_windows_of_several_tracks(batch_size, rng):
    waveforms = [rng.uniform(-1, 1, 4000).astype(np.float32) for _ in range(7)]
    expected = AudioEncoder(Levels()).fit_transform(waveforms)
    SIZES.clear()
    rows = AudioEncoder(Levels(), batch_size=batch_size).fit_transform(waveforms)
    np.testing.assert_array_equal(rows, expected)
    assert sum(SIZES) == 28
    assert max(SIZES) == min(batch_size, 28)


def test_cache_of_windows(tmp_path, count_decoded, write_tone):
    paths = [write_tone(f"{i}.wav", rate=8000, frequency=200 * (i + 1)) for i in range(3)]
    encoder = AudioEncoder(Levels(), memory=tmp_path / "cache")
    first = encoder.fit_transform(paths)
    n_reads = len(count_decoded)
    SIZES.clear()
    again = clone(encoder).set_params(batch_size=2, n_jobs=2, device="cpu").fit_transform(paths)
    np.testing.assert_array_equal(again, first)
    # Only what the windows become is computed anew.
    stats = clone(encoder).set_params(pooling="stats").fit_transform(paths)
    np.testing.assert_array_equal(stats[:, :2], first)
    assert len(count_decoded) == n_reads
    assert not SIZES
    np.testing.assert_allclose(
        clone(encoder).set_params(encoder__scale=2.0).fit_transform(paths), 2 * first, rtol=1e-6
    )
    clone(encoder).set_params(windows=3).fit_transform(paths)
    assert SIZES == [8, 4, 6, 3]


def test_one_bad_track_among_windows(tmp_path, write_tone):
    good = [write_tone(f"{i}.wav", rate=8000) for i in range(3)]
    bad = tmp_path / "bad.wav"
    bad.write_text("not audio")
    encoder = AudioEncoder(Levels(), on_error="nan", batch_size=5)
    with pytest.warns(UserWarning, match="1 of 4 tracks"):
        rows = encoder.fit_transform([good[0], bad, *good[1:]])
    assert np.isnan(rows).all(axis=1).tolist() == [False, True, False, False]
    assert list(encoder.failures_) == [1]
    with pytest.raises(AudioError, match=r"Row 1: .*bad\.wav"):
        clone(encoder).set_params(on_error="raise").fit_transform([good[0], bad, *good[1:]])


@pytest.mark.parametrize("transformer", [AudioEncoder(Levels()), SpectrogramExtractor(duration=1)])
def test_no_track_can_be_decoded(transformer, tmp_path, write_tone):
    """An error of fit_transform, since nothing can be learnt from; rows of NaN of transform."""
    bad = tmp_path / "bad.wav"
    bad.write_text("not audio")
    transformer = clone(transformer).set_params(on_error="nan")
    with pytest.raises(AudioError, match=r"Row 0: .*bad\.wav.*\nRow 1: "):
        transformer.fit_transform([bad, bad])
    transformer.fit([write_tone("good.wav")])
    with pytest.warns(UserWarning, match="2 of 2 tracks"):
        assert np.isnan(transformer.transform([bad, bad])).all()


def test_an_encoder_that_returns_nan_names_the_track(write_tone):
    paths = [write_tone("a.wav", rate=8000), write_tone("b.wav", rate=8000, seconds=0.2)]
    with pytest.raises(AudioError, match=r"Row 0: .*NaN or infinity.*a\.wav"):
        AudioEncoder(Levels(np.nan)).fit_transform(paths)


def test_an_encoder_that_returns_another_shape():
    class Flat(Levels):
        def encode(self, batch, device):
            return super().encode(batch, device).ravel()

    with pytest.raises(ValueError, match=r"shape \(8,\) for 4 windows, expected \(4, 2\)"):
        AudioEncoder(Flat()).fit_transform([staircase(1.0)])


def test_wrong_settings_are_found_before_the_work(write_tone, count_decoded):
    path = write_tone("a.wav")
    for params, message in [
        ({"encoder": mean_and_std, "pooling": None}, "Got pooling=None for a function"),
        ({"encoder": Levels(), "device": "tpu"}, "Got device='tpu'"),
        ({"encoder": Levels(), "windows": 0}, "'windows' parameter"),
        ({"encoder": Levels}, r"expected an object, Levels\(\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            AudioEncoder(**params).fit([path])
    assert not count_decoded


def test_a_track_vae_of_windows(rng):
    waveforms = [rng.uniform(-1, 1, 8000).astype(np.float32) for _ in range(12)]
    encoder = AudioEncoder(Levels(), windows=8, pooling=None)
    rows = encoder.fit_transform(waveforms)
    vae = TrackVAE(4, image_shape=encoder.image_shape_, window_frames=4, max_epochs=2)
    assert vae.fit_transform(rows).shape == (12, 4)


def test_encoders_in_a_search_and_in_skops(rng, tmp_path):
    waveforms = [rng.uniform(-1, 1, 1000).astype(np.float32) for _ in range(12)]
    pipe = make_pipeline(AudioEncoder(Levels()), KMeans(2, n_init=1, random_state=0))
    search = GridSearchCV(
        pipe, {"audioencoder__encoder__scale": [1.0, 2.0]}, scoring=silhouette_scorer(), cv=2
    ).fit(waveforms)
    assert search.best_params_.keys() == {"audioencoder__encoder__scale"}
    fitted = AudioEncoder(MusicNN()).set_output(transform="pandas")
    fitted.n_components_, fitted.n_features_in_ = 200, 1
    skops.dump(fitted, tmp_path / "encoder.skops")
    trusted = skops.get_untrusted_types(file=tmp_path / "encoder.skops")
    again = skops.load(tmp_path / "encoder.skops", trusted=trusted)
    assert again.get_params()["encoder__model"] == "MSD"
