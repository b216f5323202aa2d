"""Bits of bases and coefficients by layer: how they are written, that they reach the operators, how they are chosen."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penni_hls.accuracy import predict_integer
from penni_hls.errors import UsageError
from penni_hls.ir.bits import Bits, layers_of, parse, written
from penni_hls.ir.fixed import QType, signed_bits
from penni_hls.ir.graph import Graph
from penni_hls.ir.ops import BasisConv, DepthwiseConv, SparseMac
from penni_hls.ir.serialize import to_npz
from penni_hls.passes.narrow_coefs import narrow_coefs
from penni_hls.project.manifest import INTEGER
from penni_hls.quantize import Quantizer, quantize
from penni_hls.quantize.choose import TAP_BITS, choose

from ..passes.nets import Net, grouped, pixels, resnet, unet

CALIBRATION = pixels(64, 8)
WIDTHS = st.integers(2, 8)
PAIRS = st.builds(Bits, WIDTHS, WIDTHS)


def stored(graph: Graph) -> bytes:
    arrays: dict[str, np.ndarray] = {}
    return repr(INTEGER.encode(graph, arrays)).encode() + to_npz(arrays)


@given(st.dictionaries(st.sampled_from(["conv1", "layer1.0.conv1", "fc", "a=b"]), PAIRS, min_size=1))
def test_what_is_written_is_read_back(bits: dict[str, Bits]) -> None:
    assert parse(written(bits), bits) == bits


def test_an_entry_without_a_layer_is_for_all_others() -> None:
    assert parse("4/3", ["a", "b"]) == {"a": Bits(4, 3), "b": Bits(4, 3)}
    assert parse("b=2/8, 4/3", ["a", "b"]) == {"a": Bits(4, 3), "b": Bits(2, 8)}
    assert parse("b=2/8", ["a", "b"]) == {"a": Bits(8, 8), "b": Bits(2, 8)}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "'' is not a pair of widths; write BASIS/COEFFICIENTS, such as 8/4"),
        ("4", "'4' is not a pair of widths; write BASIS/COEFFICIENTS, such as 8/4"),
        ("a=-4/8", "'-4/8' is not a pair of widths; write BASIS/COEFFICIENTS, such as 8/4"),
        ("8/8,a=4/1", "1 coefficient bits; 2 to 8 are possible"),
        ("9/8", "9 basis bits; 2 to 8 are possible"),
        ("a=8/8,a=4/4", "'a=4/4': layer a given twice"),
        ("8/8,4/4", "'4/4': all other layers given twice"),
        ("c=8/8", "'c' is no layer with weights of this network; 'penni-hls inspect' lists them"),
    ],
)
def test_errors_name_the_entry(text: str, error: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse(text, ["a", "b"])
    assert str(raised.value) == error


def test_bits_reach_the_operators_of_their_layer_only() -> None:
    float_graph = resnet()
    plain = quantize(float_graph, calibration=CALIBRATION).graph
    graph = quantize(float_graph, bits={"layer1.0.conv1": Bits(3, 4)}, calibration=CALIBRATION).graph
    different = {node.name for node, other in zip(graph, plain) if stored(Graph((node,))) != stored(Graph((other,)))}
    assert different == {"layer1.0.conv1.basis", "layer1.0.conv1.mac"}
    assert graph.by_name["layer1.0.conv1.basis"].op.weight_bits == 3
    assert graph.by_name["layer1.0.conv1.mac"].op.weight_bits == 4


def test_the_layers_of_a_float_network_are_those_that_are_quantized() -> None:
    for float_graph in (resnet(), resnet(option_b=True), grouped(), unet()):
        found = Quantizer(float_graph, pixels(8, float_graph.input.op.out_spec.shape[0])).layers
        assert tuple(sorted(found)) == tuple(sorted(layers_of(float_graph)))


def test_coefficients_take_the_narrowest_type_that_holds_them() -> None:
    graph = quantize(resnet(), coef_bits=3, calibration=CALIBRATION).graph
    wide = Graph(tuple(
        replace(node, op=replace(node.op, coef_type=QType(8, True))) if isinstance(node.op, SparseMac) else node
        for node in graph
    ))  # fmt: skip
    narrow = narrow_coefs(wide)
    macs = [node.op for node in narrow if isinstance(node.op, SparseMac | DepthwiseConv)]
    assert macs and max(op.parameters(op.folding())["CW"] for op in macs) == 3
    for op in macs:
        bits = op.parameters(op.folding())["CW"]
        assert op.coef_type.holds(op.coefs)
        assert bits == 2 or not QType(bits - 1, True).holds(op.coefs)
    images = pixels(4, 8, seed=5)
    np.testing.assert_array_equal(predict_integer(narrow, images), predict_integer(wide, images))


@given(st.lists(st.integers(-128, 127), min_size=1))
def test_signed_bits(values: list[int]) -> None:
    bits = signed_bits(np.array(values))
    assert QType(bits, True).holds(np.array(values))
    assert bits == 2 or not QType(bits - 1, True).holds(np.array(values))


@pytest.fixture(scope="module")
def quantizer() -> Quantizer:
    return Quantizer(resnet(), CALIBRATION)


def test_a_quantizer_gives_what_quantize_gives(quantizer: Quantizer) -> None:
    """Also after it has given others: what it keeps of one choice of widths does not reach another."""
    for bits in (Bits(8, 8), Bits(4, 8), Bits(4, 3), Bits(8, 8)):
        alone = quantize(resnet(), basis_bits=bits.basis, coef_bits=bits.coefs, calibration=CALIBRATION)
        kept = quantizer.quantized(dict.fromkeys(quantizer.layers, bits))
        assert stored(kept.graph) == stored(alone.graph)


def error_of(quantizer: Quantizer, bits: dict[str, Bits]) -> float:
    logits = predict_integer(quantizer.graph(bits), quantizer.batch.images) * quantizer.logit_scale
    return float(np.square(logits - quantizer.float_logits(len(logits))).mean())


def cost_of(quantizer: Quantizer, bits: dict[str, Bits]) -> int:
    layers = quantizer.layers.items()
    return sum(layer.weights * bits[name].coefs + TAP_BITS * layer.taps * bits[name].basis for name, layer in layers)


def test_a_larger_drop_gives_narrower_weights(quantizer: Quantizer) -> None:
    none, some, much = (choose(quantizer, drop) for drop in (0.0, 2.0, 50.0))
    assert none and some and much
    costs = [cost_of(quantizer, chosen.bits) for chosen in (none, some, much)]
    assert costs[0] > costs[1] > costs[2]
    for chosen in (none, some, much):
        assert chosen.estimate <= chosen.max_drop
        assert chosen.before - chosen.after <= chosen.max_drop


def test_the_agreement_is_that_of_the_network(quantizer: Quantizer) -> None:
    chosen = choose(quantizer, 2.0)
    assert chosen is not None and (chosen.images, chosen.noise) == (64, False)
    top = quantizer.float_logits(len(CALIBRATION)).argmax(axis=1)
    for bits, percent in ((dict.fromkeys(chosen.bits, Bits()), chosen.before), (chosen.bits, chosen.after)):
        same = predict_integer(quantizer.graph(bits), CALIBRATION).argmax(axis=1) == top
        assert percent == pytest.approx(100 * same.mean())


def test_the_choice_is_the_same_every_time(quantizer: Quantizer) -> None:
    assert choose(Quantizer(resnet(), CALIBRATION), 2.0) == choose(quantizer, 2.0)


def test_the_choice_is_better_than_one_width_for_all(quantizer: Quantizer) -> None:
    """Of all pairs of widths that cost at most as much as the choice, none has a smaller error."""
    chosen = choose(quantizer, 5.0)
    assert chosen is not None
    uniform = [dict.fromkeys(quantizer.layers, Bits(*pair)) for pair in product(range(2, 9), repeat=2)]
    cheaper = [bits for bits in uniform if cost_of(quantizer, bits) <= cost_of(quantizer, chosen.bits)]
    assert cheaper and all(error_of(quantizer, bits) > error_of(quantizer, chosen.bits) for bits in cheaper)


def test_without_images_the_choice_says_so() -> None:
    chosen = choose(Quantizer(resnet()), 1.0)
    assert chosen is not None and chosen.noise and chosen.as_dict()["source"] == "noise"
    assert "images of noise, for want of calibration images" in chosen.note


def test_a_map_leaves_nothing_to_agree_on() -> None:
    net = Net()
    net.penni("conv1", 4)
    assert choose(Quantizer(Graph(tuple(net.nodes)), CALIBRATION)) is None


def test_basis_bits_of_a_dense_layer_do_not_count() -> None:
    graph = quantize(resnet(dense=True), basis_bits=2, calibration=CALIBRATION).graph
    assert all(node.op.weight_bits is None for node in graph if isinstance(node.op, BasisConv))
