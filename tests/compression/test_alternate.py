"""Step B: which side is trained when, and that the other does not move."""

import pytest
import torch

from penni_hls.compression.alternate import BASES, COEFFICIENTS, alternating, freeze, l1, normalise, phase
from penni_hls.compression.decompose import PenniConv2d, decompose
from penni_hls.errors import UsageError
from penni_hls.training.train import Hooks, TrainConfig, fit

from .nets import batches, small_resnet


def test_phases():
    assert [phase(e, 1) for e in range(4)] == [COEFFICIENTS, BASES, COEFFICIENTS, BASES]
    assert [phase(e, 2) for e in range(6)] == [COEFFICIENTS] * 2 + [BASES] * 2 + [COEFFICIENTS] * 2
    with pytest.raises(UsageError):
        phase(0, 0)


def test_l1_sums_coefficients_and_point_weights():
    model = decompose(small_resnet(), 3)
    wanted = sum(m.coefs.abs().sum() for m in model.modules() if isinstance(m, PenniConv2d))
    wanted = wanted + model.layer2[0].shortcut[0].weight.abs().sum()
    assert torch.isclose(l1(model), wanted)


def test_normalise_leaves_the_weights():
    model = decompose(small_resnet(), 3).double()
    layer = model.conv1
    with torch.no_grad():
        layer.basis *= torch.tensor([[0.1], [7.0], [0.0]], dtype=torch.double)
    before = layer.weight()
    normalise(model)
    assert torch.allclose(layer.weight(), before, atol=1e-12)
    assert torch.allclose(layer.basis.norm(dim=1), torch.tensor([1.0, 1.0, 0.0], dtype=torch.double))


def test_one_side_moves_at_a_time():
    model = decompose(small_resnet(), 3)
    hooks = alternating(model, 1e-3, 1)
    layers = [m for m in model.modules() if isinstance(m, PenniConv2d)]
    seen = []

    def epoch(number):
        assert hooks.epoch
        hooks.epoch(number)
        seen.append([(m.coefs.detach().clone(), m.basis.detach().clone()) for m in layers])

    ends = []
    fit(
        model,
        batches(),
        None,
        TrainConfig(epochs=4, weight_decay=1e-2),
        hooks=Hooks(epoch=epoch, penalty=hooks.penalty),
        report=lambda _: ends.append([(m.coefs.detach().clone(), m.basis.detach().clone()) for m in layers]),
    )
    for number, (begin, end) in enumerate(zip(seen, ends, strict=True)):
        for (coefs, basis), (new_coefs, new_basis) in zip(begin, end, strict=True):
            assert torch.equal(coefs, new_coefs) == (number % 2 == 1)
            assert torch.equal(basis, new_basis) == (number % 2 == 0)


def test_l1_shrinks_the_coefficients():
    sums = []
    for strength in (0.0, 0.1):
        model = decompose(small_resnet(), 3)
        fit(model, batches(), None, TrainConfig(epochs=4, weight_decay=0), hooks=alternating(model, strength, 1))
        sums.append(l1(model).item())
    assert sums[1] < 0.8 * sums[0]


def test_freeze_none_frees_both():
    model = decompose(small_resnet(), 3)
    freeze(model, COEFFICIENTS)
    assert not model.conv1.basis.requires_grad and model.conv1.coefs.requires_grad
    freeze(model, None)
    assert all(p.requires_grad for p in model.parameters())
