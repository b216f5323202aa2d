"""Bounds in the integer network: by saturation where that is the same, else by an operator."""

from __future__ import annotations

import numpy as np
import pytest

from penni_hls.accuracy import predict_float, predict_integer
from penni_hls.ir.fixed import QType
from penni_hls.ir.graph import Graph
from penni_hls.ir.interpreter import run
from penni_hls.ir.layers import MaxPool
from penni_hls.ir.ops import Clip, DepthwiseConv
from penni_hls.quantize import quantize
from penni_hls.quantize.lower import own_step

from ..passes.nets import Net, bounded, pixels
from .test_shared_scale import fused

CALIBRATION, UNSEEN = pixels(64, 8), pixels(64, 8, seed=2)


def clips(graph: Graph) -> dict[str, Clip]:
    return {node.name: node.op for node in graph if isinstance(node.op, Clip)}


def error(found: np.ndarray, wanted: np.ndarray) -> float:
    """Root mean square; before bounds, maps behind a BatchNorm have a deviation of about 1."""
    return float(np.sqrt(np.square(found - wanted).mean()))


def step_of(float_graph: Graph, name: str) -> float:
    graph = fused(float_graph)
    return own_step(graph.by_name[name].op, run(graph, CALIBRATION, keep=(name,))[name], 1.0)


def behind_a_convolution(lo: float | None, hi: float | None) -> Graph:
    net = Net()
    net.clip("clip", lo, hi, net.unit("a", 4, relu=False))
    net.unit("b", 4)
    return net.head()


@pytest.mark.parametrize("calibration", [CALIBRATION, None])
@pytest.mark.parametrize("hi", [0.25, 1.0, 6.0])
def test_an_upper_bound_of_a_relu_is_the_end_of_the_type(hi: float, calibration: np.ndarray | None) -> None:
    """No operator; no value of the map exceeds the bound, and where values reach it, 255 is it."""
    quantized = quantize(behind_a_convolution(0.0, hi), calibration=calibration)
    assert not clips(quantized.graph)
    mac = quantized.graph.by_name["a.conv.mac"].op
    assert mac.requant.out == QType(8, False)
    seen = run(quantized.graph, UNSEEN)["a.conv.mac"].values
    if hi < 2:  # one that BatchNorm's results exceed
        floats = run(behind_a_convolution(0.0, hi), UNSEEN)["clip"]
        assert error(seen * (hi / 255), floats) < 0.05
        assert seen.max() == 255 and floats.max() == np.float32(hi)


@pytest.mark.parametrize("gain", [1.0, 40.0])
def test_a_small_bound_below_0_leaves_the_type_of_maps_that_are_concatenated(gain: float) -> None:
    """Both maps have one step: with that of the wide one the bound is less than half a step."""
    net = Net()
    net.clip("clip", -0.01, 1.0, net.unit("a", 4, relu=False))
    net.scale("wide", gain, 0.0, net.unit("b", 4, source="input", relu=False))
    net.concat("concat", "clip", "wide")
    net.sum("sum", "concat", net.unit("c", 8, source="concat", relu=False))
    quantized = quantize(net.head(), calibration=CALIBRATION)
    (found,) = (node.op for node in quantized.graph if node.op.kind == "concat")
    assert found.x.qtype == found.y.qtype == QType(8, True)
    (bound,) = clips(quantized.graph).values()
    assert bound.lo == -1 and bound.out_spec.qtype.signed


def test_an_upper_bound_behind_a_depthwise_convolution() -> None:
    net = Net()
    net.unit("a", 6)
    net.grouped("b", 6, 6)
    net.clip("six", 0.0, 1.5, net.norm("b.norm"))
    graph = quantize(net.head(), calibration=CALIBRATION).graph
    (name,) = (node.name for node in graph if isinstance(node.op, DepthwiseConv))
    assert not clips(graph)
    seen, floats = run(graph, UNSEEN)[name].values, run(Graph(tuple(net.nodes)), UNSEEN)["six"]
    assert seen.max() == 255 and error(seen * (1.5 / 255), floats) < 0.05


@pytest.mark.parametrize(("lo", "hi"), [(-1.0, 1.0), (-0.25, 2.0), (0.5, 1.5), (None, 0.5), (-0.5, None)])
def test_other_bounds_are_held_by_an_operator(lo: float | None, hi: float | None) -> None:
    """At the integers nearest to them: within half a step."""
    float_graph = behind_a_convolution(lo, hi)
    graph = quantize(float_graph, calibration=CALIBRATION).graph
    (name,) = clips(graph)
    assert name == "a.conv.clip"
    integers, step = run(graph, UNSEEN), step_of(float_graph, "a.conv")
    x, y = integers["a.conv.mac"].values, integers[name].values
    assert error(y * step, run(float_graph, UNSEEN)["clip"]) < 0.05
    assert (x != y).any()
    for bound, extreme, beyond in ((lo, y.min(), x.min()), (hi, y.max(), x.max())):
        assert extreme == beyond if bound is None else abs(extreme * step - bound) <= step / 2


def test_bounds_that_the_type_has_anyway_cost_nothing() -> None:
    net = Net()
    x = net.add("max", MaxPool(net.spec(net.unit("a", 4)), 2, 2))
    net.relu("relu")
    net.clip("lower", -1.0, None, net.last)
    net.unit("b", 4)
    graph = quantize(net.head(), calibration=CALIBRATION).graph
    assert not clips(graph) and graph.by_name["b.conv.basis"].inputs == (x,)


def test_a_relu_behind_pooling_of_a_signed_map() -> None:
    net = Net()
    net.add("max", MaxPool(net.spec(net.unit("a", 4, relu=False)), 2, 2))
    net.relu("relu")
    net.unit("b", 4)
    graph = quantize(net.head(), calibration=CALIBRATION).graph
    (op,) = clips(graph).values()
    assert (op.lo, op.hi, op.out_spec.qtype) == (0, 127, QType(7, False))


@pytest.mark.parametrize(("lo", "hi"), [(0.0, None), (0.0, 0.5), (-0.5, 0.5)])
def test_results_are_clipped_too(lo: float | None, hi: float | None) -> None:
    net = Net()
    net.unit("a", 4)
    net.head()
    net.clip("last", lo, hi)
    float_graph = Graph(tuple(net.nodes))
    quantized = quantize(float_graph, calibration=CALIBRATION)
    wanted = predict_float(float_graph, UNSEEN)
    assert len(np.unique(wanted.clip(lo, hi))) > 1 and (wanted == lo).any()
    got = predict_integer(quantized.graph, UNSEEN) * quantized.logit_scale
    np.testing.assert_allclose(got, wanted, atol=0.1 * np.abs(wanted).max())
    assert got.min() >= lo - quantized.logit_scale and (hi is None or got.max() <= hi + quantized.logit_scale)


def test_a_bound_holds_where_a_concatenation_sets_the_step() -> None:
    """The other map needs a larger step, at which 255 lies above the bound."""
    net = Net()
    low = net.clip("six", 0.0, 0.5, net.unit("a", 4, relu=False))
    both = net.concat("cat", low, net.unit("b", 4, "input"))
    net.sum("sum", net.unit("c", 8, both, relu=False), both)  # a skip connection has one step
    float_graph = net.head()
    graph = quantize(float_graph, calibration=CALIBRATION).graph
    (name,) = clips(graph)
    assert name == "a.conv.clip" and graph.by_name["cat"].inputs[0] == name
    step = 0.5 / graph.by_name[name].op.hi
    got = run(graph, UNSEEN)["cat"].values * step
    wanted = run(float_graph, UNSEEN)["cat"]
    assert error(got, wanted) < 0.05


def test_one_value_left() -> None:
    net = Net()
    net.add("max", MaxPool(net.spec(net.unit("a", 4)), 2, 2))
    net.clip("negative", -3.0, -1.0)
    net.unit("b", 4)
    with pytest.raises(ValueError, match="negative: of the integers that it reads, its bounds leave one"):
        quantize(net.head(), calibration=CALIBRATION)


def test_a_network_with_bounds_everywhere_has_few_operators_for_them() -> None:
    graph = quantize(bounded(), calibration=CALIBRATION).graph
    assert set(clips(graph)) == {"b.conv.clip", "max.relu", "mean.clip", "mean.half"}
