"""Convolutions in groups: torch computes the same, and what is counted is what is there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from penni_hls.ir.layers import Conv, GroupedConv, GroupedPenniConv, MapSpec, PenniConv

# C_in, C_out, groups, k, stride, pad
SHAPES = {
    "depthwise": (6, 6, 6, 3, 1, 1),
    "depthwise with stride": (6, 6, 6, 3, 2, 1),
    "several results per channel": (4, 12, 4, 3, 2, 0),
    "halves": (6, 10, 2, 3, 1, 1),
    "fewer results than channels": (12, 3, 3, 5, 1, 2),
    "1x1": (8, 4, 4, 1, 1, 0),
    "1x1 with stride": (8, 4, 2, 1, 2, 0),
    "one group": (3, 4, 1, 3, 1, 1),
}


def some(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def torchs(layer: Conv | PenniConv, x: np.ndarray) -> np.ndarray:
    weight, bias = torch.from_numpy(layer.dense), None if layer.bias is None else torch.from_numpy(layer.bias)
    x_ = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
    y = F.conv2d(x_, weight, bias, layer.stride, layer.pad, groups=layer.groups)
    return y.numpy().transpose(0, 2, 3, 1)


def layers(shape: str, bias: bool = True) -> tuple[GroupedConv, GroupedPenniConv]:
    c_in, c_out, groups, k, stride, pad = SHAPES[shape]
    x, offset = MapSpec((9, 7, c_in)), some(c_out, seed=1) if bias else None
    coefs = some(c_out, c_in // groups, 2) * (some(c_out, c_in // groups, 2, seed=2) > 0)
    return (
        GroupedConv(x, some(c_out, c_in // groups, k, k), stride, pad, offset, groups),
        GroupedPenniConv(x, some(2, k, k), coefs, stride, pad, offset, groups),
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_torch_computes_the_same(shape: str) -> None:
    for layer in layers(shape):
        x = some(2, *layer.x.shape)
        wanted = torchs(layer, x)
        found = layer.reference(x)
        assert found.shape == (2, *layer.out_spec.shape) and found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_plain_layer_with_zeros_outside_the_groups(shape: str) -> None:
    plain, penni = layers(shape)
    x = some(2, *plain.x.shape)
    c_in, c_out, groups = SHAPES[shape][:3]
    whole = plain.block_diagonal(plain.weight)
    for o in range(c_out):
        for i in range(c_in):
            if o // (c_out // groups) == i // (c_in // groups):
                np.testing.assert_array_equal(whole[o, i], plain.weight[o, i % (c_in // groups)])
            else:
                assert not whole[o, i].any()
    same = Conv(plain.x, whole, plain.stride, plain.pad, plain.bias)
    np.testing.assert_allclose(same.reference(x), plain.reference(x), rtol=1e-5, atol=1e-5)
    coefs = penni.block_diagonal(penni.coefs)
    same = PenniConv(penni.x, penni.basis, coefs, penni.stride, penni.pad, penni.bias)
    np.testing.assert_allclose(same.reference(x), penni.reference(x), rtol=1e-5, atol=1e-5)


def test_counts_by_hand() -> None:
    """Zeros outside the groups are neither parameters nor MACs: 8x8 map, stride 2, 16 pixels, 6 -> 4 channels."""
    x = MapSpec((8, 8, 6))
    weight = np.ones((4, 3, 3, 3), np.float32)
    weight[0, 0, 0, 0] = 0
    (layer,) = GroupedConv(x, weight, 2, 1, None, 2).count.layers
    assert (layer.inputs, layer.outputs, layer.pixels) == (6, 4, 16)
    assert (layer.dense, layer.nonzero, layer.stored) == (108, 107, 108)
    assert (layer.dense_macs, layer.sparse_macs) == (16 * 108, 16 * 107)

    coefs = np.zeros((4, 3, 2), np.float32)
    coefs[0, 1, 0] = coefs[1, 1, 0] = coefs[2, 1, 0] = 1  # map (1, 0) twice, and map (4, 0), of the second group
    count = GroupedPenniConv(x, np.ones((2, 3, 3), np.float32), coefs, 2, 1, np.ones(4, np.float32), 2).count
    (layer,) = count.layers
    assert (layer.dense, layer.stored, layer.nonzero, layer.basis, layer.read_maps) == (108, 24, 3, 18, 2)
    assert (count.parameters, count.dense_parameters) == (3 + 18 + 4, 108 + 4)
    assert (count.macs, count.dense_macs) == (16 * (2 * 9 + 3), 16 * 108)
    # 3 channels of 2 bases: 3 bits of column and an end bit
    assert layer.index_bits == 3 * 4


def test_the_blocks_count_as_the_same_layer_without_groups() -> None:
    plain, penni = layers("halves")
    whole = Conv(plain.x, plain.block_diagonal(plain.weight), plain.stride, plain.pad, plain.bias)
    assert plain.count.parameters == whole.count.parameters and plain.count.macs == whole.count.macs
    assert 2 * plain.count.dense_macs == whole.count.dense_macs
    spread = PenniConv(penni.x, penni.basis, penni.block_diagonal(penni.coefs), penni.stride, penni.pad, penni.bias)
    assert penni.count.parameters == spread.count.parameters and penni.count.macs == spread.count.macs
    assert 2 * penni.count.dense_macs == spread.count.dense_macs


def test_the_torch_model_counts_the_same() -> None:
    from penni_hls.compression.count import count

    conv = torch.nn.Conv2d(6, 4, 3, 2, 1, groups=2, bias=False)
    layer = GroupedConv(MapSpec((8, 8, 6)), conv.weight.detach().numpy(), 2, 1, None, 2)
    (counted,) = count(torch.nn.Sequential(conv), (6, 8, 8)).layers
    (own,) = layer.count.layers
    assert (counted.inputs, counted.outputs, counted.dense, counted.nonzero) == (6, 4, 108, 108)
    assert (own.inputs, own.outputs, own.dense, own.nonzero) == (6, 4, 108, 108)
    assert counted.dense_macs == own.dense_macs


@pytest.mark.parametrize("groups", [-2, 0, 1, 3, 6])
def test_groups_that_do_not_go_with_the_weight(groups: int) -> None:
    x = MapSpec((8, 8, 6))
    with pytest.raises(ValueError, match=f"groups {groups} do not go with a 8x8x6 map"):
        GroupedConv(x, some(4, 3, 3, 3), 1, 1, None, groups)
    with pytest.raises(ValueError, match=f"groups {groups} do not go with a 8x8x6 map"):
        GroupedPenniConv(x, some(2, 3, 3), some(4, 3, 2), 1, 1, None, groups)
    with pytest.raises(ValueError, match="groups 2 do not go"):
        GroupedConv(x, some(5, 3, 3, 3), 1, 1, None, 2)
