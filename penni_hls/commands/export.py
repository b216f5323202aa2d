"""`penni-hls export`: a checkpoint -> a file that runs elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from ..ir.bits import layers_of, parse
from ..ir.layers import Input, PenniConv
from ..recipes.integers import FOR_BOARD, integers
from ..report.console import Reporter
from ..target import boards
from .options import Calibration, Checkpoint, Json, MaxDrop, numbers


def export(
    checkpoint: Checkpoint,
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="What to write: .onnx, .pt2, .pt, .safetensors or .penni.",
            show_default=False,
        ),
    ],
    penni: Annotated[
        bool,
        typer.Option("--penni/--dense", help="Keep bases and coefficients, or write their product as dense weights."),
    ] = False,
    mean: Annotated[
        str | None, typer.Option(metavar="R,G,B", help="Mean of the pixels 0..1, where the checkpoint has none.")
    ] = None,
    std: Annotated[str | None, typer.Option(metavar="R,G,B", help="Standard deviation of the same.")] = None,
    bits: Annotated[
        str | None,
        typer.Option(metavar="WIDTHS", help="For .penni: widths of weights for 'generate', such as 8/4,conv1=8/6."),
    ] = None,
    quantize: Annotated[
        bool,
        typer.Option(
            "--quantize",
            help="For .penni: store the integer network too, as 'generate' would make it with --bits, --max-drop and"
            " --calibration; it then takes that one.",
        ),
    ] = False,
    board: Annotated[
        str | None, typer.Option(metavar="NAME", help="For --bits for-board: a board by name, or a .toml file.")
    ] = None,
    max_drop: MaxDrop = None,
    calibration: Calibration = None,
    half: Annotated[bool, typer.Option("--half", help="For .penni: float weights in half precision.")] = False,
    as_json: Json = False,
) -> int:
    """Write a network for use elsewhere: ONNX, a PyTorch program, or a state dict. Images go in normalised, NCHW.

    \b
    Examples:
      penni-hls export r20_penni.pt -o r20.onnx            dense weights, for any ONNX run time
      penni-hls export r20_penni.pt -o r20.onnx --penni    weights as MatMul(coefs, basis), can be read back
      penni-hls export r20.onnx     -o r20.penni           sparse, in penni-hls's own format
      penni-hls export r20.penni    -o r20_4.penni --bits 8/4,conv1=8/6
      penni-hls export r20.penni    -o r20_q.penni --quantize --calibration images.npz
      penni-hls export r20.penni    -o r20_z2.penni --quantize --calibration images.npz --bits for-board --board pynq-z2
      penni-hls export r20_penni.pt -o r20.pt2             torch.export.load("r20.pt2").module()
    """  # fmt: skip
    from .. import checkpoint as reader  # imports torch, which takes a second
    from .. import export as exporter

    report = Reporter(as_json)
    exporter.check_suffix(output)
    norm = {
        "mean": None if mean is None else numbers("--mean", mean),
        "std": None if std is None else numbers("--std", std),
    }
    sparse = output.suffix == ".penni"
    options = {"--max-drop": max_drop, "--calibration": calibration, "--board": board}
    if not sparse and (quantize or half):
        raise UsageError(f"{output}: {'--quantize' if quantize else '--half'} goes into a .penni file; leave it away")
    if not quantize and (alone := [name for name, value in options.items() if value is not None]):
        raise UsageError(f"{output}: {alone[0]} says how to make the integer network: add --quantize")
    if (bits == FOR_BOARD) != (board is not None):
        raise UsageError(f"{output}: --bits {FOR_BOARD} and --board NAME go together")
    with report.stages(f"export {checkpoint.name}") as stage:
        if quantize:
            found = integers(
                checkpoint, **norm, bits=bits, max_drop=max_drop, calibration=calibration,
                board=None if board is None else boards.load(board), stage=stage,
            )  # fmt: skip
            loaded, widths, notes = found.loaded, found.bits, found.notes
            made = replace(
                found.quantized, notes=notes, trained=loaded.quantized is not None and loaded.quantized.trained
            )
        else:
            loaded, notes = reader.load(checkpoint, **norm), ()
            made = loaded.quantized
            if bits is not None and (not sparse or made is not None):
                raise UsageError(f"{output}: --bits goes into a .penni file without an integer network; leave it away")
            widths = loaded.bits if bits is None else parse(bits, layers_of(loaded.graph))
        stage("writing")
        written = exporter.export(loaded.graph, output, penni=penni, quantized=made, bits=widths, half=half)
    for note in notes:
        report.note(note)
    graph = loaded.graph
    images = graph.input.op
    assert isinstance(images, Input)
    h, w, c = images.spec.shape
    decomposed = sum(isinstance(node.op, PenniConv) for node in graph)
    weights = "bases and coefficients" if written.penni and decomposed else "dense weights"
    report.say(f"{output}: {written.form}, {weights}, {written.size:,} bytes")
    report.say(
        f"It takes float images (N, {c}, {h}, {w}), normalised: (pixel / 255 - mean) / std with mean"
        f" {_list(images.mean)}, std {_list(images.std)}"
    )
    report.result(
        {
            "checkpoint": str(checkpoint),
            "output": str(output),
            "form": written.form,
            "penni": written.penni,
            "decomposed": decomposed,
            "bytes": written.size,
            "input": [c, h, w],
            "mean": list(images.mean),
            "std": list(images.std),
            "classes": graph.output.op.out_spec.shape[2] if graph.output.op.out_spec.pixels == 1 else None,
        }
    )
    return 0


def _list(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:g}" for value in values)
