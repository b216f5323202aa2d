"""The whole-network reference against a plain one: dense int64 convolutions, pixel by pixel where that is simplest."""

from __future__ import annotations

import numpy as np
import pytest

from penni_hls.ir import interpreter
from penni_hls.ir.fixed import QType, Requant
from penni_hls.ir.graph import Graph, Node, TensorSpec
from penni_hls.ir.ops import BasisConv, Fork, GlobalPool, Input, SparseMac, Subsample

from ..networks import random_resnet


def plain(graph: Graph, image: np.ndarray) -> dict[str, np.ndarray]:
    """One image (H, W, C) -> every node's result in Python integers (object arrays, unbounded)."""
    values: dict[str, np.ndarray] = {}
    for node in graph:
        reads = [values[name] for name in node.inputs]
        op = node.op
        match op:
            case Input():
                result = image.astype(object)
            case BasisConv():
                result = plain_basis(op, reads[0])
            case SparseMac():
                result = plain_mac(op, *reads)
            case GlobalPool():
                result = reads[0].sum((0, 1), keepdims=True)
            case Fork():
                result = reads[0]
            case Subsample():
                kept = reads[0][:: op.stride, :: op.stride]
                result = np.zeros((*kept.shape[:2], op.channels), object)
                result[:, :, op.offset : op.offset + kept.shape[2]] = kept
        values[node.name] = result
    return values


def half_up(v: int, s: int) -> int:
    return v if s == 0 else (v + 2 ** (s - 1)) // 2**s


def limited(v: int, qtype: QType) -> int:
    return min(max(v, qtype.lo), qtype.hi)


def plain_basis(op: BasisConv, x: np.ndarray) -> np.ndarray:
    ho, wo = op.out_spec.shape[:2]
    c, d = op.x.shape[2], len(op.basis)
    z = np.zeros((ho, wo, c, d), object)
    for i, j, ch, b in np.ndindex(ho, wo, c, d):
        total = 0
        for u, v in np.ndindex(op.kernel, op.kernel):
            row, col = i * op.stride + u - op.pad, j * op.stride + v - op.pad
            inside = 0 <= row < x.shape[0] and 0 <= col < x.shape[1]
            total += int(op.basis[b, u, v]) * int(x[row, col, ch] if inside else op.pad_value[ch])
        z[i, j, ch, b] = limited(half_up(total, op.shifts[b]), op.z_type)
    return z if op.used is None else z[..., op.used][..., None]


def plain_mac(op: SparseMac, z: np.ndarray, skip: np.ndarray | None = None) -> np.ndarray:
    flat = z.reshape(1, 1, -1) if op.flatten else z.reshape(*z.shape[:2], -1)
    acc = flat @ op.coefs.astype(object).T
    y = np.zeros(acc.shape, object)
    r = op.requant
    for i, j, o in np.ndindex(*acc.shape):
        total = int(acc[i, j, o]) * int(r.multiplier[o]) + int(r.bias[o])
        if skip is not None:
            total += int(skip[i, j, o]) * r.skip_multiplier
        y[i, j, o] = limited(half_up(total, r.shift), r.out)
    return y


@pytest.mark.parametrize("option_b", [False, True])
def test_every_tensor_of_a_network(option_b: bool) -> None:
    graph = random_resnet(size=6, widths=(3, 5), option_b=option_b)
    images = np.random.default_rng(3).integers(0, 256, (2, *graph.input.op.out_spec.shape), dtype=np.uint8)
    got = interpreter.run(graph, images)
    assert set(got) == {node.name for node in graph}
    for n, image in enumerate(images):
        for name, want in plain(graph, image).items():
            assert got[name].values[n].tolist() == want.tolist(), name


def test_only_what_is_asked_for_is_kept() -> None:
    graph = random_resnet(size=6, widths=(3, 5))
    images = np.zeros((1, *graph.input.op.out_spec.shape), np.uint8)
    names = [node.name for node in graph]
    assert set(interpreter.run(graph, images, keep=())) == {names[-1]}
    assert set(interpreter.run(graph, images, keep=[names[0], names[2]])) == {names[0], names[2], names[-1]}


def test_images_of_another_shape_are_refused() -> None:
    graph = random_resnet(size=6, widths=(3, 5))
    with pytest.raises(ValueError, match="the network takes images"):
        interpreter.run(graph, np.zeros((1, 7, 6, 3), np.uint8))
    with pytest.raises(ValueError, match="the network takes images"):
        interpreter.run(graph, np.zeros((1, *graph.input.op.out_spec.shape), np.int16))


def test_sums_too_large_for_a_float_stay_exact() -> None:
    """Wide inputs with large coefficients: float32 and float64 products would both lose the last bits."""
    spec = TensorSpec((1, 1, 4), QType(40, signed=True))
    out = QType(64, signed=True)
    coefs = np.array([[127, -127, 126, 1]])
    mac = SparseMac(spec, coefs, QType(8, True), Requant(np.array([1]), np.array([0]), 1, out))
    graph = Graph((Node("input", Input(spec)), Node("mac", mac, ("input",))))
    values = [2**39 - 1, -(2**39), 2**39 - 3, 5]
    want = half_up(sum(a * v for a, v in zip([127, -127, 126, 1], values)), 1)
    got = interpreter.run(graph, np.array(values, np.int64).reshape(1, 1, 1, 4))
    assert got["mac"].values.tolist() == [[[[want]]]]
