"""Step D: channels that nothing reads or writes are removed; the network computes the same as before.

A channel is removed when no kept row reads it, or when it is constant and its readers can take the constant into their
bias. A constant other than 0 read by a zero-padded k x k convolution is not constant at the border: such a channel
stays. Channels joined by an addition are removed together or stay together.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ..zoo.models import PadShortcut
from .channels import Analysis, Read, analyse
from .decompose import PenniConv2d


@torch.no_grad()
def shrink(model: nn.Module, example: Tensor) -> nn.Module:
    """A copy of `model` without its idle channels, equal in eval mode. `example` (1, C, H, W) gives the shapes."""
    first = next(model.parameters())
    small = copy.deepcopy(model).cpu().eval()  # the analysis runs channel by channel: a GPU would not help
    example = example.to(next(small.parameters()))
    found = analyse(small, example)
    kept = found.kept()
    modules = dict(small.named_modules())
    for read in found.reads:
        _fold(read, found, kept, modules)
    for read in found.reads:
        _slice(read.module, found.chosen(read.result, kept), found.chosen(read.source, kept))
    for name, value in found.norms.items():
        norm = modules[name]
        assert isinstance(norm, nn.BatchNorm2d | nn.BatchNorm1d)
        _slice_norm(norm, found.chosen(value, kept))
    for name, value in found.pads.items():
        pad = modules[name]
        assert isinstance(pad, PadShortcut)
        stays = [found.root(label) in kept for label in value.ids]
        before, after = sum(stays[: pad.before]), sum(stays[len(stays) - pad.after :])
        if (before, after) != (pad.before, pad.after):
            pad.split(before, after)
    return small.to(first.device).train(model.training)


def _fold(read: Read, found: Analysis, kept: set[int], modules: dict[str, nn.Module]) -> None:
    """Add what removed constant channels contribute to the reader's bias, or to the mean of the BatchNorm behind."""
    stays = torch.zeros(len(read.source.ids), dtype=torch.bool)
    stays[found.chosen(read.source, kept)] = True
    gone = read.folds() & ~stays
    extra = read.sums @ torch.where(gone, read.source.constant, 0)
    if not extra.any():
        return
    module = read.module
    if module.bias is not None:
        module.bias += extra.to(module.bias.dtype)
    elif read.norm:
        mean = modules[read.norm].running_mean
        assert isinstance(mean, Tensor)
        mean -= extra.to(mean.dtype)
    else:
        module.bias = nn.Parameter(extra.to(next(module.parameters()).dtype))


def _slice(module: nn.Module, rows: list[int], columns: list[int]) -> None:
    """Keep, in place, output channels `rows`, input channels `columns` and the bases that are still read."""
    if isinstance(module, PenniConv2d):
        coefs = module.coefs.view(module.out_channels, module.in_channels, -1)[rows][:, columns]
        read = (coefs != 0).flatten(0, 1).any(0)
        if not read.any():
            read[0] = True
        module.coefs = nn.Parameter(coefs[:, :, read].flatten(0, 1).contiguous(), module.coefs.requires_grad)
        module.basis = nn.Parameter(module.basis[read].clone(), module.basis.requires_grad)
        module.in_channels, module.out_channels = len(columns), len(rows)
    else:
        weight = module.weight
        assert isinstance(weight, nn.Parameter)
        module.weight = nn.Parameter(weight[rows][:, columns].contiguous(), weight.requires_grad)
        inputs, outputs = ("in_features", "out_features") if weight.dim() == 2 else ("in_channels", "out_channels")
        setattr(module, inputs, len(columns))
        setattr(module, outputs, len(rows))
    if isinstance(module.bias, nn.Parameter):
        module.bias = nn.Parameter(module.bias[rows].clone(), module.bias.requires_grad)


def _slice_norm(norm: nn.BatchNorm2d | nn.BatchNorm1d, channels: list[int]) -> None:
    """Keep, in place, the entries of `channels`."""
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean, norm.running_var = norm.running_mean[channels].clone(), norm.running_var[channels].clone()
    if norm.affine:
        norm.weight = nn.Parameter(norm.weight[channels].clone(), norm.weight.requires_grad)
        norm.bias = nn.Parameter(norm.bias[channels].clone(), norm.bias.requires_grad)
    norm.num_features = len(channels)
