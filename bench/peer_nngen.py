"""The same network by penni-hls and, dense, by NNgen: multipliers and cycles per image, both in Verilator.

    python bench/peer_nngen.py [CHECKPOINT] [--board pynq-z2] [--work build/peer] [--json]
    python bench/peer_nngen.py r20_penni.pt --mean .485,.456,.406 --std .229,.224,.225

CHECKPOINT is a PENNI network, `examples/resnet8.pt` by default. NNgen (Apache-2.0) gets its dense equivalent as ONNX:
weights are basis x coefficients, BatchNorm is folded into them, a shortcut that pads channels is a 1x1 convolution by
the identity matrix. NNgen makes it 8 bits with its own quantizer. Its parallelism is the largest that has at most
as many multipliers as our design on the board, and the next larger one. Each is simulated with two sizes of its on-chip
RAMs: NNgen's own default, with which some splits read maps and weights again and again, and a larger one, with which
it may have far more memory than the board. NNgen is installed, in the versions below, into an environment of its own
under --work, which needs the package index once.

NNgen's cycles are from the start command to the end of one image, with weights and maps in an external memory, in the
test bench and memory model that it comes with; it begins no image before the last one is done. Ours are between images
that follow each other without a pause, all weights and maps on chip. Both count multipliers for products with weights
only: NNgen's rescalers, our requantizers and our bases, which are adder graphs, are not in.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

import penni_hls
from penni_hls import checkpoint
from penni_hls.accuracy import predict_integer
from penni_hls.backends.rtl import verilator
from penni_hls.errors import PenniError
from penni_hls.export import export
from penni_hls.ir.graph import Graph, Node, verify
from penni_hls.ir.layers import Conv, Input, Layer, PadShortcut, PenniConv
from penni_hls.passes.fold_batchnorm import fold_batchnorm
from penni_hls.passes.fused import Fused
from penni_hls.recipes.images import random_images
from penni_hls.report.console import Reporter
from penni_hls.report.tables import table

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("nngen==1.3.4", "veriloggen==2.3.0", "pyverilog==1.3.0", "onnx==1.23.2", "numpy==2.4.6")
FACTORS = (1, 2, 4, 8, 16, 32, 64)  # NNgen takes powers of two only
RAM_BITS = [1 << 12, 1 << 15]  # of a bank, at least: NNgen's own default, and eight times that
COUNT = 4  # images that our design gets
UNOPTIMIZED = " OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"  # compiling takes far longer than the simulation

Par = tuple[int, int, int, int]  # input channels, output channels, columns, rows


@dataclass(frozen=True)
class Row:
    """design: whose. parallelism: NNgen's, of k x k convolutions, and least bank of RAM. memory_kbit: on chip,
    ours as block RAMs of 36 kbit, estimated. cycles: per image; how: "simulated" or "predicted"."""

    design: str
    parallelism: str
    multipliers: int
    memory_kbit: int
    cycles: int
    how: str

    @property
    def title(self) -> str:
        return f"{self.design} {self.parallelism}".strip()

    @property
    def product(self) -> int:
        return self.multipliers * self.cycles


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, nargs="?", default=ROOT / "examples" / "resnet8.pt")
    parser.add_argument("--board", default="pynq-z2")
    parser.add_argument("--mean", type=numbers)
    parser.add_argument("--std", type=numbers)
    parser.add_argument("--images", type=Path, help=".npz of images; noise where there is none")
    parser.add_argument("--axi-bits", type=int, default=64, help="width of NNgen's memory port")
    parser.add_argument("--ram-bits", type=int, nargs="+", default=RAM_BITS, help="least bits of NNgen's RAM banks")
    parser.add_argument("--par", type=split, action="append", help="ICH,OCH,COL,ROW instead of a choice; repeatable")
    parser.add_argument("--predicted", action="store_true", help="do not simulate our design: say what is predicted")
    parser.add_argument("--work", type=Path, default=Path("build") / "peer")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = Reporter(options.json)
    try:
        rows, image = compare(options, report)
    except PenniError as error:
        sys.exit(f"error: {error}")
    shown = [(f"{r.title} ({r.how})", r.multipliers, r.memory_kbit, r.cycles, r.product) for r in rows]
    columns = ("per image", "multipliers", "kbit on chip", "cycles", "cycles x mult.")
    report.table(table(columns, shown))
    report.say(f"The class of the first image: {', '.join(f'{name} {index}' for name, index in image.items())}.")
    report.result({"rows": [{**asdict(r), "cycles_times_multipliers": r.product} for r in rows], "classes": image})
    return 0


def numbers(text: str) -> tuple[float, ...]:
    return tuple(map(float, text.split(",")))


def split(text: str) -> Par:
    ich, och, col, row = map(int, text.split(","))
    return ich, och, col, row


def compare(options: argparse.Namespace, report: Reporter) -> tuple[list[Row], dict[str, int]]:
    """A row for each design, and the class that each gives the first image."""
    work = options.work / options.checkpoint.stem
    work.mkdir(parents=True, exist_ok=True)
    with report.stages(options.checkpoint.name) as stage:
        project = penni_hls.generate(
            options.checkpoint,
            work / "project",
            board=options.board,
            copies=1,
            mean=options.mean,
            std=options.std,
            stage=stage,
        )
        images = np.load(options.images)["images"][:COUNT] if options.images else random_images(project, COUNT)
        rows = [ours(project, None if options.predicted else images, stage)]
        stage("installing NNgen")
        python = environment(options.work / "nngen")
        dense = equivalent(checkpoint.read(options.checkpoint, mean=options.mean, std=options.std))
        export(dense, work / "dense.onnx")
        pixels = dense.input.op
        assert isinstance(pixels, Input)
        first = ((images[:1] / 255 - pixels.mean) / pixels.std).transpose(0, 3, 1, 2)
        np.save(work / "image.npy", first.astype(np.float32))
        limit = rows[0].multipliers
        classes = {"penni-hls": int(predict_integer(project.graph, images[:1]).argmax())}
        for par, bits in itertools.product(options.par or choices(dense, limit), options.ram_bits):
            stage(f"NNgen {par}, RAMs of {bits} bits")
            row, found = theirs(python, work, par, pointwise(par, dense), options.axi_bits, bits)
            rows.append(row)
            classes[row.title] = found
    return rows, classes


def ours(project: penni_hls.Project, images: np.ndarray | None, stage) -> Row:  # noqa: ANN001
    schedule = project.schedule
    size = schedule.multipliers, round(36 * schedule.total.bram36)
    if images is None:
        return Row("penni-hls", "", *size, schedule.cycles_per_image, "predicted")
    found = penni_hls.simulate(project, "rtl", images, stage=stage)
    if not found.bit_exact or found.cycles_per_image is None:
        sys.exit(f"our simulation failed: {found.first_mismatch or found.problem}")
    return Row("penni-hls", "", *size, found.cycles_per_image, "simulated")


# NNgen's side.


def environment(folder: Path) -> Path:
    """The Python of a virtual environment with NNgen, made where there is none."""
    python, mark = folder / "bin" / "python", folder / "installed"
    if not mark.exists() or mark.read_text() != " ".join(PACKAGES):
        venv.create(folder, with_pip=True, clear=True)
        run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES])
        mark.write_text(" ".join(PACKAGES))
    return python.absolute()


def equivalent(graph: Graph[Layer]) -> Graph[Layer]:
    """The same network of dense convolutions, without BatchNorm: it computes the same but for float32's rounding."""

    def dense(node: Node) -> Node:
        op = node.op.linear if isinstance(node.op, Fused) else node.op
        if isinstance(op, PenniConv):
            op = Conv(op.x, op.dense, op.stride, op.pad, op.bias)
        elif isinstance(op, PadShortcut):  # NNgen pads rows and columns only
            eye = np.eye(op.channels, op.x.shape[2], -op.offset, dtype=np.float32)
            op = Conv(op.x, eye[:, :, None, None], op.stride)
        return replace(node, op=op)

    return verify(Graph(tuple(map(dense, fold_batchnorm(graph)))))


def choices(dense: Graph[Layer], limit: int) -> list[Par]:
    """The fastest of the largest splits with at most `limit` multipliers, and of the smallest ones with more."""
    taps = max(op.window.taps for op in convolutions(dense))
    splits = list(itertools.product(FACTORS, FACTORS, (1,), (1,)))
    sizes = sorted({taps * math.prod(par) for par in splits})
    wanted = [max((n for n in sizes if n <= limit), default=sizes[0])]
    wanted += [n for n in sizes if n > max(limit, wanted[0])][:1]
    return [min((p for p in splits if taps * math.prod(p) == n), key=lambda p: rounds(p, dense)) for n in wanted]


def pointwise(par: Par, dense: Graph[Layer]) -> Par:
    """The fastest split for 1x1 convolutions that takes no more multipliers than `par`: all layers share them."""
    limit = max(op.window.taps for op in convolutions(dense)) * math.prod(par)
    splits = (split for split in itertools.product(FACTORS, FACTORS, (1,), (1,)) if math.prod(split) <= limit)
    return min(splits, key=lambda split: rounds(split, dense, taps=range(1, 2)))


def rounds(par: Par, dense: Graph[Layer], taps: range = range(2, 1 << 16)) -> tuple[int, int]:
    """Cycles of the convolutions with so many taps, all multipliers of the split always fed; of two that are as fast
    the more even one counts as less."""
    ich, och, col, row = par
    total = 0
    for op in convolutions(dense):
        if op.window.taps in taps:
            h, w, c = op.out_spec.shape
            steps = ((op.x.shape[2], ich), (c, och), (w, col), (h, row))
            total += math.prod(math.ceil(size / parallel) for size, parallel in steps)
    return total, max(par)


def convolutions(dense: Graph[Layer]) -> Iterator[Conv]:
    return (node.op for node in dense if isinstance(node.op, Conv))


def theirs(python: Path, work: Path, par: Par, ones: Par, axi_bits: int, ram_bits: int) -> tuple[Row, int]:
    """Build and simulate NNgen's design; its row, and the class that it gives the image. ones: of 1x1 convolutions."""
    name = "x".join(map(str, par))
    out = work.absolute() / f"nngen-{name}-axi{axi_bits}-ram{ram_bits}"
    script = Path(__file__).with_name("nngen_verilog.py").absolute()
    files = [str((work / file).absolute()) for file in ("dense.onnx", "image.npy")]
    splits = ["--par", ",".join(map(str, par)), "--pointwise", ",".join(map(str, ones))]
    run([str(python), str(script), *files, str(out), *splits, "--axi-bits", str(axi_bits), "--ram-bits", str(ram_bits)])
    env = os.environ | verilator.environment()
    env["MAKEFLAGS"] += UNOPTIMIZED
    options = ["--binary", "--timing", "-Wno-fatal", "-Wno-lint", "-O3", "--output-split", "20000"]
    run(["verilator", *options, "--top-module", "test", "--Mdir", "obj", "design.v"], cwd=out, env=env)
    said = run([str(out / "obj" / "Vtest")], cwd=out)
    cycles, wrong = (re.search(rf"^{what}: *(\d+)$", said, re.M) for what in ("cycles", "wrong"))
    if cycles is None or wrong is None:
        sys.exit(f"NNgen's test bench did not end: {out}")
    if int(wrong[1]):
        sys.exit(f"{wrong[1]} of NNgen's results differ from its own integer model: {out}")
    found = json.loads((out / "design.json").read_text())
    row = Row(
        "NNgen",
        f"{name}, {ram_bits >> 10} kbit",
        found["multipliers"],
        found["memory_bits"] >> 10,
        int(cycles[1]),
        "simulated",
    )
    return row, int(np.argmax(found["logits"]))


def run(command: list[str], **where) -> str:  # noqa: ANN003
    """What the command printed; the benchmark exits where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, **where)
    if done.returncode:
        sys.exit(f"{' '.join(command[:3])} ...: exit {done.returncode}\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
