"""Counts: by hand on a small network, and the published figures of ResNet-20 and its PENNI form."""

import pytest
import torch
from torch import nn

from penni_hls.compression.count import count, table
from penni_hls.compression.decompose import PenniConv2d, load_penni
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
    assert (first.pixels, first.nonzero, first.used_maps, first.basis_maps, first.basis) == (16, 3, 2, 6, 18)
    assert (first.dense_macs, first.basis_macs, first.used_basis_macs, first.sparse_macs) == (1728, 864, 288, 48)
    assert (second.dense_macs, second.sparse_macs, second.basis_macs) == (320, 128, 0)
    assert (third.dense_macs, third.pixels) == (10, 1)
    assert got.other == 4 + 4 + 5 + 2
    assert got.parameters == 3 + 18 + 8 + 10 + 15
    assert got.dense_parameters == 108 + 20 + 10 + 15
    assert got.macs == 864 + 48 + 128 + 10
    assert got.used_macs == 288 + 48 + 128 + 10
    # 3 of 6 columns: 3 bits and an end bit; 8 of 4 columns: 2 bits and an end bit; a full matrix has no index
    assert got.bits(8, 6, 32) == 3 * 8 + 18 * 6 + 3 * 4 + 8 * 8 + 8 * 3 + 10 * 8 + 15 * 32
    assert "-> 54" in " ".join(table(got, got).split())
    assert model.training


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
    assert round((got.used_macs - got.sparse_macs) / 1e6, 2) == 6.48
