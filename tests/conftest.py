import os
from pathlib import Path

import hypothesis
import matplotlib as mpl
import numpy as np
import pytest
import soundfile
import torch

# Processes that write numba's cache at once can spoil it. Nothing above imports numba.
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    folder = Path(__file__).parent.parent / ".pytest_cache" / f"numba-{worker}"
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
mpl.use("Agg")
# A first call loads and compiles, and the machine may be busy.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")
# The nets are tiny, and the tests may share the machine.
torch.set_num_threads(1)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def blobs(rng):
    """Three groups in 10 columns: X (90, 10) float32 on a scale of 1, labels."""
    labels = np.repeat([0, 1, 2], 30)
    X = 2 * rng.standard_normal((3, 10))[labels] + 0.5 * rng.standard_normal((90, 10))
    return ((X - X.mean(0)) / X.std(0)).astype(np.float32), labels


@pytest.fixture
def write_tone(tmp_path):
    """Write a tone with some noise to a file, and return its path."""

    def write(name, *, seconds=1.0, rate=22050, channels=1, frequency=440.0, **kwargs):
        time = np.arange(int(seconds * rate)) / rate
        noise = np.random.default_rng(0).standard_normal((len(time), channels))
        tone = 0.4 * np.sin(2 * np.pi * frequency * time)[:, None] + 0.02 * noise
        path = tmp_path / name
        if path.suffix == ".rf64":
            kwargs["format"] = "RF64"
        soundfile.write(path, tone, rate, **kwargs)
        return path

    return write


@pytest.fixture
def count_decoded(monkeypatch):
    """The paths that were decoded, in order."""
    from sklearn_music.features import _track_transformer, _track_windows

    decoded = []
    read_audio = _track_transformer.read_audio

    def counted(path, **kwargs):
        decoded.append(os.path.basename(path))
        return read_audio(path, **kwargs)

    for module in (_track_transformer, _track_windows):
        monkeypatch.setattr(module, "read_audio", counted)
    return decoded


@pytest.fixture(scope="session")
def encoder(tmp_path_factory):
    """Return a small model: the loudness of a second of sound in 8 random directions."""
    onnx = pytest.importorskip("onnx")
    weights = np.random.default_rng(0).normal(0, 1, (16000, 8)).astype(np.float32)
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "weights"], ["projected"]),
        onnx.helper.make_node("Abs", ["projected"], ["y"]),
    ]
    x, y = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ("n", size))
        for name, size in (("x", 16000), ("y", 8))
    )
    initial = [onnx.numpy_helper.from_array(weights, "weights")]
    graph = onnx.helper.make_graph(nodes, "loudness", [x], [y], initial)
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    )
    path = tmp_path_factory.mktemp("encoder") / "loudness.onnx"
    onnx.save(model, path)
    return path
