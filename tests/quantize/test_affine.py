"""The integers of affine operators, and of results of the network behind other layers than convolutions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from penni_hls.ir.fixed import IntTensor, QType
from penni_hls.ir.graph import Graph, TensorSpec, verify
from penni_hls.ir.interpreter import output, run
from penni_hls.ir.layers import AvgPool, BatchNorm, GlobalAvgPool, MapSpec, MaxPool, Scale, Upsample
from penni_hls.ir.ops import Affine, Clip
from penni_hls.quantize import quantize
from penni_hls.quantize.edge import Edge
from penni_hls.quantize.requantizer import affine

from ..passes.nets import Net, pixels

CALIBRATION, UNSEEN = pixels(64, 8), pixels(64, 8, seed=2)
U8, S8, S16, U15 = QType(8, False), QType(8, True), QType(16, True), QType(15, False)


def graph_of(net: Net) -> Graph:
    return verify(Graph(tuple(net.nodes)))


def error(float_graph: Graph) -> float:
    """Root mean square error of the results on unseen images, against their spread."""
    quantized = quantize(float_graph, calibration=CALIBRATION)
    want = output(float_graph, UNSEEN)
    got = output(quantized.graph, UNSEEN).values * quantized.logit_scale
    return float(np.sqrt(np.square(got - want).mean()) / want.std())


def edge_of(shape: tuple[int, int, int], qtype: QType, scale: object, zero: object = 0.0) -> Edge:
    channels = shape[2:]
    return Edge("x", TensorSpec(shape, qtype), *(np.broadcast_to(np.float64(v), channels) for v in (scale, zero)))


@pytest.mark.parametrize("qtype", [U8, S8, QType(14, False)])
@pytest.mark.parametrize("skipped", [False, True])
def test_results_are_the_nearest_integers(qtype: QType, skipped: bool) -> None:
    """Of every value of the input, and with pixels' scales and zeros."""
    rng = np.random.default_rng(0)
    channels, values = 5, np.arange(qtype.lo, qtype.hi + 1)
    shape = (1, len(values), channels)
    read = edge_of(shape, qtype, rng.uniform(0.5, 2, channels) / qtype.hi, rng.uniform(0, qtype.hi, channels))
    layer = Scale(MapSpec(shape), np.float32([1, -0.7, 0.001, 0, 1.9]), np.float32([0, 1, -1, 0.5, 0]))
    x = (np.repeat(values[:, None], channels, 1) - read.zero) * read.scale
    skip = edge_of(shape, S8, 0.013) if skipped else None
    added = rng.integers(-128, 128, shape) if skipped else np.zeros(shape, np.int64)
    op = affine("a", layer, read, x[None, None], skip, S8, 0.021)
    ints = IntTensor(values.astype(qtype.dtype)[None, None, :, None].repeat(channels, 3), qtype)
    others = (IntTensor(added[None].astype(np.int8), S8),) if skipped else ()
    wanted = (x * layer.gain + layer.offset + added[0] * 0.013) / 0.021
    # The shift that the factor of the skip connection allows leaves the multipliers of wide maps fewer bits.
    limit = 0.65 if skipped and qtype.bits > 8 else 0.52
    assert np.abs(op.reference(ints, *others).values[0, 0] - np.clip(wanted, -128, 127)).max() < limit


def test_a_channel_that_does_not_vary_gives_its_value_whatever_its_gain() -> None:
    """BatchNorm of a dead channel: its variance is 0, and eps makes a large factor of it."""
    shape = (4, 4, 3)
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, (8, *shape)).astype(np.float32)
    x[..., 1] = 0.3333
    ones = np.ones(3, np.float32)
    norm = BatchNorm(MapSpec(shape), ones, 0.5 * ones, x.mean((0, 1, 2)), x.var((0, 1, 2)) * np.float32([1, 0, 1]))
    layer = Scale(norm.x, norm.scale.astype(np.float32), norm.offset.astype(np.float32))
    read = edge_of(shape, S8, 0.03)
    op = affine("a", layer, read, x, None, S8, 0.025)
    got = op.reference(IntTensor(read.quantize(x), S8)).values * 0.025
    np.testing.assert_allclose(got[..., 1], 0.5, atol=0.0126)
    np.testing.assert_allclose(got[..., [0, 2]], norm.reference(x)[..., [0, 2]].clip(-3.2, 3.175), atol=0.05)


def test_a_map_without_a_convolution_behind_it_has_the_bits_of_results() -> None:
    net = Net()
    first = net.unit("a", 4)
    second = net.unit("b", 4, first)
    net.concat("cat", net.unit("c", 3, first), second)
    graph = graph_of(net)
    quantized = quantize(graph, calibration=CALIBRATION).graph
    assert quantized.output.op.out_spec.qtype == U15
    assert len(np.unique(output(quantized, UNSEEN).values)) > 2000
    assert error(graph) < 0.05


def results(*layers: str) -> Graph:
    net = Net()
    x = net.unit("a", 4, relu="signed" not in layers)
    for layer in layers:
        match layer:
            case "max":
                net.add("max", MaxPool(net.spec(net.last), 2, 2))
            case "up":
                net.add("up", Upsample(net.spec(net.last), 2))
            case "clip":
                net.clip("clip", -0.5, 1.0)
            case "mean":
                net.add("mean", AvgPool(net.spec(net.last), 2, 2))
            case "pool":
                net.add("pool", GlobalAvgPool(net.spec(net.last)))
            case "sum":
                net.sum("sum", x, net.relu("relu", net.conv("b", 4, source=x)))
            case "norm":
                net.norm("last")
    return graph_of(net)


@pytest.mark.parametrize(
    ("layers", "qtype", "limit"),
    [
        (("max",), U15, 0.03),
        (("signed", "up"), S16, 0.03),
        (("signed", "max", "clip"), S16, 0.03),
        (("up", "clip"), U15, 0.03),
        (("mean",), QType(17, False), 0.02),
        (("signed", "pool"), QType(22, True), 0.03),
        (("max", "norm"), S16, 0.03),
        (("sum",), U15, 0.04),
    ],
)
def test_other_last_layers(layers: tuple[str, ...], qtype: QType, limit: float) -> None:
    graph = results(*layers)
    assert quantize(graph, calibration=CALIBRATION).graph.output.op.out_spec.qtype == qtype
    assert error(graph) < limit


@pytest.mark.parametrize("last", ["norm", "max", "relu", "bounds", "sum", "twice", "up"])
def test_networks_without_a_convolution(last: str) -> None:
    net = Net()
    match last:
        case "norm":
            net.norm("norm")
        case "max":
            net.add("max", MaxPool(net.spec("input"), 2, 2))
        case "relu":
            net.relu("relu")
        case "bounds":
            net.clip("bounds", -1.0, 0.5)
        case "sum":
            net.sum("sum", "input", net.add("max", MaxPool(net.spec("input"), 3, 1, 1), "input"))
        case "twice":
            net.sum("sum", "input", "input")
        case "up":
            net.add("up", Upsample(net.spec("input"), 2))
    graph = graph_of(net)
    quantized = quantize(graph, calibration=CALIBRATION)
    assert quantized.graph.output.op.out_spec.qtype.bits >= 15
    assert error(graph) < 0.01


def test_what_pixels_are_read_as() -> None:
    """As a skip connection, clipped, averaged with zeros around them: at the one scale that this needs."""
    net = Net()
    x = net.conv("conv", 3)
    x = net.sum("sum", x, "input")
    y = net.clip("bounds", -1.0, 1.0, "input")
    z = net.add("mean", AvgPool(net.spec("input"), 3, 1, 1), "input")
    net.concat("cat", net.concat("both", x, y), z)
    net.unit("a", 6)
    graph = net.head()
    quantized = quantize(graph, calibration=CALIBRATION)
    affines = {node.name for node in quantized.graph if isinstance(node.op, Affine)}
    assert {"conv.rescale.affine", "bounds.affine"} < affines and not {"conv.affine"} & affines
    assert any(isinstance(node.op, Clip) for node in quantized.graph)
    assert error(graph) < 0.05


def test_the_integer_network_without_images_is_near_too() -> None:
    """Ranges of a map that BatchNorm reads come from its statistics."""
    net = Net()
    y = net.conv("conv", 4)
    net.concat("cat", net.relu("relu", y), net.norm("norm", y))
    net.norm("behind")
    net.relu("last")
    net.unit("b", 5)
    graph = net.head()
    quantized = quantize(graph)
    want, got = output(graph, UNSEEN), output(quantized.graph, UNSEEN).values * quantized.logit_scale
    assert np.sqrt(np.square(got - want).mean()) < 0.25 * want.std()
    conv = run(quantized.graph, UNSEEN)["conv.mac"].values
    assert np.abs(conv).max() > 60 and (np.abs(conv) > 126).mean() < 0.02


def test_scales_too_far_apart_are_named() -> None:
    read = edge_of((2, 2, 1), S8, 1.0)
    layer = Scale.of(MapSpec((2, 2, 1)))
    op = affine("layer", layer, read, np.zeros((1, 2, 2, 1)), None, S8, 1e-9)
    assert op.requant.multiplier.tolist() == [255 << op.requant.shift]
    skip = replace(read, name="skip", scale=np.array([1e6]))
    with pytest.raises(
        ValueError, match="layer: its results and what it reads, or its bias, differ by too many orders"
    ):
        affine("layer", layer, read, np.zeros((1, 2, 2, 1)), skip, S8, 1.0)
