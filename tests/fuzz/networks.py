"""Random networks: small ones made of everything that the README lists. A seed always gives the same network."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from penni_hls.target import boards

from .blocks import Blocks
from .parts import Net

IMAGES = {"calibration": 48, "unseen": 64}


@dataclass(frozen=True, eq=False)
class Network:
    """shape: of the pixels, (C, H, W). form: of the file. bits: of bases and coefficients. mean, std: of pixels 0..1."""

    seed: int
    model: Net
    shape: tuple[int, int, int]
    form: str
    board: str
    bits: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def images(self, kind: str) -> np.ndarray:
        """uint8 (IMAGES[kind], H, W, C): coarse patches and a little noise, of other numbers for each kind."""
        c, h, w = self.shape
        rng = np.random.default_rng([self.seed, *kind.encode()])
        coarse = rng.normal(120, 60, (IMAGES[kind], -(-h // 4), -(-w // 4), c)).repeat(4, axis=1).repeat(4, axis=2)
        return np.clip(coarse[:, :h, :w] + rng.normal(0, 12, (IMAGES[kind], h, w, c)), 0, 255).astype(np.uint8)

    def normalised(self, images: np.ndarray) -> Tensor:
        x = (images.astype(np.float32) / 255 - np.float32(self.mean)) / np.float32(self.std)
        return torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()

    def __str__(self) -> str:
        lines = [f"seed {self.seed}: {self.form}, {self.board}, bits {self.bits}, mean {self.mean}, std {self.std}"]
        values = self.model.values(torch.zeros(1, *self.shape))
        lines.append(f"  v0 = pixels  # {'x'.join(map(str, self.shape))}")
        for index, (part, reads) in enumerate(self.model.steps, 1):
            text = " ".join(repr(self.model.parts[part]).split())
            shape = "x".join(map(str, values[index].shape[1:]))
            lines.append(f"  v{index} = parts[{part}]({', '.join(f'v{i}' for i in reads)})  # {text} -> {shape}")
        return "\n".join(lines)


def random_network(seed: int) -> Network:
    rng = random.Random(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        shape = _pixels(rng)
        grower = Blocks(rng, shape)
        x = 0
        for _ in range(rng.choice((1, 2, 2, 3, 3, 4, 5))):
            x = grower.grow(x)
        grower.end(x)
        plain = rng.random() < 0.2
        channels = range(shape[0])
        network = Network(
            seed, grower.net, shape, rng.choice(("pt2", "onnx")), rng.choice(boards.names()),
            (8, 8) if rng.random() < 0.7 else (rng.randint(5, 8), rng.randint(5, 8)),
            tuple(0.0 if plain else round(rng.uniform(0.3, 0.6), 3) for _ in channels),
            tuple(1.0 if plain else round(rng.uniform(0.2, 0.3), 3) for _ in channels),
        )  # fmt: skip
        _settle(network)
    return network


def _pixels(rng: random.Random) -> tuple[int, int, int]:
    channels = rng.choice((1, 2, 3, 3, 3, 4, 6))
    match rng.random():
        case p if p < 0.03:
            return rng.choice((1, 3, 8, 24)), 1, 1
        case p if p < 0.1:
            side = rng.randint(2, 20)
            return channels, *rng.choice(((1, side), (side, 1)))
        case p if p < 0.5:
            side = rng.choice((4, 5, 6, 7, 8, 8, 9, 10, 12, 16))
            return channels, side, side
    return channels, rng.randint(2, 16), rng.randint(2, 20)


def _settle(network: Network) -> None:
    """Statistics of BatchNorm from the calibration images; a channel that hardly varies counts as one that does."""
    norms = [m for m in network.model.modules() if isinstance(m, nn.BatchNorm2d | nn.BatchNorm1d)]
    network.model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = None  # the mean of all calls, where it is called twice
    with torch.no_grad():
        network.model(network.normalised(network.images("calibration")))
    for norm in norms:
        norm.running_var.clamp_(min=max(1e-6, 0.05 * float(norm.running_var.mean())))
    network.model.eval()
