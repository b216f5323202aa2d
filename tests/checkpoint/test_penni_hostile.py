"""Damaged and forged `.penni` files: one line of CheckpointError."""

from __future__ import annotations

import hashlib
import json
import random
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from penni_hls.checkpoint import penni_file, read
from penni_hls.checkpoint.sparse import deflate
from penni_hls.ir.graph import Graph, Node
from penni_hls.ir.layers import Conv, GroupedConv, Input, Layer, Linear, MapSpec
from penni_hls.ir.quantized import Quantized

from .hostile import refusal
from .penni_nets import assert_same

NAME = "net.penni"


def test_truncated_or_changed_anywhere(graph: Graph[Layer], tmp_path: Path) -> None:
    whole, draw = penni_file.to_bytes(graph), random.Random(0)
    for length in [0, 1, 8, 12, 16, 47, 48, *(draw.randrange(len(whole)) for _ in range(40))]:
        refusal(tmp_path, whole[:length], NAME)
    for at in [*range(48), *(draw.randrange(len(whole)) for _ in range(60))]:
        refusal(tmp_path, whole[:at] + bytes([whole[at] ^ 1 << draw.randrange(8)]) + whole[at + 1 :], NAME)
    assert "digest" in refusal(tmp_path, whole + b"\x00", NAME)


def test_another_version(graph: Graph[Layer], tmp_path: Path) -> None:
    whole = penni_file.to_bytes(graph)
    message = refusal(tmp_path, whole[:8] + (2).to_bytes(4, "little") + whole[12:], NAME)
    assert message == "it is of version 2 of the format; this penni-hls reads version 1"


def forged(whole: bytes, change: Callable[[dict], object]) -> bytes:
    """The file with its structure changed and its digest right."""
    length = int.from_bytes(whole[12:16], "little")
    structure = json.loads(zlib.decompress(whole[48 : 48 + length]))
    changed = change(structure)
    text = changed if isinstance(changed, bytes) else json.dumps(structure).encode()
    head = deflate(text)
    body = head + whole[48 + length :]
    return whole[:12] + len(head).to_bytes(4, "little") + hashlib.sha256(body).digest() + body


def _nodes(structure: dict) -> list[dict]:
    return structure["float"]["nodes"]


def _set(path: str, value: object) -> Callable[[dict], None]:
    """Set structure[a][b]… of the path "a.b…"."""

    def change(structure: dict) -> None:
        *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        for key in parents:
            structure = structure[key]
        structure[last] = value

    return change


FORGERIES: dict[str, Callable[[dict], object]] = {
    "nothing": lambda s: b"",
    "no JSON": lambda s: b"{",
    "deep JSON": lambda s: b"[" * 100_000,
    "a list": lambda s: b"[]",
    "long JSON": lambda s: b'"' + b"x" * (65 << 20) + b'"',
    "no arrays": lambda s: s.pop("arrays"),
    "an absurd shape": _set("arrays.0.shape", [1 << 20, 1 << 20]),
    "many dimensions": _set("arrays.0.shape", [1] * 100),
    "a negative shape": _set("arrays.0.shape", [-5, -3, -3]),
    "a shape of floats": _set("arrays.0.shape", [5.0, 3, 3]),
    "another shape": _set("arrays.0.shape", [9, 5]),
    "a count": _set("arrays.0.count", 1 << 40),
    "a count of no number": _set("arrays.0.count", "45"),
    "a negative length": _set("arrays.0.values", -1),
    "a length beyond": _set("arrays.0.values", 1 << 40),
    "a shorter length": _set("arrays.0.values", 3),
    "a coding": _set("arrays.0.coding", "pickle"),
    "a dtype": _set("arrays.0.dtype", "object"),
    "another dtype": _set("arrays.0.dtype", "float64"),
    "integers": _set("arrays.0.dtype", "int32"),
    "fewer arrays": lambda s: s["arrays"].pop(),
    "more arrays": lambda s: s["arrays"].append({**s["arrays"][0], "values": 0}),
    "a class": _set("float.$type", "Popen"),
    "another class": _set("float.nodes.1.op.$type", "Graph"),
    "no graph": _set("float", 7),
    "no nodes": _set("float.nodes", []),
    "a node of text": _set("float.nodes.2", "bn1"),
    "an operator of text": _set("float.nodes.2.op", "BatchNorm"),
    "a stride of 0": _set("float.nodes.1.op.stride", 0),
    "a stride of text": _set("float.nodes.1.op.stride", "1"),
    "a stride of half a pixel": _set("float.nodes.1.op.stride", 0.5),
    "a huge pad": _set("float.nodes.1.op.pad", 1 << 40),
    "a huge map": _set("float.nodes.0.op.spec.shape", [1 << 30, 1 << 30, 3]),
    "a map of no channels": _set("float.nodes.0.op.spec.shape", [32, 32, 0]),
    "a mean of text": _set("float.nodes.0.op.mean", ["0", "0", "0"]),
    "a mean that is none": _set("float.nodes.0.op.mean", [float("nan"), 0.0, 0.0]),
    "a deviation of 0": _set("float.nodes.0.op.std", [0.0, 0.1, 0.1]),
    "a negative eps": _set("float.nodes.2.op.eps", -1.0),
    "an array that is not there": _set("float.nodes.1.op.basis.$array", "a999"),
    "an array for another": _set("float.nodes.1.op.basis.$array", "a2"),
    "a weight of another dtype": _set("float.nodes.1.op.basis.dtype", "float64"),
    "an edge from nowhere": _set("float.nodes.1.inputs", ["nowhere"]),
    "an edge backwards": _set("float.nodes.1.inputs", ["linear"]),
    "two nodes of one name": _set("float.nodes.1.name", "input"),
    "an integer network that is none": _set("integer", {"graph": 1}),
    "an integer network of layers": lambda s: s.update(integer=s["float"]),
    "a scale": _set("integer.logit_scale", -1.0),
    "an integer graph of another size": _set("integer.graph.nodes.0.op.spec.shape", [16, 16, 3]),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_structure_that_does_not_hold_together(
    forgery: str, graph: Graph[Layer], quantized: Quantized, tmp_path: Path
) -> None:
    assert refusal(tmp_path, forged(penni_file.to_bytes(graph, quantized), FORGERIES[forgery]), NAME)


@pytest.mark.parametrize("groups", [0, -2, 3, 1, 1 << 70, "2"])
def test_groups_that_do_not_go_with_the_weight(groups: object, tmp_path: Path) -> None:
    spec = Input(MapSpec((4, 4, 4)), (0.0,) * 4, (1.0,) * 4)
    conv = GroupedConv(spec.out_spec, np.ones((6, 2, 3, 3), np.float32), groups=2)
    whole = penni_file.to_bytes(Graph((Node("input", spec), Node("conv", conv, ("input",)))))
    assert "damaged: GroupedConv" in refusal(tmp_path, forged(whole, _set("float.nodes.1.op.groups", groups)), NAME)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("stride", value) for value in (0, -1, 1 << 40, [1, 0], [1, 1 << 40], [1], [1, 1, 1], [1, "1"], [1.0, 1], None)),
        *(("pad", value) for value in (-1, 1 << 20, [0, 0, -1, 0], [0, 0], [1, 1, 1, 1 << 40], [0, 0, 0, 0, 0], "same")),
    ],
)  # fmt: skip
def test_windows_that_do_not_go_with_the_map(field: str, value: object, tmp_path: Path) -> None:
    spec = Input(MapSpec((4, 4, 4)), (0.0,) * 4, (1.0,) * 4)
    conv = Conv(spec.out_spec, np.ones((6, 4, 3, 2), np.float32), (1, 2), (1, 0, 0, 2))
    whole = penni_file.to_bytes(Graph((Node("input", spec), Node("conv", conv, ("input",)))))
    assert "damaged" in refusal(tmp_path, forged(whole, _set(f"float.nodes.1.op.{field}", value)), NAME)
    assert_same(
        read(written(tmp_path / "sound.penni", whole)), Graph((Node("input", spec), Node("conv", conv, ("input",))))
    )


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_a_forgery_without_change_is_read(graph: Graph[Layer], quantized: Quantized, tmp_path: Path) -> None:
    (tmp_path / "net.penni").write_bytes(forged(penni_file.to_bytes(graph, quantized), lambda s: None))
    assert_same(read(tmp_path / "net.penni"), graph)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none(value: float, graph: Graph[Layer], tmp_path: Path) -> None:
    nodes = [
        Node(n.name, Linear(n.op.x, n.op.weight + np.float32(value)), n.inputs) if isinstance(n.op, Linear) else n
        for n in graph
    ]
    assert refusal(tmp_path, penni_file.to_bytes(Graph(tuple(nodes))), NAME) == "it holds NaN or infinite values"
