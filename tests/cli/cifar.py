"""A few images in CIFAR-10's binary form, and a dense ResNet-8 for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from penni_hls.data import PIXELS


def make_data(folder: Path, train: int = 96, test: int = 40) -> Path:
    """Images whose brightness tells their class: enough to learn something from."""
    rng = np.random.default_rng(11)
    folder.mkdir(parents=True)
    for name, count in (("data_batch_1", train // 2), ("data_batch_2", train - train // 2), ("test_batch", test)):
        labels = rng.integers(0, 10, (count, 1))
        pixels = rng.integers(0, 60, (count, PIXELS)) + labels * 19
        np.concatenate([labels, pixels], axis=1).astype(np.uint8).tofile(folder / f"{name}.bin")
    return folder


def make_dense(path: Path, arch: str = "resnet8") -> Path:
    """Weights of a fresh network, BatchNorm's statistics unlike the identity's."""
    import torch

    from penni_hls.zoo.models import build

    torch.manual_seed(3)
    model = build(arch)
    for name, value in model.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
    torch.save(model.state_dict(), path)
    return path
