"""compress as a command: what it writes, what it prints, and that the two agree."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from penni_hls import checkpoint
from penni_hls.accuracy import predict_float, predict_integer, top1
from penni_hls.commands.compress import summarise
from penni_hls.compression.count import count
from penni_hls.compression.decompose import decompose, load_penni
from penni_hls.data import load_cifar10
from penni_hls.ir.layers import Input, PenniConv
from penni_hls.recipes.runs import Outcome
from penni_hls.report.console import Reporter
from penni_hls.training.batches import Batches
from penni_hls.training.train import evaluate
from penni_hls.zoo.models import build

from .conftest import QUICK


def score(state: dict, data: Path) -> float:
    return evaluate(load_penni(build("resnet8"), state), Batches(load_cifar10(data), 40, train=False))


def test_compress_writes_what_it_counts(compress, data, dense, tmp_path):
    done = compress(tmp_path / "small.pt", "--json", "-d", 4, "--prune", 1.0)
    assert done.code == 0 and done.err.count("\n") == 6  # the dense accuracy, its note, four epochs
    said, state = done.json, torch.load(tmp_path / "small.pt", weights_only=True)
    assert said["before"]["parameters"] == 78_042 and said["before"]["macs_paper"] == 12_501_632
    counted = count(load_penni(build("resnet8"), state))
    after = said["after"]
    assert (after["parameters"], after["macs_paper"], after["macs"]) == (
        counted.parameters,
        counted.paper_macs,
        counted.macs,
    )
    other = sum(value.numel() for name, value in state.items() if ".bn" in name or name.startswith("bn")
                if name.endswith(("weight", "bias")))  # fmt: skip
    other += sum(value.numel() for name, value in state.items() if ".shortcut.1." in name
                 if name.endswith(("weight", "bias")))  # fmt: skip
    assert after["parameters"] - after["parameters_paper"] == other + state["linear.bias"].numel()
    assert after["accuracy"] == score(state, data)
    assert {layer["d"] for layer in said["layers"] if ".shortcut" not in layer["name"]} <= {1, 2, 3, 4, None}
    zeros = sum(int((value == 0).sum()) for name, value in state.items() if name.endswith("coefs"))
    assert zeros > 10_000
    lines = [json.loads(line) for path in said["metrics"] for line in Path(path).read_text().splitlines()]
    assert [(line["stage"], line["epoch"]) for line in lines] == [
        ("alternate", 1), ("alternate", 2), ("finetune", 1), ("finetune", 2),
    ]  # fmt: skip
    assert lines[0]["left_s"] > lines[0]["seconds"] * 2.9  # three epochs are left, those of the other stage among them


def test_table_fits(compress, tmp_path):
    output = tmp_path / "small.safetensors"
    done = compress(output, "--parameters", 0.5, "--macs", 0.5, "--mean", ".5,.5,.5", "--gradual", 2, "--distill")
    assert done.code == 0
    table = done.out[: done.out.index("Written:")]
    assert all(len(line) <= 100 for line in table.splitlines())
    for words in ("top-1, %", "MACs, paper's convention", "with indices", "layer3.0.conv2", "12,501,632"):
        assert words in table
    assert f"Next: penni-hls generate {output} --board pynq-z2 -o build/small --mean .5,.5,.5 --std" in done.out
    graph = checkpoint.read(output, mean=(0.5, 0.5, 0.5))
    assert sum(isinstance(node.op, PenniConv) for node in graph) == 7


def test_table_of_a_large_network_fits(capsys):
    dense = build("resnet18")
    before = count(dense)
    after = count(decompose(dense, 5))
    summarise(Reporter(False), Outcome(91.18, after, (), 91.18, before))
    table = capsys.readouterr().out
    assert all(len(line) <= 100 for line in table.splitlines())
    for layer in after.layers:  # nothing is cut off
        line = next(line for line in table.splitlines() if line.split()[:1] == [layer.name])
        assert line.split()[-1] == f"{layer.paper_macs:,}" and f"{layer.nonzero:,}" in line.split()
    assert "11,173,962" in table and "555,422,720" in table


def test_the_project_reads_what_it_wrote(compress, command, tmp_path):
    assert compress(tmp_path / "small.pth", "--half", quick=(*QUICK, "--epochs", 0, "--finetune", 1)).code == 0
    assert torch.load(tmp_path / "small.pth", weights_only=True)["conv1.coefs"].dtype == torch.float16
    done = command("inspect", tmp_path / "small.pth", "--json")
    assert done.code == 0 and sum(layer["d"] is not None for layer in done.json["layers"]) == 7


def test_bases_by_layer(compress, tmp_path):
    done = compress(
        tmp_path / "x.pt", "-d", "layer1.0.conv1=2,layer2.0.conv2=0.3", "-d", 6, "--prune", 0, "--no-shrink", "--json",
        quick=("--epochs", 0, "--finetune", 0),
    )  # fmt: skip
    found = {layer["name"]: layer["d"] for layer in done.json["layers"]}
    assert found["layer1.0.conv1"] == 2 and found["conv1"] == found["layer3.0.conv2"] == 6
    assert 1 <= found["layer2.0.conv2"] < 6 and found["linear"] is None
    done = compress(tmp_path / "y.pt", "-d", "conv1=2", "--no-shrink", "--json", quick=("--epochs", 0, "--finetune", 0))
    assert [layer["name"] for layer in done.json["layers"] if layer["d"]] == ["conv1"]


def test_the_same_command_gives_the_same_bytes(compress, tmp_path):
    for name in ("a.pt", "b.pt"):
        assert compress(tmp_path / name, "--seed", 5).code == 0
    assert compress(tmp_path / "c.pt", "--seed", 6).code == 0
    a, b, c = ((tmp_path / f"{name}.pt").read_bytes() for name in "abc")
    assert a == b != c


def test_weights_as_checkpoints_wrap_them(command, data, dense, tmp_path, compress):
    state = {f"module.{name}": value for name, value in torch.load(dense, weights_only=True).items()
             if not name.endswith("num_batches_tracked")}  # fmt: skip
    torch.save({"state_dict": state, "best_prec1": 91.7}, tmp_path / "wrapped.th")
    quick = ("--epochs", 0, "--finetune", 0)
    done = compress(tmp_path / "a.pt", "--weights", tmp_path / "wrapped.th", quick=quick)
    assert done.code == 0 and compress(tmp_path / "b.pt", quick=quick).code == 0
    a, b = (torch.load(tmp_path / name, weights_only=True) for name in ("a.pt", "b.pt"))
    assert all(torch.equal(a[name], b[name]) for name in b)


def test_a_compressed_network_is_pruned_further(tmp_path, compress):
    assert compress(tmp_path / "a.pt", "--parameters", 0.3, quick=("--epochs", 0, "--finetune", 1)).code == 0
    again = ("--weights", tmp_path / "a.pt", "--parameters", 0.5)
    done = compress(tmp_path / "b.pt", *again, "--json", quick=("--epochs", 0, "--finetune", 2, "--gradual", 2))
    assert done.code == 0, done.err
    assert done.json["after"]["parameters"] <= 0.5 * done.json["before"]["parameters"]
    first, second = (zeros(tmp_path / name) for name in ("a.pt", "b.pt"))
    assert first["layer1.0.conv1.coefs"].shape == second["layer1.0.conv1.coefs"].shape  # the test compares positions
    assert all((second[name] | ~zero).all() for name, zero in first.items() if zero.shape == second[name].shape)
    done = compress(tmp_path / "c.pt", *again, quick=("--epochs", 1))
    assert (done.code, done.err.splitlines()[-1]) == (2, "penni-hls: error: the network is compressed already: "
        "alternating training would undo its zeros; give 0 epochs of it")  # fmt: skip


def zeros(path):
    return {name: value == 0 for name, value in torch.load(path, weights_only=True).items() if value.dim() == 2}


def test_our_own_form(compress, data, tmp_path):
    options = ("--mean", ".5,.5,.5", "--half", "--work", tmp_path / "work")
    done = compress(tmp_path / "small.penni", *options)
    assert done.code == 0 and done.out.splitlines()[-1].endswith("-o build/small")  # the file holds mean and deviation
    graph = checkpoint.read(tmp_path / "small.penni")
    assert isinstance(graph.input.op, Input) and graph.input.op.mean == (0.5, 0.5, 0.5)
    said = compress(tmp_path / "small.penni", *options, "--json").json
    test = load_cifar10(data)
    assert top1(partial(predict_float, graph), test.images, test.labels) == said["after"]["accuracy"]


@pytest.mark.slow
@pytest.mark.parametrize("bits", ["ternary", "4"])
def test_integer_network(bits, compress, command, data, tmp_path):
    output = tmp_path / "x.penni"
    options = ("--qat", "--coef-bits", bits, "--qat-epochs", 1, "--work", tmp_path / "work")
    done = compress(output, *options, "--json", quick=("--epochs", 0, "--finetune", 1, "--batch", 32))
    assert done.code == 0 and "qat 1/1" in done.err
    width = {"ternary": 2, "4": 4}[bits]
    said, quantized = done.json, checkpoint.load(output).quantized
    assert (
        quantized is not None and Path(said["metrics"][-1]).name == "qat.jsonl" and Path(said["metrics"][-1]).exists()
    )
    test = load_cifar10(data)
    accuracy = top1(partial(predict_integer, quantized.graph), test.images, test.labels)
    assert said["integer"] == {"accuracy": accuracy, "coef_bits": width}
    widest = max(np.abs(node.op.coefs).max() for node in quantized.graph if hasattr(node.op, "coefs"))
    assert widest <= {2: 1, 4: 7}[width]
    assert f"{accuracy:.2f}" in compress(output, *options, quick=("--epochs", 0, "--finetune", 1, "--batch", 32)).out

    assert command("generate", output, "-o", tmp_path / "project").code == 0
    told = command("evaluate", tmp_path / "project", "--data", data, "--json").json
    assert told["top1_integer"] == accuracy and told["top1_float"] == said["after"]["accuracy"]
