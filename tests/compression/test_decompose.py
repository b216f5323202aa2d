"""Step A: truncated SVD without a mean, the layer that stands for it, and what is left whole."""

import pytest
import torch
from torch import nn

from penni_hls.compression.decompose import PenniConv2d, as_dense, decompose, factors, load_penni
from penni_hls.compression.shrink import shrink
from penni_hls.errors import UsageError

from .nets import small_resnet


def weight(c_out=6, c_in=4, k=3, seed=0):
    return torch.randn(c_out, c_in, k, k, dtype=torch.double, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("k", [2, 3, 5])
def test_all_bases_give_the_weight_back(k):
    w = weight(k=k, c_out=8)
    coefs, basis = factors(w, k * k)
    assert basis.shape == (min(k * k, 32), k * k)
    assert torch.allclose(coefs @ basis, w.flatten(0, 1).flatten(1), atol=1e-12)


def test_truncation_is_the_best_of_its_rank():
    """Eckart-Young: the squared error is the sum of the squared singular values left out; no mean is taken off."""
    w = weight() + 3
    for d in range(1, 9):
        coefs, basis = factors(w, d)
        error = (coefs @ basis - w.flatten(0, 1).flatten(1)).pow(2).sum()
        left_out = torch.linalg.svdvals(w.flatten(0, 1).flatten(1))[d:].pow(2).sum()
        assert torch.isclose(error, left_out, rtol=1e-9)
        assert torch.allclose(basis @ basis.T, torch.eye(d, dtype=torch.double), atol=1e-12)
        assert (basis.gather(1, basis.abs().argmax(1, keepdim=True)) > 0).all()


def test_energy_threshold_takes_the_fewest_bases_that_hold_it():
    w = weight()
    energy = torch.linalg.svdvals(w.flatten(0, 1).flatten(1)).pow(2)
    share = (energy.cumsum(0) / energy.sum()).tolist()
    for d in range(1, 10):
        assert len(factors(w, share[d - 1] - 1e-9)[1]) == d
    assert len(factors(w, 1.0)[1]) == 9
    assert len(factors(torch.zeros(2, 2, 3, 3), 0.9)[1]) >= 1
    for wrong in (0.0, 1.5, 0, -1):
        with pytest.raises(UsageError):
            factors(w, wrong)


def test_row_order():
    """Row o*C_in + i of coefs makes kernel W[o, i]."""
    layer = PenniConv2d(2, 3, 3, 4)
    nn.init.normal_(layer.coefs)
    nn.init.normal_(layer.basis)
    for o in range(3):
        for i in range(2):
            kernel = sum(layer.coefs[o * 2 + i, b] * layer.basis[b].reshape(3, 3) for b in range(4))
            assert torch.allclose(layer.weight()[o, i], kernel, atol=1e-6)


@pytest.mark.parametrize(
    ("k", "stride", "padding", "bias"), [(3, 1, 1, False), (3, 2, 1, True), (5, 1, 0, True), (2, 2, 0, False)]
)
def test_replaced_convolution_computes_the_same(k, stride, padding, bias):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 5, k, stride, padding, bias=bias)).double()
    x = torch.randn(2, 3, 9, 9, dtype=torch.double)
    before = model(x)
    decompose(model, k * k)
    assert isinstance(model[0], PenniConv2d)
    assert torch.allclose(model(x), before, atol=1e-12)
    as_dense(model)
    assert type(model[0]) is nn.Conv2d
    assert torch.allclose(model(x), before, atol=1e-12)


def test_what_is_not_decomposed():
    layers = {
        "point": nn.Conv2d(4, 4, 1),
        "grouped": nn.Conv2d(4, 4, 3, groups=2),
        "dilated": nn.Conv2d(4, 4, 3, dilation=2),
        "oblong": nn.Conv2d(4, 4, (3, 1)),
        "mirrored": nn.Conv2d(4, 4, 3, padding_mode="reflect", padding=1),
    }
    model = nn.ModuleDict(layers | {"plain": nn.Conv2d(4, 4, 3)})
    decompose(model, 5)
    assert [name for name, module in model.items() if isinstance(module, PenniConv2d)] == ["plain"]
    with pytest.raises(UsageError, match="no k x k convolution"):
        decompose(nn.ModuleDict(layers), 5)


def test_bases_per_layer():
    model = decompose(small_resnet(), {"conv1": 2, "layer2.0.conv1": 0.5})
    assert model.conv1.d == 2 and isinstance(model.layer2[0].conv1, PenniConv2d)
    assert type(model.layer1[0].conv1) is nn.Conv2d
    with pytest.raises(UsageError, match="layer9"):
        decompose(small_resnet(), {"layer9": 2})


def test_shrunk_state_dict_loads():
    model = decompose(small_resnet(seed=1), 3).eval()
    with torch.no_grad():
        for dead in (model.conv1.coefs.view(8, 3, 3)[2], model.layer1[0].conv2.coefs.view(8, 8, 3)[2]):
            dead.zero_()
        for norm in (model.bn1, model.layer1[0].bn2):
            norm.bias[2] = 0
        model.layer1[0].conv1.coefs.view(8, 8, 3)[5] = 0
    x = torch.randn(2, 3, 8, 8)
    small = shrink(model, x[:1])
    assert (small.conv1.out_channels, small.layer1[0].conv1.out_channels) == (7, 7)
    again = load_penni(small_resnet(seed=2), small.state_dict()).eval()
    assert (again.layer1[0].conv1.in_channels, again.layer1[0].conv1.out_channels) == (7, 7)
    assert torch.equal(again(x), small(x))


def test_state_dict_of_another_network_is_refused():
    with pytest.raises(UsageError, match="does not fit"):
        load_penni(small_resnet(), {"conv1.basis": torch.zeros(2, 9), "conv1.coefs": torch.zeros(24, 2)})
    with pytest.raises(UsageError):
        load_penni(small_resnet(), {})


def test_state_dict_goes_around():
    model = decompose(small_resnet(seed=1), {"conv1": 3, "layer1.0.conv2": 4})
    again = load_penni(small_resnet(seed=2), model.state_dict())
    assert set(again.state_dict()) == set(model.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), model.state_dict().values(), strict=True))
