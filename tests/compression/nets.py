"""Small networks and images for the tests of this folder."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from penni_hls.data import Images
from penni_hls.training.batches import Batches
from penni_hls.zoo.models import ResNet

SHARED = Path(__file__).resolve().parents[3] / "shared"


def images(count: int = 48, side: int = 8, seed: int = 0) -> Images:
    """Images whose brightness tells their class, so that there is something to learn."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count, dtype=np.uint8)
    noise = rng.integers(0, 60, (count, side, side, 3))
    return Images((noise + labels[:, None, None, None] * 19).astype(np.uint8), labels)


def batches(train: bool = True, seed: int = 0) -> Batches:
    return Batches(images(), 16, train=train, seed=seed)


def small_resnet(option: str = "B", seed: int = 0) -> ResNet:
    """Two stages, 8 and 16 channels."""
    torch.manual_seed(seed)
    return ResNet((1, 1), (8, 16), option)


def shake(model: nn.Module, seed: int = 0) -> nn.Module:
    """Give every BatchNorm statistics and parameters that are far from the identity, in double precision."""
    torch.manual_seed(seed)
    model.double()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean):
                tensor.normal_()
            module.running_var.uniform_(0.5, 2)
    return model.eval()
