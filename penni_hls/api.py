"""The library's front: checkpoint -> project on disk -> answers about it. The commands call this and only print."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import __version__
from .accuracy import predict_float, predict_integer, top1
from .backends import engines
from .backends.engines import ENGINES, Simulation
from .backends.synthesis import Synthesis
from .backends.synthesis import synth as synth
from .data import Images, load_cifar10, load_images
from .errors import DataError, UsageError
from .ir.graph import Graph
from .ir.layers import Input
from .ir.quantized import Quantized
from .ir.serialize import to_json, to_npz
from .project import (
    ARRAYS,
    FLOAT,
    FORMAT,
    INTEGER,
    MANIFEST,
    VERSION,
    Bundle,
    Project,
    check_target,
    digest,
    read,
    write,
)
from .quantize import quantize
from .schedule import Schedule, plan
from .target import boards
from .target.resources import Resources

if TYPE_CHECKING:
    from .checkpoint import Loaded

__all__ = ["Resources", "Simulation", "Synthesis", "evaluate", "generate", "load", "simulate", "synth"]

BITS = 8  # of bases and coefficients, where nobody says how many

Stage = Callable[[str], None]
Progress = Callable[[int, int], None]


def load(directory: str | Path) -> Project:
    """Read a directory that `generate` made."""
    return read(directory)


def generate(
    checkpoint: str | Path,
    output: str | Path,
    *,
    board: str = "pynq-z2",
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    basis_bits: int | None = None,
    coef_bits: int | None = None,
    calibration: str | Path | np.ndarray | None = None,
    stage: Stage = lambda name: None,
) -> Project:
    """Make a project for `board` (a name, or the path of a .toml file) from a checkpoint and write it to `output`.

    mean, std: of the pixels 0..1 that the network was trained with; None: what the checkpoint says, or else CIFAR-10's.
    basis_bits, coef_bits: 8 where None. calibration: an .npz file, or uint8 (N, H, W, C), of images like those of the
    task; without them ranges come from the BatchNorm statistics. A checkpoint that holds an integer network leaves these
    three nothing to say. stage: called with what is being done. A design too large for the board is written all the
    same: see `project.schedule.shortfalls`.
    """
    target = boards.load(board)
    check_target(output)
    checkpoint = Path(checkpoint)
    images = load_images(calibration).images if isinstance(calibration, (str, Path)) else calibration
    stage("reading the checkpoint")
    loaded, network, source = _read_checkpoint(checkpoint, mean, std)
    float_graph, quantized = loaded.graph, loaded.quantized
    if images is not None:
        check_images(images, float_graph, "calibration images")
    if quantized is None:
        stage("quantizing")
        basis_bits, coef_bits = (BITS if bits is None else bits for bits in (basis_bits, coef_bits))
        try:
            quantized = quantize(float_graph, basis_bits=basis_bits, coef_bits=coef_bits, calibration=images)
        except ValueError as error:
            raise UsageError(str(error)) from None
    else:
        _check_nothing_given(checkpoint, basis_bits=basis_bits, coef_bits=coef_bits, calibration=calibration)
    stage("planning")
    schedule = plan(quantized.graph, target)
    pixels = float_graph.input.op
    assert isinstance(pixels, Input)
    options = {
        "board": target.name, "mean": list(pixels.mean), "std": list(pixels.std),
        "basis_bits": basis_bits, "coef_bits": coef_bits,
        "calibration_sha256": None if images is None else digest(images.tobytes()),
    }  # fmt: skip
    stage("writing C++ and RTL")
    name = checkpoint.stem
    files = _emit(schedule, name, network, quantized)
    origin = {"checkpoint": checkpoint.name, "form": loaded.form, "sha256": source, "network": network}
    write(_with_model(files, name, origin, options, schedule, float_graph, quantized), output)
    return load(output)


def _read_checkpoint(
    path: Path, mean: tuple[float, ...] | None, std: tuple[float, ...] | None
) -> tuple[Loaded, str, str]:
    """What the file holds, a line that describes its network, and its sha256."""
    from . import checkpoint as reader  # some forms need torch, which takes a second

    loaded = reader.load(path, mean=mean, std=std)
    return loaded, reader.describe(loaded.graph), digest(path.read_bytes())


def _check_nothing_given(checkpoint: Path, **given: object) -> None:
    for name, value in given.items():
        if value is not None:
            raise UsageError(
                f"{checkpoint} holds an integer network, trained as the hardware computes it; leave"
                f" --{name.replace('_', '-')} away"
            )


def _emit(schedule: Schedule, name: str, network: str, quantized: Quantized) -> dict[str, bytes]:
    from .backends.board.driver import emit_driver
    from .backends.board.readme import emit_readme
    from .backends.board.vivado import emit_vivado
    from .backends.hls.emit import emit_hls
    from .backends.rtl.emit import emit_rtl
    from .backends.rtl.sim import emit_sim

    parts = (
        emit_hls(schedule), emit_rtl(schedule), emit_sim(schedule), emit_vivado(schedule, name),
        emit_driver(schedule, name, quantized.logit_scale), emit_readme(schedule, name, network, quantized.notes),
    )  # fmt: skip
    return {path: text.encode() if isinstance(text, str) else text for part in parts for path, text in part.items()}


def _with_model(
    files: Bundle, name: str, source: dict, options: dict, schedule: Schedule, float_graph: Graph, quantized: Quantized
) -> Bundle:
    """`files` and the model: its arrays, and the manifest that names everything."""
    arrays: dict[str, np.ndarray] = {}
    encoded = {"schedule": INTEGER.encode(schedule, arrays), "float": FLOAT.encode(float_graph, arrays)}
    complete = {**files, ARRAYS: to_npz(arrays)}
    spec, out = schedule.graph.input.op.out_spec, schedule.graph.output.op.out_spec
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "name": name,
        "made_by": {"penni-hls": __version__, "alkaid": importlib.metadata.version("alkaid")},
        "source": source,
        "options": options,
        "notes": list(quantized.notes),
        "input": {"shape": list(spec.shape), "type": str(spec.qtype), "order": "NHWC"},
        "output": {"classes": out.shape[2], "type": str(out.qtype), "logit_scale": quantized.logit_scale},
        "performance": performance(schedule),
        "layers": layers(schedule),
        **encoded,
        "files": {path: digest(complete[path]) for path in sorted(complete)},
    }
    return {**complete, MANIFEST: to_json(manifest)}


def performance(schedule: Schedule) -> dict:
    """What the schedule promises, for manifests and scripts."""
    return {
        "cycles_per_image": schedule.cycles_per_image,
        "slowest": schedule.slowest,
        "mac_bound": round(schedule.mac_bound, 1),
        "stream_bound": schedule.stream_bound,
        "clock_mhz": schedule.board.clock_mhz,
        "images_per_second": round(schedule.images_per_second, 1),
        "mac_lanes": schedule.multipliers,
        "resources": _rounded(schedule.total.as_dict()),
        "shortfalls": {lack.resource: round(lack.needed - lack.available, 1) for lack in schedule.shortfalls},
    }


def layers(schedule: Schedule) -> list[dict]:
    """One entry an operator: what it is, how it is folded, what it costs."""
    return [
        {
            "name": node.name,
            "operator": node.op.kind,
            "output": list(node.op.out_spec.shape),
            "type": str(node.op.out_spec.qtype),
            "q": schedule.foldings[node.name].q,
            "p": schedule.foldings[node.name].p,
            "cycles": schedule.cycles[node.name],
            **_rounded(schedule.resources[node.name].as_dict()),
        }
        for node in schedule.instances
    ]


def _rounded(resources: dict[str, float]) -> dict[str, float]:
    return {name: round(float(value), 1) for name, value in resources.items()}


def check_images(images: np.ndarray, graph: Graph, what: str = "images") -> np.ndarray:
    """`images`, or DataError where they are not what the network takes."""
    shape = graph.input.op.out_spec.shape
    if images.dtype != np.uint8 or images.shape[1:] != shape or not len(images):
        have = f"{images.dtype} {'x'.join(map(str, images.shape[1:]))}"
        raise DataError(f"{what} are {have}; the network takes uint8 {'x'.join(map(str, shape))} (H x W x C)")
    return images


def evaluate(
    project: Project, data: str | Path | Images, *, count: int | None = None, progress: Progress | None = None
) -> dict:
    """Top-1 of the integer and the float network, in percent. data: a directory with CIFAR-10, or labelled images."""
    images = data if isinstance(data, Images) else load_cifar10(data)
    if images.labels is None:
        raise DataError("the images have no labels; evaluation needs them")
    pixels, labels = check_images(images.images[:count], project.graph), images.labels[:count]
    total = 2 * len(pixels)
    notify = progress or (lambda done, of: None)
    integer = top1(partial(predict_integer, project.graph), pixels, labels, lambda done, of: notify(done, total))
    real = top1(partial(predict_float, project.float_graph), pixels, labels, lambda done, of: notify(of + done, total))
    return {"images": len(pixels), "top1_integer": round(integer, 2), "top1_float": round(real, 2)}


DEFAULT_COUNT = {"reference": 10, "csim": 10, "rtl": 2, "hls": 1}  # images, where nobody says how many


def choose_images(
    project: Project, engine: str, file: str | Path | None, data: str | Path | None, count: int | None
) -> tuple[np.ndarray, str]:
    """The images to simulate, uint8 (N, H, W, C), and a line that says where they come from.

    file: an .npz (all of it unless `count`); data: a directory with CIFAR-10; neither: noise, the same every time.
    """
    if file is not None and data is not None:
        raise UsageError("--images and --data exclude each other; give one of them")
    wanted = count or DEFAULT_COUNT[engine]
    if file is not None:
        pixels, source = load_images(file).images[:count], f"of {file}"
        wanted = count or len(pixels)
    elif data is not None:
        pixels, source = load_cifar10(data).images[:wanted], f"test images of {data}"
    else:
        pixels, source = random_images(project, wanted), "noise, always the same (--images or --data gives real ones)"
    if len(pixels) < wanted:
        raise DataError(f"{file or data} has {len(pixels)} images, fewer than --count {wanted}")
    return check_images(pixels, project.graph), f"{len(pixels)} {source}"


def random_images(project: Project, count: int) -> np.ndarray:
    """The same `count` images of noise every time: uint8 (count, H, W, C)."""
    return np.random.default_rng(0).integers(0, 256, (count, *project.graph.input.op.out_spec.shape), np.uint8)


def simulate(
    project: Project,
    engine: str,
    images: np.ndarray | None = None,
    *,
    count: int | None = None,
    layer: str | None = None,
    bounded: bool = False,
    exact: bool = False,
    waves: bool = False,
    netlist: str | Path | None = None,
    stage: Stage = lambda name: None,
) -> Simulation:
    """Run `engine` (one of ENGINES) and compare with the reference. images: uint8 (N, H, W, C); None: noise."""
    if engine not in ENGINES:
        raise UsageError(f"engine '{engine}' is not known; there are {', '.join(ENGINES)}")
    for given, option, of in (
        (bounded, "--bounded", "csim"),
        (exact, "--exact", "csim"),
        (waves, "--waves", "rtl hls"),
        (netlist, "--netlist", "rtl"),
    ):
        if given and engine not in of.split():
            raise UsageError(f"{option} goes with --engine {' or '.join(of.split())}, not {engine}")
    if images is None:
        images, _ = choose_images(project, engine, None, None, count)
    images = check_images(images[:count], project.graph)
    if engine == "reference":
        return engines.reference(project, images, layer, stage=stage)
    if engine == "csim":
        return engines.csim(project, images, layer, bounded=bounded, exact=exact, stage=stage)
    if engine == "rtl":
        return engines.rtl(project, images, layer, netlist=netlist, waves=waves, stage=stage)
    return engines.hls(project, images, layer, waves=waves, stage=stage)
