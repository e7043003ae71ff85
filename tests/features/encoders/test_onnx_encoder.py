"""OnnxEncoder on small ONNX files, against the same computation in NumPy and librosa."""

import os
import pickle
import shutil
from importlib.util import find_spec

import librosa
import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_music.features.encoders import MusicNN, OnnxEncoder
from sklearn_music.features.encoders import _onnx_files as module

pytestmark = pytest.mark.skipif(
    find_spec("onnx") is None or find_spec("onnxruntime") is None,
    reason="onnx or onnxruntime is not installed",
)
CPU = torch.device("cpu")


def save(path, shape, outputs, *, external=None, seed=0, dtype="FLOAT"):
    """Write a model whose outputs are its flat input, or that at each time, times weights.

    `outputs` are the names with the shapes that the file says they have.
    """
    import onnx
    from onnx import helper, numpy_helper

    kind = getattr(onnx.TensorProto, dtype)
    real = helper.tensor_dtype_to_np_dtype(kind)
    nodes, weights = [], []
    for name, (out_shape, n_in) in outputs.items():
        n_out = min(size for size in out_shape[1:] if isinstance(size, int))
        values = np.random.default_rng(seed).normal(0, 0.1, (n_in, n_out)).astype(real)
        weights.append(numpy_helper.from_array(values, f"{name}_weights"))
        if len(out_shape) == 2:
            nodes.append(helper.make_node("Flatten", ["x"], [f"{name}_flat"]))
            nodes.append(helper.make_node("MatMul", [f"{name}_flat", f"{name}_weights"], [name]))
        elif out_shape[2] == n_out:
            nodes.append(helper.make_node("MatMul", ["x", f"{name}_weights"], [name]))
        else:  # features before times
            nodes.append(helper.make_node("MatMul", ["x", f"{name}_weights"], [f"{name}_t"]))
            nodes.append(helper.make_node("Transpose", [f"{name}_t"], [name], perm=[0, 2, 1]))
    infos = [helper.make_tensor_value_info(n, kind, s) for n, (s, _) in outputs.items()]
    graph = helper.make_graph(
        nodes, "model", [helper.make_tensor_value_info("x", kind, shape)], infos, weights
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = {} if external is None else {
        "save_as_external_data": True, "location": external, "size_threshold": 0
    }  # fmt: skip
    onnx.save(model, path, **options)
    return [numpy_helper.to_array(weight) for weight in weights]


def windows_for(encoder, n=5):
    time = np.arange(encoder.window_length) / encoder.sample_rate
    pitches = 110 * 2 ** np.arange(n)
    noise = np.random.default_rng(0).normal(0, 0.01, (n, len(time)))
    return (0.5 * np.sin(2 * np.pi * pitches[:, None] * time) + noise).astype(np.float32)


def encode(encoder, windows):
    return encoder.encode(np.stack([encoder.preprocess(window) for window in windows]), CPU)


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "shape", [("n", 800), (2, 800), ("n", "time"), ("n", 1, 800), ("n", "c", "t")]
)
def test_waveforms(tmp_path, shape):
    (weights,) = save(tmp_path / "m.onnx", shape, {"y": (("n", 6), 800)})
    encoder = OnnxEncoder(tmp_path / "m.onnx", sample_rate=8000, window=0.1)
    encoder.check_settings()
    assert (encoder.window_length, encoder.n_features) == (800, 6)
    assert encoder.get_feature_names()[5] == "onnxencoder5"
    windows = windows_for(encoder)
    vectors = encode(encoder, windows)
    assert vectors.dtype == np.float32
    close(vectors, windows @ weights)
    close(encode(encoder, windows[1:2]), vectors[1:2])


@pytest.mark.parametrize("batch", ["n", 64, 4, 1])
def test_patches_of_discogs_effnet(tmp_path, batch):
    path = tmp_path / "effnet.onnx"
    outputs = {"activations": ((batch, 40), 128 * 96), "embeddings": ((batch, 30), 128 * 96)}
    _, weights = save(path, (batch, 128, 96), outputs)
    encoder = OnnxEncoder(path, input="log_mel", output="embeddings")
    assert encoder.window_length == 127 * 256 + 512
    assert encoder.n_features == 30
    windows = windows_for(encoder)
    power = librosa.feature.melspectrogram(
        y=windows, sr=16000, n_fft=512, hop_length=256, n_mels=96, center=False
    )
    log_mel = np.log10(1 + 10000 * power).transpose(0, 2, 1)
    close(np.stack([encoder.preprocess(window) for window in windows]), log_mel)
    close(encode(encoder, windows), log_mel.reshape(5, -1) @ weights)


def test_it_computes_the_spectrogram_of_musicnn(tmp_path):
    save(tmp_path / "m.onnx", ("n", 187, 96), {"y": (("n", 5), 187 * 96)})
    encoder = OnnxEncoder(tmp_path / "m.onnx", input="log_mel")
    assert encoder.window_length == MusicNN.window_length
    (window,) = windows_for(encoder, n=1)
    np.testing.assert_array_equal(encoder.preprocess(window), MusicNN().preprocess(window))


def test_a_symmetric_hann_window_makes_little_difference(tmp_path):
    save(tmp_path / "m.onnx", ("n", 128, 96), {"y": (("n", 5), 128 * 96)})
    encoder = OnnxEncoder(tmp_path / "m.onnx", input="log_mel")
    windows = windows_for(encoder)
    power = librosa.feature.melspectrogram(
        y=windows, sr=16000, n_fft=512, hop_length=256, n_mels=96, center=False,
        window=np.hanning(512),
    )  # fmt: skip
    essentia = np.log10(1 + 10000 * power).transpose(0, 2, 1)
    ours = np.stack([encoder.preprocess(window) for window in windows])
    assert np.abs(ours - essentia).mean() < 0.005 * essentia.std()


@pytest.mark.parametrize(
    ("shape", "bands_first"),
    [
        (("n", "t", 20), False),
        (("n", 20, "t"), True),
        (("n", 1, 20, 50), True),
        (("n", 50, 20, 1), False),
        (("n", "t", "m"), False),
        (("n", 20, 20), False),
    ],
)
def test_axes_are_those_of_the_model(tmp_path, shape, bands_first):
    n_frames = 20 if shape == ("n", 20, 20) else 50
    save(tmp_path / "m.onnx", shape, {"y": (("n", 4), n_frames * 20)})
    settings = {"sample_rate": 8000, "n_fft": 200, "hop_length": 100, "n_mels": 20}
    encoder = OnnxEncoder(
        tmp_path / "m.onnx", input="log_mel", window=(n_frames + 1) / 80, **settings
    )
    encoder.check_settings()
    (window,) = windows_for(encoder, n=1)
    features = encoder.preprocess(window)
    assert features.ndim == len(shape) - 1
    flat = features.squeeze()
    power = librosa.feature.melspectrogram(
        y=window, sr=8000, n_fft=200, hop_length=100, n_mels=20, center=False
    )
    log_mel = np.log10(1 + 10000 * power)
    close(flat, log_mel if bands_first else log_mel.T)
    assert encode(encoder, [window]).shape == (1, 4)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"compression": "ln"}, lambda power: np.log(np.maximum(power, 1e-10))),
        ({"compression": "db"}, lambda power: librosa.power_to_db(power, top_db=None)),
        ({"compression": "db", "fmin": 50, "fmax": 3000, "mel_scale": "htk"}, None),
    ],
)
def test_settings_of_spectrograms(tmp_path, parameters, expected):
    save(tmp_path / "m.onnx", ("n", 10, 20), {"y": (("n", 4), 200)})
    encoder = OnnxEncoder(tmp_path / "m.onnx", input="log_mel", n_mels=20, **parameters)
    (window,) = windows_for(encoder, n=1)
    mel = {"fmin": 50, "fmax": 3000, "htk": True, "norm": None} if expected is None else {}
    power = librosa.feature.melspectrogram(
        y=window, sr=16000, n_fft=512, hop_length=256, n_mels=20, center=False, **mel
    )
    expected = expected or (lambda power: librosa.power_to_db(power, top_db=None))
    np.testing.assert_allclose(encoder.preprocess(window), expected(power).T, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("shape", [("n", "t", 6), ("n", 10, 6), ("n", 6, "t"), ("n", "t", "f")])
def test_outputs_over_time_are_averaged(tmp_path, shape):
    declared = tuple(6 if size == "f" else size for size in shape)
    (weights,) = save(tmp_path / "m.onnx", ("n", "t", 20), {"y": (declared, 20)})
    if "f" in shape:
        rename_last_axis(tmp_path / "m.onnx")
    encoder = OnnxEncoder(
        tmp_path / "m.onnx", input="log_mel", n_mels=20, window=(9 * 256 + 512) / 16000
    )
    encoder.check_settings()
    assert encoder.n_features == 6
    windows = windows_for(encoder)
    inputs = np.stack([encoder.preprocess(window) for window in windows])
    close(encode(encoder, windows), (inputs @ weights).mean(axis=1))


def rename_last_axis(path):
    import onnx

    model = onnx.load(path)
    model.graph.output[0].type.tensor_type.shape.dim[2].dim_param = "f"
    onnx.save(model, path)


@pytest.mark.parametrize(("dtype", "digits"), [("FLOAT16", 2), ("DOUBLE", 5)])
def test_precision_of_the_model(tmp_path, dtype, digits):
    (weights,) = save(tmp_path / "m.onnx", ("n", 160), {"y": (("n", 4), 160)}, dtype=dtype)
    encoder = OnnxEncoder(tmp_path / "m.onnx")
    windows = windows_for(encoder)
    vectors = encode(encoder, windows)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, windows @ weights, atol=10**-digits)


@pytest.mark.parametrize("name", ["weights.bin", "w" * 150])
def test_weights_beside_the_file(tmp_path, name):
    path = tmp_path / "m.onnx"
    (weights,) = save(path, ("n", 800), {"y": (("n", 4), 800)}, external=name)
    assert (tmp_path / name).stat().st_size >= 12800
    encoder = OnnxEncoder(path)
    windows = windows_for(encoder)
    identity = encoder.identity()
    close(encode(encoder, windows), windows @ weights)
    # Other weights under the same name, in an unchanged file.
    graph = path.read_bytes()
    os.remove(tmp_path / name)  # else the file grows
    (weights,) = save(path, ("n", 800), {"y": (("n", 4), 800)}, external=name, seed=1)
    assert path.read_bytes() == graph
    assert encoder.identity() != identity
    close(encode(encoder, windows), windows @ weights)
    os.remove(tmp_path / name)
    with pytest.raises(ValueError, match=r"can't load: (?s:.*)with its files of weights beside it"):
        encoder.check_settings()


def test_identity(tmp_path):
    paths = [tmp_path / f"{i}.onnx" for i in range(3)]
    for path, seed in zip(paths[:2], [0, 1], strict=True):
        save(path, ("n", "t", 20), {"a": (("n", "t", 4), 20), "b": (("n", "t", 5), 20)}, seed=seed)
    shutil.copy(paths[0], paths[2])
    settings = {"input": "log_mel", "output": "a", "n_mels": 20, "window": 1}
    encoder = OnnxEncoder(paths[0], **settings)
    assert OnnxEncoder(paths[2], **settings).identity() == encoder.identity()
    other = {
        "path": paths[1],
        "output": "b",
        "sample_rate": 8000,
        "window": 0.5,
        "n_fft": 400,
        "hop_length": 200,
        "fmin": 20,
        "fmax": 4000,
        "mel_scale": "htk",
        "compression": "db",
    }
    # The others determine what the input is, which has one form only here.
    assert set(encoder.get_params()) - set(other) == {"input", "n_mels"}
    others = [clone(encoder).set_params(**{name: value}) for name, value in other.items()]
    identities = {repr(each.identity()) for each in [encoder, *others]}
    assert len(identities) == len(other) + 1


def test_pickle_and_clone(tmp_path):
    save(tmp_path / "m.onnx", ("n", 800), {"y": (("n", 4), 800)})
    encoder = OnnxEncoder(tmp_path / "m.onnx")
    windows = windows_for(encoder)
    vectors = encode(encoder, windows)
    for other in (pickle.loads(pickle.dumps(encoder)), clone(encoder)):
        assert other.get_params() == encoder.get_params()
        assert other.identity() == encoder.identity()
        np.testing.assert_array_equal(encode(other, windows), vectors)


def test_without_cuda_the_cpu_is_used(tmp_path):
    save(tmp_path / "m.onnx", ("n", 800), {"y": (("n", 4), 800)})
    encoder = OnnxEncoder(tmp_path / "m.onnx")
    windows = windows_for(encoder)
    vectors = encoder.encode(windows, torch.device("cuda", 0))
    close(vectors, encode(encoder, windows))


def test_cuda_is_used_where_it_is(tmp_path, monkeypatch):
    import onnxruntime

    asked = []

    class Session:
        def __init__(self, path, options, providers):
            asked.extend(providers)

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    module.open_session.__wrapped__((module.File("m.onnx", 0, 0),), "cuda:1")
    assert asked == [("CUDAExecutionProvider", {"device_id": "1"}), "CPUExecutionProvider"]


def test_without_onnxruntime(tmp_path, monkeypatch):
    (tmp_path / "m.onnx").touch()
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "sklearn-music\[onnx\]"'):
        OnnxEncoder(tmp_path / "m.onnx").check_settings()


def test_files_that_are_no_models(tmp_path, capfd):
    with pytest.raises(FileNotFoundError, match="which is no file: expected an ONNX file"):
        OnnxEncoder(tmp_path / "none.onnx").check_settings()
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ValueError, match=r"can't load: .*\nExpected an ONNX file"):
        OnnxEncoder(tmp_path / "text.onnx").check_settings()
    assert "".join(capfd.readouterr()) == ""


def test_several_inputs(tmp_path):
    import onnx

    save(tmp_path / "m.onnx", ("n", 800), {"y": (("n", 4), 800)})
    model = onnx.load(tmp_path / "m.onnx")
    model.graph.input.append(onnx.helper.make_tensor_value_info("text", 1, ["n", 8]))
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(ValueError, match=r"2 inputs, 'x' of shape \(n, 800\), 'text' of shape"):
        OnnxEncoder(tmp_path / "m.onnx").check_settings()


@pytest.mark.parametrize(
    ("shape", "parameters", "message"),
    [
        (("n", 800), {"output": "z"}, r"Got output='z' .* 'y' of shape \(n, 4\)"),
        (
            ("n", 800),
            {"window": 1},
            r"inputs of shape \(batch, 16000\), .* takes \(n, 800\). Leave",
        ),
        (("n", 2, 400), {}, r"one like \(batch, n_samples\)"),
        (("n", "t", 20), {}, r"shape \(n, t, 20\): expected one like \(batch, n_samples\)"),
        (("n", 2, "t"), {}, r"takes \(n, 2, t\)"),
        (("n", 800), {"input": "log_mel"}, r"one like \(batch, n_frames, n_mels\)"),
        (("n", 40, 20), {"input": "log_mel"}, r"shape \(batch, 40, 96\), .* Set n_mels"),
        (("n", 40, 20), {"input": "log_mel", "n_mels": 20, "window": 3}, r"\(batch, 186, 20\)"),
        (("n", "t"), {}, "which fails on an input of shape (?s:.*)Check what the model takes"),
        (
            ("n", "t", 20),
            {"input": "log_mel", "n_mels": 20, "window": 0.01},
            "160 samples: expected",
        ),
        (("n", 800), {"fmax": 9000}, "fmax at most 8000"),
        (("n", 800), {"fmin": 300, "fmax": 200}, "expected fmin below fmax"),
        (("n", 800), {"window": 0}, "'window' parameter"),
        (("n", 800), {"compression": "log"}, "'compression' parameter"),
    ],
)
def test_wrong_parameters(tmp_path, shape, parameters, message):
    save(tmp_path / "m.onnx", shape, {"y": (("n", 4), 800)})
    encoder = OnnxEncoder(tmp_path / "m.onnx", **parameters)
    with pytest.raises(ValueError, match=message):
        encode(encoder, windows_for(encoder, n=1))


def test_several_outputs_need_a_choice(tmp_path):
    outputs = {"activations": (("n", 40), 800), "embeddings": (("n", 30), 800)}
    save(tmp_path / "m.onnx", ("n", 800), outputs)
    with pytest.raises(ValueError, match=r"Got output=None .*'embeddings' of shape \(n, 30\)"):
        OnnxEncoder(tmp_path / "m.onnx").check_settings()
