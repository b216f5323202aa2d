"""Run on its own, in a process of its own: somebody else's networks, and the files that their tools make of them.

    python written_elsewhere.py PIXELS.npy FOLDER

The tests read those files where these classes cannot be imported. Beside each file lie the logits for PIXELS.
"""

import sys
from pathlib import Path

import dill
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


class DecomposedConv2D(nn.Module):
    """As the public PENNI code keeps one: `basis` (d, k*k), `coefs` (C_out*C_in, d), lists and tuples as settings."""

    def __init__(self, conv, d):
        super().__init__()
        self.in_channels, self.out_channels, self.num_basis = conv.in_channels, conv.out_channels, d
        self.kernel_size, self.stride, self.padding = [*conv.kernel_size], conv.stride, conv.padding
        self.dilation, self.device, self.bias = conv.dilation, "cuda", None
        u, s, vh = torch.linalg.svd(conv.weight.detach().reshape(-1, 9), full_matrices=False)
        coefs = u[:, :d] * s[:d]
        self.basis = nn.Parameter(vh[:d].clone(), requires_grad=False)
        self.coefs = nn.Parameter(torch.where(coefs.abs() >= coefs.abs().median(), coefs, 0.0))

    def forward(self, x):
        weight = torch.mm(self.coefs, self.basis).view(self.out_channels, self.in_channels, *self.kernel_size)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding, self.dilation)


class LambdaLayer(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Block(nn.Module):
    def __init__(self, inputs, planes, stride, option):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes, eps=2e-2)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Sequential()
        if stride != 1 and option == "A":
            zeros = planes // 4
            self.shortcut = LambdaLayer(lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, zeros, zeros)))
        elif stride != 1:
            conv = nn.Conv2d(inputs, planes, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(planes, eps=1e-3))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, option):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = nn.Sequential(Block(4, 4, 1, option))
        self.layer2 = nn.Sequential(Block(4, 8, 2, option), Block(8, 8, 1, option))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(8, 10)
        self.register_buffer("scratch", torch.zeros(3), persistent=False)

    def forward(self, x):
        x = self.layer2(self.layer1(self.relu(self.bn1(self.conv1(x)))))
        return self.fc(self.avgpool(x).flatten(1))


class Vgg(nn.Module):
    """As the public PENNI code has it, spelling and all: BatchNorm in the classifier."""

    def __init__(self, eps=1e-5):
        super().__init__()
        layers, inputs = [], 3
        for planes, pool in ((4, False), (8, True), (8, True), (8, True), (8, True), (12, True)):
            layers += [nn.Conv2d(inputs, planes, 3, 1, 1, bias=False), nn.BatchNorm2d(planes), nn.ReLU(inplace=True)]
            layers += [nn.MaxPool2d(2)] if pool else []
            inputs = planes
        self.features = nn.Sequential(*layers)
        self.classifer = nn.Sequential(
            nn.Linear(12, 16), nn.BatchNorm1d(16, eps=eps), nn.ReLU(inplace=True), nn.Linear(16, 10)
        )

    def forward(self, x):
        return self.classifer(self.features(x).mean(3).mean(2))


def decomposed(model, d=5):
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d) and child.kernel_size == (3, 3):
                setattr(module, name, DecomposedConv2D(child, d))
    return model


def trained(model):
    """In evaluation mode, with statistics that are no identity."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            for values, lo, hi in ((module.weight.data, 0.5, 1.5), (module.bias.data, -0.5, 0.5),
                                   (module.running_mean, -0.2, 0.2), (module.running_var, 0.02, 0.2)):  # fmt: skip
                values.uniform_(lo, hi)
    return model.eval()


def main(pixels_file, folder):
    torch.manual_seed(0)
    folder = Path(folder)
    x = torch.from_numpy(np.load(pixels_file)).permute(0, 3, 1, 2).float() / 255
    x = (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    a, b, vgg = trained(ResNet("A")), trained(ResNet("B")), trained(Vgg())
    penni_a, penni_vgg = decomposed(trained(ResNet("A"))), decomposed(trained(Vgg(eps=1e-3)))
    sgd = torch.optim.SGD(b.parameters(), lr=0.1, momentum=0.9)
    b(x).sum().backward()
    sgd.step()  # fills the momentum buffers
    b.zero_grad()

    def by_pickle(saved, old=False):
        return lambda file: torch.save(saved, file, _use_new_zipfile_serialization=not old)

    files = {  # name -> (the network, how its file is written)
        "module_zip.pth": (b, by_pickle(b)),
        "module_old.pth": (b, by_pickle(b, old=True)),
        "module_vgg.h5": (penni_vgg, by_pickle(penni_vgg)),
        "module_parallel.pt": (b, by_pickle(nn.DataParallel(b))),
        "module_in_dict.ckpt": (
            b,
            by_pickle({"net": b, "acc": np.float64(93.1), "optim": sgd.state_dict(), "lr": {0.1}}),
        ),
        "penni_checkpoint.ckpt": (
            vgg,
            by_pickle({"weight": vgg.state_dict(), "optim": sgd.state_dict(), "best_acc": 93.0}),
        ),
        "dill_zip.pt": (penni_a, lambda file: torch.save(penni_a, file, pickle_module=dill)),
        "dill_old.pt": (
            penni_a,
            lambda file: torch.save(penni_a, file, pickle_module=dill, _use_new_zipfile_serialization=False),
        ),
        "dill_plain.pkl": (penni_a, lambda file: dill.dump(penni_a, file)),
        "dill_state.pkl": (vgg, lambda file: dill.dump({"state_dict": vgg.state_dict()}, file)),
        "dill_protocol2.pkl": (a, lambda file: dill.dump(a, file, protocol=2)),
    }
    for name, (model, write) in files.items():
        with (folder / name).open("wb") as file:
            write(file)
        with torch.no_grad():
            np.save(folder / f"{name}.npy", model(x).numpy())


if __name__ == "__main__":
    main(*sys.argv[1:])
