"""Folding and fusing change no result; forks and drops change no meaning."""

from __future__ import annotations

import numpy as np
import pytest

from penni_hls.accuracy import predict_float
from penni_hls.ir.graph import Graph, verify
from penni_hls.ir.layers import Add, BatchNorm, Clip, Conv, MaxPool, PenniConv, Relu
from penni_hls.ir.ops import Fork
from penni_hls.passes.drop_bases import drop_bases
from penni_hls.passes.fold_batchnorm import fold_batchnorm
from penni_hls.passes.fuse import fuse
from penni_hls.passes.fused import Fused
from penni_hls.quantize import quantize
from penni_hls.quantize.calibrate import calibration, noise, observe

from . import affine_nets
from .nets import Net, averages, bounded, grouped, pixels, resnet, vgg

NETS = {
    "option A": resnet,
    "option B": lambda: resnet(option_b=True),
    "plain": lambda: resnet(dense=True),
    "vgg": vgg,
    "grouped": grouped,
    "averages": averages,
    "bounded": bounded,
    **affine_nets.NETS,
}


@pytest.mark.parametrize("net", NETS)
def test_each_pass_keeps_the_function(net: str) -> None:
    graph: Graph = NETS[net]()
    images = pixels(4, 8)
    want = predict_float(graph, images)
    for run_pass in (fold_batchnorm, fuse, drop_bases):
        graph = verify(run_pass(graph))
        np.testing.assert_allclose(predict_float(graph, images), want, rtol=1e-4, atol=1e-4 * np.abs(want).max())
    gone = BatchNorm | Relu | Add | Conv | PenniConv
    assert not any(isinstance(node.op, gone) for node in graph)


def test_a_convolution_bias_is_folded_too() -> None:
    net = Net()
    net.conv("conv1", 4)
    op = net.nodes[-1].op
    biased = type(op)(op.x, op.weight, op.stride, op.pad, np.array([1, -2, 3, 0.5], np.float32))
    net.nodes[-1] = type(net.nodes[-1])("conv1", biased, ("input",))
    net.norm("bn1")
    net.relu("relu")
    graph = net.head()
    images = pixels(4, 8)
    np.testing.assert_allclose(
        predict_float(fold_batchnorm(graph), images), predict_float(graph, images), rtol=1e-4, atol=1e-4
    )


def test_folding_scales_rows_and_keeps_zeros() -> None:
    graph = resnet()
    folded = fold_batchnorm(graph)
    before, norm = graph.by_name["layer1.0.conv1"].op, graph.by_name["layer1.0.bn1"].op
    fused = folded.by_name["layer1.0.conv1"].op
    assert isinstance(fused, Fused) and isinstance(fused.linear, PenniConv)
    np.testing.assert_array_equal(fused.linear.coefs == 0, before.coefs == 0)
    np.testing.assert_array_equal(fused.linear.basis, before.basis)
    gain = norm.gamma / np.sqrt(norm.var + norm.eps)
    np.testing.assert_allclose(fused.linear.coefs, before.coefs * gain[:, None, None], rtol=1e-5)


def clips(graph: Graph) -> dict[str, tuple[float | None, float | None]]:
    """The bounds in a graph that was fused, by node."""
    given = {node.name: (node.op.lo, node.op.hi) for node in graph if isinstance(node.op, Fused | Clip)}
    return {name: bounds for name, bounds in given.items() if bounds != (None, None)}


def test_bounds_one_after_the_other_become_one_pair() -> None:
    net = Net()
    net.conv("conv1", 4)
    net.relu("relu")
    net.relu("again")
    net.clip("six", None, 6.0)
    net.add("max", MaxPool(net.spec("six"), 2, 2))
    net.clip("wide", -8.0, 8.0)
    net.clip("low", None, 2.0)
    net.clip("high", -1.0, 7.0)
    assert clips(fuse(fold_batchnorm(net.head()))) == {"conv1": (0.0, 6.0), "wide": (-1.0, 2.0)}


def test_a_relu_of_a_map_that_others_read_is_a_layer_of_its_own() -> None:
    net = Net()
    net.conv("conv1", 3)
    net.relu("relu")
    net.conv("conv2", 3)
    net.add("sum", Add(net.spec("conv1")), "conv2", "conv1")
    graph = net.head()
    fused = verify(fuse(fold_batchnorm(graph)))
    assert clips(fused) == {"relu": (0.0, None)} and fused.by_name["conv2"].inputs == ("relu", "conv1")
    images = pixels(4, 8)
    np.testing.assert_allclose(predict_float(fused, images), predict_float(graph, images), rtol=1e-4, atol=1e-4)


def test_bounds_that_leave_one_value_are_named() -> None:
    net = Net()
    net.conv("conv1", 4)
    net.relu("relu")
    net.clip("negative", -3.0, -1.0)
    with pytest.raises(ValueError, match="negative: it clips what conv1 gives to one value, -1"):
        fuse(fold_batchnorm(net.head()))


def test_an_add_whose_skip_comes_first() -> None:
    net = Net()
    net.conv("conv1", 3)
    net.norm("bn1")
    net.relu("relu")
    net.conv("conv2", 3)
    net.norm("bn2")
    net.add("sum", Add(net.spec("bn2")), "relu", "bn2")
    net.relu("relu2")
    graph = net.head()
    fused = verify(fuse(fold_batchnorm(graph)))
    assert fused.by_name["conv2"].inputs == ("conv1", "conv1")
    images = pixels(4, 8)
    np.testing.assert_allclose(predict_float(fused, images), predict_float(graph, images), rtol=1e-4, atol=1e-4)


def test_forks_copy_to_as_many_as_read() -> None:
    graph = quantize(resnet(option_b=True), calibration=pixels(8, 8)).graph
    forks = {node.name: node for node in graph if isinstance(node.op, Fork)}
    assert set(forks) == {"layer1.0.fork", "layer2.0.fork"}
    for node in graph:
        readers = graph.readers[node.name]
        assert len(readers) == (node.op.copies if isinstance(node.op, Fork) else 0 if node is graph.output else 1)


def test_noise_gives_each_result_the_statistics_that_were_recorded() -> None:
    float_graph = resnet(option_b=True)
    fused = fuse(fold_batchnorm(float_graph))
    batch = calibration(float_graph, None)
    assert batch.synthetic
    checked = 0
    for seen in observe(fused, batch):
        norm = float_graph.by_name.get(seen.node.name.replace("conv", "bn").replace("shortcut.0", "shortcut.1"))
        if isinstance(seen.node.op, Fused) and norm is not None and isinstance(norm.op, BatchNorm):
            op = seen.node.op
            if op.skip or op.relu:
                continue  # what follows the normalisation hides it
            np.testing.assert_allclose(seen.value.mean((0, 1, 2)), norm.op.beta, atol=1e-3)
            np.testing.assert_allclose(seen.value.std((0, 1, 2)), np.abs(norm.op.gamma), rtol=1e-3)
            checked += 1
    assert checked == 1  # the option-B shortcut


def test_images_are_forwarded_as_they_are() -> None:
    float_graph = resnet()
    images = pixels(4, 8)
    fused = fuse(fold_batchnorm(float_graph))
    last = list(observe(fused, calibration(float_graph, images)))[-1]
    want = predict_float(float_graph, images)
    np.testing.assert_allclose(last.value.reshape(4, -1), want, rtol=1e-4, atol=1e-4 * np.abs(want).max())


def test_noise_looks_like_pixels() -> None:
    images = noise(32, 32, 32, 3)
    assert images.shape == (32, 32, 32, 3) and images.dtype == np.uint8
    np.testing.assert_array_equal(images, noise(32, 32, 32, 3))
    values = images.astype(float)
    assert 100 < values.mean() < 140 and 40 < values.std() < 80
    neighbours = np.corrcoef(values[:, :, :-1].ravel(), values[:, :, 1:].ravel())[0, 1]
    colours = np.corrcoef(values[..., 0].ravel(), values[..., 1].ravel())[0, 1]
    assert neighbours > 0.6 and colours > 0.6
