"""train as a command: what it writes and prints, and one line per error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_type_hints

import torch

from penni_hls.commands.training import TrainingOptions
from penni_hls.data import load_cifar10
from penni_hls.training.batches import Batches
from penni_hls.training.train import evaluate
from penni_hls.zoo.models import ARCHITECTURES, build


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


def test_help_names_every_architecture():
    text = get_type_hints(TrainingOptions, include_extras=True)["arch"].__metadata__[0].help
    assert text.removesuffix(".").replace(" or ", ", ").split(", ") == list(ARCHITECTURES)


def test_no_data(command, tmp_path):
    done = command("train", "--arch", "resnet8", "--data", tmp_path / "nowhere", "-o", tmp_path / "x.pt")
    assert done.code == 2 and done.err.startswith(f"penni-hls: error: {tmp_path}/nowhere: no CIFAR-10 train batch")
    assert not list(tmp_path.iterdir())


def test_a_dense_network_is_a_state_dict(command, data, tmp_path):
    done = command("train", "--arch", "resnet8", "--data", data, "-o", tmp_path / "x.penni")
    message = f'-o {tmp_path}/x.penni: the suffix ".penni" is not supported; use one of .pt, .pth, .safetensors'
    assert (done.code, done.err) == (2, f"penni-hls: error: {message}\n")
