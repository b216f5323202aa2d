"""The integer network computes what the float network computes, up to what its widths allow."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from penni_hls.accuracy import predict_float, predict_integer, top1
from penni_hls.checkpoint import read
from penni_hls.errors import DataError, UsageError
from penni_hls.ir.fixed import QType
from penni_hls.ir.graph import Graph, verify
from penni_hls.ir.layers import Conv, PenniConv
from penni_hls.ir.ops import BasisConv, Fork, Input, SparseMac, Subsample
from penni_hls.passes.unread_bases import with_all_bases
from penni_hls.quantize import quantize
from penni_hls.quantize.calibrate import SIDE, noise

from ..passes import affine_nets
from ..passes.nets import Net, averages, bounded, dense_net, grouped, pixels, resnet, unet, vgg, windows

NETS = {
    "option A": lambda: resnet(),
    "option B": lambda: resnet(option_b=True),
    "plain convolutions": lambda: resnet(dense=True),
    "larger maps": lambda: resnet(side=16, seed=3),
    "vgg": vgg,
    "concatenations": dense_net,
    "upsampling": unet,
    "averages": averages,
    "bounded": bounded,
    **affine_nets.NETS,
    "windows": windows,
}
CALIBRATION = pixels(64, 8)
UNSEEN = pixels(64, 8, seed=2)


def side(graph: Graph) -> int:
    return graph.input.op.out_spec.shape[0]


def relative_error(float_graph: Graph, graph: Graph, scale: float, images: np.ndarray) -> float:
    """Root mean square error of the logits against their spread."""
    want = predict_float(float_graph, images)
    got = predict_integer(graph, images) * scale
    return float(np.sqrt(np.square(got - want).mean()) / want.std())


@pytest.mark.parametrize("net", NETS)
def test_eight_bits_with_calibration(net: str) -> None:
    float_graph = NETS[net]()
    quantized = quantize(float_graph, calibration=pixels(64, side(float_graph)))
    assert quantized.notes == ()
    unseen = pixels(64, side(float_graph), seed=2)
    assert relative_error(float_graph, quantized.graph, quantized.logit_scale, unseen) < 0.05


@pytest.mark.parametrize("net", NETS)
def test_eight_bits_without_calibration(net: str) -> None:
    float_graph = NETS[net]()
    quantized = quantize(float_graph)
    assert quantized.notes == ("no calibration images: ranges come from the BatchNorm statistics",)
    unseen = pixels(64, side(float_graph), seed=2)
    assert relative_error(float_graph, quantized.graph, quantized.logit_scale, unseen) < 0.25


@pytest.mark.parametrize(("bits", "limit"), [((8, 4), 0.3), ((4, 8), 0.3), ((4, 4), 0.4)])
def test_four_bits(bits: tuple[int, int], limit: float) -> None:
    float_graph = resnet()
    quantized = quantize(float_graph, basis_bits=bits[0], coef_bits=bits[1], calibration=CALIBRATION)
    assert relative_error(float_graph, quantized.graph, quantized.logit_scale, UNSEEN) < limit
    basis = [node.op.basis for node in quantized.graph if isinstance(node.op, BasisConv)]
    coefs = [node.op.coefs for node in quantized.graph if isinstance(node.op, SparseMac)]
    assert max(np.abs(b).max() for b in basis) <= 2 ** (bits[0] - 1) - 1
    assert max(np.abs(c).max() for c in coefs) <= 2 ** (bits[1] - 1) - 1


def test_names_operators_and_types() -> None:
    graph = quantize(resnet(), calibration=CALIBRATION).graph
    assert sorted(node.name for node in graph) == sorted([
        "input", "conv1.basis", "conv1.mac", "layer1.0.fork", "layer1.0.conv1.basis", "layer1.0.conv1.mac",
        "layer1.0.conv2.basis", "layer1.0.conv2.mac", "layer2.0.fork", "layer2.0.conv1.basis", "layer2.0.conv1.mac",
        "layer2.0.conv2.basis", "layer2.0.shortcut", "layer2.0.conv2.mac", "pool", "linear.mac",
    ])  # fmt: skip
    assert all(len(graph.readers[n.name]) == 1 for n in graph if not isinstance(n.op, Fork) and n is not graph.output)
    assert graph.input.op == Input(graph.input.op.spec) and graph.input.op.spec.qtype == QType(8, False)
    assert graph.by_name["layer2.0.conv2.mac"].inputs == ("layer2.0.conv2.basis", "layer2.0.shortcut")
    assert graph.by_name["layer1.0.conv2.mac"].op.out_spec.qtype == QType(8, False)
    assert graph.output.op.out_spec.qtype == QType(16, True)
    verify(graph)


def test_option_b_subsamples_before_its_convolution_and_stays_signed() -> None:
    graph = quantize(resnet(option_b=True), calibration=CALIBRATION).graph
    subsample = graph.by_name["layer2.0.shortcut.0.subsample"]
    assert isinstance(subsample.op, Subsample) and subsample.inputs == ("layer2.0.fork",)
    mac = graph.by_name["layer2.0.shortcut.0.mac"]
    assert mac.inputs == (subsample.name,) and mac.op.requant.out == QType(8, True)
    assert mac.op.z == subsample.op.out_spec


def test_a_plain_convolution_is_one_with_an_identity_basis() -> None:
    graph = quantize(resnet(dense=True), calibration=CALIBRATION).graph
    for node in graph:
        if isinstance(node.op, BasisConv):
            np.testing.assert_array_equal(node.op.basis.reshape(9, 9), np.eye(9))
            assert node.op.shifts == (0,) * 9 and node.op.z_type == node.op.x.qtype


def test_pad_values_stand_for_zero() -> None:
    """At the input the pixel nearest to the mean; behind a ReLU 0."""
    graph = quantize(resnet(), calibration=CALIBRATION).graph
    assert graph.by_name["conv1.basis"].op.pad_value.tolist() == [124, 116, 104]  # 255 * MEAN = 123.7, 116.3, 103.5
    for node in graph:
        if isinstance(node.op, BasisConv) and node.name != "conv1.basis":
            assert not node.op.pad_value.any()


def test_a_mean_outside_the_pixels_is_clipped() -> None:
    net = Net()
    net.nodes[0] = replace(net.nodes[0], op=replace(net.nodes[0].op, mean=(1.5, -0.5, 0.5), std=(1.0, 1.0, 1.0)))
    net.penni("conv1", 4)
    net.norm("bn1")
    net.relu("relu")
    graph = quantize(net.head(), calibration=CALIBRATION).graph
    assert graph.by_name["conv1.basis"].op.pad_value.tolist() == [255, 0, 128]


def test_zero_coefficients_stay_zero() -> None:
    float_graph = resnet()
    for bits in (8, 4):
        graph = with_all_bases(quantize(float_graph, coef_bits=bits, calibration=CALIBRATION).graph)
        for node in float_graph:
            if hasattr(node.op, "coefs"):
                ints = graph.by_name[f"{node.name}.mac"].op.coefs
                assert not ints[node.op.coefs.reshape(ints.shape) == 0].any()


@pytest.mark.parametrize("bits", [8, 4])
def test_rows_read_nothing_outside_their_group(bits: int) -> None:
    float_graph = grouped()
    graph = with_all_bases(quantize(float_graph, coef_bits=bits, calibration=CALIBRATION).graph)
    seen = set()
    for node in float_graph:
        if isinstance(node.op, Conv | PenniConv) and node.op.groups > 1:
            coefs, groups = graph.by_name[f"{node.name}.mac"].op.coefs, node.op.groups
            blocks = coefs.reshape(groups, len(coefs) // groups, groups, -1)
            for g in range(groups):
                assert blocks[g, :, g].any(axis=1).all()
                assert not blocks[g][:, np.arange(groups) != g].any()
            seen.add(groups)
    assert seen == {6, 2, 3}
    assert graph.by_name["penni.basis"].op.basis.shape == (2, 3, 3)  # the third is read by nothing


def without_groups(op: Conv | PenniConv) -> Conv | PenniConv:
    if isinstance(op, PenniConv):
        return PenniConv(op.x, op.basis, op.block_diagonal(op.coefs), op.stride, op.pad, op.bias)
    return Conv(op.x, op.block_diagonal(op.weight), op.stride, op.pad, op.bias)


def test_groups_give_the_integers_of_the_layers_with_zeros_in_their_place() -> None:
    float_graph = grouped()
    spread = Graph(tuple(
        replace(node, op=without_groups(node.op)) if isinstance(node.op, Conv | PenniConv) else node
        for node in float_graph
    ))  # fmt: skip
    one, other = (quantize(graph, calibration=CALIBRATION).graph for graph in (float_graph, spread))
    assert [(n.name, n.inputs, n.op.out_spec) for n in one] == [(n.name, n.inputs, n.op.out_spec) for n in other]
    for node in one:
        if isinstance(node.op, SparseMac):  # the float sums may differ in their last bit, a coefficient in 1 by that
            differing = node.op.coefs != other.by_name[node.name].op.coefs
            assert differing.mean() < 0.01, node.name
            assert node.op.requant.shift == other.by_name[node.name].op.requant.shift


def with_coefs(net: Net, coefs: np.ndarray) -> None:
    """Give the first convolution other coefficients."""
    net.nodes[1] = replace(net.nodes[1], op=replace(net.nodes[1].op, coefs=coefs.astype(np.float32)))


def test_bases_nobody_uses_are_dropped() -> None:
    net = Net()
    net.penni("conv1", 4, d=4)
    with_coefs(net, net.nodes[1].op.coefs * [1, 0, 1, 1])
    net.norm("bn1")
    net.relu("relu")
    graph = quantize(net.head(), calibration=CALIBRATION).graph
    assert graph.by_name["conv1.basis"].op.basis.shape == (3, 3, 3)
    assert with_all_bases(graph).by_name["conv1.mac"].op.coefs.shape == (4, 9)


@pytest.mark.parametrize("bits", [8, 2])
def test_what_no_coefficient_reads_is_not_computed(bits: int) -> None:
    """Rounding to two bits leaves columns without a coefficient that the float network has."""
    net = Net()
    net.penni("conv1", 4, d=4)
    coefs = (1 / (1 + np.arange(48).reshape(4, 3, 4) % 5)).astype(np.float32)
    coefs[:, 1] = coefs[:, 2, 3] = 0
    with_coefs(net, coefs)
    net.norm("bn1")
    net.relu("relu")
    graph = quantize(net.head(), coef_bits=bits, calibration=CALIBRATION).graph
    basis, mac = graph.by_name["conv1.basis"].op, graph.by_name["conv1.mac"].op
    assert mac.coefs.any(axis=0).all() and mac.coefs.shape[1] == basis.pattern.sum() == basis.words
    assert not basis.pattern[1].any() and not basis.pattern[2, 3]
    assert bits < 8 or basis.pattern.sum() == 7


def test_a_layer_without_coefficients_is_its_bias() -> None:
    net = Net()
    net.penni("conv1", 4)
    net.norm("bn1")
    net.relu("relu")
    with_coefs(net, np.zeros_like(net.nodes[1].op.coefs))
    float_graph = net.head()
    quantized = quantize(float_graph, calibration=CALIBRATION)
    mac = quantized.graph.by_name["conv1.mac"].op
    assert not mac.coefs.any() and mac.coefs.shape == (4, 1)
    logits = predict_integer(quantized.graph, UNSEEN)
    assert len({tuple(row) for row in logits.tolist()}) == 1
    want = predict_float(float_graph, UNSEEN[:1])
    np.testing.assert_allclose(logits[:1] * quantized.logit_scale, want, atol=0.02 * np.abs(want).max())


def test_constants_use_their_widths() -> None:
    """The shift is the largest that lets every constant fit: one more, and the multiplier, K or bias would not."""
    graph = quantize(resnet(), calibration=CALIBRATION).graph
    for node in graph:
        if isinstance(node.op, SparseMac):
            r = node.op.requant
            ends = (r.multiplier.max() / 2**12, r.skip_multiplier / 2**16, np.abs(r.bias).max() / 2**31)
            assert max(ends) <= 1 and (r.shift == 47 or max(ends) > 0.2), node.name


def test_the_same_input_gives_the_same_network() -> None:
    first, second = (quantize(resnet(), calibration=CALIBRATION) for _ in range(2))
    assert first.logit_scale == second.logit_scale
    for a, b in zip(first.graph, second.graph):
        assert (a.name, a.inputs) == (b.name, b.inputs)
        if isinstance(a.op, SparseMac):
            assert a.op.coefs.tolist() == b.op.coefs.tolist()
            assert a.op.requant.bias.tolist() == b.op.requant.bias.tolist()
        if isinstance(a.op, BasisConv):
            assert a.op.basis.tolist() == b.op.basis.tolist() and a.op.shifts == b.op.shifts


@pytest.mark.parametrize("option", [{"basis_bits": 1}, {"basis_bits": 9}, {"coef_bits": 1}, {"coef_bits": 12}])
def test_impossible_widths(option: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="2 to 8 are possible"):
        quantize(resnet(), **option)


@pytest.mark.parametrize(
    "images", [np.zeros((2, 9, 9, 3), np.uint8), np.zeros((2, 8, 8, 3), np.float32), CALIBRATION[:0]]
)
def test_calibration_images_of_another_kind(images: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"\(N, 8, 8, 3\) uint8 is needed"):
        quantize(resnet(), calibration=images)


RECORD = 3073


def cifar(path: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    raw = np.fromfile(path, np.uint8, count * RECORD).reshape(count, RECORD)
    return np.ascontiguousarray(raw[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)), raw[:, 0]


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize(("calibrated", "coef_bits", "points"), [(True, 8, 1.0), (False, 8, 2.0), (True, 4, 2.0)])
def test_accuracy_of_resnet20(
    calibrated: bool, coef_bits: int, points: float, shared_models: Path, cifar10: Path
) -> None:
    """On 1,000 images; an image is 0.1 points, so the limits are wider than those over all of them."""
    float_graph = read(shared_models / "r20_penni.pt", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    images, labels = cifar(cifar10 / "test_batch.bin", 1000)
    calibration = cifar(cifar10 / "data_batch_1.bin", 256)[0] if calibrated else None
    graph = quantize(float_graph, coef_bits=coef_bits, calibration=calibration).graph
    want = top1(partial(predict_float, float_graph), images, labels)
    assert want == pytest.approx(90.1, abs=0.15)  # 88.93 over all 10,000
    assert top1(partial(predict_integer, graph), images, labels) > want - points


def test_noise_beyond_its_field_is_mirrored():
    field, large = noise(1, SIDE, 256, 3), noise(1, SIDE + 100, 256, 3)
    assert large.shape == (1, SIDE + 100, 256, 3) and large.dtype == np.uint8
    np.testing.assert_array_equal(large[:, :SIDE], field)
    np.testing.assert_array_equal(large[:, SIDE:], field[:, : SIDE - 101 : -1])
    assert noise(1, 3 * SIDE, 8, 1).shape == (1, 3 * SIDE, 8, 1)
