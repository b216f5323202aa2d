"""Hostile and broken ONNX files: one line of CheckpointError, soon, and nothing of them runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from .hostile import flipped, refused, survive


def small(**changes: Any) -> onnx.ModelProto:
    """A convolution of four channels. changes: weight, shape (of the input), nodes, weights."""
    weight = changes.get("weight", numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "c.weight"))
    nodes = changes.get("nodes") or [helper.make_node("Conv", ["x", "c.weight"], ["out"], "c")]
    shape = changes.get("shape", ["n", 3, 8, 8])
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 4, "h", "w"])],
        [weight, *changes.get("weights", ())],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def written(model: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def ints(name: str, *values: int) -> TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def outside(**entries: str) -> TensorProto:
    """A weight of 432 bytes that lies in another file."""
    weight = TensorProto(name="c.weight", data_type=TensorProto.FLOAT, dims=[4, 3, 3, 3])
    weight.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        weight.external_data.add(key=key, value=value)
    return weight


OTHER_FOLDER = "c.weight: its numbers lie in another folder"
NOT_SAID = "c.weight: its external data is not described as ONNX requires"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"location": "/etc/passwd"}, OTHER_FOLDER),
        ({"location": "../weights.bin"}, OTHER_FOLDER),
        ({"location": "sub/weights.bin"}, OTHER_FOLDER),
        ({"location": "C:weights.bin"}, OTHER_FOLDER),
        ({"location": ".."}, OTHER_FOLDER),
        ({}, OTHER_FOLDER),
        (
            {"location": "none.bin"},
            "c.weight: its numbers should lie in none.bin beside the model, but there is no such",
        ),
        (
            {"location": "link.bin"},
            "c.weight: its numbers should lie in link.bin beside the model, but there is no such",
        ),
        ({"location": "weights.bin", "offset": "-4"}, NOT_SAID),
        ({"location": "weights.bin", "offset": "9" * 30}, NOT_SAID),
        ({"location": "weights.bin", "command": "touch x"}, NOT_SAID),
        (
            {"location": "weights.bin", "offset": "4", "length": "432"},
            "c.weight: its 432 bytes from offset 4 on are more than",
        ),
        (
            {"location": "weights.bin", "length": str(1 << 40)},
            "c.weight: its 1099511627776 bytes from offset 0 on are more",
        ),
        ({"location": "weights.bin", "length": "428"}, "it is not valid ONNX: TensorProto (tensor name: c.weight)"),
    ],
)
def test_weights_in_another_file(entries: dict[str, str], message: str, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(432))
    (tmp_path / "link.bin").symlink_to("/etc/passwd")
    assert refused(written(small(weight=outside(**entries)), tmp_path / "net.onnx")).startswith(message)


def test_weights_within_nodes_lie_nowhere_else(tmp_path: Path) -> None:
    weight = outside(location="weights.bin")
    (tmp_path / "weights.bin").write_bytes(bytes(432))
    node = helper.make_node("Constant", [], ["c.weight"], value=weight)
    nodes = [node, helper.make_node("Conv", ["x", "c.weight"], ["out"])]
    other = numpy_helper.from_array(np.ones(1, np.float32), "other")
    assert refused(written(small(weight=other, nodes=nodes), tmp_path / "net.onnx")).startswith(
        "a constant of a node lies"
    )


@pytest.mark.parametrize(
    "dims", [[1 << 40, 3, 3, 3], [4, 3, 3, 1 << 62], [-4, -3, 3, 3], [4, 3, 3, 2], [4, 3, 27], [0, 3, 3, 3]]
)
@pytest.mark.parametrize("raw", [True, False])
def test_dimensions_that_cannot_be(dims: list[int], raw: bool, tmp_path: Path) -> None:
    weight = TensorProto(name="c.weight", data_type=TensorProto.FLOAT, dims=dims)
    if raw:
        weight.raw_data = bytes(432)
    else:
        weight.float_data.extend([0.0] * 108)
    assert "c.weight" in refused(written(small(weight=weight), tmp_path / "net.onnx"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_numbers_that_are_none_in_onnx(value: float, tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.full((4, 3, 3, 3), value), "c.double")
    nodes = [
        helper.make_node("Cast", ["c.double"], ["c.weight"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["x", "c.weight"], ["out"]),
    ]
    message = refused(written(small(weight=weight, nodes=nodes), tmp_path / "net.onnx"))
    assert message == "out (Conv): c.double holds NaN or infinite values"


def test_a_cycle(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Add", ["x", "b"], ["a"]),
        helper.make_node("Add", ["x", "a"], ["b"]),
        helper.make_node("Conv", ["b", "c.weight"], ["out"]),
    ]
    assert "it is not valid ONNX" in refused(written(small(nodes=nodes), tmp_path / "net.onnx"))


BOMBS: dict[str, tuple[list[tuple], list[TensorProto]]] = {
    "fill": ([("ConstantOfShape", ["big"], ["w"])], [ints("big", 1 << 40)]),
    "fill, many axes": ([("ConstantOfShape", ["big"], ["w"])], [ints("big", *[64] * 60)]),
    "fill, negative": ([("ConstantOfShape", ["big"], ["w"])], [ints("big", -1, -1)]),
    "expand": ([("Expand", ["c.weight", "big"], ["w"])], [ints("big", 1 << 20, 1 << 20, 4, 3, 3, 3)]),
    "broadcast": (
        [("Reshape", ["c.weight", "tall"], ["1"]), ("Expand", ["1", "big"], ["2"]), ("Reshape", ["2", "wide"], ["3"]),
         ("Mul", ["2", "3"], ["w"])],
        [ints("tall", 108, 1), ints("big", 108, 100_000), ints("wide", -1, 1, 1)],
    ),
    "product": (
        [("ConstantOfShape", ["tall"], ["1"]), ("ConstantOfShape", ["wide"], ["2"]), ("MatMul", ["1", "2"], ["w"])],
        [ints("tall", 11_000, 11_000), ints("wide", 11_000, 11_000)],
    ),
    "doubling": (
        [("Identity", ["c.weight"], ["0"]),
         *(("Concat", [f"{i}", f"{i}"], [f"{i + 1}"]) for i in range(60)), ("Identity", ["60"], ["w"])],
        [],
    ),
    "again and again": (
        [("ConstantOfShape", ["big"], ["0"]),
         *(("Add", [f"{i}", f"{i}"], [f"{i + 1}"]) for i in range(200)), ("Identity", ["200"], ["w"])],
        [ints("big", 1 << 21)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_small_files_that_ask_for_much(bomb: str, tmp_path: Path) -> None:
    steps, weights = BOMBS[bomb]
    nodes = [helper.make_node(*step, **({"axis": 0} if step[0] == "Concat" else {})) for step in steps]
    nodes.append(helper.make_node("Conv", ["x", "w"], ["out"]))
    message = refused(written(small(nodes=nodes, weights=weights), tmp_path / "net.onnx"))
    assert "constant" in message


def test_windows_and_maps_without_bound(tmp_path: Path) -> None:
    pools = [helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[1 << 40] * 2, pads=[1 << 39] * 4)]
    nodes = [*pools, helper.make_node("Conv", ["y", "c.weight"], ["out"])]
    assert "(MaxPool)" in refused(written(small(nodes=nodes), tmp_path / "net.onnx"))


def test_redefined_operations(tmp_path: Path) -> None:
    model = small()
    body = [helper.make_node("Identity", ["x"], ["y"])]
    model.functions.append(helper.make_function("", "Conv", ["x"], ["y"], body, [helper.make_opsetid("", 18)]))
    assert "it redefines operations of ONNX" in refused(written(model, tmp_path / "net.onnx"))


@pytest.mark.parametrize(
    "data", [b"", b"\x08\x08", b"\x08\x08\x12\x04test", b"\x08\x08:" + b"\xff" * 50, b"onnx" * 1000]
)
def test_files_that_are_no_onnx(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(data)
    assert "not an ONNX file" in refused(tmp_path / "net.onnx")


def test_random_bytes_changed_in_onnx(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["c.coefs", "c.basis"], ["1"], "product"),
        helper.make_node("Reshape", ["1", "shape"], ["2"], "kernels"),
        helper.make_node("Conv", ["x", "2"], ["3"], "c", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["3"], ["4"], "relu"),
        helper.make_node("Add", ["3", "4"], ["out"], "add"),
    ]
    weights = [
        numpy_helper.from_array(np.ones((2, 9), np.float32), "c.basis"),
        ints("shape", 4, 3, 3, 3),
    ]
    coefs = numpy_helper.from_array(np.ones((12, 2), np.float32), "c.coefs")
    data = small(weight=coefs, nodes=nodes, weights=weights).SerializeToString()
    variants = [flipped(data, seed) for seed in range(600)] + [data[:n] for n in range(0, len(data), 7)]
    survive(tmp_path / "net.onnx", variants)
