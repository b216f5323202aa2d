"""BatchNorm, constants and additions: folded where they can be, else a Scale; one where the pixels need it."""

from __future__ import annotations

import numpy as np
import pytest

from penni_hls.accuracy import predict_float
from penni_hls.ir.graph import Graph, verify
from penni_hls.ir.interpreter import output, run
from penni_hls.ir.layers import AvgPool, BatchNorm, Clip, Conv, GlobalAvgPool, Input, MapSpec, MaxPool, Scale, Upsample
from penni_hls.passes.fold_batchnorm import fold_batchnorm
from penni_hls.passes.fused import Fused, Recorded
from penni_hls.passes.wide_results import wide_results
from penni_hls.quantize import FLOAT_PASSES
from penni_hls.quantize.calibrate import calibration, observe

from .affine_nets import NETS, constants, norms, sums
from .nets import MEAN, STD, Net, pixels

IMAGES = pixels(6, 8)


def passed(graph: Graph) -> Graph:
    for run_pass in FLOAT_PASSES:
        graph = verify(run_pass(graph))
    return graph


def scales(graph: Graph) -> set[str]:
    return {node.name for node in graph if isinstance(node.op, Fused) and isinstance(node.op.linear, Scale)}


def assert_same(first: Graph, second: Graph) -> None:
    want = output(first, IMAGES)
    np.testing.assert_allclose(output(second, IMAGES), want, rtol=1e-4, atol=1e-4 * np.abs(want).max())


@pytest.mark.parametrize("net", NETS)
def test_the_passes_keep_the_function(net: str) -> None:
    graph = NETS[net]()
    after = passed(graph)
    assert_same(graph, after)
    assert not any(isinstance(node.op, BatchNorm | Scale) for node in after)


def test_only_what_has_no_convolution_to_go_with_stays_a_scale() -> None:
    after = passed(norms())
    # The concatenations join maps of three kinds: each that does not come from a Scale of the right type gets one.
    assert scales(after) == {"behind.max", "small", "c.norm", "behind.cat", "behind.pool", "both.rescale0"}
    assert not any(name in after.by_name for name in ("pixels", "again", "a.norm", "d.norm"))


def test_a_norm_of_the_pixels_is_another_normalisation() -> None:
    graph = norms()
    folded = fold_batchnorm(graph)
    pixel, norm = folded.input.op, graph.by_name["pixels"].op
    assert isinstance(pixel, Input)
    np.testing.assert_allclose(pixel.std, np.array(STD) / norm.scale, rtol=1e-6)
    np.testing.assert_allclose(pixel.mean, np.array(MEAN) - norm.offset * np.array(STD) / norm.scale, rtol=1e-6)


@pytest.mark.parametrize(("gain", "offset"), [(-1.0, 0.0), ([1.0, 1.0, 0.0], 0.0), (1.0, 4.0), (1.0, -4.0)])
def test_a_scale_of_the_pixels_that_no_normalisation_does(gain: float | list[float], offset: float) -> None:
    net = Net()
    net.scale("scale", gain, offset)
    net.conv("conv", 4)
    graph = net.head()
    assert scales(passed(graph)) == {"scale"}
    assert_same(graph, passed(graph))


def test_a_map_added_to_itself_is_a_factor_in_its_weights() -> None:
    net = Net()
    x = net.unit("a", 4, relu=False)
    net.sum("twice", x, x)
    graph = net.head()
    folded = fold_batchnorm(graph)
    assert [node.name for node in folded] == ["input", "a.conv", "pool", "linear"]
    assert_same(graph, folded)


def test_a_scale_is_folded_into_its_convolution_and_a_norm_behind_it_too() -> None:
    net = Net()
    net.conv("conv", 4)
    net.scale("scale", [0.5, -2.0, 1.0, 0.25], [1.0, 0.0, -1.0, 0.5])
    net.norm("norm")
    net.scale("more", 3.0, -0.5)
    graph = net.head()
    folded = fold_batchnorm(graph)
    assert [node.name for node in folded] == ["input", "conv", "pool", "linear"]
    assert_same(graph, folded)
    norm, recorded = graph.by_name["norm"].op, folded.by_name["conv"].op.recorded
    np.testing.assert_allclose(recorded.mean, 3 * norm.beta - 0.5, atol=1e-5)
    np.testing.assert_allclose(recorded.std, 3 * np.abs(norm.gamma), rtol=1e-3)


def test_a_convolution_that_a_norm_and_others_read_has_recorded_statistics() -> None:
    net = Net()
    y = net.conv("conv", 4)
    z = net.norm("norm")
    net.concat("cat", net.relu("relu", y), z)
    graph = net.head()
    folded = fold_batchnorm(graph)
    norm = graph.by_name["norm"].op
    np.testing.assert_array_equal(folded.by_name["conv"].op.recorded.mean, norm.mean)
    np.testing.assert_allclose(folded.by_name["conv"].op.recorded.std, np.sqrt(norm.var))
    for seen in observe(folded, calibration(graph, None)):
        if seen.node.name == "conv":
            np.testing.assert_allclose(seen.value.mean((0, 1, 2)), norm.mean, atol=1e-3 * np.abs(norm.mean).max())
            np.testing.assert_allclose(seen.value.std((0, 1, 2)), np.sqrt(norm.var), rtol=1e-3)


def test_noise_does_not_amplify_the_rounding_of_a_constant_channel() -> None:
    """A filter almost without weights, whose bias is all that it gives: sums differ in their last bits only."""
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((4, 3, 3, 3)).astype(np.float32)
    weight[1] *= 1e-7
    conv = Conv(MapSpec((8, 8, 3)), weight, 1, 1, np.array([0, 3.3, 0, 0], np.float32))
    op = Fused(conv, recorded=Recorded(np.full(4, 0.5), np.ones(4)))
    x = rng.standard_normal((6, 8, 8, 3)).astype(np.float32)
    assert np.unique(conv.reference(x)[..., 1]).size > 3
    y = op.finish(conv.reference(x), recorded=True)
    np.testing.assert_array_equal(y[..., 1], 0.5)
    np.testing.assert_allclose(y.std((0, 1, 2)), [1, 0, 1, 1], rtol=1e-3)


def test_a_channel_that_was_constant_in_training_is_so_on_noise() -> None:
    net = Net()
    net.conv("conv", 4)
    net.norm("norm")
    norm = net.nodes[-1].op
    norm.var[2] = 0
    graph = net.head()
    (conv,) = (seen.value for seen in observe(passed(graph), calibration(graph, None)) if seen.node.name == "conv")
    np.testing.assert_allclose(conv[..., 2], norm.beta[2], atol=1e-4)
    assert np.ptp(conv[..., 0]) > 1


def test_sums_have_a_host_each() -> None:
    after = passed(sums())
    assert scales(after) == {"relus", "inner", "nested", "twice", "pixels", "pools", "more", "twice.rescale"}
    skips = {node.name: node.inputs for node in after if isinstance(node.op, Fused) and node.op.skip}
    assert skips["relus"] == ("a.conv", "b.conv") and skips["nested"] == ("inner", "b.conv")
    # One scale is asked of what is added: the pixels are multiplied, or go through a Scale of their own.
    assert skips["pixels"] == ("input", "twice") and skips["twice"] == ("nested", "twice.rescale")


def test_sums_of_results_without_negative_values_are_unsigned() -> None:
    after = passed(sums())
    assert {name for name in scales(after) if after.by_name[name].op.relu} == {"relus", "inner", "nested"}


def test_a_difference_with_the_result_of_a_convolution_is_in_its_weights() -> None:
    net = Net()
    first = net.unit("a", 4)
    net.conv("b", 4, source="input")
    net.sum("difference", first, net.scale("minus", -1.0))
    graph = net.head()
    after = passed(graph)
    assert not scales(after) and after.by_name["b"].inputs == ("input", "a.conv")
    assert_same(graph, after)


def test_bounds_of_the_pixels_are_those_of_a_scale() -> None:
    after = passed(constants())
    assert after.by_name["bounds"].op.lo == -0.5 and isinstance(after.by_name["bounds"].op, Fused)
    assert not any(isinstance(node.op, Clip) for node in after)


def test_zeros_around_an_average_of_the_pixels() -> None:
    net = Net()
    net.add("pool0", AvgPool(net.spec("input"), 3, 1, 1))
    net.unit("a", 4)
    graph = net.head()
    assert scales(passed(graph)) == {"pool0.rescale"}


def ending(*layers: str) -> Graph:
    net = Net()
    first = net.unit("a", 4)
    second = net.unit("b", 4, first, relu="signed" not in layers)
    if "cat" in layers:
        net.concat("cat", net.unit("c", 3, first), second)
    if "read" in layers:
        net.concat("cat", first, second)
    if "max" in layers:
        net.add("max", MaxPool(net.spec(net.last), 2, 2))
    if "up" in layers:
        net.add("up", Upsample(net.spec(net.last), 2))
    if "clip" in layers:
        net.clip("clip", -0.5, 1.0)
    if "norm" in layers:
        net.norm("last")
    if "mean" in layers:
        net.add("mean", GlobalAvgPool(net.spec(net.last)))
    return verify(Graph(tuple(net.nodes)))


@pytest.mark.parametrize(
    ("layers", "wide"),
    [
        ((), {"b.conv"}),
        (("cat",), {"b.conv", "c.conv"}),
        (("cat", "max", "up", "clip"), {"b.conv", "c.conv"}),
        (("cat", "signed"), {"b.conv", "c.conv", "cat.rescale0"}),
        (("read",), {"b.conv", "cat.rescale0"}),
        (("max", "norm"), {"b.conv", "last"}),
        (("mean",), {"b.conv"}),
    ],
)
def test_results_of_the_network_that_may_be_wide(layers: tuple[str, ...], wide: set[str]) -> None:
    after = passed(ending(*layers))
    found = {name for name in wide_results(after) if isinstance(after.by_name[name].op, Fused)}
    assert found == wide


def test_a_layer_between_is_read_as_it_is() -> None:
    """Nothing of a graph without BatchNorm, constants and unusual additions changes."""
    net = Net()
    net.conv("conv", 4)
    net.relu("relu")
    graph = net.head()
    assert [node.name for node in passed(graph)] == ["input", "conv", "pool", "linear"]
    assert isinstance(run(graph, IMAGES)["conv"], np.ndarray) and isinstance(graph.by_name["conv"].op, Conv)
    np.testing.assert_allclose(predict_float(passed(graph), IMAGES), predict_float(graph, IMAGES), rtol=1e-4, atol=1e-4)
