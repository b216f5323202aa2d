"""Maps that are concatenated have one type, and one step where a reader needs it; Scales by 1 stand only where they must."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce

import numpy as np
import pytest

from penni_hls.accuracy import predict_float
from penni_hls.ir.fixed import QType
from penni_hls.ir.graph import Graph, Node, verify
from penni_hls.ir.interpreter import run
from penni_hls.ir.layers import Concat, GlobalAvgPool, Input, MapSpec, MaxPool, PadShortcut, Upsample
from penni_hls.ir.ops import Affine
from penni_hls.ir.ops import Concat as IntConcat
from penni_hls.quantize import FLOAT_PASSES, quantize
from penni_hls.quantize.activation_range import activation_scale, steady
from penni_hls.quantize.calibrate import calibration
from penni_hls.quantize.lower import lower
from penni_hls.quantize.shared_scale import shared_steps

from ..passes.nets import Net, dense_net, pixels
from .test_quantize import relative_error

U8, S8 = QType(8, False), QType(8, True)


def fused(graph: Graph) -> Graph:
    return reduce(lambda g, run: verify(run(g)), FLOAT_PASSES, graph)


def rescaled(graph: Graph) -> set[str]:
    return {node.name for node in graph if ".rescale" in node.name}


def end(net: Net, added: bool) -> Graph:
    """added: what the net ends in so far is read by a skip connection too, which has one step."""
    last = net.last
    convolved = net.unit("end", net.spec(last).shape[2], last, relu=False)
    if added:
        net.sum("sum", convolved, last)
    return net.head()


def two(relus: tuple[bool, bool], added: bool = False) -> Graph:
    net = Net()
    first = net.unit("a", 4, relu=relus[0])
    net.concat("cat", first, net.unit("b", 6, "input", relu=relus[1]))
    return end(net, added)


def pixels_and_relu(added: bool = False) -> Graph:
    net = Net()
    net.concat("cat", "input", net.unit("a", 4))
    return end(net, added)


def pools(added: bool = False) -> Graph:
    """Sums over all pixels of maps behind a ReLU: no sum is negative."""
    net = Net()
    first = net.unit("a", 4)
    second = net.unit("b", 6, first)
    pooled = [net.add(f"pool.{name}", GlobalAvgPool(net.spec(name)), name) for name in (first, second)]
    net.concat("cat", *pooled)
    return end(net, added)


def through(added: bool = False) -> Graph:
    """Max pooling, upsampling, a strided shortcut with zero channels and another concatenation lie between."""
    net = Net()
    first, second = net.unit("a", 4), net.unit("b", 6, "input")
    inner = net.concat("inner", first, second)
    pooled = net.add("max", MaxPool(net.spec(inner), 2, 2), inner)
    wide = net.add("wide", Upsample(net.spec(pooled), 2), pooled)
    third = net.unit("c", 3, "input")
    kept = net.add("kept", PadShortcut(net.spec(third), 2, 5, 1), third)
    again = net.add("again", Upsample(net.spec(kept), 2), kept)
    net.concat("outer", wide, again)
    return end(net, added)


def twice(added: bool = False) -> Graph:
    """One map with itself, and one Scale by 1 for two concatenations that need it."""
    net = Net()
    first = net.unit("a", 4)
    both = net.concat("both", first, first)
    signed = net.unit("b", 3, both, relu=False)
    one = net.concat("one", both, signed)
    net.concat("other", one, both)
    return end(net, added)


NETS: dict[str, tuple[Callable[[bool], Graph], set[str], QType]] = {
    "two ReLUs": (partial(two, (True, True)), set(), U8),
    "no ReLU": (partial(two, (False, False)), set(), S8),
    "one ReLU": (partial(two, (False, True)), {"cat.rescale1"}, S8),
    "pixels": (pixels_and_relu, {"cat.rescale0", "cat.rescale1"}, S8),
    "sums": (pools, {"cat.rescale0", "cat.rescale1"}, U8),
    "through": (through, set(), U8),
    "twice": (twice, {"one.rescale0"}, S8),
}


@pytest.mark.parametrize("added", [False, True])
@pytest.mark.parametrize("net", NETS)
def test_identities_stand_only_where_they_must(net: str, added: bool) -> None:
    make, wanted, qtype = NETS[net]
    graph = make(added)
    aligned = fused(graph)
    assert rescaled(aligned) == wanted
    images = pixels(4, 8)
    np.testing.assert_allclose(predict_float(aligned, images), predict_float(graph, images), rtol=1e-4, atol=1e-4)
    quantized = quantize(graph, calibration=pixels(64, 8))
    last = [node.op for node in quantized.graph if isinstance(node.op, IntConcat)][-1]
    assert last.out_spec.qtype == qtype
    assert relative_error(graph, quantized.graph, quantized.logit_scale, pixels(64, 8, seed=2)) < 0.05


def test_pixels_that_cannot_be_negative_are_unsigned() -> None:
    net = Net()
    net.nodes[0] = Node("input", Input(MapSpec((8, 8, 3)), (0.0,) * 3, (1.0,) * 3))
    net.concat("cat", "input", net.unit("a", 4))
    net.unit("c", 5)
    assert rescaled(fused(net.head())) == {"cat.rescale0"}


@pytest.mark.parametrize("net", [net for net in NETS if net != "twice"])  # of two groups
def test_a_group_has_the_largest_step_of_its_members(net: str) -> None:
    graph = fused(NETS[net][0](True))
    batch = calibration(graph, pixels(32, 8))
    steps = shared_steps(graph, batch)
    values = run(graph, batch.images, keep=steps)
    types = {name: U8 if graph.by_name[name].op.relu else S8 for name in steps}
    own = [steady(activation_scale(values[name], qtype)) for name, qtype in types.items()]
    assert len(own) > 1 and set(steps.values()) == {max(own)}


@pytest.mark.parametrize("net", [net for net in NETS if net != "sums"])  # these begin with sums of one step each
def test_where_each_channel_may_have_its_step_each_map_has_its_own(net: str) -> None:
    graph = NETS[net][0](False)
    assert shared_steps(fused(graph), calibration(graph, pixels(32, 8))) == {}


def test_maps_of_very_different_sizes() -> None:
    """One has a hundredth of the other's range, and half of the result."""
    net = Net()
    small = net.scale("small", 0.01, source=net.unit("a", 4))
    net.concat("cat", small, net.unit("b", 4, "input"))
    net.scale("scale", [100.0] * 4 + [1.0] * 4)
    net.penni("c", 5)
    graph = net.head()
    quantized = quantize(graph, calibration=pixels(64, 8))
    assert relative_error(graph, quantized.graph, quantized.logit_scale, pixels(64, 8, seed=2)) < 0.05


def test_disjoint_groups_keep_their_steps() -> None:
    net = Net()
    first = net.concat("cat0", net.unit("a", 4), net.unit("b", 4, "input"))
    second = net.sum("s0", net.unit("c", 8, first, relu=False), first)
    net.concat("cat1", net.unit("d", 4, second), net.unit("e", 4, second))
    graph = fused(end(net, True))
    steps = shared_steps(graph, calibration(graph, pixels(32, 8)))
    assert set(steps) == {f"{name}.conv" for name in "abde"}
    assert steps["a.conv"] == steps["b.conv"] != steps["d.conv"] == steps["e.conv"]


def test_without_a_concatenation_nothing_is_shared() -> None:
    net = Net()
    net.unit("a", 4)
    graph = fused(net.head())
    assert shared_steps(graph, calibration(graph, None)) == {}


def test_an_identity_rescales_and_no_more() -> None:
    """On every value of its input it gives the nearest integer of the shared step, or one beside it."""
    graph = quantize(two((False, True)), calibration=pixels(64, 8)).graph
    op = graph.by_name["cat.rescale1.affine"].op
    assert isinstance(op, Affine)
    values = np.arange(256)
    factor = op.requant.multiplier / 2.0**op.requant.shift
    got = op.requant.apply(np.repeat(values[:, None], len(factor), axis=1))
    wanted = np.clip(values[:, None] * factor, S8.lo, S8.hi)
    assert np.abs(got - wanted).max() <= 1 and np.ptp(factor) < 1e-3 * factor.max()


def test_lowering_names_the_layer_where_scales_differ() -> None:
    graph = fused(two((True, True), True))
    batch = calibration(graph, pixels(8, 8))
    with pytest.raises(ValueError, match="cat: its channels do not have one scale"):
        lower(graph, batch, {})


def test_a_map_that_is_read_twice_by_one_node_has_a_fork() -> None:
    graph = quantize(twice(), calibration=pixels(8, 8)).graph
    node = graph.by_name["both"]
    assert node.inputs[0] == node.inputs[1] and graph.by_name[node.inputs[0]].op.readers == 2


def test_every_concatenation_of_a_dense_net_joins_one_type() -> None:
    graph = quantize(dense_net(), calibration=pixels(32, 8)).graph
    joined = [node for node in graph if isinstance(node.op, IntConcat)]
    assert len(joined) == 4
    assert {node.name for node in fused(dense_net()) if isinstance(node.op, Concat)} == {node.name for node in joined}
