"""Depthwise convolutions: the operator of their own computes them, and its integers are near."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from penni_hls.accuracy import predict_float, predict_integer
from penni_hls.checkpoint import load, penni_file
from penni_hls.ir.graph import Graph
from penni_hls.ir.layers import Add, GroupedConv
from penni_hls.ir.ops import BasisConv, DepthwiseConv, SparseMac
from penni_hls.passes.unread_bases import with_all_bases
from penni_hls.quantize import quantize

from ..passes.nets import Net, depthwise, pixels

CALIBRATION, UNSEEN = pixels(64, 8), pixels(64, 8, seed=2)


def relative_error(float_graph: Graph, **options) -> float:
    """Root mean square error of the logits against their spread."""
    quantized = quantize(float_graph, **options)
    want = predict_float(float_graph, UNSEEN)
    got = predict_integer(quantized.graph, UNSEEN) * quantized.logit_scale
    return float(np.sqrt(np.square(got - want).mean()) / want.std())


def test_which_operators_compute_them() -> None:
    graph = quantize(depthwise(), calibration=CALIBRATION).graph
    own = {node.name: node.op for node in graph if isinstance(node.op, DepthwiseConv)}
    assert {name: (op.kernel, op.stride, op.pad) for name, op in own.items()} == {
        "pixels.depthwise": (3, 1, 1),
        "bases.depthwise": (3, 1, 1),
        "last.depthwise": (5, 2, 2),
    }
    assert own["pixels.depthwise"].pad_value.tolist() == [124, 116, 104]  # 255 * MEAN
    assert [op.requant.out.signed for op in own.values()] == [False, False, True]
    assert not any(isinstance(node.op, BasisConv) for node in graph)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("bits", "limit"), [(8, 0.05), (4, 0.3)])
def test_logits_are_near(bits: int, limit: float, seed: int) -> None:
    assert relative_error(depthwise(seed=seed), coef_bits=bits, calibration=CALIBRATION) < limit


def test_without_calibration_images() -> None:
    assert relative_error(depthwise()) < 0.25


def test_zeros_stay_zero_and_a_channel_without_weights_is_its_bias() -> None:
    net = Net(8)
    weight = net.rng.standard_normal((3, 1, 3, 3)).astype(np.float32)
    weight[1] = weight[0, 0, 2] = 0
    net.add("own", GroupedConv(net.spec("input"), weight, 1, 1, np.float32([0.5, 0.75, -0.5]), 3))
    net.relu("relu")
    own = quantize(net.head(), calibration=CALIBRATION).graph.by_name["own.depthwise"].op
    assert np.array_equal(own.coefs == 0, weight[:, 0] == 0) and own.requant.multiplier[1] == 0


def test_an_integer_network_with_depthwise_operators_is_stored(tmp_path: Path) -> None:
    float_graph = depthwise()
    quantized = quantize(float_graph, calibration=CALIBRATION)
    penni_file.write(tmp_path / "net.penni", float_graph, quantized)
    again = load(tmp_path / "net.penni").quantized
    assert again is not None and sum(isinstance(node.op, DepthwiseConv) for node in again.graph) == 3
    have, want = (predict_integer(graph, UNSEEN) for graph in (again.graph, quantized.graph))
    np.testing.assert_array_equal(have, want)


def test_with_a_skip_connection_it_is_computed_in_blocks() -> None:
    net = Net(8)
    net.conv("stem", 6)
    net.norm("bn1")
    source = net.relu("relu")
    net.grouped("own", 6, 6)
    main = net.norm("bn2")
    net.add("add", Add(net.spec(main)), main, source)
    float_graph = net.head()
    mac = with_all_bases(quantize(float_graph, calibration=CALIBRATION).graph).by_name["own.mac"].op
    assert isinstance(mac, SparseMac) and mac.skip is not None
    assert not mac.coefs[~np.kron(np.eye(6, dtype=bool), np.ones((1, 9), bool))].any()
    assert relative_error(float_graph, calibration=CALIBRATION) < 0.05
