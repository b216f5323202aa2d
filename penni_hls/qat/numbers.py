"""The numeric contract on torch tensors: exact forward, and backward what the float layer would do.

Integers are held in floats of a width that is exact for them, as `fixed` allows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.autograd import Function

from ..ir.fixed import EXACT_FLOAT32, QType
from ..ir.ops import Affine, DepthwiseConv, SparseMac

TENSOR_CORE_BITS = 11  # integers up to 2^11 pass a GPU's shortened float32 unharmed; wider ones are held in float64


class Round(Function):
    """Round to the nearest integer; backward the identity."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        return grad


def reach_of(qtype: QType) -> int:
    """The largest magnitude of the type."""
    return max(-qtype.lo, qtype.hi)


def rshift(v: Tensor, half: Tensor | float, step: Tensor | float) -> Tensor:
    """Shift the integers `v` right, in place, rounding half up: step is 2^-s, half 2^(s-1), or 0 where s is 0."""
    return v.add_(half).mul_(step).floor_()


def sums_of(z: Tensor, coefs: Tensor, reach: int) -> Tensor:
    """z (N, J, H, W), coefs (C_out, J) -> their exact products' sums (N, C_out, H, W).

    All partial sums are integers up to sum|A| * reach: below 2^24 float32 holds them, in whatever order they are added.
    """
    n, depth, h, w = z.shape
    largest = int(coefs.abs().sum(1).max()) * reach
    exact = largest < EXACT_FLOAT32 and (not z.is_cuda or reach <= 1 << TENSOR_CORE_BITS)
    dtype = torch.float32 if exact else torch.float64
    rows = z.permute(0, 2, 3, 1).reshape(-1, depth).to(dtype) @ coefs.T.to(dtype)
    return rows.view(n, h, w, -1).permute(0, 3, 1, 2)


@dataclass(frozen=True, eq=False)
class Row:
    """What `Requantized` needs and gives no gradient to."""

    sums: Tensor
    multiplier: Tensor
    bias: Tensor
    unit: float
    op: SparseMac | DepthwiseConv | Affine
    stride: tuple[int, int]
    pad: tuple[int, int]
    groups: int = 1


class Requantized(Function):
    """sat(rshift(sums*M + skip*K + bias, S)) in float64, exact below 2^53; backward as a convolution of `read`."""

    @staticmethod
    def forward(
        ctx, read: Tensor, weight: Tensor, skip: Tensor | None, gain: Tensor, offset: Tensor, row: Row
    ) -> Tensor:
        requant = row.op.requant
        total = row.sums.double() * row.multiplier.view(-1, 1, 1)
        total += row.bias.view(-1, 1, 1)
        if skip is not None:
            total += skip.double() * requant.skip_multiplier
        y = rshift(total, 2.0 ** (requant.shift - 1), 2.0**-requant.shift).clamp_(requant.out.lo, requant.out.hi)
        y = y.float().contiguous(memory_format=torch.channels_last)
        ctx.save_for_backward(read, weight, y, row.multiplier)
        ctx.row = replace(row, sums=row.bias)  # the sums themselves are not needed any more
        return y

    @staticmethod
    def backward(ctx, grad: Tensor):
        read, weight, y, multiplier = ctx.saved_tensors
        row, requant = ctx.row, ctx.row.op.requant
        grad = grad * ((y > requant.out.lo) & (y < requant.out.hi))
        scale = 2.0**-requant.shift
        sums = grad * (multiplier * scale).float().view(-1, 1, 1)
        back_read, back_weight, _ = torch.ops.aten.convolution_backward(
            sums, read.float(), weight, None, list(row.stride), list(row.pad), [1, 1], False, [0, 0],
            row.groups, [ctx.needs_input_grad[0], True, False],
        )  # fmt: skip
        skip = grad * (requant.skip_multiplier * scale) if ctx.needs_input_grad[2] else None
        gain = (weight * back_weight).sum((1, 2, 3))
        return back_read, back_weight, skip, gain, grad.sum((0, 2, 3)) * row.unit, None
