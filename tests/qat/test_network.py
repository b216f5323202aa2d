"""The integer network: what is trained is what the hardware computes, and the gradient is the one it claims."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from penni_hls.accuracy import predict_integer
from penni_hls.data import Images
from penni_hls.ir import interpreter
from penni_hls.ir.fixed import QType, Requant
from penni_hls.ir.graph import Graph, Node, TensorSpec, verify
from penni_hls.ir.ops import Affine, BasisConv, DepthwiseConv, GlobalPool, Input, SparseMac
from penni_hls.ir.quantized import Quantized
from penni_hls.passes.unread_bases import with_all_bases
from penni_hls.qat import network as qat_network
from penni_hls.qat.network import IntegerNetwork, _Basis, _Depthwise, _Mac
from penni_hls.qat.numbers import sums_of
from penni_hls.qat.train import QatConfig, prepare
from penni_hls.quantize import quantize
from penni_hls.training.batches import Batches

from ..networks import random_resnet
from ..passes.nets import MEAN, STD, pixels, resnet
from .nets import FLOAT_NETS, S8, U8, differing, everything, network_of


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("option_b", [False, True])
def test_random_networks_give_the_reference_s_integers_at_every_operator(seed, option_b):
    graph = random_resnet(blocks=2, option_b=option_b, seed=seed)
    images = np.random.default_rng(seed).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    assert differing(network_of(graph), graph, images) == []


@pytest.mark.parametrize("seed", range(4))
def test_odd_operators_give_the_reference_s_integers(seed):
    graph = everything(seed)
    images = np.random.default_rng(seed).integers(0, 256, (5, 9, 7, 3), dtype=np.uint8)
    assert differing(network_of(graph), graph, images) == []
    for name, tensor in interpreter.run(graph, images).items():  # else saturation would hide what differs
        assert len(np.unique(tensor.values)) > 8, name


def depthwise(rng: np.random.Generator, spec: TensorSpec, out: QType, shift: int, stride: int) -> DepthwiseConv:
    """Random kernels, those of channel 1 empty; pads of every value."""
    c = spec.shape[2]
    coefs = rng.integers(-127, 128, (c, 3, 3))
    coefs[1] = 0
    requant = Requant(rng.integers(20000, 65536, c), rng.integers(-(1 << 24), 1 << 24, c), shift, out)
    return DepthwiseConv(spec, coefs, S8, requant, stride, 1, rng.integers(spec.qtype.lo, spec.qtype.hi + 1, c))


@pytest.mark.parametrize("seed", range(3))
def test_depthwise_layers_give_the_reference_s_integers_before_and_after_a_step(seed):
    rng = np.random.default_rng(seed)
    first = depthwise(rng, TensorSpec((9, 7, 3), U8), S8, 23, 1)
    second = depthwise(rng, first.out_spec, QType(16, True), 16, 2)
    nodes = (Node("input", Input(first.x)), Node("one", first, ("input",)), Node("two", second, ("one",)))
    graph = verify(Graph(nodes))
    images = rng.integers(0, 256, (5, 9, 7, 3), dtype=np.uint8)
    network = network_of(graph)
    assert differing(network, graph, images) == []
    for name, tensor in interpreter.run(graph, images).items():
        assert len(np.unique(tensor.values)) > 20, name
    network(torch.from_numpy(images).permute(0, 3, 1, 2)).square().mean().backward()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter -= 0.02 * parameter.grad.sign()
        network.clamp()
    after = network.quantized().graph
    assert (after.by_name["one"].op.coefs != first.coefs).any() and not after.by_name["one"].op.coefs[1].any()
    assert differing(network, after, images) == []


def half_even(v, half, step):
    return v.mul_(step).round_()


def truncated(v, half, step):
    return v.mul_(step).floor_()


def half_away_from_zero(v, half, step):
    return torch.sign(v) * (v.abs() * step + 0.5).floor_()


@pytest.mark.parametrize("wrong", [half_even, truncated, half_away_from_zero])
def test_another_rounding_would_be_seen(wrong, monkeypatch):
    graph = everything(0)
    images = np.random.default_rng(0).integers(0, 256, (5, 9, 7, 3), dtype=np.uint8)
    monkeypatch.setattr(qat_network, "rshift", wrong)
    assert "a.basis" in differing(network_of(graph), graph, images)


def test_halves_of_a_requantizer_round_up():
    """2^-1 exactly, above and below zero, with and without a skip connection."""
    spec = TensorSpec((1, 1, 1), U8)
    requant = Requant(np.array([1, 1]), np.array([0, -8]), 1, S8)
    graph = Graph(
        (Node("input", Input(spec)), Node("mac", SparseMac(spec, np.array([[1], [1]]), S8, requant), ("input",)))
    )
    with torch.no_grad():
        given = network_of(graph).maps(torch.tensor([1, 3, 5], dtype=torch.uint8).view(3, 1, 1, 1))["mac"]
    assert given.flatten(1).tolist() == [[1, -3], [2, -2], [3, -1]]


def test_sums_too_wide_for_float32_stay_exact():
    """Odd sums beyond 2^24 have no float32."""
    rng = np.random.default_rng(0)
    spec = TensorSpec((16, 16, 64), U8)
    pooled = GlobalPool(spec).out_spec
    coefs = rng.integers(100, 128, (4, 64))
    requant = Requant(np.full(4, 60001), rng.integers(-(2**31), 2**31, 4), 27, QType(16, True))
    graph = verify(
        Graph(
            (
                Node("input", Input(spec)),
                Node("pool", GlobalPool(spec), ("input",)),
                Node("mac", SparseMac(pooled, coefs, S8, requant), ("pool",)),
            )
        )
    )
    images = rng.integers(100, 256, (64, 16, 16, 64), dtype=np.uint8)
    network = IntegerNetwork(Quantized(graph, 1.0, ()), (0.5,) * 64, (0.5,) * 64)
    pool = interpreter.run(graph, images)["pool"].values.astype(np.int64).reshape(64, 64)
    exact = pool @ coefs.T
    assert exact.min() > 1 << 24 and (exact % 2).any()
    sums = sums_of(torch.from_numpy(pool).float()[:, :, None, None], torch.from_numpy(coefs).float(), 1 << 16)
    assert np.array_equal(sums.numpy().reshape(64, 4), exact)
    assert differing(network, graph, images) == []


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("name", FLOAT_NETS)
def test_training_starts_at_the_integer_network_and_ends_at_one_the_reference_computes_alike(name, bits):
    graph = FLOAT_NETS[name]()
    before = quantize(graph, coef_bits=bits, calibration=pixels(32, 8))
    network = prepare(graph, QatConfig(coef_bits=bits), pixels(32, 8))
    images = pixels(8, 8, seed=9)
    assert differing(network, before.graph, images) == []
    assert differing(network, network.quantized().graph, images) == []

    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    x = torch.from_numpy(images).permute(0, 3, 1, 2)
    for _ in range(3):
        optimizer.zero_grad()
        F.cross_entropy(network(x), torch.arange(8) % 5).backward()
        for parameter in network.parameters():
            parameter.grad.sign_()
        optimizer.step()
        network.clamp()
    after = network.quantized()
    assert differing(network, after.graph, images) == []
    with torch.no_grad():
        logits = network(x).numpy()
    assert np.array_equal(
        logits, predict_integer(after.graph, images).astype(np.float32) * np.float32(after.logit_scale)
    )
    pairs = [
        (a.op, b.op)
        for a, b in zip(with_all_bases(before.graph), with_all_bases(after.graph), strict=True)
        if isinstance(a.op, SparseMac | DepthwiseConv)
    ]
    for old, new in pairs:
        assert (old.requant.bias != new.requant.bias).any() and (old.requant.multiplier != new.requant.multiplier).any()
    assert sum((old.coefs != new.coefs).sum() for old, new in pairs) > 3
    for old, new in zip(before.graph, after.graph):
        if isinstance(old.op, Affine):
            assert (old.op.requant.bias != new.op.requant.bias).any()
            assert (np.sign(old.op.requant.multiplier) == np.sign(new.op.requant.multiplier)).all()


def test_widths_of_sums_follow_the_new_weights():
    graph = random_resnet()
    network = network_of(graph)
    old = {node.name: node.op.acc_type for node in graph if isinstance(node.op, SparseMac)}
    with torch.no_grad():
        for unit in network.units:
            if isinstance(unit, _Mac):
                unit.coefs.copy_(unit.alive * (unit.top / unit.size))  # the largest there are
    widened = 0
    for node in network.quantized().graph:
        if isinstance(node.op, SparseMac):
            reach = int(np.abs(node.op.coefs).sum(1).max()) * max(-node.op.z.qtype.lo, node.op.z.qtype.hi)
            assert node.op.acc_type.bits == reach.bit_length() + 1
            widened += node.op.acc_type.bits > old[node.name].bits
    assert widened > 1


def test_pixels_come_back_from_every_normalisation():
    values = np.arange(256, dtype=np.uint8).repeat(3).reshape(4, 8, 8, 3)
    graph = resnet()
    network = prepare(graph, QatConfig(), pixels(8, 8))
    x, _ = next(iter(Batches(Images(values, np.zeros(4, np.uint8)), 4, train=False, mean=MEAN, std=STD)))
    with torch.no_grad():
        given = network.maps(x, {"input"})["input"]
        assert np.array_equal(given.permute(0, 2, 3, 1).numpy(), values)
        assert torch.equal(network(x), network(torch.from_numpy(values).permute(0, 3, 1, 2)))


def test_gradient_is_that_of_the_layer_without_rounding():
    """Finite activations far from saturation: autograd through plain float operators says the same."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    spec, out, shift = TensorSpec((6, 6, 3), U8), QType(16, True), 20
    basis = BasisConv(spec, rng.integers(-127, 128, (2, 3, 3)), (8, 9), QType(12, True), 2, 1, np.zeros(3, np.int64))
    requant = Requant(rng.integers(100, 300, 4), np.zeros(4, np.int64), shift, out, 3)
    mac = SparseMac(basis.out_spec, rng.integers(-7, 8, (4, 6)), QType(4, True), requant, TensorSpec((3, 3, 4), S8))
    front, unit = _Basis(basis, 8, True), _Mac("mac", mac, mac)
    x = torch.randint(0, 256, (2, 3, 6, 6)).float().requires_grad_()
    skip = torch.randint(-128, 128, (2, 4, 3, 3)).float().requires_grad_()
    direction = torch.randn(2, 4, 3, 3)
    leaves = [x, skip, front.basis, unit.coefs, unit.gain, unit.offset]

    y = unit(front(x), skip)
    assert y.abs().max() < out.hi
    inside = y.detach() > out.lo
    given = torch.autograd.grad((y * direction).sum(), leaves)

    alive = torch.from_numpy(mac.coefs != 0)
    kernels = front.basis * 127 * torch.tensor([2.0**-8, 2.0**-9]).view(2, 1, 1)
    z = F.conv2d(x, kernels.repeat(3, 1, 1).unsqueeze(1), stride=2, padding=1, groups=3)
    row = torch.from_numpy(requant.multiplier).float() * unit.gain.exp() / 2.0**shift
    sums = F.conv2d(z, (unit.coefs * unit.size * alive)[:, :, None, None]) * row.view(-1, 1, 1)
    plain = sums + skip * (3 / 2.0**shift) + (unit.offset * unit.unit).view(-1, 1, 1)
    wanted = torch.autograd.grad((plain * direction * inside).sum(), leaves)
    for one, other in zip(given, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_gradient_of_a_depthwise_layer_is_that_of_the_layer_without_rounding():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    op = depthwise(rng, TensorSpec((6, 5, 3), U8), QType(16, True), 20, 2)
    unit = _Depthwise("own", op, op)
    x = torch.randint(0, 256, (2, 3, 6, 5)).float().requires_grad_()
    direction = torch.randn(2, 3, 3, 3)
    leaves = [x, unit.coefs, unit.gain, unit.offset]
    y = unit(x)
    assert y.abs().max() < op.requant.out.hi
    given = torch.autograd.grad((y * direction).sum(), leaves)

    pad = torch.from_numpy(op.pad_value).float().view(-1, 1, 1)
    kernels = unit.coefs * unit.size * torch.from_numpy(op.coefs != 0)
    sums = F.conv2d(F.pad(x - pad, (1,) * 4) + pad, kernels.unsqueeze(1), stride=2, groups=3)
    row = torch.from_numpy(op.requant.multiplier).float() * unit.gain.exp() / 2.0**op.requant.shift
    plain = sums * row.view(-1, 1, 1) + (unit.offset * unit.unit).view(-1, 1, 1)
    wanted = torch.autograd.grad((plain * direction).sum(), leaves)
    for one, other in zip(given, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_no_gradient_passes_a_saturated_output():
    spec = TensorSpec((1, 1, 1), U8)
    requant = Requant(np.array([2]), np.array([-40]), 1, U8)
    unit = _Mac("mac", *[SparseMac(spec, np.array([[3]]), S8, requant)] * 2)
    x = torch.tensor([0.0, 20.0, 200.0]).view(3, 1, 1, 1).requires_grad_()
    y = unit(x)
    assert y.flatten().tolist() == [0, 40, 255]
    assert torch.autograd.grad(y.sum(), x)[0].flatten().tolist() == [0, 3, 0]
