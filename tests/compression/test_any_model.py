"""penni_hls.compress on a network of one's own, fed by a plain shuffling DataLoader."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import penni_hls
from penni_hls.accuracy import predict_float
from penni_hls.checkpoint.module import from_module
from penni_hls.compression import CompressConfig
from penni_hls.compression.count import count
from penni_hls.compression.decompose import PenniConv2d
from penni_hls.errors import UsageError
from penni_hls.ir.layers import Count
from penni_hls.training.batches import Batches
from penni_hls.training.train import TrainConfig, evaluate

from .interrupt import Stopped, assert_same_bits, stop_after
from .nets import images


class Own(nn.Module):
    """A stem with a bias, a depthwise convolution, a dilated one, a skip, two branches that are joined."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 12, 5, padding=2)
        self.norm = nn.BatchNorm2d(12)
        self.depthwise = nn.Conv2d(12, 12, 3, padding=1, groups=12)
        self.pointwise = nn.Conv2d(12, 12, 1, bias=False)
        self.down = nn.Sequential(nn.Conv2d(12, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.dilated = nn.Conv2d(16, 8, 3, padding=2, dilation=2)
        self.head = nn.Linear(24, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.norm(self.stem(x)))
        x = self.down(x + self.pointwise(F.relu(self.depthwise(x))))
        x = torch.cat([x, F.relu(self.dilated(x))], 1)
        return self.head(x.mean((2, 3)))


class Counted(Own):
    """What cannot be traced: its control flow depends on the data."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) if x.sum() > -1e9 else x


class Rectangular(nn.Module):
    """Kernels, strides and paddings whose rows and columns differ; they stay dense, between layers that are decomposed."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 10, 3, padding=1)
        self.along = nn.Conv2d(10, 10, (1, 5), padding=(0, 2))
        self.down = nn.Sequential(
            nn.Conv2d(10, 12, (5, 1), stride=(2, 1), padding="valid"), nn.BatchNorm2d(12), nn.ReLU()
        )
        self.uneven = nn.Conv2d(12, 12, 3, stride=(1, 2), padding=1)
        self.point = nn.Conv2d(12, 12, 1, padding=1)
        self.last = nn.Conv2d(12, 12, 3)
        self.head = nn.Linear(12, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.down(F.relu(self.along(F.relu(self.stem(x)))))
        x = F.relu(self.last(F.relu(self.point(F.relu(self.uneven(F.max_pool2d(x, (1, 2))))))))
        return self.head(x.mean((2, 3)))


CONFIG = CompressConfig(
    d=0.97,
    epochs=2,
    gradual=2,
    finetune=3,
    parameters=0.6,
    score_batches=3,
    train=TrainConfig(epochs=0, lr=0.05, seed=1),
)


def loader(train: bool) -> DataLoader:
    """Grey 10x10 images; the last batch is short."""
    x, y = next(iter(Batches(images(70, side=10), 70, train=False)))
    return DataLoader(TensorDataset(x[:, :1].contiguous(), y), 16, shuffle=train)


def model(kind: type[Own] = Own) -> Own:
    torch.manual_seed(2)
    return kind()


def run(directory=None, report=None) -> penni_hls.compression.Compressed:
    return penni_hls.compress(model(), loader(True), loader(False), CONFIG, directory=directory, report=report)


def test_own_network():
    seen = []
    result = penni_hls.compress(
        model(),
        loader(True),
        loader(False),
        CONFIG,
        progress=lambda part, done, total: seen.append((part, done, total)),
    )
    net = result.model
    kinds = {name: type(module) for name, module in net.named_modules()}
    assert kinds["stem"] is PenniConv2d and kinds["down.0"] is PenniConv2d
    assert kinds["depthwise"] is kinds["dilated"] is kinds["pointwise"] is nn.Conv2d
    assert net.stem.kernel_size == 5 and 1 <= net.stem.d < 12 and net.stem.bias is not None
    assert result.after.parameters <= 0.6 * result.before.parameters
    assert result.accuracy == evaluate(net, loader(False))
    assert result.metrics[-1].loss < result.metrics[0].loss
    assert seen[:5] == [("alternate 1/2", i, 5) for i in range(1, 6)] and seen[-1] == ("finetune 3/3", 5, 5)
    assert [m.left_s / m.seconds for m in result.metrics] == pytest.approx([4, 3, 2, 1, 0])


def test_rectangular_kernels_stay_dense_and_are_counted_and_read():
    torch.manual_seed(2)
    net = Rectangular()
    counted = {layer.name: layer for layer in count(net, (1, 10, 10)).layers}
    assert counted["along"].kernel == (1, 5) and counted["along"].dense == 10 * 10 * 5
    assert counted["down.0"].kernel == (5, 1) and counted["down.0"].dense_macs == 12 * 10 * 5 * (3 * 10)
    result = penni_hls.compress(net, loader(True), loader(False), replace(CONFIG, parameters=0.9))
    kinds = {name: type(module) for name, module in result.model.named_modules()}
    assert kinds["stem"] is kinds["last"] is PenniConv2d
    assert kinds["along"] is kinds["down.0"] is kinds["uneven"] is kinds["point"] is nn.Conv2d
    assert result.after.parameters <= 0.9 * result.before.parameters
    graph = from_module(result.model, (1, 10, 10), (0.0,), (1 / 255,))
    assert sum((node.op.count for node in graph), Count()).parameters == result.after.parameters
    pixels = np.random.default_rng(0).integers(0, 256, (4, 10, 10, 1), dtype=np.uint8)
    with torch.no_grad():
        wanted = result.model.eval()(torch.from_numpy(pixels).permute(0, 3, 1, 2).float()).numpy()
    np.testing.assert_allclose(predict_float(graph, pixels), wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


def test_interrupted_it_ends_with_the_same_bits(tmp_path):
    straight = run()
    with pytest.raises(Stopped):
        run(tmp_path, stop_after("finetune", 1))
    again = run(tmp_path)
    assert_same_bits(straight.model, again.model)
    assert straight.accuracy == again.accuracy


def test_network_that_cannot_be_traced_is_compressed_without_shrinking():
    with pytest.raises(UsageError, match="without shrinking"):
        penni_hls.compress(model(Counted), loader(True), None, CONFIG)
    result = penni_hls.compress(model(Counted), loader(True), None, replace(CONFIG, shrink=False, finetune=2))
    assert result.after.parameters <= 0.6 * result.before.parameters


def test_a_loader_without_batches():
    empty = DataLoader(TensorDataset(torch.zeros(0, 1, 10, 10), torch.zeros(0, dtype=torch.long)), 4)
    with pytest.raises(UsageError, match="loader"):
        penni_hls.compress(model(), empty, None, CONFIG)
    with pytest.raises(UsageError, match="loader"):
        penni_hls.compress(model(), loader(True), empty, CONFIG)
