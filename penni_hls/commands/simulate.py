"""`penni-hls simulate`: run a project in one of the engines and compare with the reference."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from .. import api
from ..backends.engines import ENGINES, Simulation
from ..report.console import Reporter
from .options import Json, ProjectDir

Engine = Enum("Engine", {name: name for name in ENGINES}, type=str)


def simulate(
    project: ProjectDir,
    engine: Annotated[
        Engine,
        typer.Option(
            help="What runs: Python, the C++ under g++, the RTL, or RTL synthesized from the C++.", show_default=False
        ),
    ],
    images: Annotated[
        Path | None, typer.Option(metavar="FILE.npz", help="Images (array 'images', uint8 NHWC).")
    ] = None,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="The test images of CIFAR-10 in DIR.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Only the first COUNT images.")] = None,
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", help="One operator alone, with inputs from the reference.")
    ] = None,
    bounded: Annotated[
        bool, typer.Option("--bounded", help="csim: streams only as deep as declared; detects deadlocks.")
    ] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="csim: every variable as wide as in hardware; ten times slower.")
    ] = False,
    waves: Annotated[bool, typer.Option("--waves", help="rtl, hls: write waveforms.")] = False,
    netlist: Annotated[
        Path | None, typer.Option(metavar="DIR", help="rtl: the Verilog of DIR instead of rtl/.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Simulate a project and compare every value with the reference. Exit 1 on a mismatch.

    \b
    Examples:
      penni-hls simulate build/r20 --engine csim --data cifar-10-batches-bin --count 100
      penni-hls simulate build/r20 --engine rtl --images images.npz --count 4 --waves
      penni-hls simulate build/r20 --engine rtl --layer layer1.0.conv1.mac
    """
    report = Reporter(as_json)
    loaded = api.load(project)
    if loaded.changed:
        report.note(f"changed since it was generated: {', '.join(loaded.changed)}")
    pixels, source = api.choose_images(loaded, engine.value, images, data, count)
    report.note(f"images: {source}")
    with report.stages(f"simulate {engine.value}") as stage:
        result = api.simulate(
            loaded, engine.value, pixels, layer=layer, bounded=bounded, exact=exact, waves=waves, netlist=netlist,
            stage=stage,
        )  # fmt: skip
    predicted = _predicted(loaded, layer)
    _print(report, result, predicted)
    report.result({**result.as_dict(), "source": source, "predicted_cycles_per_image": predicted})
    return 0 if result.bit_exact else 1


def _predicted(project: api.Project, layer: str | None) -> int:
    return project.schedule.cycles_per_image if layer is None else project.schedule.cycles[layer]


def _print(report: Reporter, result: Simulation, predicted: int) -> None:
    alone = f", {result.layer} alone" if result.layer else ""
    what = f"{result.engine}{alone}, {result.images} image{'s'[: result.images != 1]}"
    if result.bit_exact:
        report.say(f"{what}: equal to the reference, bit for bit")
    if result.first_mismatch:
        report.say(f"{what}: MISMATCH: {result.first_mismatch}")
    if result.problem:
        report.say(f"{what}: WRONG: {result.problem}")
    if result.cycles_per_image is not None:
        report.say(f"{result.cycles_per_image:,} cycles per image in the steady state; {predicted:,} predicted")
    if result.latency_cycles is not None:
        report.say(f"{result.latency_cycles:,} cycles from the first pixel to the last logit")
    if result.images_per_second is not None:
        report.say(f"{result.images_per_second:,.1f} images/s simulated")
    for path in result.files:
        report.say(f"written: {path}")
