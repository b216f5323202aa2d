"""`penni-hls inspect`: what a checkpoint holds."""

from __future__ import annotations

from ..ir.bits import written
from ..ir.layers import Conv, Count, Linear, PenniConv
from ..report.console import Reporter
from ..report.tables import percent, table
from .options import Checkpoint, Json

COUNTED = (Conv, PenniConv, Linear)


def inspect(checkpoint: Checkpoint, as_json: Json = False) -> int:
    """Show the form and the layers of a checkpoint: shapes, bases, non-zero parameters, multiply-accumulates (MACs).

    \b
    Examples:
      penni-hls inspect r20_penni.pt
      penni-hls inspect r20_penni.pt --json
    """
    from .. import checkpoint as reader  # some forms need torch, which takes a second

    report = Reporter(as_json)
    loaded = reader.load(checkpoint)
    graph = loaded.graph
    layers = [_layer(node) for node in graph if isinstance(node.op, COUNTED)]
    total = sum((node.op.count for node in graph), Count())
    report.say(f"{checkpoint.name}: {reader.describe(graph)}")
    report.say(f"Form: {loaded.form}")
    for note in loaded.notes:
        report.note(note)
    report.table(
        table(
            ("layer", "input", "output", "d", "dense weights", "stored", "dense MACs", "PENNI MACs"),
            (
                (row["name"], *("x".join(map(str, row[key])) for key in ("input", "output")), row["d"],
                 row["parameters_dense"], row["parameters_stored"], row["macs_dense"],
                 row["macs_basis"] + row["macs_sparse"])
                for row in layers
            ),
        )
    )  # fmt: skip
    report.say(
        f"Parameters: {total.dense_parameters:,} dense, {total.parameters:,} stored "
        f"({percent(total.parameters, total.dense_parameters)}; biases and BatchNorm included)"
    )
    report.say(
        f"MACs per image: {total.dense_macs:,} dense, {total.macs:,} PENNI ({percent(total.macs, total.dense_macs)}): "
        f"{total.read_basis_macs:,} basis + {total.sparse_macs:,} sparse"
    )
    if loaded.quantized is not None:
        made = "quantization-aware training" if loaded.quantized.trained else "quantized after training"
        report.say(f"It holds an integer network too ({made}): 'generate' takes that as it is.")
    if loaded.bits:
        report.say(f"Bits of bases/coefficients, for 'generate': {written(loaded.bits)}")
    report.result(
        {
            "checkpoint": str(checkpoint),
            "form": loaded.form,
            "integer_network": loaded.quantized is not None,
            "bits": loaded.bits and written(loaded.bits),
            "notes": list(loaded.notes),
            "network": reader.describe(graph),
            "input": list(graph.input.op.out_spec.shape),
            "classes": graph.output.op.out_spec.shape[2] if graph.output.op.out_spec.pixels == 1 else None,
            "output_shape": list(graph.output.op.out_spec.shape),
            "layers": layers,
            **_counts(total),
        }
    )
    return 0


def _layer(node) -> dict:
    return {
        "name": node.name,
        "kind": type(node.op).__name__,
        "input": list(node.op.in_specs[0].shape),
        "output": list(node.op.out_spec.shape),
        "d": node.op.basis.shape[0] if isinstance(node.op, PenniConv) else None,
        **_counts(node.op.count),
    }


def _counts(count: Count) -> dict[str, int]:
    """`macs_basis`: of the basis maps that some coefficient reads, as the accelerator computes them."""
    return {
        "parameters_dense": count.dense_parameters,
        "parameters_stored": count.parameters,
        "macs_dense": count.dense_macs,
        "macs_basis": count.read_basis_macs,
        "macs_sparse": count.sparse_macs,
    }
