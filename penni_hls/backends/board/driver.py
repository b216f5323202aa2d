"""Design -> driver/: the folder that goes to the board. Python for PYNQ, a notebook, C for who has no PYNQ.

The programs are files of the repository's driver/, as they stand there. What differs from network to network is data:
penni.json, validate.npz, and for C penni_model.h.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np

from ...files import DRIVER
from ...ir import interpreter
from ...ir.graph import Graph
from ...ir.serialize import to_npz
from .. import registers
from ..design import Design
from ..quoting import comment
from ..templates import render
from ..top import result_shape

VALIDATION_IMAGES = 8
LINE = 24  # numbers in a line of a C array
PROGRAMS = ("*.py", "*.ipynb", "c/*")


def emit_driver(design: Design) -> dict[str, str | bytes]:
    graph = design.schedule.graph
    images, expected = validation(graph)
    programs = sorted(path for pattern in PROGRAMS for path in DRIVER.glob(pattern))
    return {
        **{f"driver/{path.relative_to(DRIVER)}": path.read_text(encoding="utf-8") for path in programs},
        "driver/penni_registers.py": registers.python(),
        "driver/penni.json": model(design),
        "driver/validate.npz": to_npz({"images": images, "expected": expected}),
        "driver/README.md": _readme(design),
        "driver/c/penni_registers.h": registers.c_header(),
        "driver/c/penni_model.h": _c_model(design, images[0], expected[0]),
    }


def model(design: Design) -> str:
    """penni.json: `Model` in driver/penni_core.py says what its values are."""
    schedule = design.schedule
    values = {
        "name": comment(design.name),
        "image": schedule.graph.input.op.out_spec.shape,
        "result": result_shape(schedule.graph.output.op.out_spec),
        "logit_scale": design.logit_scale,
        "digest": design.digest,
        "clock_mhz": schedule.board.clock_mhz,
        "cycles_per_image": schedule.cycles_per_image,
        "latency": schedule.prediction.latency,
        "operators": [comment(node.name) for node in schedule.instances],
    }
    return json.dumps(values, indent=1) + "\n"


def validation(graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    """Images of random bytes, uint8 (N, H, W, C), and what must come out: int32 (N, *result)."""
    spec, out = graph.input.op.out_spec, graph.output.op.out_spec
    images = np.random.default_rng(8).integers(0, 256, (VALIDATION_IMAGES, *spec.shape), np.uint8)
    values = interpreter.output(graph, images).values
    return images, values.reshape(len(images), *result_shape(out)).astype(np.int32)


@dataclass(frozen=True)
class CModel:
    """What penni_model.h tells. digest: its four words. image, expected: lines of numbers."""

    name: str
    image_bytes: int
    result_words: int
    logit_scale: str
    digest: tuple[str, ...]
    cycles_per_image: int
    image: tuple[str, ...]
    expected: tuple[str, ...]


def _c_model(design: Design, image: np.ndarray, expected: np.ndarray) -> str:
    view = CModel(
        design.name, image.size, expected.size, repr(float(design.logit_scale)),
        tuple(design.digest[8 * word : 8 * word + 8] for word in range(4)),
        design.schedule.cycles_per_image, _lines(image), _lines(expected),
    )  # fmt: skip
    return render("driver/penni_model.h.j2", model=view)


def _lines(values: np.ndarray) -> tuple[str, ...]:
    flat = [str(value) for value in values.ravel().tolist()]
    return tuple(", ".join(flat[i : i + LINE]) for i in range(0, len(flat), LINE))


def _readme(design: Design) -> str:
    schedule = design.schedule
    result = result_shape(schedule.graph.output.op.out_spec)
    shape = schedule.graph.input.op.out_spec.shape
    return render(
        "driver/README.md.j2",
        name=design.name,
        board=schedule.board,
        image=", ".join(map(str, shape)),
        image_bytes=math.prod(shape),
        result=", ".join(map(str, result)),
        vector=len(result) == 1,
        images=VALIDATION_IMAGES,
    )
