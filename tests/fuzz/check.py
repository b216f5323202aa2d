"""One random network through everything: file, project, reference, C++, RTL; and what must hold there."""

from __future__ import annotations

import math
import signal
import time
import traceback
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import penni_hls
from penni_hls.backends.result import Simulation
from penni_hls.errors import CheckpointError, UsageError
from penni_hls.ir import interpreter
from penni_hls.project import Project

from .networks import Network, random_network
from .parts import POINTWISE, Net

CYCLES = (0.02, 2)  # by how much a prediction may be wrong: a share, or cycles where they are few
LATENCY = (0.05, 20)
NOISE = 2.0  # times the error that torch itself makes with rounded maps and weights
STRETCHES = (0.94, 0.98, 1.02, 1.06)  # of the steps to which torch rounds: one alone may hit or miss
FLOOR = (0.05, 0.01)  # of the results' spread, and of their size: errors that are always allowed
STEADY = 8  # intervals between images behind the fill of the pipeline
MOST_IMAGES = 60
SECONDS = 300  # what takes longer hangs
LEFT_OUT = (nn.Softmax, nn.LogSoftmax, nn.Sigmoid)


@dataclass(frozen=True)
class Outcome:
    """kind: passed, refused or failed. why: the error. cycles, latency: predicted / measured - 1 of the RTL, None where it
    did not run. error: of the results against torch, as a share of their spread; allowed: what it may be."""

    seed: int
    kind: str
    why: str = ""
    cycles: float | None = None
    latency: float | None = None
    error: float | None = None
    allowed: float | None = None
    fits: bool | None = None
    seconds: float = 0.0


class Wrong(Exception):
    """Something does not hold: what."""


def check(seed: int, folder: Path, rtl: bool) -> Outcome:
    """Nothing is raised, whatever happens. folder: to work in; files of an earlier check are replaced."""
    start = time.monotonic()
    found = Outcome(seed, "failed")
    signal.signal(signal.SIGALRM, _hangs)
    signal.alarm(SECONDS)
    try:
        network = random_network(seed)
        path = _export(network, folder)
        try:
            project = _generate(network, path, folder)
        except (CheckpointError, UsageError) as error:
            found = _refused(seed, str(error), path)
        else:
            found = _simulate(found, network, project, rtl)
    except Wrong as wrong:
        found = replace(found, why=str(wrong))
    except Exception:
        found = replace(found, why=traceback.format_exc())
    finally:
        signal.alarm(0)
    return replace(found, seconds=time.monotonic() - start)


def _hangs(number: int, frame: object) -> None:
    raise TimeoutError(f"not done in {SECONDS} seconds")


def _refused(seed: int, text: str, path: Path) -> Outcome:
    """A refusal is one line: the file, the layer, and what to do."""
    said = text.removeprefix(f"{path}: ")
    sound = "\n" not in text and said != text and ": " in said and ";" in said
    return Outcome(seed, "refused" if sound else "failed", text if sound else f"not a proper refusal: {text}")


def _export(network: Network, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path, rng = folder / f"net.{network.form}", np.random.default_rng(network.seed)
    example, model = torch.zeros(2, *network.shape), network.model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if network.form == "onnx":
            open_batch = {"input_names": ["x"], "dynamic_axes": {"x": {0: "n"}}} if rng.random() < 0.5 else {}
            opset = int(rng.choice((11, 13, 17)))
            try:
                torch.onnx.export(model, (example,), path, dynamo=False, opset_version=opset, **open_batch)
                return path
            except torch.onnx.errors.OnnxExporterError:  # it loses the size of some maps that it needs
                path = path.with_suffix(".pt2")
        program = torch.export.export(model, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
        torch.export.save(program.run_decompositions() if rng.random() < 0.3 else program, path)
    return path


def _generate(network: Network, path: Path, folder: Path) -> Project:
    """The project, which builds in a folder that outlives it: half of each RTL build is the same for all networks."""
    project = penni_hls.generate(
        path, folder / "project", board=network.board, mean=network.mean, std=network.std, basis_bits=network.bits[0],
        coef_bits=network.bits[1], calibration=network.images("calibration"), copies=1,
    )  # fmt: skip
    work = (folder / "build").resolve()
    work.mkdir(exist_ok=True)
    project.work.symlink_to(work)
    return project


def _simulate(found: Outcome, network: Network, project: Project, rtl: bool) -> Outcome:
    error, noise, spread, size = _float_errors(network, project)
    allowed = NOISE * noise + FLOOR[0] * spread + FLOOR[1] * size
    relative = max(spread, FLOOR[1] * size, 1e-30)
    found = replace(found, error=error / relative, allowed=allowed / relative, fits=not project.schedule.shortfalls)
    images = network.images("unseen")[: min(project.schedule.prediction.fill + STEADY + 1, MOST_IMAGES)]
    problems = (
        [] if error <= allowed else [f"the results differ from torch by {found.error:.3f}, not {found.allowed:.3f}"]
    )
    _bit_exact(penni_hls.simulate(project, "reference", images), problems)
    _bit_exact(penni_hls.simulate(project, "csim", images, bounded=True), problems)
    if rtl:
        result = penni_hls.simulate(project, "rtl", images)
        _bit_exact(result, problems)
        if result.bit_exact:
            found = _timing(found, project, result, problems)
    return replace(found, kind="failed" if problems else "passed", why="; ".join(problems))


def _bit_exact(result: Simulation, problems: list[str]) -> None:
    if not result.bit_exact:
        problems.append(f"{result.engine}: {result.problem or result.first_mismatch}")


def _timing(found: Outcome, project: Project, result: Simulation, problems: list[str]) -> Outcome:
    """Rate and latency as predicted, no FIFO beyond its depth."""
    prediction = project.schedule.prediction
    pairs = {
        "cycles": (prediction.cycles_per_image, result.cycles_per_image, CYCLES),
        "latency": (prediction.latency, result.latency_cycles, LATENCY),
    }
    for what, (predicted, measured, (share, cycles)) in pairs.items():
        if abs(predicted - measured) > max(share * measured, cycles):
            problems.append(f"{what}: {measured} measured, {predicted} predicted")
    if not result.settled:
        problems.append(f"the rate has not settled in {result.images} images")
    problems += [
        f"FIFO {name} held {most} of {depth}" for name, (depth, most) in (result.fifos or {}).items() if most > depth
    ]
    return replace(found, **{what: predicted / measured - 1 for what, (predicted, measured, _) in pairs.items()})


def _float_errors(network: Network, project: Project) -> tuple[float, float, float, float]:
    """Root mean squares on unseen images: of the difference between integers and torch; of that between torch and torch
    with rounded maps and weights; of torch's own results about their means; and of these results."""
    images, scale = network.images("unseen"), project.manifest["output"]["logit_scale"]
    pixels, model = network.normalised(images), network.model
    found = interpreter.output(project.graph, images).values.astype(np.float64) * scale
    shape = found.shape[1:]
    wanted = _results(model, model.values(pixels), shape)
    if found.shape != wanted.shape:
        raise Wrong(f"results of shape {found.shape}; torch gives {wanted.shape}")
    rounded = np.stack([_rounded(network, pixels, shape, stretch) for stretch in STRETCHES])
    return _rms(found - wanted), _rms(rounded - wanted), _rms(wanted - wanted.mean(axis=0)), _rms(wanted)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values).mean()))


def _results(model: Net, values: list[Tensor], shape: tuple[int, ...]) -> np.ndarray:
    """float64 (N, H, W, C), without a softmax or sigmoid at the end. shape: (H, W, C) of the project's results, which are
    a map where the network flattens one at its end."""
    last = values[-2] if isinstance(model.parts[model.steps[-1][0]], LEFT_OUT) else values[-1]
    last = last.detach().double()
    if last.ndim == 2:
        h, w, c = shape if last.shape[1] == math.prod(shape) else (1, 1, last.shape[1])
        last = last.reshape(-1, c, h, w)
    return last.permute(0, 2, 3, 1).numpy()


def _rounded(network: Network, pixels: Tensor, shape: tuple[int, ...], stretch: float) -> np.ndarray:
    """What torch gives with weights of so many bits, and 8-bit maps, but where a map is not stored: before what is computed
    value by value. stretch: of their steps."""
    model = network.model
    seen = model.values(network.normalised(network.images("calibration")))
    stored = {
        index for index in range(1, len(seen) - 1)
        if not all(isinstance(reader, POINTWISE) for reader in model.readers(index))
    }  # fmt: skip

    def change(index: int, value: Tensor) -> Tensor:
        if index not in stored:
            return value
        lo, hi = float(seen[index].detach().min()), float(seen[index].detach().max())
        step = max(hi / (127 if lo < 0 else 255), -lo / 128) * stretch or 1.0
        return torch.round(value / step).clamp(-128 if lo < 0 else 0, 127 if lo < 0 else 255) * step

    kept = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    with torch.no_grad():
        try:
            for name, weight in model.named_parameters():
                if name.endswith(("weight", "coefs", "basis")) and weight.ndim > 1:
                    bits = network.bits[name.endswith("coefs") or name.endswith("weight")]
                    rows = weight.view(-1, weight.shape[-1]) if name.endswith("basis") else weight.flatten(1)
                    steps = rows.abs().amax(1, keepdim=True).clamp(min=1e-12) / (2 ** (bits - 1) - 1) * stretch
                    rows.copy_(torch.round(rows / steps) * steps)
            return _results(model, model.values(pixels, change), shape)
        finally:
            for name, parameter in model.named_parameters():
                parameter.copy_(kept[name])
