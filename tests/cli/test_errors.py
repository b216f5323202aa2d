"""Mistakes of the user: one line each, word for word, exit code 2, nothing left behind."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from .small import save_checkpoint, small_state_dict


class RunsCode:
    """What a hostile pickle holds: reading it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def truncated(folder: Path, good: Path) -> tuple[Path, str]:
    path = folder / "truncated.pt"
    path.write_bytes(good.read_bytes()[:-100])
    return path, "it is truncated, or was not written by torch.save"


def hostile(folder: Path, good: Path) -> tuple[Path, str]:
    import torch

    path = folder / "hostile.pt"
    torch.save({"conv1.weight": RunsCode(folder / "executed")}, path)
    wants = f"{os.system.__module__}.system"
    return path, f"it asks for {wants}, which could run code; a network has no need of it (it was not run)"


def not_finite(folder: Path, good: Path) -> tuple[Path, str]:
    state = small_state_dict()
    state["layer1.0.conv1.coefs"][3, 1] = np.nan
    return save_checkpoint(state, folder / "nan.pt"), "layer1.0.conv1.coefs holds NaN or infinite values"


def missing(folder: Path, good: Path) -> tuple[Path, str]:
    return folder / "missing.pt", "there is no such file"


BAD_CHECKPOINTS = (truncated, hostile, not_finite, missing)


@pytest.mark.parametrize("make", BAD_CHECKPOINTS)
@pytest.mark.parametrize("name", ["inspect", "generate"])
def test_bad_checkpoint(make, name, tmp_path, small_checkpoint, command):
    path, message = make(tmp_path, small_checkpoint)
    before = sorted(tmp_path.iterdir())
    options = ["-o", tmp_path / "out" / "project"] if name == "generate" else []
    done = command(name, path, *options)
    assert (done.code, done.out, done.err) == (2, "", f"penni-hls: error: {path}: {message}\n")
    assert sorted(tmp_path.iterdir()) == before
    done = command(name, path, *options, "--json")
    assert (done.code, done.json) == (2, {"error": f"{path}: {message}"})
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["schedule", "generate"])
def test_a_network_that_computes_nothing(name, tmp_path, command):
    import torch

    path = tmp_path / "pixels.pt2"
    model = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Flatten())  # pixels are never negative
    torch.export.save(torch.export.export(model, (torch.zeros(2, 3, 8, 8),)), path)
    options = ["-o", tmp_path / "out"] if name == "generate" else []
    done = command(name, path, "--mean", "0,0,0", "--std", "1,1,1", *options)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"penni-hls: error: {path}: ") and done.err.count("\n") == 1
    assert "the results are the pixels themselves, so there is nothing to build" in done.err
    assert not (tmp_path / "out").exists()


def test_wrong_shape(tmp_path, command):
    state = small_state_dict()
    state["layer2.0.conv1.coefs"] = state["layer2.0.conv1.coefs"][:-1]
    path = save_checkpoint(state, tmp_path / "shape.pt")
    done = command("inspect", path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"penni-hls: error: {path}: ") and "layer2.0.conv1" in done.err
    assert done.err.count("\n") == 1


def test_unknown_board(tmp_path, small_checkpoint, command):
    done = command("generate", small_checkpoint, "--board", "pynq-z3", "-o", tmp_path / "out")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "penni-hls: error: unknown board 'pynq-z3': did you mean pynq-z2? "
        "('penni-hls boards' lists them, or give the path of a .toml file)\n"
    )
    assert not list(tmp_path.iterdir())


def test_a_stream_of_a_width_that_there_is_not(tmp_path, small_checkpoint, command):
    done = command("generate", small_checkpoint, "--stream-bits", 16, "-o", tmp_path / "out")
    assert (done.code, done.out) == (2, "")
    assert done.err == "penni-hls: error: a stream of 16 bits for the pixels: take 8, 32 or 64 bits\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = ", "not valid TOML: Invalid value (at end of document)"),
        ("usable = 5", "usable is no table; [usable] gives shares of lut, ff, dsp, bram36 and uram"),
        ("[usable]\nlut = 0.5\nff = 0.5\ndsp = 2.0\nbram36 = 0.5", "usable.dsp is 2.0; a share lies between 0 and 1"),
        ("[usable]\nram = 0.5", "usable.ram not known"),
    ],
)
def test_bad_board_file(text, message, tmp_path, small_checkpoint, command):
    board = tmp_path / "mine.toml"
    board.write_text(text)
    done = command("generate", small_checkpoint, "--board", board, "-o", tmp_path / "out")
    assert (done.code, done.err) == (2, f"penni-hls: error: board file {board}: {message}\n")
    assert not (tmp_path / "out").exists()


def test_output_below_a_file(tmp_path, small_checkpoint, command):
    (tmp_path / "file").write_text("")
    target = tmp_path / "file" / "project"
    done = command("generate", small_checkpoint, "-o", target)
    assert (done.code, done.out) == (2, "")
    message = f"cannot write to {target}: {tmp_path / 'file'} is not a directory; choose another with -o"
    assert done.err == f"penni-hls: error: {message}\n"


def test_output_that_is_not_a_project(tmp_path, small_checkpoint, command):
    (tmp_path / "thesis.txt").write_text("all of it")
    done = command("generate", small_checkpoint, "-o", tmp_path)
    assert done.code == 2
    message = f"cannot write to {tmp_path}: it holds files and is no penni-hls project; choose another with -o"
    assert done.err == f"penni-hls: error: {message}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_output_without_permission(tmp_path, small_checkpoint, command, monkeypatch):
    monkeypatch.setattr(
        "penni_hls.project.directory.os.access", lambda path, mode: not mode & os.W_OK
    )  # so that it holds for root too
    target = tmp_path / "project"
    done = command("generate", small_checkpoint, "-o", target)
    message = f"cannot write to {target}: no permission to write in {tmp_path}; choose another with -o"
    assert (done.code, done.out, done.err) == (2, "", f"penni-hls: error: {message}\n")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_nothing(tmp_path, small_checkpoint, command, monkeypatch):
    real = Path.write_bytes

    def write_bytes(path: Path, data: bytes) -> int:
        if path.name == "model.npz":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    target = tmp_path / "deep" / "project"
    done = command("generate", small_checkpoint, "--copies", 1, "-o", target)
    assert done.code == 2
    *progress, said = done.err.splitlines()
    assert (
        said == f"penni-hls: error: cannot write to {target}: No space left on device; choose another directory with -o"
    )
    assert all(line.startswith("generate small.pt: ") for line in progress)  # on a slow machine
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["evaluate", "simulate", "synth"])
def test_no_project(name, tmp_path, command):
    options = {"evaluate": ["--data", tmp_path], "simulate": ["--engine", "reference"], "synth": []}[name]
    missing = tmp_path / "nowhere"
    done = command(name, missing, *options)
    message = f"{missing}: no such directory; make one with 'penni-hls generate CHECKPOINT -o {missing}'"
    assert (done.code, done.err) == (2, f"penni-hls: error: {message}\n")
    assert command(name, missing, *options, "--json").json == {"error": message}
    done = command(name, tmp_path, *options)
    message = (
        f"{tmp_path}: not a penni-hls project (model.json is missing or not one); make one with 'penni-hls generate'"
    )
    assert (done.code, done.err) == (2, f"penni-hls: error: {message}\n")


def test_damaged_project(small_project, tmp_path, command):
    damaged = tmp_path / "damaged"
    shutil.copytree(small_project, damaged)
    data = bytearray((damaged / "model.npz").read_bytes())
    data[len(data) // 2] ^= 1
    (damaged / "model.npz").write_bytes(data)
    done = command("simulate", damaged, "--engine", "reference")
    assert done.code == 2
    message = f"{damaged}: model.npz is not the one that was generated (its digest differs); generate it anew"
    assert done.err == f"penni-hls: error: {message}\n"


def test_data_that_is_not_there(small_project, tmp_path, command):
    done = command("evaluate", small_project, "--data", tmp_path, "--json")
    assert done.code == 2
    assert set(done.json) == {"error"} and str(tmp_path) in done.json["error"]


def test_images_of_another_size(small_project, tmp_path, command):
    images = tmp_path / "images.npz"
    np.savez(images, images=np.zeros((2, 16, 16, 3), np.uint8))
    done = command("simulate", small_project, "--engine", "reference", "--images", images)
    assert done.code == 2
    assert done.err == "penni-hls: error: images are uint8 16x16x3; the network takes uint8 32x32x3 (H x W x C)\n"


USAGE = {
    ("generate", "x.pt"): "Missing option '-o' / '--output'; try 'penni-hls generate --help'",
    ("inspect",): "Missing argument 'CHECKPOINT'; try 'penni-hls inspect --help'",
    ("frobnicate",): "No such command 'frobnicate'; try 'penni-hls --help'",
    (
        "generate",
        "x.pt",
        "-o",
        "y",
        "--mean",
        "a,b",
    ): "--mean a,b: give numbers separated by commas, such as .485,.456,.406",
}


@pytest.mark.parametrize("args", USAGE)
def test_usage(args, command):
    done = command(*args)
    assert (done.code, done.out, done.err) == (2, "", f"penni-hls: error: {USAGE[args]}\n")
    done = command(*args, "--json")
    assert (done.code, done.json) == (2, {"error": USAGE[args]})


def test_a_kill_leaves_nothing(small_checkpoint, tmp_path):
    """SIGTERM while the project is written: exit code 130, and neither it nor its temporary sibling is there."""
    script = (
        "import os, signal, sys; from penni_hls.project import directory as project; from penni_hls.cli import main\n"
        "real = project.Path.mkdir\n"
        "def mkdir(self, *args, **options):\n"
        "    real(self, *args, **options)\n"
        "    if self.name == 'rtl': os.kill(os.getpid(), signal.SIGTERM)\n"
        "project.Path.mkdir = mkdir\n"
        "main(sys.argv[1:])\n"
    )
    command = [
        sys.executable,
        "-c",
        script,
        "generate",
        str(small_checkpoint),
        "-o",
        str(tmp_path / "deep" / "project"),
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, json.loads(done.stdout)) == (130, {"error": "interrupted"})
    assert not list(tmp_path.iterdir())
