"""`.penni` files: the network that is written comes back, and the same bytes each time."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from penni_hls.checkpoint import CheckpointError, load, penni_file, read
from penni_hls.errors import UsageError
from penni_hls.ir.bits import Bits
from penni_hls.ir.graph import Graph, Node
from penni_hls.ir.interpreter import run
from penni_hls.ir.layers import (
    Add,
    BatchNorm,
    Conv,
    GroupedConv,
    GroupedPenniConv,
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

from ..passes.affine_nets import constants
from ..passes.nets import averages, bounded, windows
from .penni_nets import MEAN, STD, assert_same

OLDER = Path(__file__).with_name("older.penni")


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


def test_widths_of_weights_come_back(graph: Graph[Layer], tmp_path: Path) -> None:
    bits = {"conv1": Bits(8, 6), "linear": Bits(8, 4)}
    penni_file.write(tmp_path / "net.penni", graph, bits=bits)
    assert load(tmp_path / "net.penni").bits == bits
    assert penni_file.to_bytes(graph, bits={}) == penni_file.to_bytes(graph)


@pytest.mark.parametrize(
    "bits", [{"no.layer": Bits()}, {"conv1": "9/8"}, {"conv1": "8"}, {"conv1": 8}, {"conv1": None}]
)
def test_widths_that_are_none(bits: dict, graph: Graph[Layer], tmp_path: Path) -> None:
    penni_file.write(tmp_path / "net.penni", graph, bits=bits)
    with pytest.raises(CheckpointError, match="net.penni: it is damaged: .* width"):
        load(tmp_path / "net.penni")


def test_a_network_of_no_family(tmp_path: Path) -> None:
    """Any layer of the vocabulary: odd names, a shortcut with an odd split, biases, no classifier of one pixel."""
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
            Node("depthwise", GroupedConv(MapSpec((3, 3, 5)), some(10, 1, 3, 3), 1, 1, None, 5), ("pool",)),
            Node(
                "halves",
                GroupedPenniConv(MapSpec((3, 3, 10)), some(2, 3, 3), some(6, 5, 2), 1, 1, some(6), 2),
                ("depthwise",),
            ),
            Node("conv", Conv(MapSpec((3, 3, 6)), some(2, 6, 3, 3), bias=some(2)), ("halves",)),
            Node("last", Linear(MapSpec((1, 1, 2)), some(4, 2)), ("conv",)),
        )
    )
    penni_file.write(tmp_path / "net.penni", graph)
    assert_same(read(tmp_path / "net.penni"), graph)


@pytest.mark.parametrize("make", [averages, bounded, constants, windows])
def test_pooling_and_bounds_come_back(make: Callable[[], Graph[Layer]], tmp_path: Path) -> None:
    graph = make()
    given = quantize(graph)
    penni_file.write(tmp_path / "net.penni", graph, given)
    loaded = load(tmp_path / "net.penni")
    assert_same(loaded.graph, graph)
    assert loaded.quantized is not None
    assert_same(loaded.quantized.graph, given.graph)


def test_the_same_bytes_each_time(graph: Graph[Layer], quantized: Quantized, tmp_path: Path) -> None:
    penni_file.write(tmp_path / "a.penni", graph, quantized)
    loaded = load(tmp_path / "a.penni")
    penni_file.write(tmp_path / "b.penni", loaded.graph, loaded.quantized)
    assert (tmp_path / "a.penni").read_bytes() == (tmp_path / "b.penni").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.penni", "b.penni"]


def structure_of(data: bytes) -> dict:
    length = int.from_bytes(data[12:16], "little")
    return json.loads(zlib.decompress(data[48 : 48 + length]))


def test_an_older_file_is_read_and_written_as_it_is() -> None:
    """It was written before there were groups: a layer without them has the same fields and arrays as then."""
    data, stored = OLDER.read_bytes(), penni_file.stored(OLDER)
    again = penni_file.to_bytes(stored.graph, stored.quantized, half=True)
    old, new = structure_of(data), structure_of(again)
    assert {"Conv", "PenniConv"} <= {node["op"]["$type"] for node in old["float"]["nodes"]}
    assert (new["float"], new["integer"]) == (old["float"], old["integer"])
    for one, other in zip(new["arrays"], old["arrays"], strict=True):
        assert all(one[key] == other[key] for key in ("shape", "dtype", "coding", "count"))  # not zlib's lengths
    if len(again) == len(data):  # by the same zlib
        assert again == data


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
    with pytest.raises(CheckpointError, match=f"trained with {option} 0.*leave out --{option}") as error:
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
