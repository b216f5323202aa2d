"""Blocks of layers, and the heads, of random networks."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .layers import CHANNELS, VALUES, Layers
from .parts import Do


class Blocks(Layers):
    """A network while it grows, block by block."""

    def grow(self, x: int) -> int:
        """One more block behind value `x`."""
        blocks = {
            self.unit: 9, self.residual: 5, self.doubled: 1, self.concat: 3, self.pool: 4, self.enlarged: 2, self.clip: 2,
            self.constant: 2, self.norm: 2, self.shared: 2, self.around: 2, self.shortcut: 1, self.nothing: 1,
        }  # fmt: skip
        block = self.rng.choices(list(blocks), list(blocks.values()))[0]
        return block(x)

    def unit(self, x: int, out: int | None = None, same: bool = False, stride: int | None = None) -> int:
        """A convolution with what goes before and behind it, in any order."""
        before, behind = self.rng.choices((("", "nc"), ("", "c"), ("", ""), ("nc", ""), ("c", "n"), ("nn", "c"), ("", "kc"),
                                           ("", "nnc"), ("k", "n")), (8, 5, 3, 3, 1, 1, 1, 1, 1))[0]  # fmt: skip
        parts = {"n": self.norm, "c": self.clip, "k": self.constant}
        for letter in before:
            x = parts[letter](x)
        x = self.conv(x, out, same, stride)
        for letter in behind:
            x = self.clip(x, alone=True) if letter == "c" else parts[letter](x)
        return x

    def branch(self, x: int) -> int:
        """A map of the shape of `x`."""
        c = self.shape(x)[0]
        match self.rng.choice(("unit", "unit", "two", "clip", "norm", "self")):
            case "two":
                return self.unit(self.unit(x, None, True), c, True)
            case "clip":
                return self.clip(x)
            case "norm":
                return self.norm(x)
            case "self":
                return x
        return self.unit(x, c, True)

    def joined(self, x: int, y: int) -> int:
        if self.maybe(0.5):
            x, y = y, x
        kind = self.rng.choice(("+", "+", "+", "+", "-"))
        return self.add(Do(torch.add if kind == "+" else torch.sub, kind), x, y)

    def residual(self, x: int) -> int:
        """A sum of branches: two, or nested ones; the shortcut is the map itself, or a projection."""
        if self.maybe(0.25):
            stride, out = self.rng.choice((1, 2)), self.rng.randint(1, 12)
            first = (
                self.conv(x, out, stride=stride) if self.maybe(0.5) else self.add(self.projection(x, out, stride), x)
            )
            second = self.add(self.projection(x, out, stride), x)
            if self.shape(first) != self.shape(second):
                second = self.branch(first)
        else:
            first, second = self.branch(x), x if self.maybe(0.6) else self.branch(x)
        y = self.joined(first, second)
        if self.maybe(0.25):
            y = self.joined(y, self.joined(self.branch(x), x) if self.shape(x) == self.shape(y) else self.branch(y))
        return self.clip(y) if self.maybe(0.6) else y

    def projection(self, x: int, out: int, stride: int) -> nn.Module:
        return self.weighted(nn.Conv2d(self.shape(x)[0], out, 1, stride, bias=self.maybe(0.3)))

    def doubled(self, x: int) -> int:
        """A map added to itself, or to its own positive part, or subtracted from that."""
        return self.joined(x, self.rng.choice((lambda v: v, self.clip))(x))

    def concat(self, x: int) -> int:
        c, h, w = self.shape(x)
        parts = [x if self.maybe(0.5) else self.branch(x)]
        room = min(2 * CHANNELS, VALUES // (h * w)) - self.shape(parts[0])[0]
        while room > 0 and len(parts) < 3:
            if c <= room and self.maybe(0.3):
                parts.append(self.branch(x))
            else:
                parts.append(self.unit(x, self.rng.randint(1, min(room, 8)), True))
            room -= self.shape(parts[-1])[0]
            if self.maybe(0.7):
                break
        self.rng.shuffle(parts)
        return self.add(Do(lambda *maps: torch.cat(maps, 1), "concat"), *parts) if len(parts) > 1 else parts[0]

    def enlarged(self, x: int) -> int:
        c, h, w = self.shape(x)
        factor = self.rng.choice((2, 2, 3))
        if factor**2 * c * h * w > VALUES:
            return self.around(x)
        return self.add(nn.Upsample(scale_factor=factor, mode="nearest"), x)

    def around(self, x: int) -> int:
        """Down and up again, and joined with what was there, as in a U-net."""
        c, h, w = self.shape(x)
        if h % 2 or w % 2:
            return self.unit(x)
        y = self.add(nn.MaxPool2d(2) if self.maybe(0.7) else nn.AvgPool2d(2), x)
        y = self.add(nn.Upsample(scale_factor=2, mode="nearest"), self.unit(y, c, True))
        if self.maybe(0.5) and 2 * c * h * w <= VALUES:
            return self.add(Do(lambda *maps: torch.cat(maps, 1), "concat"), y, x)
        return self.joined(y, x)

    def shared(self, x: int) -> int:
        """The same layer twice, on maps of one size or of two."""
        shape = self.shape(x)
        layer = self.convolution(shape, shape[0], True, None)
        y = self.clip(self.add(layer, x))
        if self.maybe(0.4) and min(shape[1:]) > 1:
            y = self.add(nn.MaxPool2d(2), y)
        return self.add(layer, y)

    def shortcut(self, x: int) -> int:
        """Every other row and column, zero channels on both sides: alone, or added to a convolution of stride 2."""
        c = self.shape(x)[0]
        before, behind = self.rng.randint(0, 2), self.rng.randint(0, 3)
        part = Do(
            lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, before, behind)), f"[::2, ::2], {before}+{behind} channels"
        )
        y = self.add(part, x)
        if self.maybe(0.4):
            return y
        conv = self.weighted(nn.Conv2d(c, c + before + behind, 3, 2, 1))
        return self.joined(self.add(conv, x), y)

    def end(self, x: int) -> None:
        """A head: of vectors or of maps, or none; then perhaps what only changes the form of the result."""
        rng, (c, h, w) = self.rng, self.shape(x)
        classes = rng.choice((1, 2, 3, 5, 10))
        kind = rng.choices(("mean", "pool", "max", "flat", "part", "map", "none"), (6, 3, 1, 3, 2, 3, 1))[0]
        if kind == "flat" and c * h * w > 1024:
            kind = "mean"
        if kind == "part" and not (h % 2 == 0 and w % 2 == 0 and c * h * w <= 2048):
            kind = "pool"
        flat = nn.Flatten()
        match kind:
            case "mean":
                x = self.add(Do(lambda x: x.mean((2, 3)), "mean"), x)
            case "pool":
                x = self.add(flat, self.add(nn.AdaptiveAvgPool2d(1), x))
            case "max":
                x = self.add(flat, self.add(nn.AdaptiveMaxPool2d(1), x))
            case "flat":
                x = self.add(flat, x)
            case "part":
                x = self.add(flat, self.add(nn.AdaptiveAvgPool2d((h // 2, w // 2)), x))
            case "map":
                x = self.add(self.weighted(nn.Conv2d(c, classes, 1)), x)
        if self.zeros[x].dim() == 2:
            if self.maybe(0.3):
                x = self.clip(self.add(self.weighted(nn.Linear(self.zeros[x].shape[1], rng.randint(2, 12))), x))
            if self.maybe(0.9) or len(self.zeros) == 1:
                x = self.add(self.weighted(nn.Linear(self.zeros[x].shape[1], classes)), x)
        elif not self.net.steps or not any(True for _ in self.net.parameters()):
            x = self.conv(x)
        if self.maybe(0.1):
            x = self.nothing(x)
        if self.maybe(0.15):
            self.add(rng.choice((nn.Softmax(1), nn.LogSoftmax(1), nn.Sigmoid())), x)
