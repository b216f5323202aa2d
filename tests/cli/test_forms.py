"""inspect and generate on checkpoints of other forms than a state dict."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import penni_hls
from penni_hls.checkpoint import penni_file, read
from penni_hls.ir.interpreter import run
from penni_hls.ir.quantized import Quantized
from penni_hls.quantize import quantize

from .small import small_state_dict

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


@pytest.fixture(scope="module")
def quantized(small_checkpoint: Path) -> Quantized:
    return quantize(read(small_checkpoint, mean=MEAN, std=STD), coef_bits=3)


@pytest.fixture(scope="module")
def integer_file(small_checkpoint: Path, quantized: Quantized, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("penni") / "small.penni"
    penni_file.write(path, read(small_checkpoint, mean=MEAN, std=STD), quantized)
    return path


def files(project: Path) -> dict[str, str]:
    """Digest by name, but of what tells where the project comes from."""
    return {
        path.relative_to(project).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in project.rglob("*")
        if path.is_file() and path.name not in ("model.json", "report.html")
    }


def test_inspect_tells_the_form(small_checkpoint: Path, integer_file: Path, tmp_path: Path, command) -> None:
    save_file(small_state_dict(), tmp_path / "small.safetensors")
    wanted = {
        small_checkpoint: ("PyTorch state dict (torch.save, zip)", False),
        tmp_path / "small.safetensors": ("safetensors", False),
        integer_file: ("penni-hls sparse", True),
    }
    parameters = set()
    for path, (form, integer) in wanted.items():
        done = command("inspect", path, "--json")
        assert (done.code, done.json["form"], done.json["integer_network"]) == (0, form, integer)
        parameters.add(done.json["parameters_stored"])
        text = command("inspect", path).out
        assert f"\nForm: {form}\n" in text and ("holds an integer network" in text) == integer
    assert len(parameters) == 1


def test_every_form_gives_the_same_project(small_checkpoint: Path, tmp_path: Path, command) -> None:
    save_file(small_state_dict(), tmp_path / "small.safetensors")
    penni_file.write(tmp_path / "small.penni", read(small_checkpoint))
    projects = []
    for number, path in enumerate((small_checkpoint, tmp_path / "small.safetensors", tmp_path / "small.penni")):
        assert command("generate", path, "-o", tmp_path / f"p{number}").code == 0
        projects.append(files(tmp_path / f"p{number}"))
    assert len(projects[0]) > 10 and projects[0] == projects[1] == projects[2]


def test_an_integer_network_is_taken_as_it_is(
    integer_file: Path, quantized: Quantized, tmp_path: Path, command
) -> None:
    done = command("generate", integer_file, "--copies", 1, "-o", tmp_path / "p")
    assert done.code == 0
    project = penni_hls.load(tmp_path / "p")
    assert (project.manifest["options"]["mean"], project.manifest["options"]["std"]) == (list(MEAN), list(STD))
    assert project.manifest["options"]["bits"] is None
    assert project.manifest["source"]["form"] == "penni-hls sparse"
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    have, want = (run(graph, images)[quantized.graph.output.name].values for graph in (project.graph, quantized.graph))
    np.testing.assert_array_equal(have, want)


@pytest.mark.parametrize("option", ["--coef-bits", "--basis-bits", "--bits", "--max-drop", "--calibration"])
def test_an_integer_network_leaves_nothing_to_say(option: str, integer_file: Path, tmp_path: Path, command) -> None:
    np.savez(tmp_path / "images.npz", images=np.zeros((2, 32, 32, 3), np.uint8))
    value = tmp_path / "images.npz" if option == "--calibration" else 8
    done = command("generate", integer_file, "-o", tmp_path / "p", option, value)
    assert (done.code, done.out) == (2, "") and not (tmp_path / "p").exists()
    assert done.err == (
        f"penni-hls: error: {integer_file} holds an integer network, trained as the hardware computes it; leave"
        f" {option} away\n"
    )


def test_export_stores_the_integer_network_that_generate_would_make(small_checkpoint, tmp_path: Path, command) -> None:
    rng = np.random.default_rng(3)
    np.savez(tmp_path / "images.npz", images=rng.integers(0, 256, (8, 32, 32, 3), np.uint8))
    options = ("--bits", "8/5,conv1=6/8", "--calibration", tmp_path / "images.npz")
    stored = tmp_path / "stored" / "small.penni"
    stored.parent.mkdir()
    assert command("export", small_checkpoint, "-o", stored, "--quantize", *options).code == 0
    assert "holds an integer network too (quantized after training)" in command("inspect", stored).out
    made = command("generate", small_checkpoint, "--copies", 1, "-o", tmp_path / "a" / "p", *options)
    taken = command("generate", stored, "--copies", 1, "-o", tmp_path / "b" / "p", "--json")
    assert (made.code, taken.code, taken.json["bits"]) == (0, 0, "8/5,conv1=6/8")
    one, other = (penni_hls.load(tmp_path / name / "p").graph for name in "ab")
    images = rng.integers(0, 256, (4, 32, 32, 3), np.uint8)
    values = [run(graph, images)[graph.output.name].values for graph in (one, other)]
    np.testing.assert_array_equal(*values)
    again = command("generate", stored, "--copies", 1, "-o", tmp_path / "c" / "p", "--bits", "8/8", "--json")
    fresh = command("generate", small_checkpoint, "--copies", 1, "-o", tmp_path / "d" / "p", "--bits", "8/8")
    assert (again.code, fresh.code, again.json["bits"]) == (0, 0, "8/8")
    assert files(tmp_path / "c" / "p")["rtl/penni_top.sv"] == files(tmp_path / "d" / "p")["rtl/penni_top.sv"]


@pytest.mark.parametrize(
    ("name", "options", "error"),
    [
        ("net.onnx", ("--quantize",), "--quantize goes into a .penni file; leave it away"),
        ("net.pt2", ("--half",), "--half goes into a .penni file; leave it away"),
        ("net.penni", ("--max-drop", 1), "--max-drop says how to make the integer network: add --quantize"),
        ("net.penni", ("--quantize", "--bits", "for-board"), "--bits for-board and --board NAME go together"),
        ("net.penni", ("--quantize", "--board", "pynq-z2"), "--bits for-board and --board NAME go together"),
        ("net.penni", ("--calibration", "x.npz"), "--calibration says how to make the integer network: add --quantize"),
    ],
)
def test_what_export_cannot_store(name, options, error, small_checkpoint: Path, tmp_path: Path, command) -> None:
    done = command("export", small_checkpoint, "-o", tmp_path / name, *options)
    assert (done.code, done.out, done.err) == (2, "", f"penni-hls: error: {tmp_path / name}: {error}\n")
    assert not (tmp_path / name).exists()


def test_mean_and_deviation_of_the_file_win(integer_file: Path, tmp_path: Path, command) -> None:
    same = command("generate", integer_file, "-o", tmp_path / "p", "--mean", ".5,.4,.3", "--std", ".2,.25,.3")
    assert same.code == 0
    other = command("generate", integer_file, "-o", tmp_path / "q", "--mean", ".4914,.4822,.4465")
    assert (other.code, other.out) == (2, "") and not (tmp_path / "q").exists()
    assert other.err == (
        f"penni-hls: error: {integer_file}: the file says that its network was trained with mean 0.5,0.4,0.3, not"
        " 0.4914,0.4822,0.4465; leave out --mean\n"
    )


def test_a_whole_pickled_model(tmp_path: Path, command) -> None:
    from ..checkpoint.models import ResNet, randomised

    torch.save(randomised(ResNet((1, 1), (4, 8), None, "linear")), tmp_path / "net.pt")
    done = command("inspect", tmp_path / "net.pt", "--json")
    assert (done.code, done.json["form"]) == (0, "PyTorch module, pickled whole (torch.save, zip)")
