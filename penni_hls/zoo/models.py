"""The CIFAR networks of the PENNI experiments: ResNet-8/20/32/56, ResNet-18, VGG16-BN.

State-dict keys follow the public checkpoints: `conv1, bn1, layerN.M.conv1/bn1/conv2/bn2, shortcut.0/.1, linear` for the
ResNets, `features.N, classifier` for VGG. Inputs are float (N, 3, 32, 32), normalised; outputs are logits (N, classes).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PadShortcut(nn.Module):
    """Option A of the ResNet paper: every second pixel, zero channels added on both sides. No parameters.

    `split` sets how many; the state dict then holds them as `zeros`, int64 (2,): before, after.
    """

    def __init__(self, stride: int, before: int, after: int) -> None:
        super().__init__()
        self.stride, self.before, self.after = stride, before, after

    def split(self, before: int, after: int) -> None:
        self.before, self.after = before, after
        self.register_buffer("zeros", torch.tensor([before, after]))

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.before, self.after))


def usual_split(zeros: int) -> tuple[int, int]:
    """Zero channels before and after: as many, an odd one last. Readers of a state dict take it to be so, too."""
    return zeros // 2, zeros - zeros // 2


class BasicBlock(nn.Module):
    """relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)), both convolutions 3x3."""

    def __init__(self, inputs: int, planes: int, stride: int, option: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut: nn.Module
        if stride == 1 and inputs == planes:
            self.shortcut = nn.Sequential()
        elif option == "A":
            zeros = planes - inputs
            if zeros < 0:
                raise ValueError(f"{planes} channels after {inputs} need a shortcut convolution: option B")
            self.shortcut = PadShortcut(stride, *usual_split(zeros))
        else:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, planes, 1, stride, bias=False), nn.BatchNorm2d(planes))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


class ResNet(nn.Module):
    """A 3x3 stem, one stage of `blocks[i]` BasicBlocks of `planes[i]` channels each, global average, linear.

    The first block of every stage but the first has stride 2. `option` is the kind of shortcut where shapes differ:
    "A" or "B".
    """

    def __init__(self, blocks: tuple[int, ...], planes: tuple[int, ...], option: str, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, planes[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes[0])
        self.stages = len(planes)
        inputs = planes[0]
        for stage, (count, width) in enumerate(zip(blocks, planes, strict=True)):
            layer = nn.Sequential()
            for block in range(count):
                stride = 2 if stage and block == 0 else 1
                layer.append(BasicBlock(inputs, width, stride, option))
                inputs = width
            self.add_module(f"layer{stage + 1}", layer)
        self.linear = nn.Linear(inputs, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        for stage in range(self.stages):
            out = getattr(self, f"layer{stage + 1}")(out)
        return self.linear(out.mean((2, 3)))


class Vgg16(nn.Module):
    """VGG-16 with BatchNorm for 32x32 images: thirteen 3x3 convolutions with bias, five poolings, one linear layer."""

    PLAN = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.features = nn.Sequential()
        inputs = 3
        for item in self.PLAN:
            if isinstance(item, int):
                self.features.extend([nn.Conv2d(inputs, item, 3, padding=1), nn.BatchNorm2d(item), nn.ReLU()])
                inputs = item
            else:
                self.features.append(nn.MaxPool2d(2))
        self.classifier = nn.Linear(inputs, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))


def resnet8(classes: int = 10) -> ResNet:
    """16-32-64, one block a stage, 1x1 shortcuts: the shape of MLPerf Tiny."""
    return ResNet((1, 1, 1), (16, 32, 64), "B", classes)


def resnet20(classes: int = 10) -> ResNet:
    return ResNet((3, 3, 3), (16, 32, 64), "A", classes)


def resnet32(classes: int = 10) -> ResNet:
    return ResNet((5, 5, 5), (16, 32, 64), "A", classes)


def resnet56(classes: int = 10) -> ResNet:
    return ResNet((9, 9, 9), (16, 32, 64), "A", classes)


def resnet18(classes: int = 10) -> ResNet:
    return ResNet((2, 2, 2, 2), (64, 128, 256, 512), "B", classes)


def resnet34(classes: int = 10) -> ResNet:
    return ResNet((3, 4, 6, 3), (64, 128, 256, 512), "B", classes)


def vgg16(classes: int = 10) -> Vgg16:
    return Vgg16(classes)


ARCHITECTURES: dict[str, Callable[[int], nn.Module]] = {
    "resnet8": resnet8,
    "resnet20": resnet20,
    "resnet32": resnet32,
    "resnet56": resnet56,
    "resnet18": resnet18,
    "resnet34": resnet34,
    "vgg16": vgg16,
}


def build(arch: str, classes: int = 10) -> nn.Module:
    """A fresh network of the architecture `arch`, its weights drawn from torch's global generator."""
    if arch not in ARCHITECTURES:
        raise ValueError(f'architecture "{arch}" is not known; use one of {", ".join(ARCHITECTURES)}')
    return ARCHITECTURES[arch](classes)


def dense_state(state: dict[str, Any]) -> dict[str, Tensor]:
    """A checkpoint's tensors as float32, taken out of `state_dict` where nested, keys without `module.`."""
    inner = state.get("state_dict", state)
    plain = {key.removeprefix("module."): value for key, value in inner.items() if isinstance(value, torch.Tensor)}
    return {key: value.float() if value.is_floating_point() else value for key, value in plain.items()}
