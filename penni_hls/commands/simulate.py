"""`penni-hls simulate`: run a project in one of the engines and compare with the reference."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from .. import api
from ..backends.engines import options as engine_options
from ..report.console import Reporter
from ..report.profile import print_profile
from .options import Json, ProjectDir

Engine = Enum("Engine", {name: name for name in api.ENGINES}, type=str)
_ENGINES = ", ".join(f"{name}: {engine.help}" for name, engine in api.ENGINES.items())


def _with_engine_options(command: Callable[..., int]) -> Callable[..., int]:
    """`command` with a parameter for each option of an engine, in place of its **options: what typer reads."""
    signature = inspect.signature(command)
    hints = get_type_hints(command, include_extras=True)
    own = [p.replace(annotation=hints[p.name]) for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    added = []
    for option, engines in engine_options().items():
        text = f"{', '.join(engines)}: {option.help}"
        kind = option.type if option.metavar is None else option.type | None
        hint = Annotated[kind, typer.Option(option.flag, metavar=option.metavar, help=text)]
        default = False if option.metavar is None else None
        added.append(inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint))
    *front, as_json = own
    as_json = as_json.replace(kind=inspect.Parameter.KEYWORD_ONLY)
    command.__signature__ = signature.replace(parameters=[*front, *added, as_json])
    command.__annotations__ = {p.name: p.annotation for p in command.__signature__.parameters.values()}
    return command


@_with_engine_options
def simulate(
    project: ProjectDir,
    engine: Annotated[
        Engine,
        typer.Option(help=f"What runs: {_ENGINES}.", show_default=False),
    ],
    images: Annotated[
        Path | None, typer.Option(metavar="FILE.npz", help="Images (array 'images', uint8 NHWC).")
    ] = None,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="The test images of CIFAR-10 in DIR.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Only the first COUNT images.")] = None,
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", help="One operator alone, with inputs from the reference.")
    ] = None,
    as_json: Json = False,
    **options: Any,
) -> int:
    """Simulate a project and compare every value with the reference. Exit 1 on a mismatch.

    \b
    Examples:
      penni-hls simulate build/r20 --engine csim --data cifar-10-batches-bin --count 100
      penni-hls simulate build/r20 --engine rtl --images images.npz --count 4 --waves
      penni-hls simulate build/r20 --engine rtl --layer layer1.0.conv1.mac
      penni-hls simulate build/r20 --engine rtl --count 4 --profile
    """
    report = Reporter(as_json)
    loaded = api.load(project)
    if loaded.changed:
        report.note(f"changed since it was generated: {', '.join(loaded.changed)}")
    pixels, source = api.choose_images(loaded, api.ENGINES[engine.value].count, images, data, count)
    report.note(f"images: {source}")
    with report.stages(f"simulate {engine.value}") as stage:
        result = api.simulate(loaded, engine.value, pixels, layer=layer, stage=stage, **options)
    predicted = _predicted(loaded, layer, engine.value)
    _print(report, result, predicted)
    if options.get("profile") and result.profile:
        print_profile(report, result.profile)
    report.result({**result.as_dict(), "source": source, "predicted_cycles_per_image": predicted})
    return 0 if result.bit_exact else 1


def _predicted(project: api.Project, layer: str | None, engine: str) -> int:
    """Cycles per image: of the RTL, or for `hls` of what Vitis HLS makes of the C++."""
    schedule = project.schedule
    if engine == "hls" and layer is not None:
        return schedule.graph.by_name[layer].op.in_turn(schedule.foldings[layer]).cycles()
    if engine == "hls" and schedule.in_hls is not None:
        return schedule.in_hls.cycles_per_image
    return schedule.cycles_per_image if layer is None else schedule.cycles[layer]


def _print(report: Reporter, result: api.Simulation, predicted: int) -> None:
    alone = f", {result.layer} alone" if result.layer else ""
    what = f"{result.engine}{alone}, {result.images} image{'s'[: result.images != 1]}"
    if result.bit_exact:
        report.say(f"{what}: equal to the reference, bit for bit")
    if result.first_mismatch:
        report.say(f"{what}: MISMATCH: {result.first_mismatch}")
    if result.problem:
        report.say(f"{what}: WRONG: {result.problem}")
    if result.cycles_per_image is not None:
        where = "in the steady state" if result.settled else "so far, not settled (more images show the steady state)"
        report.say(f"{result.cycles_per_image:,} cycles per image {where}; {predicted:,} predicted")
    if result.latency_cycles is not None:
        report.say(f"{result.latency_cycles:,} cycles from the first pixel to the last result")
    if result.images_per_second is not None:
        report.say(f"{result.images_per_second:,.1f} images/s simulated")
    for path in result.files:
        report.say(f"written: {path}")
