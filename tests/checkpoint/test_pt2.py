"""torch.export archives: what torch computes, the graph that was read computes too."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from penni_hls.checkpoint import CheckpointError, load, read
from penni_hls.checkpoint.module import from_module
from penni_hls.ir.layers import BatchNorm, Conv, GroupedConv, GroupedPenniConv, Linear, MaxPool, PadShortcut, PenniConv

from .traced_nets import NETS, assert_computes, assert_factors, custom, grouped, normalised, numbers, pixels, resnet


def saved(
    model: nn.Module, shape: tuple[int, int, int], path: Path, batch: int | None = None, core: bool = False
) -> Path:
    """As people save it. batch: None for any; core: after run_decompositions."""
    example = torch.zeros(batch or 2, *shape, dtype=next(model.parameters()).dtype)
    dynamic = None if batch else ({0: torch.export.Dim("batch")},)
    program = torch.export.export(model, (example,), dynamic_shapes=dynamic)
    torch.export.save(program.run_decompositions() if core else program, path)
    return path


@pytest.mark.parametrize(
    ("net", "how"),
    [
        *((net, "any batch") for net in NETS),
        ("odd", "batch of 1"),
        ("custom", "core"),
        ("odd", "core"),
        ("averages", "core"),
        ("bounded", "core"),
        ("windows", "core"),
        ("shared", "core"),
    ],
)
def test_a_network_computes_what_torch_computes(net: str, how: str, tmp_path: Path) -> None:
    make, shape = NETS[net]
    model = make()
    path = saved(model, shape, tmp_path / "net.pt2", 1 if how == "batch of 1" else None, how == "core")
    mean, std = numbers(shape)
    assert_computes(read(path, mean=mean, std=std), model, shape)


def test_layers_that_are_called_twice_have_two_names() -> None:
    make, shape = NETS["shared"]
    graph = from_module(make(), shape, *numbers(shape))
    assert [node.name for node in graph if isinstance(node.op, Conv | PenniConv | Linear)] == [
        "stem", "block.0", "block.0_1", "conv", "conv_1", "head", "head_1",
    ]  # fmt: skip
    first, second = graph.by_name["conv"].op, graph.by_name["conv_1"].op
    assert first.coefs is not second.coefs and np.array_equal(first.coefs, second.coefs)
    assert first.out_spec.shape == (16, 16, 6) and second.out_spec.shape == (8, 8, 6)


def test_a_module_in_memory() -> None:
    make, shape = NETS["custom"]
    model = make().train()
    graph = from_module(model, shape, *numbers(shape))
    assert all(module.training for module in model.modules())  # left as it was
    assert_computes(graph, model.eval(), shape)


@pytest.mark.parametrize(("option", "core"), [("A", True), ("B", False)])
def test_the_pattern_is_recognised(option: str, core: bool, tmp_path: Path) -> None:
    model = resnet(option)
    assert_factors(read(saved(model, (3, 16, 16), tmp_path / "net.pt2", core=core)), model)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(dtype: torch.dtype, tmp_path: Path) -> None:
    model = resnet("A").to(dtype)
    graph = read(saved(model, (3, 16, 16), tmp_path / "net.pt2"))
    assert_factors(graph, model)
    gamma = graph.by_name["layer1.0.bn1"].op.gamma
    assert gamma.dtype == np.float32
    np.testing.assert_array_equal(gamma, model.layer1[0].bn1.weight.detach().float().numpy())


def test_names_and_structure(tmp_path: Path) -> None:
    loaded = load(saved(resnet("A"), (3, 16, 16), tmp_path / "net.pt2"))
    assert loaded.form == "torch.export archive"
    ops = loaded.graph.by_name
    assert {"conv1", "bn1", "layer1.0.conv1", "layer1.1.bn2", "layer2.0.shortcut", "linear"} <= set(ops)
    assert ops["layer2.0.conv1"].op.stride == 2
    shortcut = ops["layer2.0.shortcut"].op
    assert isinstance(shortcut, PadShortcut)
    assert (shortcut.stride, shortcut.offset, shortcut.channels) == (2, 2, 8)


def test_details_of_a_custom_network(tmp_path: Path) -> None:
    ops = {n.name: n.op for n in read(saved(custom(), (1, 20, 28), tmp_path / "net.pt2"))}
    assert isinstance(ops["stem.1"], BatchNorm) and ops["stem.1"].eps == 1e-2
    assert isinstance(ops["stem.3"], MaxPool) and (ops["stem.3"].kernel, ops["stem.3"].stride, ops["stem.3"].pad) == (
        3,
        2,
        1,
    )
    assert isinstance(ops["right"], Conv) and ops["right"].bias is not None and ops["left"].bias is None
    assert ops["input"].mean == (0.0,) and ops["input"].std == (1.0,)  # one channel: the pixels as they are


def test_details_of_a_network_with_groups(tmp_path: Path) -> None:
    model = grouped()
    graph = read(saved(model, (3, 16, 16), tmp_path / "net.pt2"))
    ops = [node.op for node in graph if isinstance(node.op, Conv | PenniConv)]
    assert [(type(op), op.groups) for op in ops] == [
        (Conv, 1), (GroupedConv, 6), (GroupedConv, 2), (GroupedConv, 4), (GroupedPenniConv, 2),
    ]  # fmt: skip
    np.testing.assert_array_equal(ops[1].weight, model.depthwise.weight.detach().numpy())
    np.testing.assert_array_equal(ops[4].coefs.reshape(48, 3), model.coefs.detach().numpy())


class Factored(nn.Module):
    """Weights as products; only `layer` is one of d bases of k x k kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.coefs = nn.Parameter(torch.randn(4, 3, 2))
        self.basis = nn.Parameter(torch.randn(2, 9))
        self.many = nn.Parameter(torch.randn(5 * 4, 12))  # more factors than taps
        self.taps = nn.Parameter(torch.randn(12, 9))
        self.turned = nn.Parameter(torch.randn(5 * 5, 2))
        self.final = nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(F.conv2d(x, (self.coefs @ self.basis).view(4, 3, 3, 3), padding=1))
        x = F.relu(F.conv2d(x, torch.mm(self.many, self.taps).reshape(5, 4, 3, 3), padding=1))
        weight = (self.turned @ self.basis).view(5, 5, 3, 3).permute(1, 0, 2, 3)
        return self.final(F.conv2d(x, weight, padding=1).mean((2, 3)))


def test_only_the_pattern_becomes_a_decomposed_layer() -> None:
    torch.manual_seed(0)
    model = Factored().eval()
    graph = from_module(model, (3, 8, 8), *numbers((3, 8, 8)))
    kinds = [type(node.op) for node in graph if isinstance(node.op, Conv | PenniConv)]
    assert kinds == [PenniConv, Conv, Conv]
    assert_computes(graph, model, (3, 8, 8))


class Ended(nn.Module):
    def __init__(self, what: str, features: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.end, self.head = ENDS[what], nn.Linear(features, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.end(F.relu(self.conv(x))))


ENDS = {
    "adaptive, flatten": lambda x: torch.flatten(F.adaptive_avg_pool2d(x, 1), 1),
    "adaptive, view": lambda x: F.adaptive_avg_pool2d(x, (1, 1)).view(x.size(0), -1),
    "adaptive, of windows": lambda x: F.adaptive_avg_pool2d(x, (2, 3)).flatten(1),
    "adaptive, rows kept": lambda x: F.adaptive_avg_pool2d(x, (None, 3)).flatten(1),
    "adaptive maximum": lambda x: F.adaptive_max_pool2d(x, (4, 2)).flatten(1),
    "mean, axes kept": lambda x: x.mean((2, 3), keepdim=True).flatten(1),
    "mean, from behind": lambda x: x.mean([-1, -2]),
    "mean, one by one": lambda x: x.mean(3).mean(2),
    "mean, columns kept": lambda x: x.mean(2, keepdim=True).flatten(1),
    "mean of a flat map": lambda x: x.flatten(2).mean(2),
    "maximum": lambda x: x.amax((2, 3)),
    "whole map": lambda x: F.avg_pool2d(x, x.size()[2:]).view(x.size(0), -1),
    "reshape": lambda x: F.avg_pool2d(x, 4).contiguous().reshape(-1, 24),
    "squeeze": lambda x: F.adaptive_avg_pool2d(x, 1).squeeze(3).squeeze(2),
    "squeeze of both": lambda x: F.adaptive_avg_pool2d(x, 1).squeeze((2, 3)),
    "squeeze of all": lambda x: F.adaptive_avg_pool2d(x, 1).squeeze(),
    "index": lambda x: F.adaptive_avg_pool2d(x, 1)[:, :, 0, 0],
    "unflatten": lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1).unflatten(1, (4, 1, 1)).flatten(1),
}


@pytest.mark.parametrize("what", ENDS)
def test_ways_from_a_map_to_a_vector(what: str) -> None:
    torch.manual_seed(2)
    with torch.no_grad():
        features = ENDS[what](torch.zeros(2, 4, 8, 12)).shape[1]
    model = Ended(what, features).eval()
    assert_computes(from_module(model, (3, 8, 12), *numbers((3, 8, 12))), model, (3, 8, 12))


class Unsupported(nn.Module):
    def __init__(self, what: str) -> None:
        super().__init__()
        self.what, self.row = what, nn.Parameter(torch.ones(9))
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.conv(x))
        if self.what == "dilation":
            x = F.max_pool2d(x, 3, 1, 1, 2)
        elif self.what == "sigmoid":
            x = torch.sigmoid(x)
        elif self.what == "in place":
            x.tanh_()
        elif self.what == "product":
            x = x * x.mean((2, 3), keepdim=True)
        elif self.what == "quotient":
            x = x / x.mean((2, 3), keepdim=True)
        elif self.what == "places":
            x = x * self.row
        elif self.what == "nothing":
            x = x / 0
        elif self.what == "average":
            x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
        elif self.what == "ceiled mean":
            x = F.avg_pool2d(x, 2, ceil_mode=True)
        elif self.what == "size":
            x = F.adaptive_avg_pool2d(x, 2)
        elif self.what == "zeros":
            x = F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3)
        elif self.what == "one value":
            x = x.clamp(3, 3)
        elif self.what == "bounds of images":
            x = torch.clamp(x, x.mean((2, 3), keepdim=True))
        elif self.what == "broadcast":
            x = x + x.mean((2, 3), keepdim=True)
        elif self.what == "slice":
            x = x[:, :, 1::2]
        elif self.what == "transpose":
            x = x.transpose(2, 3)
        elif self.what == "concatenation":
            x = torch.cat([x, x], 2)
        x = x.mean((2, 3))
        return (self.head(x), x) if self.what == "two results" else self.head(x)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("dilation", r"max_pool2d \(aten.max_pool2d\): pooling with dilation is not supported"),
        ("sigmoid", r"sigmoid \(aten.sigmoid\): Sigmoid is not supported; replace it by ReLU and fine-tune"),
        ("in place", r"tanh_ \(aten.tanh_\): Tanh is not supported; replace it by ReLU"),
        ("product", r"mul \(aten.mul.Tensor\): it multiplies two maps; only a product of a map and constants"),
        ("quotient", r"div \(aten.div.Tensor\): it divides by a map; only a quotient of a map and constants"),
        (
            "places",
            r"mul \(aten.mul.Tensor\): a constant of shape \[9\] and values of shape \[4, 9, 9\]: only one number",
        ),
        ("nothing", r"div \(aten.div.Tensor\): it divides by 0"),
        ("average", r"avg_pool2d \(aten.avg_pool2d\): its mean leaves padding out \(count_include_pad=False\)"),
        ("ceiled mean", r"avg_pool2d \(aten.avg_pool2d\): ceil_mode makes a difference here"),
        (
            "size",
            r"adaptive_avg_pool2d \(aten.adaptive_avg_pool2d\): adaptive pooling of a 9x9x4 map to 2x2: its windows are",
        ),
        ("zeros", r"pad \(aten.pad\): padding of a map is supported only right before a convolution or pooling"),
        ("one value", r"clamp \(aten.clamp\): it clips to 3 and 3; the first must be lower"),
        ("bounds of images", r"clamp \(aten.clamp.Tensor\): its bounds are computed from the images"),
        ("broadcast", r"add \(aten.add.Tensor\): it adds maps of shapes \[4, 9, 9\] and \[4, 1, 1\]"),
        ("slice", r"slice_\d \(aten.slice.Tensor\): the slice 1:\d+:2 of axis 2"),
        ("transpose", r"transpose \(aten.transpose.int\): reordering the axes of a map is not supported"),
        ("concatenation", r"cat \(aten.cat\): it concatenates along axis 2; only channels, axis 1, are supported"),
        ("two results", "it returns 2 results; one tensor, the logits, is needed"),
    ],
)
def test_what_is_not_supported_is_named(what: str, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        from_module(Unsupported(what).eval(), (4, 9, 9))


def test_a_network_in_training_mode(tmp_path: Path) -> None:
    path = saved(custom().train(), (1, 20, 28), tmp_path / "net.pt2")
    with pytest.raises(CheckpointError, match=r"BatchNorm in training mode; export .* \(model.eval\(\)\)"):
        read(path)


def test_an_open_height_is_refused_and_not_evaluated(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    height = torch.export.Dim("h", min=4, max=64)
    program = torch.export.export(model, (torch.zeros(2, 3, 8, 8),), dynamic_shapes=({2: height},))
    torch.export.save(program, tmp_path / "net.pt2")
    with pytest.raises(CheckpointError, match="its input input has a symbolic height, width or number of channels"):
        read(tmp_path / "net.pt2")


def test_weights_that_share_a_storage(tmp_path: Path) -> None:
    """torch writes one storage, and views of it with offsets and strides."""
    model = nn.Sequential(
        nn.Conv2d(2, 2, 3, bias=False), nn.Conv2d(2, 2, 3, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    storage = torch.randn(3, 2, 3, 3, 2)
    model[0].weight.data, model[1].weight.data = storage[0].permute(3, 0, 1, 2), storage[2].permute(3, 0, 1, 2)
    path = saved(model, (2, 9, 9), tmp_path / "net.pt2")
    with zipfile.ZipFile(path) as file:
        assert sum("weights/weight_" in name for name in file.namelist()) == 1
    assert_computes(read(path, mean=(0.5, 0.4), std=(0.2, 0.25)), model, (2, 9, 9))


def test_weights_in_one_pickled_dict(tmp_path: Path) -> None:
    """As older versions of torch wrote them; torch itself still reads that."""
    model, old = custom(), tmp_path / "old.pt2"
    with (
        zipfile.ZipFile(saved(model, (1, 20, 28), tmp_path / "net.pt2")) as source,
        zipfile.ZipFile(old, "w") as target,
    ):
        for name in source.namelist():
            if "/data/weights/" not in name and "/data/constants/" not in name:
                target.writestr(name.replace("net/", "old/"), source.read(name))
        for folder, content in (
            ("weights", {**dict(model.named_parameters()), **dict(model.named_buffers())}),
            ("constants", {}),
        ):
            buffer = io.BytesIO()
            torch.save(content, buffer)
            target.writestr(f"old/data/{folder}/model.pt", buffer.getvalue())
    images = normalised(pixels((1, 20, 28)))
    with torch.no_grad():
        torch.testing.assert_close(torch.export.load(old).module()(images), model(images))
    mean, std = numbers((1, 20, 28))
    assert_computes(read(old, mean=mean, std=std), model, (1, 20, 28))


def test_another_schema(tmp_path: Path) -> None:
    path = saved(custom(), (1, 20, 28), tmp_path / "net.pt2")
    with zipfile.ZipFile(path) as source:
        members = {name: source.read(name) for name in source.namelist()}
    program = json.loads(members["net/models/model.json"])
    program["schema_version"]["major"] = 9
    members["net/models/model.json"] = json.dumps(program).encode()
    with zipfile.ZipFile(path, "w") as target:
        for name, data in members.items():
            target.writestr(name, data)
    with pytest.raises(CheckpointError, match="schema version 9, but 8 is read"):
        read(path)


@pytest.mark.shared
def test_a_known_checkpoint_through_torch_export(shared_models: Path, tmp_path: Path) -> None:
    from penni_hls.compression.decompose import load_penni
    from penni_hls.zoo.models import dense_state, resnet20

    state = dense_state(torch.load(shared_models / "r20_penni.pt", weights_only=True))
    model = load_penni(resnet20(), state).eval()
    graph = read(saved(model, (3, 32, 32), tmp_path / "r20.pt2"))
    assert_factors(graph, model)
    direct = read(shared_models / "r20_penni.pt")
    assert {n.name for n in direct if hasattr(n.op, "coefs")} == {n.name for n in graph if hasattr(n.op, "coefs")}
    assert sum(n.op.count.parameters for n in direct) == sum(n.op.count.parameters for n in graph)
    assert_computes(
        read(tmp_path / "r20.pt2", mean=numbers((3, 1, 1))[0], std=numbers((3, 1, 1))[1]), model, (3, 32, 32)
    )
