"""What the end-to-end tests share: a torch model, written as people write it, to a project that every engine runs."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import penni_hls
from penni_hls.checkpoint import read
from penni_hls.ir import interpreter
from penni_hls.project import Project
from penni_hls.quantize import quantize

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIDE = 16


def smooth_images(count: int, seed: int) -> np.ndarray:
    """uint8 (count, SIDE, SIDE, 3), of coarse patches and a little noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(120, 60, (count, SIDE // 4, SIDE // 4, 3)).repeat(4, axis=1).repeat(4, axis=2)
    return np.clip(coarse + rng.normal(0, 12, coarse.shape), 0, 255).astype(np.uint8)


CALIBRATION, UNSEEN = smooth_images(32, 1), smooth_images(16, 2)


def normalised(images: np.ndarray) -> Tensor:
    x = (images.astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(STD)
    return torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()


def settled(model: nn.Module) -> nn.Module:
    """The model in evaluation mode, its BatchNorm layers with random weights and the statistics of real activations."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(normalised(CALIBRATION))
    return model.eval()


def forms(model: nn.Module, folder: Path) -> dict[str, Path]:
    """The model as torch.export and as torch.onnx write it."""
    example = torch.zeros(2, 3, SIDE, SIDE)
    files = {form: folder / f"net.{form}" for form in ("pt2", "onnx")}
    program = torch.export.export(model, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, files["pt2"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (example,), files["onnx"], dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}}
        )
    return files


def outputs(model: nn.Module, images: np.ndarray) -> np.ndarray:
    """What torch computes, as (N, H, W, C)."""
    with torch.no_grad():
        y = model(normalised(images))
    return y.reshape(*y.shape[:2], 1, 1).permute(0, 2, 3, 1).numpy() if y.ndim == 2 else y.permute(0, 2, 3, 1).numpy()


def assert_float(path: Path, model: nn.Module) -> None:
    """The float network that is read computes what torch computes."""
    wanted = outputs(model, UNSEEN)
    found = interpreter.output(read(path, mean=MEAN, std=STD), UNSEEN)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


def assert_integers_near(path: Path, model: nn.Module, limit: float) -> None:
    """Root mean square error of the integer network against the spread of the float one, on images not calibrated on."""
    quantized = quantize(read(path, mean=MEAN, std=STD), calibration=CALIBRATION)
    wanted = outputs(model, UNSEEN)
    found = interpreter.output(quantized.graph, UNSEEN).values * quantized.logit_scale
    assert np.sqrt(np.square(found - wanted).mean()) < limit * wanted.std()


def generated(path: Path, folder: Path) -> Project:
    return penni_hls.generate(path, folder, mean=MEAN, std=STD, calibration=CALIBRATION, copies=1)


def assert_engines_agree(project: Project, count: int = 3) -> None:
    """Reference, C++ with bounded streams and RTL: equal to the last bit, the RTL nearly at the rate that was predicted."""
    assert penni_hls.simulate(project, "reference", UNSEEN[:count]).bit_exact
    csim = penni_hls.simulate(project, "csim", UNSEEN[:count], bounded=True)
    assert csim.bit_exact, csim
    rtl = penni_hls.simulate(project, "rtl", UNSEEN[:count])
    assert rtl.bit_exact, rtl
    assert abs(rtl.latency_cycles / project.schedule.prediction.latency - 1) <= 0.05
    assert rtl.cycles_per_image <= 1.02 * project.schedule.cycles_per_image or not rtl.settled
