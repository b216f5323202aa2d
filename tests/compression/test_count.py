"""Counts: by hand on a small network, and the published figures of ResNet-20 and its PENNI form."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from penni_hls.compression.count import count
from penni_hls.compression.decompose import PenniConv2d, decompose, load_penni
from penni_hls.ir.layers import Count
from penni_hls.recipes.storage import graph
from penni_hls.zoo.models import build, dense_state

from .nets import SHARED


def test_by_hand():
    """8x8 image, 3 -> 4 channels, 3x3, stride 2, d = 2; then 1x1, 4 -> 5; then linear 5 -> 2."""
    penni, point, linear = PenniConv2d(3, 4, 3, 2, stride=2, padding=1), nn.Conv2d(4, 5, 1), nn.Linear(5, 2)
    model = nn.Sequential(penni, nn.BatchNorm2d(4), point, nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear)
    with torch.no_grad():
        penni.basis.fill_(1)
        # outputs 0 and 3 read input 0's first map, output 1 reads input 2's second map
        penni.coefs.zero_()
        penni.coefs[0 * 3 + 0, 0] = penni.coefs[3 * 3 + 0, 0] = penni.coefs[1 * 3 + 2, 1] = 1
        point.weight.fill_(0)
        point.weight[:2] = 1
    got = count(model, (3, 8, 8))
    first, second, third = got.layers
    assert (first.pixels, first.nonzero, first.read_maps, first.all_maps, first.basis) == (16, 3, 2, 6, 18)
    assert (first.dense_macs, first.all_basis_macs, first.read_basis_macs, first.sparse_macs) == (1728, 864, 288, 48)
    assert (second.dense_macs, second.sparse_macs, second.all_basis_macs) == (320, 128, 0)
    assert (third.dense_macs, third.pixels) == (10, 1)
    assert got.other == 4 + 4 + 5 + 2
    assert got.parameters == 3 + 18 + 8 + 10 + 15
    assert got.dense_parameters == 108 + 20 + 10 + 15
    assert got.paper_macs == 864 + 48 + 128 + 10
    assert got.macs == 288 + 48 + 128 + 10
    # 3 of 6 columns: 3 bits and an end bit; 8 of 4 columns: 2 bits and an end bit; a full matrix has no index
    assert got.bits(8, 6, 32) == 3 * 8 + 18 * 6 + 3 * 4 + 8 * 8 + 8 * 3 + 10 * 8 + 15 * 32
    assert model.training


def test_the_float_graph_and_the_torch_model_count_the_same():
    """A ResNet whose coefficients are half zeros, one of its basis maps unread: layer by layer, by name."""
    torch.manual_seed(1)
    model = decompose(build("resnet8"), 3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("coefs"):
                parameter.mul_(torch.rand_like(parameter) < 0.5)
        conv = model.layer2[0].conv1
        conv.coefs.view(conv.out_channels, conv.in_channels, 3)[:, 4, 1] = 0
    counted, nodes = count(model), graph(model, (0.5,) * 3, (0.2,) * 3).by_name
    for layer in counted.layers:
        assert replace(layer, name="") in nodes[layer.name].op.count.layers, layer.name
    total = sum((node.op.count for node in nodes.values()), Count())
    assert sorted(map(repr, total.layers)) == sorted(repr(replace(layer, name="")) for layer in counted.layers)
    assert total.other == counted.other
    assert counted.macs < counted.paper_macs


def test_dense_resnets():
    torch.manual_seed(0)  # one draw in some eight million is 0, and zeros do not count
    twenty, eight = count(build("resnet20")), count(build("resnet8"))
    assert (twenty.parameters, twenty.macs) == (269_722, 40_551_040)
    assert (eight.parameters, eight.macs) == (78_042, 12_501_632)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
def test_published_penni_resnet20():
    """39,276 non-zero parameters; 5.18 M sparse MACs and 6.48 M basis MACs."""
    state = dense_state(torch.load(SHARED / "models/r20_penni.pt", weights_only=True))
    got = count(load_penni(build("resnet20"), state))
    assert got.parameters == 39_276
    assert round(got.sparse_macs / 1e6, 2) == 5.18
    assert round(got.read_basis_macs / 1e6, 2) == 6.48
