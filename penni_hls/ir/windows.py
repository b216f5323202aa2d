"""Windows of a map: their geometry, how many there are, and what they hold. Shared by layers and operators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

Pair = int | tuple[int, int]  # rows, columns; one number stands for both
Sides = int | tuple[int, int, int, int]  # top, left, bottom, right; one number stands for all


def short(values: tuple[int, ...]) -> int | tuple[int, ...]:
    """Equal numbers as one number: the form in which layers, operators and files hold sizes."""
    return values[0] if len(set(values)) == 1 else values


@dataclass(frozen=True)
class Window:
    """Windows over a padded map. kernel, stride: rows, columns. pads: top, left, bottom, right."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    pads: tuple[int, int, int, int]

    @classmethod
    def of(cls, kernel: Pair, stride: Pair, pad: Sides) -> Window:
        def all_of(value: int | tuple[int, ...], count: int) -> tuple[int, ...]:
            return (value,) * count if isinstance(value, int) else value

        return cls(all_of(kernel, 2), all_of(stride, 2), all_of(pad, 4))  # type: ignore[arg-type]

    @property
    def taps(self) -> int:
        """Values that a window holds."""
        return self.kernel[0] * self.kernel[1]

    @property
    def padded(self) -> bool:
        return any(self.pads)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """True where at least one window lies within the padded map (H, W, …)."""
        sound = min(self.kernel) >= 1 and min(self.stride) >= 1 and min(self.pads) >= 0
        return sound and min(self.map_of(shape)) >= 1

    @property
    def overlaps(self) -> bool:
        """True where every window of every map holds a real value: no padding is as large as the kernel."""
        return all(pad < self.kernel[side % 2] for side, pad in enumerate(self.pads))

    @property
    def walkable(self) -> bool:
        """True where a column walker can move from window to window: by no more than the kernel, always over the map."""
        return self.overlaps and all(1 <= step <= k for step, k in zip(self.stride, self.kernel))

    def parameters(self) -> dict[str, int]:
        """Hardware parameters. Padding below and on the right follows from the numbers of windows."""
        (kh, kw), (sh, sw), (top, left, _, _) = self.kernel, self.stride, self.pads
        return {"KH": kh, "KW": kw, "STRIDE_H": sh, "STRIDE_W": sw, "PAD_TOP": top, "PAD_LEFT": left}

    def map_of(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Rows and columns of the map that the windows of a map (H, W, …) make."""
        rows, columns = (
            (length + self.pads[axis] + self.pads[axis + 2] - self.kernel[axis]) // self.stride[axis] + 1
            for axis, length in enumerate(shape[:2])
        )
        return rows, columns

    def around(self, x: np.ndarray, fill: float | np.ndarray, dtype: np.dtype | None = None) -> np.ndarray:
        """x (N, H, W, C) with its padding. fill: what it holds, a number or one per channel. dtype: by default x's."""
        if not self.padded:
            return x.astype(dtype or x.dtype, copy=False)
        (n, h, w, c), (top, left, bottom, right) = x.shape, self.pads
        padded = np.empty((n, top + h + bottom, left + w + right, c), dtype or x.dtype)
        padded[:] = fill
        padded[:, top : top + h, left : left + w] = x
        return padded

    def seen(self, x: np.ndarray, fill: float | np.ndarray, dtype: np.dtype | None = None) -> Iterator[np.ndarray]:
        """x (N, H, W, C) -> for each tap of the kernel, row by row, what all windows hold there: (N, Ho, Wo, C)."""
        ho, wo = self.map_of(x.shape[1:])
        (kh, kw), (sh, sw) = self.kernel, self.stride
        padded = self.around(x, fill, dtype)
        for i in range(kh):
            for j in range(kw):
                yield padded[:, i : i + (ho - 1) * sh + 1 : sh, j : j + (wo - 1) * sw + 1 : sw]

    def widened(self, least: tuple[int, int] = (1, 1)) -> Widened:
        """The same windows in a larger kernel whose further taps are 0, as a column walker needs them.

        Its kernel is at least as large as the stride, larger than each padding, and at least `least`.
        """
        before, after = [0, 0], [0, 0]
        for axis in (0, 1):
            near, far = self.pads[axis], self.pads[axis + 2]
            before[axis] = max(0, far - self.kernel[axis] + 1)
            after[axis] = max(0, near - self.kernel[axis] + 1)
            wanted = max(self.stride[axis], least[axis])
            after[axis] += max(0, wanted - self.kernel[axis] - before[axis] - after[axis])
        kernel = tuple(before[i] + k + after[i] for i, k in enumerate(self.kernel))
        pads = tuple(pad + (before if side < 2 else after)[side % 2] for side, pad in enumerate(self.pads))
        return Widened(Window(kernel, self.stride, pads), (before[0], before[1]))  # type: ignore[arg-type]

    def __str__(self) -> str:
        kernel = "x".join(map(str, self.kernel))
        stride, pads = short(self.stride), short(self.pads)
        return f"{kernel} window, stride {stride}, padding {pads}"


@dataclass(frozen=True)
class Widened:
    """A larger window, and where in it the taps of the original one begin: row, column."""

    window: Window
    at: tuple[int, int]

    def embed(self, kernels: np.ndarray) -> np.ndarray:
        """kernels (…, kh, kw) -> the same in the larger window, zeros around them; same dtype."""
        kh, kw = kernels.shape[-2:]
        larger = np.zeros((*kernels.shape[:-2], *self.window.kernel), kernels.dtype)
        larger[..., self.at[0] : self.at[0] + kh, self.at[1] : self.at[1] + kw] = kernels
        return larger


def weighted(taps: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """The sum of taps, arrays of one shape, times a weight each, in their dtype; weights of 0 are left out.

    A matrix product of so few rows and columns takes twice as long, and copies of the taps.
    """
    total = np.zeros(taps[0].shape, taps[0].dtype)
    product = np.empty_like(total)
    for tap, weight in zip(taps, weights, strict=True):
        if weight:
            total += np.multiply(tap, weight, out=product)
    return total
