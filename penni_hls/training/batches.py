"""Batches from images in memory: shuffled, cropped, flipped and normalised a whole batch at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..data import CIFAR10_MEAN, CIFAR10_STD, Images

CROP = 4


class Batches:
    """An iterable of (x, y): x float32 (N, C, H, W) in channels_last, normalised; y int64 (N,).

    With `train` the order, crops (`CROP` zero pixels on each side) and flips are drawn from `seed` and the epoch
    alone, so a run that resumes from a checkpoint sees the batches that it would have seen; the last short batch is
    left out.
    """

    def __init__(
        self,
        data: Images,
        batch: int,
        *,
        train: bool,
        seed: int = 0,
        mean: Sequence[float] = CIFAR10_MEAN,
        std: Sequence[float] = CIFAR10_STD,
        device: str | torch.device = "cpu",
    ) -> None:
        if data.labels is None:
            raise ValueError("images without labels cannot be trained on or scored; give a labelled set")
        images = torch.from_numpy(np.ascontiguousarray(data.images)).permute(0, 3, 1, 2)
        self.images = images.to(device)
        self.labels = torch.from_numpy(data.labels.astype(np.int64)).to(device)
        self.batch, self.train, self.seed, self.epoch = min(batch, len(data)), train, seed, 0
        digest = hashlib.sha256(data.labels.tobytes())
        digest.update(np.ascontiguousarray(data.images).data)
        self.identity = (
            f"{len(data)} images {digest.hexdigest()[:16]}, batch {self.batch}, batch seed {seed}, "
            f"mean {'/'.join(map(str, mean))}, std {'/'.join(map(str, std))}"
        )
        self.mean = torch.tensor(mean, device=device).view(1, -1, 1, 1) * 255
        self.scale = 1 / (torch.tensor(std, device=device).view(1, -1, 1, 1) * 255)

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self.labels) // self.batch if self.train else -(-len(self.labels) // self.batch)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        count = len(self.labels)
        order = torch.randperm(count, generator=generator) if self.train else torch.arange(count)
        for i in range(len(self)):
            chosen = order[i * self.batch : (i + 1) * self.batch].to(self.images.device)
            x = (self.images[chosen].float() - self.mean) * self.scale
            if self.train:
                x = _augment(x, generator)
            yield x.contiguous(memory_format=torch.channels_last), self.labels[chosen]


def _augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """Each image of (N, C, H, W) shifted by -CROP .. CROP both ways, zeros coming in, and flipped by chance."""
    n, c, h, w = x.shape
    flip = torch.rand(n, generator=generator) < 0.5
    top, left = torch.randint(0, 2 * CROP + 1, (2, n), generator=generator)
    rows = top[:, None] + torch.arange(h)
    columns = left[:, None] + torch.where(flip[:, None], torch.arange(w).flip(0), torch.arange(w))
    index = (rows[:, :, None] * (w + 2 * CROP) + columns[:, None, :]).view(n, 1, h * w).expand(n, c, h * w)
    padded = F.pad(x, (CROP, CROP, CROP, CROP)).contiguous().view(n, c, -1)
    return padded.gather(2, index.to(x.device)).view(n, c, h, w)
