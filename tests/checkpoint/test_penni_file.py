"""The sparse format: what is written comes back, small, the same bytes each time; damage is one error."""

from __future__ import annotations

import hashlib
import json
import random
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from penni_hls.checkpoint import CheckpointError, load, penni_file, read
from penni_hls.checkpoint.sparse import Packed, deflate, pack, unpack
from penni_hls.errors import UsageError
from penni_hls.ir.graph import Graph, Node
from penni_hls.ir.interpreter import run
from penni_hls.ir.layers import (
    Add,
    BatchNorm,
    Conv,
    Input,
    Layer,
    Linear,
    MapSpec,
    MaxPool,
    PadShortcut,
    PenniConv,
    Relu,
)
from penni_hls.ir.quantized import Quantized
from penni_hls.quantize import quantize

from .models import ResNet, decomposed, randomised

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
DTYPES = ("float32", "float16", "int8", "int64", "uint16", "bool")


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph[Layer]:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("net") / "net.pt"
    torch.save(decomposed(randomised(ResNet((1, 1), (4, 8), None, "linear")).state_dict(), keep=0.1), path)
    return read(path, mean=MEAN, std=STD)


@pytest.fixture(scope="module")
def quantized(graph: Graph[Layer]) -> Quantized:
    return quantize(graph, coef_bits=4)


def assert_same(have: Graph, want: Graph) -> None:
    """Bit for bit, but for the sign of zeros."""
    assert [(node.name, type(node.op), node.inputs) for node in have] == [
        (node.name, type(node.op), node.inputs) for node in want
    ]
    for node, other in zip(have, want):
        for field, value in vars(other.op).items():
            found = getattr(node.op, field, None)
            if isinstance(value, np.ndarray) and field in type(node.op).__dataclass_fields__:
                assert found.dtype == value.dtype and found.shape == value.shape
                assert found.tobytes() == (value + value.dtype.type(0)).tobytes()
            elif field in type(node.op).__dataclass_fields__ and not hasattr(value, "__dataclass_fields__"):
                assert found == value and type(found) is type(value)


# Packing one array.


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(DTYPES), st.floats(0, 1))
def test_an_array_comes_back(data, dtype: str, density: float) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, max_side=40))
    finite = {"allow_nan": False, "allow_infinity": False} if dtype.startswith("float") else {}
    elements = hnp.from_dtype(np.dtype(dtype), **finite)
    values = data.draw(hnp.arrays(dtype, shape, elements=elements, fill=elements))
    values = values * (np.random.default_rng(0).random(shape) < density).astype(dtype)
    values = np.asarray(values, dtype)
    back = unpack(pack(values), shape, np.dtype(dtype))
    assert back.dtype == values.dtype and back.shape == shape
    np.testing.assert_array_equal(back, values)


@pytest.mark.parametrize(("density", "coding"), [(0.0, "gaps"), (0.02, "gaps"), (0.4, "bitmap"), (1.0, "dense")])
def test_the_shortest_coding(density: float, coding: str) -> None:
    rng = np.random.default_rng(0)
    values = np.where(rng.random(100_000) < density, rng.standard_normal(100_000), 0).astype(np.float32)
    packed = pack(values)
    assert packed.coding == coding
    np.testing.assert_array_equal(unpack(packed, values.shape, values.dtype), values)


@pytest.mark.parametrize("gap", [0, 1, 254, 255, 256, 509, 510, 511, 100_000])
def test_gaps_of_every_length(gap: int) -> None:
    values = np.zeros(2 * gap + 2 + 7_000, np.float32)
    values[[gap, 2 * gap + 1]] = 1, -2
    packed = pack(values)
    assert packed.coding == "gaps"
    np.testing.assert_array_equal(unpack(packed, values.shape, values.dtype), values)


def test_gaps_by_hand() -> None:
    """As docs/formats.md has it."""
    values = np.zeros(600, np.int8)
    values[[0, 3, 300, 599]] = 5, -1, 7, 9
    packed = pack(values)
    assert (packed.coding, packed.count) == ("gaps", 4)
    assert zlib.decompress(packed.positions) == bytes([0, 2, 255, 41, 255, 43])
    assert zlib.decompress(packed.values) == bytes([5, 255, 7, 9])


def test_planes_by_hand() -> None:
    packed = pack(np.array([1.0, -2.0], np.float32))
    assert (packed.coding, packed.count) == ("dense", 2)
    assert zlib.decompress(packed.values) == bytes([0, 0, 0, 0, 0x80, 0, 0x3F, 0xC0])


def test_negative_zero_is_zero() -> None:
    values = np.full(1000, -0.0, np.float32)
    values[3] = 1
    packed = pack(values)
    assert packed.count == 1 and not np.signbit(unpack(packed, (1000,), np.dtype("float32"))).any()


ONE = deflate(b"\x01")


@pytest.mark.parametrize(
    "packed",
    [
        Packed("dense", 3, deflate(b"abc")),
        Packed("gaps", 5, deflate(b"abcde"), deflate(bytes(5))),
        Packed("gaps", -1, ONE, ONE),
        Packed("gaps", 1, ONE, deflate(b"\x04")),
        Packed("gaps", 1, ONE, deflate(b"\xff")),
        Packed("gaps", 1, ONE, deflate(b"")),
        Packed("gaps", 1, ONE, deflate(bytes(100_000_000))),
        Packed("gaps", 1, deflate(bytes(100_000_000)), deflate(b"\x00")),
        Packed("gaps", 2, deflate(b"ab"), deflate(b"\x01\xff")),
        Packed("bitmap", 1, ONE, deflate(b"\xc0")),
        Packed("bitmap", 1, ONE, deflate(b"\x80\x00")),
        Packed("bitmap", 1, ONE, b"no stream"),
        Packed("bitmap", 1, ONE + b"more", deflate(b"\x80")),
        Packed("system", 1, ONE, ONE),
    ],
)
def test_streams_that_do_not_hold_together(packed: Packed) -> None:
    with pytest.raises(CheckpointError, match="damaged"):
        unpack(packed, (4,), np.dtype("uint8"))


# Whole files.


def test_a_network_comes_back(graph: Graph[Layer], tmp_path: Path) -> None:
    penni_file.write(tmp_path / "net.penni", graph)
    loaded = load(tmp_path / "net.penni")
    assert loaded.form == "penni-hls sparse" and loaded.quantized is None
    assert_same(loaded.graph, graph)
    assert isinstance(loaded.graph.input.op, Input) and loaded.graph.input.op.mean == MEAN


def test_the_name_does_not_matter(graph: Graph[Layer], tmp_path: Path) -> None:
    penni_file.write(tmp_path / "net.bin", graph)
    assert_same(read(tmp_path / "net.bin"), graph)


def test_half(graph: Graph[Layer], tmp_path: Path) -> None:
    """Weights are rounded to 16 bits, vectors are not."""
    penni_file.write(tmp_path / "net.penni", graph, half=True)
    back = read(tmp_path / "net.penni")
    conv, norm, linear = (back.by_name[name].op for name in ("conv1", "bn1", "linear"))
    want = [graph.by_name[name].op for name in ("conv1", "bn1", "linear")]
    np.testing.assert_array_equal(conv.coefs, want[0].coefs.astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(linear.weight, want[2].weight.astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(norm.var, want[1].var)
    assert (conv.coefs != want[0].coefs).any()


def test_a_weight_beyond_half(graph: Graph[Layer], tmp_path: Path) -> None:
    nodes = [
        Node(n.name, Linear(n.op.x, n.op.weight * np.float32(1e6)), n.inputs) if isinstance(n.op, Linear) else n
        for n in graph
    ]
    (tmp_path / "net.penni").write_bytes(b"before")
    with pytest.raises(UsageError, match="beyond the range of 16-bit numbers"):
        penni_file.write(tmp_path / "net.penni", Graph(tuple(nodes)), half=True)
    assert (tmp_path / "net.penni").read_bytes() == b"before"


def test_an_integer_network_comes_back(graph: Graph[Layer], quantized: Quantized, tmp_path: Path) -> None:
    penni_file.write(tmp_path / "net.penni", graph, quantized)
    back = load(tmp_path / "net.penni").quantized
    assert back is not None and (back.logit_scale, back.notes) == (quantized.logit_scale, quantized.notes)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    have, want = (run(net.graph, images)[net.graph.output.name].values for net in (back, quantized))
    np.testing.assert_array_equal(have, want)


def test_a_network_of_no_family(tmp_path: Path) -> None:
    """Anything of the layers' vocabulary: odd names, a shortcut with an odd split, biases, no classifier of one pixel."""
    rng = np.random.default_rng(0)

    def some(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    x, y = MapSpec((9, 7, 2)), MapSpec((5, 4, 5))
    graph = Graph(
        (
            Node("the image", Input(x, (0.1, 0.2), (1.0, 2.0))),
            Node("a/b", PenniConv(x, some(3, 3, 3), some(5, 2, 3), 2, 1, some(5)), ("the image",)),
            Node("norm", BatchNorm(y, some(5), some(5), some(5), some(5) ** 2, 1e-3), ("a/b",)),
            Node("skip", PadShortcut(x, 2, 5, 1), ("the image",)),
            Node("sum", Add(y), ("norm", "skip")),
            Node("relu", Relu(y), ("sum",)),
            Node("pool", MaxPool(y, 2, 2, 1), ("relu",)),
            Node("conv", Conv(MapSpec((3, 3, 5)), some(2, 5, 3, 3), bias=some(2)), ("pool",)),
            Node("last", Linear(MapSpec((1, 1, 2)), some(4, 2)), ("conv",)),
        )
    )
    penni_file.write(tmp_path / "net.penni", graph)
    assert_same(read(tmp_path / "net.penni"), graph)


def test_the_same_bytes_each_time(graph: Graph[Layer], quantized: Quantized, tmp_path: Path) -> None:
    penni_file.write(tmp_path / "a.penni", graph, quantized)
    loaded = load(tmp_path / "a.penni")
    penni_file.write(tmp_path / "b.penni", loaded.graph, loaded.quantized)
    assert (tmp_path / "a.penni").read_bytes() == (tmp_path / "b.penni").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.penni", "b.penni"]


def test_a_failed_write_leaves_nothing(graph: Graph[Layer], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write"):
        penni_file.write(tmp_path / "none" / "net.penni", graph)
    (tmp_path / "taken").mkdir()
    with pytest.raises(UsageError, match="cannot write"):
        penni_file.write(tmp_path / "taken", graph)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize(("option", "given"), [("mean", (0.5, 0.4, 0.31)), ("std", (0.2, 0.2, 0.2))])
def test_numbers_that_the_file_contradicts(option: str, given: tuple, graph: Graph[Layer], tmp_path: Path) -> None:
    path = tmp_path / "net.penni"
    penni_file.write(path, graph)
    assert_same(read(path, mean=MEAN, std=STD), graph)
    with pytest.raises(CheckpointError, match=f"trained with {option} 0.*leave --{option} away") as error:
        read(path, **{option: given})
    assert str(error.value).startswith(f"{path}: ")


@pytest.mark.shared
def test_sizes_of_a_known_network(shared_models: Path, tmp_path: Path) -> None:
    """A 97 %-sparse ResNet-18 of 12.6 MB: well under 2 MB, in full as in half."""
    graph = read(shared_models / "r18_penni.pt")
    for half in (False, True):
        penni_file.write(tmp_path / "net.penni", graph, half=half)
        assert (tmp_path / "net.penni").stat().st_size < 1_000_000
        assert_same(read(tmp_path / "net.penni"), graph)  # its numbers are halves to begin with


# Damage.


def refusal(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "net.penni"
    path.write_bytes(data)
    with pytest.raises(CheckpointError) as error:
        load(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ") and "\n" not in message and len(message) < 500
    return message.removeprefix(f"{path}: ")


def test_truncated_or_changed_anywhere(graph: Graph[Layer], tmp_path: Path) -> None:
    whole, draw = penni_file.to_bytes(graph), random.Random(0)
    for length in [0, 1, 8, 12, 16, 47, 48, *(draw.randrange(len(whole)) for _ in range(40))]:
        refusal(tmp_path, whole[:length])
    for at in [*range(48), *(draw.randrange(len(whole)) for _ in range(60))]:
        refusal(tmp_path, whole[:at] + bytes([whole[at] ^ 1 << draw.randrange(8)]) + whole[at + 1 :])
    assert "digest" in refusal(tmp_path, whole + b"\x00")


def test_another_version(graph: Graph[Layer], tmp_path: Path) -> None:
    whole = penni_file.to_bytes(graph)
    message = refusal(tmp_path, whole[:8] + (2).to_bytes(4, "little") + whole[12:])
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
    assert refusal(tmp_path, forged(penni_file.to_bytes(graph, quantized), FORGERIES[forgery]))


def test_a_forgery_without_change_is_read(graph: Graph[Layer], quantized: Quantized, tmp_path: Path) -> None:
    (tmp_path / "net.penni").write_bytes(forged(penni_file.to_bytes(graph, quantized), lambda s: None))
    assert_same(read(tmp_path / "net.penni"), graph)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none(value: float, graph: Graph[Layer], tmp_path: Path) -> None:
    nodes = [
        Node(n.name, Linear(n.op.x, n.op.weight + np.float32(value)), n.inputs) if isinstance(n.op, Linear) else n
        for n in graph
    ]
    assert refusal(tmp_path, penni_file.to_bytes(Graph(tuple(nodes)))) == "it holds NaN or infinite values"
