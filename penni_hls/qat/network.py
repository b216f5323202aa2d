"""The integer network as a torch module: what it computes is the numeric contract, what it trains are the weights.

Each unit mirrors one operator. Forward, every map holds the operator's very integers, as floats of a width that is
exact for them (see `sums_of` and `Requantized`), so the logits are those of the reference to the last bit, in training
and after it. Backward, rounding counts as the identity and saturation of an output as what it is (ReLU among it),
and a decomposed layer as the dense convolution it stands for, which is cheaper than a backward pass through basis maps:
only where z saturates, which its scale makes rare, does that gradient differ from the forward pass's.

Maps are (N, C, H, W) in channels_last; z of a basis convolution is (N, C*d, H, W), channel c*d + b.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UsageError
from ..ir import interpreter
from ..ir.fixed import BIAS, EXACT_FLOAT32, EXACT_FLOAT64, MULTIPLIER
from ..ir.graph import Graph, Node, verify
from ..ir.ops import (
    Affine,
    AvgPool,
    BasisConv,
    Clip,
    Concat,
    DepthwiseConv,
    Fork,
    GlobalPool,
    Input,
    MaxPool,
    SparseMac,
    Subsample,
    Upsample,
)
from ..ir.ops.base import Operator
from ..ir.quantized import Quantized
from ..ir.windows import Window
from ..passes.unread_bases import drop_unread_bases, with_all_bases
from .numbers import Requantized, Round, Row, reach_of, rshift, sums_of

LEANING = 0.45  # how far from its integer a latent coefficient begins, at most
SLOW = 1 / 3  # of the range of coefficients: what 1.0 is worth; flips are followed best where all else is quicker
BIAS_UNIT = 1 / 4  # of the output type's largest value: what 1.0 of a bias parameter is worth


class IntegerNetwork(nn.Module):
    """`start` with weights that train. mean, std: how the loaders' images are normalised, so that pixels come back.

    basis_bits: width of basis kernels. bases: whether they are trained as well. like: the same network with wider
    coefficients, whose values say which way each coefficient of `start` was rounded.
    """

    def __init__(
        self,
        start: Quantized,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        *,
        basis_bits: int = 8,
        bases: bool = True,
        like: Quantized | None = None,
    ) -> None:
        super().__init__()
        # Coefficients that are 0 in one network may not be 0 in the other, or after training: all have their columns.
        self.start = replace(start, graph=with_all_bases(start.graph))
        wide = self.start.graph.by_name if like is None else with_all_bases(like.graph).by_name
        units: list[nn.Module] = []
        for node in self.start.graph:
            match node.op:
                case Input():
                    units.append(_Pixels(mean, std))
                case BasisConv():
                    units.append(_Basis(node.op, basis_bits, bases))
                case SparseMac() | DepthwiseConv():
                    other = wide[node.name].op
                    assert isinstance(other, type(node.op))
                    kind = _Mac if isinstance(node.op, SparseMac) else _Depthwise
                    units.append(kind(node.name, node.op, other))
                case Affine():
                    units.append(_Affine(node.op))
                case MaxPool() | AvgPool() | GlobalPool() | Subsample() | Fork() | Concat() | Upsample() | Clip():
                    units.append(_Fixed(node.op))
                case _:
                    raise UsageError(f"{node.name}: {node.op.kind} cannot be trained")
        self.units = nn.ModuleList(units)

    def forward(self, x: Tensor) -> Tensor:
        """x (N, C, H, W): uint8 pixels, or floats as the loaders normalise them -> logits (N, classes) float32."""
        name = self.start.graph.output.name
        logits = self.maps(x, ())[name]
        return (logits.flatten(1) * self.start.logit_scale).float()

    def maps(self, x: Tensor, keep: Collection[str] | None = None) -> dict[str, Tensor]:
        """The integers that the operators named in `keep` (None: all) give, and those of the output."""
        graph = self.start.graph
        unit_of = {node.name: unit for node, unit in zip(graph, self.units, strict=True)}
        with torch.autocast(x.device.type, enabled=False):
            values = interpreter.run(graph, x, keep, lambda node, inputs: unit_of[node.name](*inputs))
        return {name: value.z if isinstance(value, _Tiles) else value for name, value in values.items()}

    @torch.no_grad()
    def clamp(self) -> None:
        """Hold, in place, latent weights within the range of their integers."""
        for unit in self.units:
            if isinstance(unit, _Basis | _Mac):
                unit.clamp()

    @torch.no_grad()
    def quantized(self) -> Quantized:
        """The integer network with the weights as they are now. Widths of sums follow from them anew."""
        nodes: list[Node[Operator]] = []
        for node, unit in zip(self.start.graph, self.units, strict=True):
            op = unit.operator() if isinstance(unit, _Basis | _Mac | _Affine) else node.op
            nodes.append(replace(node, op=op))
        return replace(self.start, graph=verify(drop_unread_bases(Graph(tuple(nodes)))))


class _Pixels(nn.Module):
    """input: the uint8 pixels back from what a loader made of them."""

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(-1, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(-1, 1, 1) * 255, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype == torch.uint8:
            pixels = x.float()
        else:
            pixels = (x.float() * self.std + self.mean).round_().clamp_(0, 255)
        return pixels.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True, eq=False)
class _Tiles:
    """What a basis convolution gives: z (N, C*d, Ho, Wo), and what the backward pass needs: the map `read`, padded
    already where `pad` is 0; `kernels` (d, kh, kw) = basis * 2^-shift."""

    z: Tensor
    read: Tensor
    kernels: Tensor
    stride: tuple[int, int]
    pad: tuple[int, int]


def _around(x: Tensor, window: Window, outside: Tensor | int) -> Tensor:
    """x (N, C, H, W) with the padding of its windows. outside: what that holds, also (C, 1, 1)."""
    top, left, bottom, right = window.pads
    padded = F.pad(x - outside, (left, right, top, bottom)) + outside
    return padded.contiguous(memory_format=torch.channels_last)


class _Basis(nn.Module):
    """basis_conv. Latent kernels are in units of the largest integer of their type."""

    def __init__(self, op: BasisConv, bits: int, trained: bool) -> None:
        super().__init__()
        self.op = op
        self.top = max((1 << (bits - 1)) - 1, int(np.abs(op.basis).max()))
        latent = torch.from_numpy(op.basis / self.top).float()
        if trained and any(op.shifts):  # without a shift they are the unit kernels of a dense convolution
            self.basis = nn.Parameter(latent)
        else:
            self.register_buffer("basis", latent, persistent=False)
        powers = torch.tensor([2.0**shift for shift in op.shifts])
        self.register_buffer("step", 1 / powers.view(-1, 1, 1), persistent=False)
        half = torch.where(powers > 1, powers / 2, 0.0)
        self.register_buffer("rounding", half.repeat(op.x.shape[2]).view(-1, 1, 1), persistent=False)
        self.register_buffer("pad_value", torch.from_numpy(op.pad_value).float().view(-1, 1, 1), persistent=False)
        top, left, bottom, right = op.window.pads
        self.padded = bool(op.pad_value.any()) or (top, left) != (bottom, right)  # else the convolution pads
        if (self.top * op.window.taps * reach_of(op.x.qtype)) + (1 << max(op.shifts)) >= EXACT_FLOAT32:
            kernel = "x".join(map(str, op.window.kernel))
            raise UsageError(f"a {kernel} basis of {bits} bits on {op.x.qtype} is too wide to train")

    def forward(self, x: Tensor) -> _Tiles:
        op, pad, read = self.op, self.op.window.pads[:2], x
        if self.padded:
            read, pad = _around(x, op.window, self.pad_value), (0, 0)
        basis = Round.apply(self.basis * self.top)
        kernels = basis * self.step
        with torch.no_grad():
            channels = op.x.shape[2]
            weight = basis.repeat(channels, 1, 1).unsqueeze(1)
            z = F.conv2d(read, weight, stride=op.window.stride, padding=pad, groups=channels)
            if z.is_cuda:
                z.round_()  # Winograd and Fourier algorithms come near the integers, no more
            z = rshift(z, self.rounding, self.step.flatten().repeat(channels).view(-1, 1, 1))
            z.clamp_(op.z_type.lo, op.z_type.hi)
        return _Tiles(z, read, kernels, op.window.stride, pad)

    def operator(self) -> BasisConv:
        """The operator with the kernels as they are now."""
        basis = torch.round(self.basis * self.top).cpu().numpy().astype(np.int64)
        return replace(self.op, basis=basis)

    def clamp(self) -> None:
        self.basis.clamp_(-1, 1)


class _Mac(nn.Module):
    """sparse_mac. Trained, `coefs` (C_out, J) in units of SLOW times the type's largest value, zero where the pattern
    has no weight; `gain` (C_out,), the logarithm of what the row's multiplier is multiplied by, from 0; `offset`
    (C_out,), what is added to the bias, in units of BIAS_UNIT, from 0."""

    def __init__(self, name: str, op: SparseMac | DepthwiseConv, like: SparseMac | DepthwiseConv) -> None:
        super().__init__()
        self.op, self.top = op, op.coef_type.hi
        self.size = self.top * SLOW
        requant = op.requant
        per_step = 2.0**requant.shift
        alive = (op.coefs != 0) | (like.coefs != 0)
        row = (-1, *(1,) * (alive.ndim - 1))  # how one value per output channel goes with the coefficients
        wanted = like.requant.multiplier / 2.0**like.requant.shift
        own = requant.multiplier / per_step
        # A row that narrow coefficients left empty can be revived, at the scale it would have.
        revived = np.abs(like.coefs).reshape(len(alive), -1).max(axis=1) * wanted / self.top
        own = np.where(own > 0, own, revived)
        exact = like.coefs * (wanted / np.where(own > 0, own, 1.0)).reshape(row)
        latent = np.clip(exact, op.coefs - LEANING, op.coefs + LEANING) * alive / self.size
        self.coefs = nn.Parameter(torch.from_numpy(latent).float())
        self.gain = nn.Parameter(torch.zeros(len(alive)))
        self.offset = nn.Parameter(torch.zeros(len(alive)))
        self.unit = requant.out.hi * BIAS_UNIT
        start = np.where(requant.multiplier > 0, requant.multiplier, np.rint(own * per_step).clip(0, MULTIPLIER.hi))
        self.register_buffer("alive", torch.from_numpy(alive), persistent=False)
        self.register_buffer("multiplier", torch.from_numpy(start).double(), persistent=False)
        self.register_buffer("bias", torch.from_numpy(requant.bias).double(), persistent=False)
        reach, *skips = (reach_of(spec.qtype) for spec in op.in_specs)
        most = int(alive.reshape(len(alive), -1).sum(1).max()) * self.top * reach * MULTIPLIER.hi
        skip = sum(skips) * requant.skip_multiplier
        if most + skip + BIAS.hi + (1 << requant.shift) >= EXACT_FLOAT64:
            raise UsageError(f"{name}: sums of more than 53 bits cannot be trained; use fewer coefficient bits")

    def weights(self) -> Tensor:
        """The integer coefficients, float32, in the shape that the operator has them in."""
        return Round.apply(self.coefs * self.size) * self.alive

    def constants(self) -> tuple[Tensor, Tensor]:
        """Integer multipliers and biases, float64 (C_out,)."""
        multiplier = (self.multiplier * self.gain.double().exp()).round().clamp(0, MULTIPLIER.hi)
        moved = (self.offset.double() * (self.unit * 2.0**self.op.requant.shift)).round()
        return multiplier, (self.bias + moved).clamp(BIAS.lo, BIAS.hi)

    def forward(self, x: Tensor | _Tiles, skip: Tensor | None = None) -> Tensor:
        coefs = self.weights()
        if isinstance(x, _Tiles):
            z, read, stride, pad = x.z, x.read, x.stride, x.pad
            by_basis = coefs.view(len(coefs), -1, len(x.kernels))
            weight = torch.einsum("ocd,dij->ocij", by_basis, x.kernels)
        else:
            read = x.permute(0, 2, 3, 1).reshape(len(x), -1, 1, 1) if self.op.flatten else x
            z, weight, stride, pad = read, coefs[:, :, None, None], (1, 1), (0, 0)
        with torch.no_grad():
            sums = sums_of(z, coefs, reach_of(self.op.z.qtype))
            multiplier, bias = self.constants()
        row = Row(sums, multiplier, bias, self.unit, self.op, stride, pad)
        return Requantized.apply(read, weight, skip, self.gain, self.offset, row)

    def operator(self) -> SparseMac | DepthwiseConv:
        """The operator with the weights as they are now."""
        coefs = self.weights().cpu().numpy().astype(np.int64)
        multiplier, bias = (values.cpu().numpy().astype(np.int64) for values in self.constants())
        multiplier *= coefs.reshape(len(coefs), -1).any(axis=1)
        requant = replace(self.op.requant, multiplier=multiplier, bias=bias)
        return replace(self.op, coefs=coefs, requant=requant)

    def clamp(self) -> None:
        self.coefs.clamp_(-self.top / self.size, self.top / self.size)


class _Depthwise(_Mac):
    """depthwise_conv: the weights of `_Mac`, `coefs` (C, kh, kw), on windows of each channel alone."""

    def __init__(self, name: str, op: DepthwiseConv, like: DepthwiseConv) -> None:
        super().__init__(name, op, like)
        self.register_buffer("pad_value", torch.from_numpy(op.pad_value).float().view(-1, 1, 1), persistent=False)
        if self.top * op.window.taps * reach_of(op.x.qtype) >= EXACT_FLOAT32:
            kernel = "x".join(map(str, op.window.kernel))
            raise UsageError(f"{name}: a {kernel} depthwise convolution on {op.x.qtype} is too wide to train")

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        op = self.op
        read = _around(x, op.window, self.pad_value)
        weight = self.weights().unsqueeze(1)
        with torch.no_grad():
            sums = F.conv2d(read, weight, stride=op.window.stride, groups=len(weight))
            if sums.is_cuda:
                sums.round_()  # as in `_Basis`
            multiplier, bias = self.constants()
        row = Row(sums, multiplier, bias, self.unit, op, op.window.stride, (0, 0), len(weight))
        return Requantized.apply(read, weight, skip, self.gain, self.offset, row)


class _Affine(nn.Module):
    """affine. Trained, `gain` and `offset` as in `_Mac`; a multiplier keeps its sign, and 0 stays 0."""

    def __init__(self, op: Affine) -> None:
        super().__init__()
        self.op = op
        channels, requant = op.x.shape[2], op.requant
        self.gain = nn.Parameter(torch.zeros(channels))
        self.offset = nn.Parameter(torch.zeros(channels))
        self.unit = requant.out.hi * BIAS_UNIT
        self.register_buffer("weight", torch.ones(channels, 1, 1, 1), persistent=False)
        self.register_buffer("multiplier", torch.from_numpy(requant.multiplier).double(), persistent=False)
        self.register_buffer("bias", torch.from_numpy(requant.bias).double(), persistent=False)

    def constants(self) -> tuple[Tensor, Tensor]:
        """Integer multipliers and biases, float64 (C,)."""
        top = MULTIPLIER.hi
        multiplier = (self.multiplier * self.gain.double().exp()).round().clamp(-top, top)
        moved = (self.offset.double() * (self.unit * 2.0**self.op.requant.shift)).round()
        return multiplier, (self.bias + moved).clamp(BIAS.lo, BIAS.hi)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        with torch.no_grad():
            multiplier, bias = self.constants()
        row = Row(x.detach(), multiplier, bias, self.unit, self.op, (1, 1), (0, 0), len(self.weight))
        return Requantized.apply(x, self.weight, skip, self.gain, self.offset, row)

    def operator(self) -> Affine:
        """The operator with the constants as they are now."""
        multiplier, bias = (values.detach().cpu().numpy().astype(np.int64) for values in self.constants())
        return replace(self.op, requant=replace(self.op.requant, multiplier=multiplier, bias=bias))


class _Fixed(nn.Module):
    """The operators without weights."""

    def __init__(self, op: Operator) -> None:
        super().__init__()
        self.op = op

    def forward(self, x: Tensor, *others: Tensor) -> Tensor:
        exact = torch.float32 if reach_of(self.op.out_spec.qtype) < EXACT_FLOAT32 else torch.float64
        match self.op:
            case MaxPool(window=window):
                return F.max_pool2d(_around(x, window, self.op.x.qtype.lo), window.kernel, window.stride)
            case AvgPool(window=window):
                summed = _around(x.to(exact), window, 0)
                return F.avg_pool2d(summed, window.kernel, window.stride, divisor_override=1)
            case GlobalPool():
                return x.sum((2, 3), keepdim=True, dtype=exact)
            case Subsample(stride=stride, channels=channels, offset=offset):
                after = channels - offset - x.shape[1]
                return F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, offset, after))
            case Concat():
                return torch.cat([x, *others], 1)
            case Upsample(factor=factor):
                return x.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
            case Clip(lo=lo, hi=hi):
                return x.clamp(lo, hi)
            case _:
                return x
