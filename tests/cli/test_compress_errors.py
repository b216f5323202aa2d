"""compress as a command: one line per error, and nothing written."""

from __future__ import annotations

import pytest
import torch

BAD_OPTIONS = {
    "suffix": (
        ("-o", "x.bin"),
        '-o x.bin: the suffix ".bin" is not supported; use one of .pt, .pth, .safetensors, .penni',
    ),
    "architecture": (
        ("--arch", "resnet9"),
        'architecture "resnet9" is not known; use one of resnet8, resnet20, resnet32, resnet56, resnet18, resnet34, vgg16',
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


def test_divergence_is_reported(compress, tmp_path):
    done = compress(tmp_path / "x.pt", "--lr", 1e30)
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith("penni-hls: error: alternate: training diverged in epoch 1 (loss nan)")
    assert not (tmp_path / "x.pt").exists()
