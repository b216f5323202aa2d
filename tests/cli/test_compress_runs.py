"""compress as a command: it resumes after a kill, refuses a checkpoint of another run, and runs under torchrun."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch

from .conftest import QUICK


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
