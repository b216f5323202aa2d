"""Networks of random integers in the shape of VGG, MobileNet and U-Net, whose operators bench/costs.py synthesizes.

Coefficients follow a Laplace distribution, as trained ones do, and most are zero; requantizers use the range of their
result. No network computes anything: they serve hardware figures only.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np

from penni_hls.ir.fixed import QType, Requant, SignedRequant
from penni_hls.ir.graph import Graph, Node, TensorSpec, verify
from penni_hls.ir.ops import (
    Affine,
    AvgPool,
    BasisConv,
    Clip,
    Concat,
    Deal,
    DepthwiseConv,
    Fork,
    GlobalPool,
    Input,
    MaxPool,
    Merge,
    SparseMac,
    Upsample,
)

U8, S8 = QType(8, False), QType(8, True)


class Builder:
    """A chain of operators under construction; every method adds to the last node, or to those that are named."""

    def __init__(self, name: str, side: int, bits: int = 8, bases: int = 4, density: float = 0.1) -> None:
        self.rng = np.random.default_rng(zlib.crc32(name.encode()))
        self.coef_type, self.bases, self.density = QType(bits, True), bases, density
        self.nodes: list[Node] = [Node("input", Input(TensorSpec((side, side, 3), U8)), ())]

    @property
    def last(self) -> str:
        return self.nodes[-1].name

    def spec(self, name: str) -> TensorSpec:
        return next(node.op.out_spec for node in self.nodes if node.name == name)

    def add(self, name: str, make: Callable, *inputs: str) -> str:
        """make: of the specs of the inputs, an operator."""
        inputs = inputs or (self.last,)
        self.nodes.append(Node(name, make(*map(self.spec, inputs)), inputs))
        return name

    def weights(self, qtype: QType, shape: tuple[int, ...], density: float = 1.0) -> np.ndarray:
        drawn = np.rint(self.rng.laplace(0, qtype.hi / 4, shape)).clip(qtype.lo, qtype.hi).astype(np.int64)
        return drawn * (self.rng.random(shape) < density)

    def requant(self, coefs: np.ndarray, x: QType, out: QType, signed: bool = False, skip: bool = False) -> Requant:
        """coefs (C_out, …) of the sums that it gets."""
        c, rng = len(coefs), self.rng
        spread = max(1.0, float(np.sqrt((coefs.reshape(c, -1) ** 2).sum(1).mean()))) * max(-x.lo, x.hi) / 2
        multiplier = rng.integers(1 << 13, 1 << 16, c) * (rng.choice([-1, 1], c) if signed else 1)
        shift = max(1, int(np.ceil(np.log2(spread * 40000 / (out.hi + 1)))))
        limit = min(1 << 30, (out.hi + 1) << shift) // 2
        bias = rng.integers(-limit, limit, c)
        skip_k = int(min(65535, (1 << shift) * (out.hi + 1) // 512 + 1)) if skip else 0
        return (SignedRequant if signed else Requant)(multiplier, bias, shift, out, skip_k)

    def mac(self, name: str, channels: int, *inputs: str, out: QType = U8, flatten: bool = False) -> str:
        def make(z: TensorSpec, skip: TensorSpec | None = None) -> SparseMac:
            coefs = self.weights(
                self.coef_type, (channels, int(np.prod(z.shape if flatten else z.shape[2:]))), self.density
            )
            requant = self.requant(coefs, z.qtype, out, skip=skip is not None)
            return SparseMac(z, coefs, self.coef_type, requant, skip, flatten)

        return self.add(name, make, *inputs)

    def conv(self, name: str, channels: int, stride: int = 1, kernel: int = 3, unread: float = 0.4) -> str:
        """A PENNI layer. unread: of the bases of each channel."""

        def make(x: TensorSpec) -> BasisConv:
            d, c = self.bases, x.shape[2]
            basis = self.weights(S8, (d, kernel, kernel))
            used = self.rng.random((c, d)) >= unread
            used[0] = True
            shifts = tuple(int(s) for s in self.rng.integers(6, 10, d))
            pads = np.zeros(c, np.int64)
            return BasisConv(x, basis, shifts, S8, stride, kernel // 2, pads, None if used.all() else used)

        self.add(f"{name}.basis", make)
        return self.mac(f"{name}.mac", channels)

    def depthwise(self, name: str, stride: int = 1, kernel: int = 3) -> str:
        def make(x: TensorSpec) -> DepthwiseConv:
            c = x.shape[2]
            coefs = self.weights(S8, (c, kernel, kernel))
            requant = self.requant(coefs, x.qtype, U8)
            return DepthwiseConv(x, coefs, S8, requant, stride, kernel // 2, np.zeros(c, np.int64))

        return self.add(name, make)

    def affine(self, name: str, *inputs: str, out: QType = U8) -> str:
        def make(x: TensorSpec, skip: TensorSpec | None = None) -> Affine:
            ones = np.ones((x.shape[2], 1), np.int64)
            return Affine(x, self.requant(ones, x.qtype, out, signed=True, skip=skip is not None), skip)

        return self.add(name, make, *inputs)

    def done(self) -> Graph:
        return verify(Graph(tuple(self.nodes)))


def vgg(name: str, side: int, widths: tuple[int, ...], bits: int, bases: int, density: float) -> Graph:
    """Stages of two convolutions and a pooling; a linear layer of what is left."""
    b = Builder(name, side, bits, bases, density)
    for stage, width in enumerate(widths):
        b.conv(f"conv{stage}a", width, unread=0 if stage == 0 else 0.4)
        b.conv(f"conv{stage}b", width)
        b.add(f"pool{stage}", lambda x: MaxPool(x, 2, 2))
    b.mac("linear", 10, out=QType(16, True), flatten=True)
    return b.done()


def mobilenet(name: str, side: int, widths: tuple[int, ...], kernel: int, bits: int, density: float) -> Graph:
    """A stem; depthwise and 1x1 convolutions by turns, two blocks for each width, the first with stride 2."""
    b = Builder(name, side, bits, 3, density)
    b.conv("stem", widths[0], unread=0)
    for stage, width in enumerate(widths):
        for block in range(2):
            unit = f"block{stage}.{block}"
            b.depthwise(f"{unit}.depthwise", stride=1 if block else 2, kernel=kernel)
            b.mac(f"{unit}.mac", width)
    b.add("pool", GlobalPool)
    b.mac("linear", 12, out=QType(16, True))
    return b.done()


def unet(name: str, side: int, widths: tuple[int, int], bits: int, copies: int) -> Graph:
    """Down by a pooling with overlap, up again, beside what was there before; and all other operators once."""
    b = Builder(name, side, bits, 3, 0.15)
    low, high = widths
    if copies > 1:
        b.add("deal", lambda x: Deal(x, copies))
        for i in range(copies):
            b.add(f"copy{i}", lambda x: Clip(x, 3, 200), "deal")
        b.add("merge", lambda *xs: Merge(xs[0], copies), *(f"copy{i}" for i in range(copies)))
    b.conv("first", low, unread=0)
    b.add("fork", lambda x: Fork(x, 3))
    b.add("down", lambda x: MaxPool(x, 3, 2, 1), "fork")
    b.conv("middle", high)
    b.add("mean", lambda x: AvgPool(x, 3, 1, 1))
    b.affine("norm", out=S8)
    b.add("clip", lambda x: Clip(x, 0, 100))
    b.affine("back")
    b.add("up", lambda x: Upsample(x, 2))
    b.affine("sum", "fork", "fork")
    b.add("concat", lambda *xs: Concat(*xs), "sum", "up")
    b.conv("last", low)
    b.affine("skip", "last.mac")
    b.add("pool", GlobalPool)
    b.mac("linear", 10, out=QType(16, True))
    return b.done()


NETWORKS = {
    "vgg_fit": lambda: vgg("vgg_fit", 32, (24, 48, 96), bits=8, bases=5, density=0.08),
    "vgg_test": lambda: vgg("vgg_test", 24, (32, 64, 128), bits=4, bases=4, density=0.05),
    "mobilenet_fit": lambda: mobilenet("mobilenet_fit", 32, (16, 32, 64, 128), kernel=3, bits=8, density=0.2),
    "mobilenet_test": lambda: mobilenet("mobilenet_test", 48, (24, 40, 80), kernel=5, bits=6, density=0.3),
    "unet_fit": lambda: unet("unet_fit", 16, (8, 16), bits=8, copies=2),
    "unet_test": lambda: unet("unet_test", 24, (12, 40), bits=5, copies=3),
}
