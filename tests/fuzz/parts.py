"""What random networks are made of: a module that runs a list of steps, and the layers that torch.nn has not."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Do(nn.Module):
    """A function without parameters; `text` is how it is written."""

    def __init__(self, function: Callable[..., Tensor], text: str) -> None:
        super().__init__()
        self.function, self.text = function, text

    def forward(self, *x: Tensor) -> Tensor:
        return self.function(*x)

    def extra_repr(self) -> str:
        return self.text


class Pointwise(Do):
    """One that changes each value by itself."""


class Constant(nn.Module):
    """A product with `gain` and a sum of `offset`, each a scalar or one number per channel; None: without it."""

    def __init__(self, gain: Tensor | float | None, offset: Tensor | float | None, negated: bool) -> None:
        super().__init__()
        self.gain = nn.Parameter(gain) if isinstance(gain, Tensor) else gain
        self.offset = nn.Parameter(offset) if isinstance(offset, Tensor) else offset
        self.negated = negated

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.gain is None else x * self.gain
        if self.offset is None:
            return -x if self.negated else x
        return self.offset - x if self.negated else x + self.offset

    def extra_repr(self) -> str:
        gain, offset = ("per channel" if isinstance(v, Tensor) else v for v in (self.gain, self.offset))
        return f"gain={gain}, offset={offset}, negated={self.negated}"


class Decomposed(nn.Module):
    """`conv` with `d` bases in place of its weight: coefs (C_out * C_in / groups, d) @ basis (d, kh * kw)."""

    def __init__(self, conv: nn.Conv2d, d: int) -> None:
        super().__init__()
        out, inner, *self.kernel = conv.weight.shape
        self.shape = tuple(conv.weight.shape)
        self.basis = nn.Parameter(
            torch.randn(d, self.kernel[0] * self.kernel[1]) / (self.kernel[0] * self.kernel[1]) ** 0.5
        )
        self.coefs = nn.Parameter(torch.randn(out * inner, d) / (inner * d) ** 0.5)
        self.bias = conv.bias
        self.settings = (conv.stride, conv.padding, conv.dilation, conv.groups)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, (self.coefs @ self.basis).view(self.shape), self.bias, *self.settings)

    def extra_repr(self) -> str:
        stride, padding, dilation, groups = self.settings
        return (
            f"{self.shape}, d={len(self.basis)}, stride={stride}, padding={padding}, dilation={dilation},"
            f" groups={groups}, bias={self.bias is not None}, zeros={float((self.coefs == 0).float().mean()):.2f}"
        )


POINTWISE = (nn.BatchNorm2d, nn.BatchNorm1d, Pointwise, Constant, nn.Dropout, nn.Identity)


class Net(nn.Module):
    """Value 0 is the input; each step gives one more: a part, and the numbers of the values that it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList()
        self.steps: list[tuple[int, tuple[int, ...]]] = []

    def add(self, part: nn.Module, reads: tuple[int, ...]) -> None:
        known = next((i for i, other in enumerate(self.parts) if other is part), None)
        if known is None:
            self.parts.append(part)
        self.steps.append((len(self.parts) - 1 if known is None else known, reads))

    def forward(self, x: Tensor) -> Tensor:
        return self.values(x)[-1]

    def values(self, x: Tensor, change: Callable[[int, Tensor], Tensor] = lambda index, value: value) -> list[Tensor]:
        """Of each step; `change` is applied to a value before others read it."""
        values = [change(0, x)]
        for part, reads in self.steps:
            values.append(change(len(values), self.parts[part](*(values[i] for i in reads))))
        return values

    def readers(self, value: int) -> list[nn.Module]:
        return [self.parts[part] for part, reads in self.steps if value in reads]
