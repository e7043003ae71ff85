"""MusicNN against the original code under TensorFlow, and the reader of its checkpoints."""

import json
import pickle
import struct
import sys
from importlib.util import find_spec
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import torch
from sklearn.base import clone

from sklearn_music import AudioEncoder
from sklearn_music.features.encoders import MusicNN
from sklearn_music.features.encoders._checkpoint import read_checkpoint

needs_weights = pytest.mark.skipif(
    find_spec("musicnn") is None, reason="the weights of the package musicnn are not installed"
)
CPU = torch.device("cpu")

# Outputs of the original network (musicnn 0.1.0 under TensorFlow 2.15.1) for a window of each clip,
# from frame 8 of the clip's spectrogram on.
REFERENCE = json.loads(Path(__file__).with_name("musicnn_reference.json").read_text())


def make_clip(k):
    """Harmonics with slow amplitude modulation, and noise: from quiet to loud, clip 2 with a gap.

    Samples are rounded to multiples of 2**-16, so that they are the same on all platforms.
    """
    time = np.arange(104000) / 16000.0
    pitch = (110.0, 196.0, 261.6, 329.6)[k]
    clip = 0.05 * np.random.default_rng(k).standard_normal(time.size)
    for i in range(1, 7):
        strength = 0.6 + 0.4 * np.sin(2 * np.pi * (0.3 * i + 0.5 * k) * time + i)
        clip += strength * np.sin(2 * np.pi * pitch * i * time + i * i) / i
    clip *= (0.05, 0.2, 0.5, 0.9)[k] / np.abs(clip).max()
    if k == 2:
        clip[32000:48000] = 0.0
    return (np.round(clip * 65536) / 65536).astype(np.float32)


def window_of(clip, start):
    return clip[start : start + MusicNN.window_length]


@needs_weights
@pytest.mark.parametrize("name", REFERENCE)
@pytest.mark.parametrize(("output", "tolerance"), [("embedding", 3e-5), ("tags", 1e-5)])
def test_it_computes_what_the_original_does(name, output, tolerance):
    model, k = name.split("/")
    encoder = MusicNN(model, output=output)
    # The original centres its frames: the one with the number 8 begins half a window earlier.
    log_mel = encoder.preprocess(window_of(make_clip(int(k)), 8 * 256 - 256))
    (vector,) = encoder.encode(log_mel[None], CPU)
    expected = REFERENCE[name][output]
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector, expected, rtol=0, atol=tolerance)
    assert np.ptp(expected) > 100 * tolerance


def test_log_mel_spectrogram():
    window = window_of(make_clip(3), 0)
    power = librosa.feature.melspectrogram(
        y=window, sr=16000, n_fft=512, hop_length=256, n_mels=96, center=False
    )
    log_mel = MusicNN().preprocess(window)
    assert log_mel.shape == (187, 96)
    assert log_mel.dtype == np.float32
    np.testing.assert_allclose(log_mel, np.log10(10000 * power.T + 1), atol=1e-5)


@needs_weights
def test_outputs_and_names():
    log_mel = np.stack([MusicNN().preprocess(window_of(make_clip(k), 0)) for k in range(3)])
    for output, n_features in (("embedding", 200), ("tags", 50), ("pooled", 1506)):
        encoder = MusicNN(output=output)
        vectors = encoder.encode(log_mel, CPU)
        assert vectors.shape == (3, n_features) == (3, encoder.n_features)
        # Windows do not depend on each other.
        for one, vector in zip(log_mel, vectors, strict=True):
            np.testing.assert_allclose(encoder.encode(one[None], CPU)[0], vector, atol=1e-3)
        assert len(set(encoder.get_feature_names())) == n_features
    both = MusicNN(output=("embedding", "tags"))
    assert both.n_features == 250
    np.testing.assert_allclose(
        both.encode(log_mel, CPU)[:, 200:],
        MusicNN(output="tags").encode(log_mel, CPU),
        atol=1e-6,
    )
    assert both.get_feature_names()[199:202] == ["embedding199", "rock", "pop"]
    assert MusicNN("MTT", output="tags").get_feature_names()[:2] == ["guitar", "classical"]


@needs_weights
def test_identities():
    encoders = [MusicNN(), MusicNN("MTT"), MusicNN(output="tags"), MusicNN(output=("tags",))]
    identities = {str(encoder.identity()) for encoder in encoders}
    assert len(identities) == 3  # the last two give the same numbers
    for same in (clone(encoders[1]), pickle.loads(pickle.dumps(encoders[1]))):
        assert same.identity() == encoders[1].identity()
        assert same.get_params() == {"model": "MTT", "output": "embedding"}
    # The network is no part of the object.
    assert len(pickle.dumps(encoders[0])) < 1000


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"model": "MSD_big"}, "'model' parameter"),
        ({"output": "tag"}, "Got output='tag'"),
        ({"output": ()}, r"Got output=\(\)"),
        ({"output": ("tags", "tags")}, "twice"),
        ({"output": 3}, "Got output=3"),
        ({"output": [["tags"]]}, r"Got output=\[\['tags'\]\]"),
    ],
    ids=str,
)
def test_wrong_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        AudioEncoder(MusicNN(**params)).fit(np.ones((2, 100)))


def test_without_the_weights(monkeypatch):
    # Python takes this for a module that is not there.
    monkeypatch.setitem(sys.modules, "musicnn", None)
    waveforms = np.ones((2, 100))
    with pytest.raises(ImportError, match=r"pip install --no-deps musicnn==0\.1\.0"):
        AudioEncoder(MusicNN()).fit(waveforms)
    for use in ("identity", "check_settings"):
        with pytest.raises(ImportError, match="weights of MusicNN are not installed"):
            getattr(MusicNN(), use)()
    # What needs no weights.
    assert MusicNN().n_features == 200


@needs_weights
def test_tracks(tmp_path):
    clips = [make_clip(k) for k in range(3)]
    paths = [tmp_path / f"{k}.wav" for k in range(3)]
    for path, clip in zip(paths, clips, strict=True):
        soundfile.write(path, clip, 16000, subtype="FLOAT")
    encoder = AudioEncoder(MusicNN(output="tags"), windows=2, memory=tmp_path / "cache")
    table = encoder.set_output(transform="pandas").fit_transform(paths)
    assert table.columns[:2].tolist() == ["rock", "pop"]
    np.testing.assert_allclose(encoder.fit_transform(clips), table, atol=1e-6)
    expected = [
        np.mean(
            [
                MusicNN(output="tags").encode(
                    MusicNN().preprocess(window_of(clip, start))[None], CPU
                )[0]
                # The middles of the halves of where a window can start.
                for start in ((104000 - 48128) // 4, 3 * (104000 - 48128) // 4)
            ],
            axis=0,
        )
        for clip in clips
    ]
    np.testing.assert_allclose(table, expected, atol=1e-6)


# Checkpoints


def test_not_a_checkpoint(tmp_path):
    for index, message in [
        (b"", "no checkpoint that can be read"),
        (b"x" * 100, "no table of LevelDB"),
        # The footer leads outside of the file.
        (
            bytes([9, 9, 250, 9]) + bytes(36) + struct.pack("<Q", 0xDB4775248B80FB57),
            "no checkpoint",
        ),
    ]:
        (tmp_path / "model.index").write_bytes(index)
        (tmp_path / "model.data-00000-of-00001").write_bytes(b"")
        with pytest.raises(ValueError, match=message):
            read_checkpoint(str(tmp_path / "model"))


@needs_weights
def test_a_checkpoint_that_is_cut_short(tmp_path):
    folder = Path(find_spec("musicnn").origin).parent / "MTT_musicnn"
    data = (folder / ".data-00000-of-00001").read_bytes()
    (tmp_path / "model.index").write_bytes((folder / ".index").read_bytes())
    (tmp_path / "model.data-00000-of-00001").write_bytes(data)
    tensors = read_checkpoint(str(tmp_path / "model"))
    assert tensors["dense_1/kernel"].shape == (200, 50)
    assert len([name for name in tensors if "Adam" not in name and "power" not in name]) == 64
    (tmp_path / "model.data-00000-of-00001").write_bytes(data[:-100])
    with pytest.raises(ValueError, match="a tensor of shape"):
        read_checkpoint(str(tmp_path / "model"))
