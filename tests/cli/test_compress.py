"""train and compress as commands: what they write and say, that they resume after a kill, and one line per error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
import torch

from penni_hls import checkpoint
from penni_hls.accuracy import predict_float, predict_integer, top1
from penni_hls.commands.compress import summarise
from penni_hls.commands.training import TrainingOptions
from penni_hls.compression.count import count
from penni_hls.compression.decompose import decompose, load_penni
from penni_hls.data import load_cifar10
from penni_hls.ir.layers import Input, PenniConv
from penni_hls.recipes.runs import Outcome
from penni_hls.report.console import Reporter
from penni_hls.training.batches import Batches
from penni_hls.training.train import evaluate
from penni_hls.zoo.models import ARCHITECTURES, build

from .cifar import make_data, make_dense

QUICK = ("--epochs", 2, "--finetune", 2, "--batch", 32, "--device", "cpu")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_data(tmp_path_factory.mktemp("data") / "cifar")


@pytest.fixture(scope="module")
def dense(tmp_path_factory) -> Path:
    return make_dense(tmp_path_factory.mktemp("dense") / "dense.pt")


@pytest.fixture
def compress(command, data, dense):
    def call(output, *options, quick=QUICK):
        return command(
            "compress", "--arch", "resnet8", "--weights", dense, "--data", data, "-o", output, *quick, *options
        )

    return call


def score(state: dict, data: Path) -> float:
    return evaluate(load_penni(build("resnet8"), state), Batches(load_cifar10(data), 40, train=False))


def test_train_writes_a_network_with_the_accuracy_it_reports(data, tmp_path, command):
    output = tmp_path / "deep" / "dense.pt"
    done = command("train", "--arch", "resnet8", "--data", data, "--epochs", 2, "--batch", 32, "-o", output, "--json")
    assert done.code == 0 and done.err.count("\n") == 2 and "train 2/2  loss" in done.err
    said = done.json
    assert (said["output"], said["arch"], said["epochs"], said["parameters"]) == (str(output), "resnet8", 2, 78_042)
    lines = [json.loads(line) for line in Path(said["metrics"][0]).read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2] and lines[1]["accuracy"] == said["accuracy"]
    state = torch.load(output, weights_only=True)
    assert {value.dtype for value in state.values()} == {torch.float32, torch.int64}
    model = build("resnet8")
    model.load_state_dict(state)
    assert evaluate(model, Batches(load_cifar10(data), 40, train=False)) == said["accuracy"]
    assert sorted(path.name for path in output.parent.iterdir()) == ["dense.pt", "dense.pt.work"]


def test_train_prints_the_next_command(data, tmp_path, command):
    output = tmp_path / "dense.pt"
    options = ("--mean", ".5,.5,.5", "--std", ".2,.2,.2", "--work", tmp_path / "work", "--half")
    done = command("train", "--arch", "resnet8", "--data", data, "--epochs", 1, "-o", output, *options)
    assert done.code == 0
    following = f"compress --arch resnet8 --weights {output} --data {data} -o resnet8_penni.pt"
    assert f"Next: penni-hls {following} --mean .5,.5,.5 --std .2,.2,.2" in done.out
    assert (tmp_path / "work" / "train.jsonl").is_file() and (tmp_path / "work" / "train.ckpt").is_file()
    assert torch.load(output, weights_only=True)["conv1.weight"].dtype == torch.float16


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


def killed(options: list[str], stage: str, epoch: int) -> subprocess.CompletedProcess:
    """The command, killed by SIGTERM in the first batch after `epoch` of `stage`."""
    script = (
        "import os, signal, sys; from penni_hls.training import train; from penni_hls.cli import main\n"
        "real, seen = train.save, []\n"
        "def save(path, model, optimizer, settings, lines):\n"
        "    real(path, model, optimizer, settings, lines)\n"
        f"    if (path.stem, len(lines)) == ({stage!r}, {epoch}): os.kill(os.getpid(), signal.SIGTERM)\n"
        "train.save = save\n"
        "main(sys.argv[1:])\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", script, *options], capture_output=True, text=True, timeout=300, env=environment
    )


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_bytes(compress, data, dense, tmp_path):
    output = tmp_path / "stopped.pt"
    options = ["--arch", "resnet8", "--weights", dense, "--data", data, "-o", output, *QUICK, "--macs", 0.5]
    done = killed(["compress", *map(str, options)], "finetune", 1)
    message = f"interrupted; the same command resumes the run (checkpoints in {output}.work)"
    assert done.returncode == 130 and done.stdout == ""
    assert done.stderr.splitlines()[-1] == f"penni-hls: error: {message}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stopped.pt.work"]
    kept = [f"{stage}.{form}" for stage in ("alternate", "finetune") for form in ("ckpt", "jsonl")]
    assert sorted(path.name for path in (tmp_path / "stopped.pt.work").iterdir()) == kept

    again = compress(output, "--macs", 0.5)
    assert again.code == 0 and "finetune 2/2" in again.err and "finetune 1/2" not in again.err
    assert compress(tmp_path / "straight.pt", "--macs", 0.5).code == 0
    assert output.read_bytes() == (tmp_path / "straight.pt").read_bytes()


def test_a_checkpoint_of_other_settings_is_refused(compress, tmp_path):
    assert compress(tmp_path / "a.pt").code == 0
    for options, what in (
        (("--lr", 0.01), "lr 0.05, now 0.01"),
        (("--l1", 0.5), "2 epochs of l1 0.0001 every 1; now 2 epochs of l1 0.5 every 1"),
        (("--batch", 16), "batch 32; now batch 16"),
    ):
        done = compress(tmp_path / "a.pt", *options)
        assert done.code == 2 and done.err.splitlines()[-1] == (
            f"penni-hls: error: {tmp_path}/a.pt.work/alternate.ckpt: was made with other settings ({what}); "
            "remove it to start over"
        )


BAD_OPTIONS = {
    "suffix": (
        ("-o", "x.bin"),
        '-o x.bin: the suffix ".bin" is not supported; use one of .pt, .pth, .safetensors, .penni',
    ),
    "architecture": (
        ("--arch", "resnet9"),
        'architecture "resnet9" is not known; use one of resnet8, resnet20, resnet32, resnet56, resnet18, vgg16',
    ),
    "both": (
        ("--prune", "1", "--macs", "0.5"),
        "--prune and the targets --parameters, --macs exclude each other; give one or the other",
    ),
    "target": (("--macs", "1.5"), "macs target 1.5: it is a share of the dense network, above 0 and at most 1"),
    "score": (("--score", "luck"), 'score "luck" is not known; use "fisher" or "magnitude"'),
    "gradual": (("--gradual", "9"), "pruning over 9 epochs: it must be 1 to the 2 of fine-tuning"),
    "d": (("-d", "many"), "-d many: give a number of bases (5), a share of energy (0.95), or LAYER=either"),
    "zero": (("-d", "0"), "-d 0: at least 1 basis is needed"),
    "energy": (("-d", "1.5"), "-d 1.5: a share of energy lies above 0 and is at most 1.0"),
    "two": (("-d", "3,4"), "-d: 3 and 4 for all layers; give one, and others as LAYER=D"),
    "twice": (("-d", "conv1=3,conv1=4"), "-d conv1=4: conv1 is named twice"),
    "layer": (
        ("-d", "conv7=3"),
        "no convolution to decompose is called conv7; there are conv1, layer1.0.conv1, layer1.0.conv2, layer2.0.conv1, "
        "layer2.0.conv2, layer3.0.conv1, layer3.0.conv2",
    ),
    "device": (("--device", "tpu"), "--device tpu: use auto, cpu, cuda, or cuda:1 for the second GPU"),
    "mean": (("--mean", ".5,.5"), "--mean and --std are three numbers each, for red, green and blue; --std above 0"),
    "std": (("--std", ".5,.5,0"), "--mean and --std are three numbers each, for red, green and blue; --std above 0"),
    "integers": (
        ("--qat",),
        "-o {}/x.pt: only a .penni file holds the integer network that --qat makes; name it so",
    ),
    "bits": (
        ("--qat", "--coef-bits", "9"),
        "--coef-bits 9: give 8, 4 or ternary (any width from 2 to 8 does)",
    ),
    "bits alone": (
        ("--coef-bits", "4"),
        "--coef-bits and --qat-epochs go with --qat; add --qat, or round without training: 'generate --coef-bits'",
    ),
    "weights": (("--weights", "nowhere.pt"), "nowhere.pt: there is no such file"),
}


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_bad_options_give_one_line(case, compress, tmp_path, monkeypatch):
    options, message = BAD_OPTIONS[case]
    message = message.replace("{}", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    done = compress(tmp_path / "x.pt", *options)
    assert (done.code, done.out, done.err.splitlines()[-1]) == (2, "", f"penni-hls: error: {message}")
    assert not list(tmp_path.iterdir())
    assert compress(tmp_path / "x.pt", *options, "--json").json == {"error": message}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_no_gpu(compress, tmp_path):
    done = compress(tmp_path / "x.pt", "--device", "cuda")
    message = "--device cuda: torch sees no CUDA device here; use --device cpu, or fewer processes"
    assert (done.code, done.err) == (2, f"penni-hls: error: {message}\n")


def test_no_data(command, tmp_path):
    done = command("train", "--arch", "resnet8", "--data", tmp_path / "nowhere", "-o", tmp_path / "x.pt")
    assert done.code == 2 and done.err.startswith(f"penni-hls: error: {tmp_path}/nowhere: no CIFAR-10 train batch")
    assert not list(tmp_path.iterdir())


def test_a_dense_network_is_a_state_dict(command, data, tmp_path):
    done = command("train", "--arch", "resnet8", "--data", data, "-o", tmp_path / "x.penni")
    message = f'-o {tmp_path}/x.penni: the suffix ".penni" is not supported; use one of .pt, .pth, .safetensors'
    assert (done.code, done.err) == (2, f"penni-hls: error: {message}\n")


def test_places_that_cannot_be_written(compress, dense, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.pt").mkdir()
    for output, options, message in (
        (tmp_path / "file" / "x.pt", (), f"cannot write to {tmp_path}/file/x.pt: {tmp_path}/file is not a directory; "
         "choose another with -o"),
        (tmp_path / "folder.pt", (), f"cannot write to {tmp_path}/folder.pt: it is a directory; "
         "choose another with -o"),
        (tmp_path / "x.pt", ("--work", tmp_path / "file"), f"--work {tmp_path}/file: it is not a directory; "
         "choose another"),
        (dense, (), f"-o {dense}: would overwrite the weights it starts from; choose another with -o"),
    ):  # fmt: skip
        done = compress(output, *options)
        assert (done.code, done.out, done.err) == (2, "", f"penni-hls: error: {message}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.pt"]


def without(state: dict) -> str:
    del state["bn1.weight"]
    return "it lacks bn1.weight"


def besides(state: dict) -> str:
    state.update({f"layer4.{n}.weight": torch.ones(1) for n in range(5)})
    return "it also has layer4.0.weight, layer4.1.weight, layer4.2.weight and 2 more"


def reshaped(state: dict) -> str:
    state["linear.weight"] = torch.ones(100, 64)
    return "it has another shape of linear.weight (100x64 there, 10x64 in resnet8)"


@pytest.mark.parametrize("damage", [without, besides, reshaped])
def test_weights_that_do_not_fit(damage, command, data, dense, tmp_path):
    state = torch.load(dense, weights_only=True)
    message = damage(state)
    torch.save(state, tmp_path / "other.pt")
    done = command(
        "compress", "--arch", "resnet8", "--weights", tmp_path / "other.pt", "--data", data, "-o", tmp_path / "x.pt"
    )
    message = f"penni-hls: error: {tmp_path}/other.pt: it does not fit resnet8: {message}\n"
    assert (done.code, done.out, done.err) == (2, "", message)


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


def test_divergence_is_reported(compress, tmp_path):
    done = compress(tmp_path / "x.pt", "--lr", 1e30)
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith("penni-hls: error: alternate: training diverged in epoch 1 (loss nan)")
    assert not (tmp_path / "x.pt").exists()


def test_help_names_every_architecture():
    text = get_type_hints(TrainingOptions, include_extras=True)["arch"].__metadata__[0].help
    assert text.removesuffix(".").replace(" or ", ", ").split(", ") == list(ARCHITECTURES)


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


@pytest.mark.slow
def test_torchrun(data, dense, tmp_path):
    """Two processes: one line per epoch, one object, and an error is printed once."""
    begin = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "penni_hls"]
    options = ["compress", "--arch", "resnet8", "--weights", dense, "--data", data, *QUICK, "--json", "-o"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def call(*more: object) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*begin, *map(str, options), *map(str, more)], capture_output=True, text=True, timeout=600, env=environment
        )

    done = call(tmp_path / "two.pt")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["epochs"] == 4 and done.stderr.count("finetune 2/2") == 1
    assert torch.load(tmp_path / "two.pt", weights_only=True)["linear.weight"].shape == (10, 64)
    done = call(tmp_path / "two.pt", "--macs", 7)
    assert done.returncode != 0 and json.loads(done.stdout)["error"].startswith("macs target 7.0")
