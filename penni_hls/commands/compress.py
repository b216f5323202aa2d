"""`penni-hls compress`: a dense network -> a PENNI network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from ..report.console import Reporter
from ..report.tables import percent, table
from .training import Decay, Rate, TrainingOptions, change, watched, with_training_options

if TYPE_CHECKING:
    from ..ir.layers import Count, LayerCount
    from ..recipes.runs import Outcome

THRESHOLD = 1.0  # of --prune where no target is given
QAT_EPOCHS = 4


@with_training_options
def compress(
    options: TrainingOptions,
    weights: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="The dense network's weights, or a compressed one's, to prune further.",
            show_default=False,
        ),
    ],
    bases: Annotated[
        list[str],
        typer.Option("-d", "--bases", metavar="D", help="Bases per layer: 5, a share of energy 0.95, LAYER=3,…"),
    ] = ["5"],  # noqa: B006 (typer copies it)
    epochs: Annotated[
        int, typer.Option(min=0, help="Alternating-training epochs: coefficients, bases, coefficients, …")
    ] = 8,
    every: Annotated[
        int, typer.Option(min=1, help="Epochs before training switches between coefficients and bases.")
    ] = 1,
    l1: Annotated[float, typer.Option("--l1", min=0, help="Weight of the sum of |coefficients| in the loss.")] = 1e-4,
    prune: Annotated[
        float | None,
        typer.Option(
            min=0, help=f"Prune what is below S x its layer's standard deviation. {THRESHOLD} without a target."
        ),
    ] = None,
    parameters: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Target: 0.2 keeps a fifth of the parameters.")
    ] = None,
    macs: Annotated[float | None, typer.Option(metavar="SHARE", help="Target: the same for MACs.")] = None,
    finetune: Annotated[int, typer.Option(min=0, help="Fine-tuning epochs; pruned weights stay zero.")] = 6,
    gradual: Annotated[int, typer.Option(min=1, help="Prune in steps over the first N of them.")] = 1,
    score: Annotated[
        str, typer.Option(metavar="fisher|magnitude", help="Importance score for the targets.")
    ] = "fisher",
    distill: Annotated[bool, typer.Option(help="Knowledge distillation from the dense network.")] = False,
    qat: Annotated[bool, typer.Option("--qat", help="Train the integer network too; needs -o FILE.penni.")] = False,
    coef_bits: Annotated[
        str | None, typer.Option(metavar="8|4|ternary", help="Width of coefficients with --qat; 8 by default.")
    ] = None,
    qat_epochs: Annotated[int | None, typer.Option(min=0, help="Epochs of --qat; 4 by default.")] = None,
    shrink: Annotated[bool, typer.Option(help="Remove channels that nothing reads or writes.")] = True,
    lr: Rate = 0.05,
    weight_decay: Decay = 1e-4,
) -> int:
    """Compress a network by PENNI: decompose, alternate, prune, fine-tune, shrink. After an interrupt it resumes.

    \b
    Examples:
      penni-hls compress --arch resnet18 --weights dense.pt --data DIR -d 5 --l1 1e-4 --prune 1.0 \\
          --epochs 8 --finetune 6 -o r18.pt
      penni-hls compress --arch resnet8 --weights dense.pt --data DIR --parameters 0.2 --macs 0.25 \\
          --finetune 24 --gradual 8 --half -o resnet8.pt
      penni-hls compress --arch resnet20 --weights dense.th --data DIR -d 5 -d layer1.0.conv1=3,layer3.2.conv2=4 \\
          --mean .485,.456,.406 --std .229,.224,.225 -o r20.pt
      penni-hls compress --arch resnet8 --weights dense.pt --data DIR --macs 0.25 --qat --coef-bits 4 -o r8.penni
      penni-hls compress --arch resnet20 --weights r20.pt --data DIR --epochs 0 --parameters 0.8 -o r20_smaller.pt
      torchrun --nproc-per-node 4 -m penni_hls compress --arch resnet18 --weights dense.pt --data DIR -o r18.pt
    """
    if prune is not None and (parameters is not None or macs is not None):
        raise UsageError("--prune and the targets --parameters, --macs exclude each other; give one or the other")
    bits = coefficient_bits(coef_bits)
    if not qat and (coef_bits is not None or qat_epochs is not None):
        raise UsageError(
            "--coef-bits and --qat-epochs go with --qat; add --qat, or round without training: 'generate --coef-bits'"
        )
    from ..compression.pipeline import CompressConfig
    from ..qat.train import QatConfig
    from ..recipes.runs import compress_network
    from ..training.train import TrainConfig

    report, run, output = Reporter(options.as_json), options.run(), options.output
    config = CompressConfig(
        epochs=epochs, every=every, l1=l1, parameters=parameters, macs=macs, finetune=finetune, gradual=gradual,
        prune=THRESHOLD if prune is None and parameters is None and macs is None else prune,
        score=score, distill=distill, shrink=shrink,
        train=TrainConfig(epochs=0, lr=lr, weight_decay=weight_decay, bf16=options.bf16),
    )  # fmt: skip
    integers = QatConfig(coef_bits=bits, epochs=QAT_EPOCHS if qat_epochs is None else qat_epochs) if qat else None
    with watched(report, run) as watch:
        made = compress_network(run, weights, bases, config, watch, integers)
    if made is None:
        return 0
    stages = {"alternate": epochs, "finetune": finetune, "qat": integers.epochs if integers else 0}
    files = [run.directory / f"{stage}.jsonl" for stage, some in stages.items() if some]
    summarise(report, made)
    report.say(f"Written: {output}" + (f"; metrics, one line per epoch: {', '.join(map(str, files))}" if files else ""))
    report.say(f"Next: penni-hls generate {output} --board pynq-z2 -o build/{output.stem}{options.normalisation()}")
    assert made.before and made.accuracy_before is not None
    report.result(
        {
            "output": str(output),
            "arch": options.arch,
            "before": _figures(made.accuracy_before, made.before),
            "after": _figures(made.accuracy, made.after),
            "integer": {"accuracy": made.accuracy_integer, "coef_bits": bits} if qat else None,
            "layers": [_layer(layer) for layer in made.after.layers],
            "epochs": len(made.metrics),
            "metrics": [str(file) for file in files],
        }
    )
    return 0


def coefficient_bits(text: str | None) -> int:
    """`8`, `4`, `ternary` (two bits) or any width from 2 on; 8 where not given."""
    if text is None or text == "ternary" or (text.isdecimal() and 2 <= int(text) <= 8):
        return int({None: "8", "ternary": "2"}.get(text, text or ""))
    raise UsageError(f"--coef-bits {text}: give 8, 4 or ternary (any width from 2 to 8 does)")


def summarise(report: Reporter, made: Outcome) -> None:
    before, after = made.before, made.after
    assert before and made.accuracy_before is not None
    columns = ("layer", "channels", "kernel", "d", "non-zero", "of dense", "maps read", "MACs")
    layers = (
        (layer.name, f"{layer.inputs}->{layer.outputs}", "x".join(map(str, layer.kernel)), layer.bases or None, layer.nonzero,
         percent(layer.nonzero, layer.dense), f"{layer.read_maps:,}/{layer.all_maps:,}" if layer.bases else None,
         layer.paper_macs)
        for layer in after.layers
    )  # fmt: skip
    report.table(table(columns, layers))
    rows = [
        (name, old, new, change(old, new))
        for name, old, new in (
            ("parameters, paper's convention", before.paper_parameters, after.paper_parameters),
            ("parameters with biases and BatchNorm", before.parameters, after.parameters),
            ("MACs, paper's convention", before.paper_macs, after.paper_macs),
            ("MACs, only basis maps that are read", before.macs, after.macs),
            ("bytes at 8 bits, with indices", -(-before.bits() // 8), -(-after.bits() // 8)),
        )
    ]
    scores = [("top-1, %", made.accuracy)]
    if made.accuracy_integer is not None:
        scores.append(("top-1 of the integer network, %", made.accuracy_integer))
    first = [
        (name, f"{made.accuracy_before:.2f}", f"{score:.2f}", f"{score - made.accuracy_before:+.2f}")
        for name, score in scores
    ]
    start = "compressed" if any(layer.bases for layer in before.layers) else "dense"
    report.table(table(("", start, "now" if start == "compressed" else "compressed", "change"), [*first, *rows]))


def _figures(accuracy: float, count: Count) -> dict[str, float]:
    return {
        "accuracy": accuracy,
        "parameters_paper": count.paper_parameters,
        "parameters": count.parameters,
        "macs_paper": count.paper_macs,
        "macs": count.macs,
        "bits": count.bits(),
    }


def _layer(layer: LayerCount) -> dict:
    return {
        "name": layer.name,
        "inputs": layer.inputs,
        "outputs": layer.outputs,
        "d": layer.bases or None,
        "nonzero": layer.nonzero,
        "stored": layer.stored,
        "maps_read": layer.read_maps,
        "maps": layer.all_maps,
        "macs_paper": layer.paper_macs,
        "macs": layer.macs,
    }
