"""Random integer networks in the shape of the real ones, for tests of what works on whole graphs."""

from __future__ import annotations

import numpy as np

from penni_hls.ir.fixed import QType, Requant
from penni_hls.ir.graph import Graph, Node, TensorSpec, verify
from penni_hls.ir.ops import BasisConv, Fork, GlobalPool, Input, SparseMac, Subsample

U8, S8 = QType(8, False), QType(8, True)


def random_resnet(
    blocks: int = 1,
    widths: tuple[int, ...] = (4, 8),
    size: int = 8,
    bases: int = 3,
    density: float = 0.2,
    classes: int = 5,
    option_b: bool = False,
    seed: int = 0,
) -> Graph:
    """A CIFAR-style ResNet of BasicBlocks: integer operators with random bases, coefficients and requantizers."""
    return NetworkBuilder(np.random.default_rng(seed), bases, density).resnet(blocks, widths, size, classes, option_b)


class NetworkBuilder:
    def __init__(self, rng: np.random.Generator, bases: int, density: float) -> None:
        self.rng, self.bases, self.density = rng, bases, density
        self.nodes: list[Node] = []

    def add(self, name: str, op, *inputs: str) -> str:
        self.nodes.append(Node(name, op, inputs))
        return name

    def spec(self, name: str) -> TensorSpec:
        return next(node.op.out_spec for node in self.nodes if node.name == name)

    def requant(self, coefs: np.ndarray, z: QType, out: QType, skip: bool = False) -> Requant:
        """Scales that use the range of `out`: about three standard deviations of a random sum."""
        spread = 3 * np.sqrt((coefs**2).sum(1)).max() * 40 + 1
        multiplier = self.rng.integers(20000, 60000, len(coefs))
        shift = int(np.clip(np.ceil(np.log2(spread * 60000 / out.hi)), 1, 40))
        bias = self.rng.integers(-(1 << shift), (1 << shift) * 20, len(coefs)).clip(-(2**31), 2**31 - 1)
        return Requant(multiplier, bias, shift, out, int(min(2**15, 1 << (shift - 1))) if skip else 0)

    def mac(self, name: str, source: str, channels: int, out: QType, skip: str | None = None, **options) -> str:
        spec = self.spec(source)
        depth = int(np.prod(spec.shape[2:]))
        coefs = self.rng.integers(-127, 128, (channels, depth)) * (self.rng.random((channels, depth)) < self.density)
        requant = self.requant(coefs, spec.qtype, out, skip is not None)
        op = SparseMac(spec, coefs, S8, requant, self.spec(skip) if skip else None, **options)
        return self.add(name, op, source, *([skip] if skip else []))

    def conv(self, name: str, source: str, channels: int, stride: int = 1, skip: str | None = None) -> str:
        spec = self.spec(source)
        basis = self.rng.integers(-127, 128, (self.bases, 3, 3))
        op = BasisConv(spec, basis, (9,) * self.bases, S8, stride, 1, np.zeros(spec.shape[2], np.int64))
        return self.mac(f"{name}.mac", self.add(f"{name}.basis", op, source), channels, U8, skip)

    def subsample(self, name: str, source: str, stride: int) -> str:
        spec = self.spec(source)
        return self.add(name, Subsample(spec, stride, spec.shape[2], 0), source)

    def resnet(self, blocks: int, widths: tuple[int, ...], size: int, classes: int, option_b: bool) -> Graph:
        x = self.add("input", Input(TensorSpec((size, size, 3), U8)))
        x = self.conv("conv1", x, widths[0])
        for stage, width in enumerate(widths, 1):
            for block in range(blocks):
                name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
                fork = self.add(f"{name}.fork", Fork(self.spec(x)), x)
                main = self.conv(f"{name}.conv1", fork, width, stride)
                skip, channels = fork, self.spec(x).shape[2]
                if stride > 1:
                    spec, wanted = self.spec(x), channels if option_b else width
                    skip = self.add(f"{name}.shortcut", Subsample(spec, stride, wanted, (wanted - channels) // 2), fork)
                    if option_b:
                        skip = self.mac(f"{name}.shortcut.mac", skip, width, S8)
                x = self.conv(f"{name}.conv2", main, width, skip=skip)
        x = self.add("pool", GlobalPool(self.spec(x)), x)
        self.mac("linear", x, classes, QType(16, True))
        return verify(Graph(tuple(self.nodes)))
