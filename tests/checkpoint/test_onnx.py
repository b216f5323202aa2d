"""ONNX files by torch.onnx.export and by onnx.helper: the graph that is read computes what the network computes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from penni_hls.accuracy import predict_float
from penni_hls.checkpoint import CheckpointError, load, read
from penni_hls.ir.layers import AvgPool, BatchNorm, Clip, Conv, Linear, MaxPool, PadShortcut, PenniConv

from .traced_nets import NETS, assert_computes, assert_factors, custom, numbers, resnet


def exported(model: nn.Module, shape: tuple[int, int, int], path: Path, **options: Any) -> Path:
    """As people write it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given: dict[str, Any] = {"external_data": False, "verbose": False} if options["dynamo"] else {}
        torch.onnx.export(model, (torch.zeros(1, *shape),), path, **given, **options)
    return path


@pytest.mark.parametrize("net", [net for net in NETS if net != "odd"])  # of its squeezes it makes branches
def test_files_of_the_old_exporter(net: str, tmp_path: Path) -> None:
    make, shape = NETS[net]
    model = make()
    path = exported(model, shape, tmp_path / "net.onnx", dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}})
    mean, std = numbers(shape)
    assert_computes(read(path, mean=mean, std=std), model, shape)


@pytest.mark.slow
@pytest.mark.parametrize("net", ["custom", "odd", "grouped", "averages", "bounded", "windows", "shared"])
def test_files_of_the_new_exporter(net: str, tmp_path: Path) -> None:
    make, shape = NETS[net]
    model = make()
    mean, std = numbers(shape)
    graph = read(exported(model, shape, tmp_path / "net.onnx", dynamo=True), mean=mean, std=std)
    assert_computes(graph, model, shape)


@pytest.mark.slow
def test_weights_beside_the_model_as_the_new_exporter_writes_them(tmp_path: Path) -> None:
    model = resnet("A")
    path = tmp_path / "net.onnx"
    torch.onnx.export(model, (torch.zeros(1, 3, 16, 16),), path, dynamo=True, verbose=False)
    held = onnx.load(path, load_external_data=False).graph.initializer
    assert any(tensor.data_location == TensorProto.EXTERNAL for tensor in held)  # else this shows nothing
    mean, std = numbers((3, 16, 16))
    assert_computes(read(path, mean=mean, std=std), model, (3, 16, 16))


@pytest.mark.parametrize("dynamo", [True, False])
def test_the_pattern_is_recognised(dynamo: bool, tmp_path: Path) -> None:
    """The new exporter multiplies small factors out itself unless it is told not to optimize."""
    model = resnet("A")
    options = {"optimize": False} if dynamo else {}
    path = exported(model, (3, 16, 16), tmp_path / "net.onnx", dynamo=dynamo, **options)
    loaded = load(path, mean=numbers((3, 1, 1))[0],
                  std=numbers((3, 1, 1))[1])  # fmt: skip
    assert loaded.form == "ONNX"
    assert_factors(loaded.graph, model)
    assert_computes(loaded.graph, model, (3, 16, 16))
    names = set(loaded.graph.by_name)
    assert {"conv1", "bn1", "layer1.0.conv1", "layer1.1.bn2", "layer2.0.shortcut", "linear"} <= names


# Files by onnx.helper.


def model_of(
    nodes: list[onnx.NodeProto],
    weights: dict[str, np.ndarray | TensorProto],
    shape: list[int | str] | None = None,
    opset: int = 18,
    output: str = "out",
) -> onnx.ModelProto:
    tensors = [w if isinstance(w, TensorProto) else numpy_helper.from_array(w, name) for name, w in weights.items()]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape or ["n", 3, 8, 8])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", "classes"])],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def written(model: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def run(model: onnx.ModelProto, path: Path, sides: tuple[int, int] = (8, 8)) -> tuple[Any, np.ndarray, np.ndarray]:
    """(the graph, its logits, those of onnxruntime)."""
    import onnxruntime

    graph = read(written(model, path), mean=(0.0,) * 3, std=(1.0,) * 3)
    images = np.random.default_rng(0).integers(0, 256, (2, *sides, 3), dtype=np.uint8)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = images.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    return graph, predict_float(graph, images), session.run(None, {"x": x})[0].reshape(2, -1)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return rng().standard_normal(shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def test_operations_of_today(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "a.weight", "a.bias"], ["1"], strides=[2, 2], auto_pad="SAME_UPPER"),
        helper.make_node("BatchNormalization", ["1", "b.weight", "b.bias", "b.mean", "b.var"], ["2"], epsilon=0.5),
        helper.make_node("Relu", ["2"], ["3"]),
        helper.make_node("Slice", ["3", "starts", "ends", "axes", "steps"], ["4"]),
        helper.make_node("Pad", ["4", "pads"], ["5"]),
        helper.make_node("MaxPool", ["3"], ["6"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("MatMul", ["c.coefs", "c.basis"], ["7"]),
        helper.make_node("Reshape", ["7", "kernels"], ["8"]),
        helper.make_node("Conv", ["6", "8"], ["9"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["9", "5"], ["10"]),
        helper.make_node("Dropout", ["10"], ["11"]),
        helper.make_node("GlobalAveragePool", ["11"], ["12"]),
        helper.make_node("Squeeze", ["12", "sides"], ["13"]),
        helper.make_node("MatMul", ["13", "d.weight"], ["14"]),
        helper.make_node("Add", ["d.bias", "14"], ["15"]),
        helper.make_node("Relu", ["15"], ["16"]),
        helper.make_node("Gemm", ["16", "e.weight", "e.bias"], ["out"], transB=1),
    ]
    weights = {
        "a.weight": normal(4, 3, 3, 3), "a.bias": normal(4), "b.weight": normal(4), "b.bias": normal(4),
        "b.mean": normal(4), "b.var": np.abs(normal(4)), "starts": ints(0, 0), "ends": ints(99, 99),
        "axes": ints(2, 3), "steps": ints(2, 2), "pads": ints(0, 1, 0, 0, 0, 2, 0, 0), "c.coefs": normal(28, 2),
        "c.basis": normal(2, 9), "kernels": ints(7, 4, 3, 3), "sides": ints(2, 3), "d.weight": normal(7, 6),
        "d.bias": normal(6), "e.weight": normal(5, 6), "e.bias": normal(1, 5),
    }  # fmt: skip
    # SAME of a 3x3 window with stride 2 on 9 rows: one row of zeros on each side.
    graph, logits, wanted = run(model_of(nodes, weights, ["n", 3, 9, 9]), tmp_path / "net.onnx", (9, 9))
    np.testing.assert_allclose(logits, wanted, rtol=1e-5, atol=1e-5)
    ops = graph.by_name
    assert isinstance(ops["a"].op, Conv) and ops["a"].op.pad == 1
    assert isinstance(ops["b"].op, BatchNorm) and ops["b"].op.eps == 0.5
    assert isinstance(ops["c"].op, PenniConv) and isinstance(ops["e"].op, Linear)
    np.testing.assert_array_equal(ops["c"].op.basis.reshape(2, 9), weights["c.basis"])
    np.testing.assert_array_equal(ops["c"].op.coefs.reshape(28, 2), weights["c.coefs"])
    (shortcut,) = (node.op for node in graph if isinstance(node.op, PadShortcut))
    assert (shortcut.stride, shortcut.offset, shortcut.channels) == (2, 1, 7)


def test_arguments_that_were_attributes_once(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "a.weight"], ["1"], pads=[1, 1, 1, 1]),
        helper.make_node("Slice", ["1"], ["2"], starts=[0, 0], ends=[8, 8], axes=[2, 3]),
        helper.make_node("Pad", ["2"], ["3"], pads=[0, 0, 0, 0, 0, 1, 0, 0], mode="constant", value=0.0),
        helper.make_node("AveragePool", ["3"], ["4"], kernel_shape=[8, 8]),
        helper.make_node("Squeeze", ["4"], ["5"], axes=[2, 3]),
        helper.make_node("Unsqueeze", ["5"], ["6"], axes=[2, 3]),
        helper.make_node("ReduceMean", ["6"], ["7"], axes=[-1, -2], keepdims=0),
        helper.make_node("Gemm", ["7", "e.weight", "e.bias"], ["out"]),
    ]
    weights = {"a.weight": normal(4, 3, 3, 3), "e.weight": normal(5, 6), "e.bias": normal(6)}
    model = model_of(nodes, weights, opset=9)
    _, logits, wanted = run(model, tmp_path / "net.onnx")
    np.testing.assert_allclose(logits, wanted, rtol=1e-5, atol=1e-5)


def test_max_pool_and_flatten(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MaxPool", ["x"], ["1"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Flatten", ["1"], ["2"]),
        helper.make_node("Gemm", ["2", "e.weight"], ["out"], transB=1),
    ]
    graph, logits, wanted = run(model_of(nodes, {"e.weight": normal(5, 48)}), tmp_path / "net.onnx")
    np.testing.assert_allclose(logits, wanted, rtol=1e-5, atol=1e-5)
    assert [type(node.op) for node in graph][1:] == [MaxPool, Linear]


def test_average_pooling(tmp_path: Path) -> None:
    """With zeros that count, of its own or written before it; without padding; over the whole map."""
    nodes = [
        helper.make_node("AveragePool", ["x"], ["1"], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4,
                         count_include_pad=1),
        helper.make_node("AveragePool", ["1"], ["2"], kernel_shape=[3, 3], auto_pad="SAME_UPPER", count_include_pad=1),
        helper.make_node("Pad", ["2", "pads"], ["3"]),
        helper.make_node("AveragePool", ["3"], ["4"], kernel_shape=[2, 2], strides=[1, 1]),
        helper.make_node("AveragePool", ["4"], ["5"], kernel_shape=[2, 2], strides=[2, 2], auto_pad="VALID"),
        helper.make_node("AveragePool", ["5"], ["6"], kernel_shape=[2, 2], ceil_mode=1),
        helper.make_node("Flatten", ["6"], ["7"]),
        helper.make_node("Gemm", ["7", "e.weight"], ["out"], transB=1),
    ]  # fmt: skip
    weights = {"pads": ints(0, 0, 1, 1, 0, 0, 1, 1), "e.weight": normal(5, 3)}
    graph, logits, wanted = run(model_of(nodes, weights), tmp_path / "net.onnx")
    np.testing.assert_allclose(logits, wanted, rtol=1e-5, atol=1e-5)
    pools = [(node.op.kernel, node.op.stride, node.op.pad) for node in graph if isinstance(node.op, AvgPool)]
    assert pools == [(3, 2, 1), (3, 1, 1), (2, 1, 1), (2, 2, 0)]


def test_bounds(tmp_path: Path) -> None:
    """As inputs, one of them absent; as the largest float, which is no bound; as a minimum and a maximum."""
    nodes = [
        helper.make_node("Clip", ["x", "low"], ["1"]),
        helper.make_node("Clip", ["1", "", "high"], ["2"]),
        helper.make_node("Clip", ["2", "lowest", "highest"], ["3"]),
        helper.make_node("Max", ["zero", "3"], ["4"]),
        helper.make_node("Min", ["4", "six"], ["5"]),
        helper.make_node("Clip", ["5", "zero", "six"], ["6"]),
        helper.make_node("Flatten", ["6"], ["7"]),
        helper.make_node("Gemm", ["7", "e.weight"], ["out"], transB=1),
    ]
    largest = np.finfo(np.float32).max
    bounds = {"low": 0.125, "high": 0.75, "lowest": -largest, "highest": largest, "zero": 0, "six": 6}
    weights = {name: np.array(value, np.float32) for name, value in bounds.items()} | {"e.weight": normal(5, 192)}
    graph, logits, wanted = run(model_of(nodes, weights), tmp_path / "net.onnx")
    np.testing.assert_allclose(logits, wanted, rtol=1e-5, atol=1e-5)
    found = [(node.op.lo, node.op.hi) for node in graph if isinstance(node.op, Clip)]
    assert found == [(0.125, None), (None, 0.75), (None, 6.0), (0.0, 6.0)]  # between them a ReLU


def test_bounds_that_were_attributes_once(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Clip", ["x"], ["1"], min=0.0, max=6.0),
        helper.make_node("Clip", ["1"], ["2"], max=0.5),
        helper.make_node("Flatten", ["2"], ["3"]),
        helper.make_node("Gemm", ["3", "e.weight", "e.bias"], ["out"], transB=1),
    ]
    weights = {"e.weight": normal(5, 192), "e.bias": normal(5)}
    _, logits, wanted = run(model_of(nodes, weights, opset=7), tmp_path / "net.onnx")
    np.testing.assert_allclose(logits, wanted, rtol=1e-5, atol=1e-5)


def lone_conv(weight: np.ndarray | TensorProto, **attributes: Any) -> onnx.ModelProto:
    return model_of([helper.make_node("Conv", ["x", "c.weight"], ["out"], "first", **attributes)], {"c.weight": weight})


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("raw", [True, False])
def test_other_precisions_become_float32(dtype: str, raw: bool, tmp_path: Path) -> None:
    values = normal(4, 3, 3, 3).astype({"bfloat16": ml_dtypes.bfloat16}.get(dtype, dtype))
    kind = helper.np_dtype_to_tensor_dtype(values.dtype)
    data = values.tobytes() if raw else values.reshape(-1).astype(np.float64).tolist()
    weight = helper.make_tensor("w", kind, values.shape, data, raw=raw)
    nodes = [
        helper.make_node("Cast", ["w"], ["c.weight"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["x", "c.weight"], ["out"]),
    ]
    (conv,) = (
        n.op for n in read(written(model_of(nodes, {"w": weight}), tmp_path / "net.onnx")) if isinstance(n.op, Conv)
    )
    assert conv.weight.dtype == np.float32
    np.testing.assert_array_equal(conv.weight, values.astype(np.float32))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"group": 3}, r"first \(Conv\): its 3 groups do not divide the 4 channels that it gives"),
        ({"group": 2}, r"first \(Conv\): its 2 groups do not divide the 3 channels that it reads"),
        ({"group": 0}, r"first \(Conv\): its 0 groups do not divide"),
        ({"dilations": [0, 1]}, r"first \(Conv\): its dilation is \[0, 1\]; it must be positive"),
        ({"dilations": [1 << 40, 1]}, r"first \(Conv\): a \d+x3 window with stride 1: sizes from 1 to 256 are"),
        (
            {"dilations": [4, 1]},
            r"first \(Conv\): a 9x3 window, stride 1, padding 0, does not fit a 8x8 map; make it smaller, or pad the map",
        ),
        ({"strides": [0, 0]}, r"first \(Conv\): a 3x3 window with stride 0: sizes from 1 to 256"),
        ({"strides": [1, 1 << 40]}, r"first \(Conv\): a 3x3 window with stride \(1, 1\d+\): sizes from 1 to 256"),
        ({"pads": [-1, -1, -1, -1]}, r"first \(Conv\): its padding is \[-1, -1, -1, -1\]; 0 to 256 on each side"),
        ({"pads": [1 << 40] * 4}, r"first \(Conv\): its padding is \[1\d+, .*\]; 0 to 256 on each side"),
    ],
)
def test_convolutions_that_are_not_supported(attributes: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = written(lone_conv(normal(4, 1 if "group" in attributes else 3, 3, 3), **attributes), tmp_path / "net.onnx")
    with pytest.raises(CheckpointError, match=message):
        read(path)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (
            [("Softmax", ["x"], ["out"])],
            r"out \(Softmax\): at the end only one over the classes, axis 1, can be left out",
        ),
        (
            [("Transpose", ["x"], ["out"])],
            r"out \(Transpose\): reordering the axes of a map is not supported; leave it",
        ),
        ([("Cos", ["x"], ["out"])], r"out \(Cos\): this operation is not supported here; supported are convolu"),
        ([("Reshape", ["x", "shape"], ["out"])], r"out \(Reshape\): it mixes the images of a batch"),
        ([("Relu", ["x"], ["1"]), ("Relu", ["x"], ["out"]), ("Mul", ["1", "out"], ["2"])], None),  # 1, 2 are not needed
        (
            [("MaxPool", ["x"], ["1"], {"kernel_shape": [2, 2]}), ("Concat", ["x", "1"], ["out"], {"axis": 1})],
            r"out \(Concat\): it concatenates values of shapes \[3, 8, 8\], \[3, 7, 7\]",
        ),
        (
            [("Concat", ["x", "x"], ["out"], {"axis": -1})],
            r"out \(Concat\): it concatenates along axis -1; only channels, axis 1, are supported",
        ),
        ([("Concat", ["x", "shape"], ["out"], {"axis": 1})], r"out \(Concat\): it concatenates a constant with maps"),
        (
            [("AveragePool", ["x"], ["out"], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]})],
            r"out \(AveragePool\): its mean leaves padding out \(count_include_pad=False\)",
        ),
        ([("Max", ["x", "shape"], ["out"])], r"out \(Max\): only a minimum or maximum of a map and one number"),
        ([("Identity", ["shape"], ["out"])], "its output out is not computed from the images"),
    ],
)
def test_operations_that_are_not_supported(nodes: list[tuple], message: str | None, tmp_path: Path) -> None:
    model = model_of([helper.make_node(*node[:3], **dict(*node[3:])) for node in nodes], {"shape": ints(1, -1)})
    path = written(model, tmp_path / "net.onnx")
    if message is None:
        assert [node.name for node in read(path)] == ["input", "out"]
        return
    with pytest.raises(CheckpointError, match=message):
        read(path)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (["n", 3, "h", 8], "its input x has an open height, width or number of channels"),
        (["n", 3, 8], r"its input x has shape \[\d+, 3, 8\]; images"),
        (["n", 3, 8, 1 << 20], "larger than supported"),
        (["n", 3, 0, 8], r"images \(N, C, H, W\) are needed"),
    ],
)
def test_inputs_that_are_no_images(shape: list[int | str], message: str, tmp_path: Path) -> None:
    model = model_of([helper.make_node("Relu", ["x"], ["out"])], {}, shape)
    with pytest.raises(CheckpointError, match=message):
        read(written(model, tmp_path / "net.onnx"))


@pytest.mark.parametrize("opset", [6, 99])
def test_other_opsets(opset: int, tmp_path: Path) -> None:
    model = model_of([helper.make_node("Relu", ["x"], ["out"])], {}, opset=opset)
    with pytest.raises(CheckpointError, match=f"it uses opset {opset}; 7 to"):
        read(written(model, tmp_path / "net.onnx"))


def test_a_file_is_known_without_its_suffix(tmp_path: Path) -> None:
    path = exported(custom(), (1, 20, 28), tmp_path / "net.onnx", dynamo=False)
    path.rename(tmp_path / "net")
    assert load(tmp_path / "net").form == "ONNX"


def test_weights_in_a_file_beside_the_model(tmp_path: Path) -> None:
    """At an offset of it, the same as within the model."""
    values = np.random.default_rng(4).standard_normal((4, 3, 3, 3)).astype(np.float32)
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])
    result = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 4, "h", "w"])
    node = helper.make_node("Conv", ["x", "c.weight"], ["out"])
    weight = TensorProto(name="c.weight", data_type=TensorProto.FLOAT, dims=values.shape)
    weight.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "net.data"), ("offset", "16"), ("length", "432")):
        weight.external_data.add(key=key, value=value)
    model = helper.make_model(
        helper.make_graph([node], "net", [image], [result], [weight]),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    (tmp_path / "net.data").write_bytes(bytes(16) + values.tobytes() + bytes(16))
    (conv,) = (node.op for node in read(tmp_path / "net.onnx") if isinstance(node.op, Conv))
    assert np.array_equal(conv.weight, values)
