import numpy as np
import pytest

onnx = pytest.importorskip("onnx")


@pytest.fixture(scope="session")
def encoder(tmp_path_factory):
    """Return a small model: the loudness of a second of sound in 8 random directions."""
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
