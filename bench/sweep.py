"""Cycles and resources over sparsity, bases per layer and bits, as the scheduler estimates them for a board.

    python bench/sweep.py [--board pynq-z2] [--arch resnet20 resnet18] [--work build/sweep] [--figures docs/figures]
    python bench/sweep.py --only sparsity --sparsity 0.9 0.98 --arch resnet20

Three sweeps, in each of which one thing varies and the rest is as in CENTRE: the share of coefficients that are zero,
d, and the bits of bases and of coefficients. The networks have the shapes of their architectures, random weights and
thus random positions of the zeros (see make_network.py); of an architecture in TRAINED the trained network is one point
more. Nothing is simulated or synthesized. Results go to WORK/sweep.json and sweep.csv after each point, figures to
--figures. --resume takes the points that sweep.json has; --plot only draws them. Figures need matplotlib:
pip install -e '.[bench]' -c constraints.txt
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from make_network import random_network

import penni_hls
from penni_hls import checkpoint
from penni_hls.compression.decompose import decompose
from penni_hls.compression.prune import sparse_matrices
from penni_hls.data import CIFAR10_MEAN, CIFAR10_STD
from penni_hls.errors import PenniError
from penni_hls.files import replace_file
from penni_hls.recipes.storage import store
from penni_hls.zoo.models import ARCHITECTURES, build

ROOT = Path(__file__).resolve().parents[1]
TRAINED = {"resnet18": ROOT / "examples" / "resnet18.penni"}
SWEEPS = ("sparsity", "d", "bits")
RESOURCES = ("lut", "dsp", "bram36")


@dataclass(frozen=True)
class Point:
    """What is asked for. sparsity: the share of coefficients and 1x1 weights that are zero. trained: not random."""

    arch: str
    board: str
    sparsity: float = 0.95
    d: int = 5
    basis_bits: int = 8
    coef_bits: int = 8
    trained: bool = False


CENTRE = Point("", "")


@dataclass(frozen=True)
class Result:
    """What the scheduler says. fits: of the whole device every resource suffices."""

    point: Point
    cycles: int
    lut: float
    ff: float
    dsp: float
    bram36: float
    uram: float
    multipliers: int
    fits: bool

    def flat(self) -> dict[str, object]:
        return {**asdict(self.point), **{f.name: getattr(self, f.name) for f in fields(self) if f.name != "point"}}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", default="pynq-z2")
    parser.add_argument("--arch", nargs="+", choices=ARCHITECTURES, default=["resnet20", "resnet18"])
    parser.add_argument("--only", nargs="+", choices=SWEEPS, default=list(SWEEPS))
    parser.add_argument("--sparsity", type=float, nargs="+", default=[0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99])
    parser.add_argument("-d", type=int, nargs="+", default=list(range(2, 10)))
    parser.add_argument("--bits", type=int, nargs="+", default=[2, 3, 4, 6, 8])
    parser.add_argument("--work", type=Path, default=Path("build") / "sweep")
    parser.add_argument("--figures", type=Path, default=ROOT / "docs" / "figures")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--plot", action="store_true", help="measure nothing")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    found = load(options.work / "sweep.json") if options.resume or options.plot else {}
    wanted = list(dict.fromkeys(point for arch in options.arch for point in points(arch, options)))
    for number, point in enumerate(wanted, start=1):
        if point in found or options.plot:
            continue
        try:
            found[point] = estimate(point, options.work)
        except PenniError as error:
            sys.exit(f"error: {point}: {error}")
        save(found, options.work)
        print(f"{number}/{len(wanted)}", *(f"{k} {v}" for k, v in found[point].flat().items()), flush=True)
    from sweep_plots import draw  # matplotlib is no dependency of the sweep itself

    draw({point: found[point] for point in wanted if point in found}, CENTRE, options.figures)
    return 0


def points(arch: str, options: argparse.Namespace) -> Iterator[Point]:
    centre = replace(CENTRE, arch=arch, board=options.board)
    if "sparsity" in options.only:
        yield from (replace(centre, sparsity=share) for share in options.sparsity)
        if arch in TRAINED:
            yield replace(centre, sparsity=zero_share(arch, centre.d), trained=True)
    if "d" in options.only:
        yield from (replace(centre, d=d) for d in options.d)
    if "bits" in options.only:
        yield from (replace(centre, basis_bits=bits) for bits in options.bits)
        yield from (replace(centre, coef_bits=bits) for bits in options.bits)


def zero_share(arch: str, d: int) -> float:
    """Of the trained network: of the coefficients and 1x1 weights that the architecture has at `d` bases per layer."""
    of = sum(matrix.numel() for matrix in sparse_matrices(decompose(build(arch), d)).values())
    layers = [node.op.count.layers[0] for node in checkpoint.read(TRAINED[arch]) if node.op.count.layers]
    sparse = [layer.nonzero for layer in layers if layer.bases or (layer.taps == 1 and layer.pixels > 1)]
    return round(1 - sum(sparse) / of, 4)


def estimate(point: Point, work: Path) -> Result:
    """Generate the project of the point's network, and take the estimate from its schedule."""
    file, bits = work / "network.penni", {"basis_bits": point.basis_bits, "coef_bits": point.coef_bits}
    if point.trained:
        file, bits = TRAINED[point.arch], {}
    else:
        store(file, random_network(point.arch, point.d, point.sparsity, seed=0)[0], CIFAR10_MEAN, CIFAR10_STD)
    schedule = penni_hls.generate(file, work / "project", board=point.board, copies=1, **bits).schedule
    total = {name: round(float(value), 1) for name, value in schedule.total.as_dict().items()}
    return Result(
        point, schedule.cycles_per_image, **total, multipliers=schedule.multipliers, fits=not schedule.shortfalls
    )


def save(found: dict[Point, Result], work: Path) -> None:
    rows = [result.flat() for result in found.values()]
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    replace_file(work / "sweep.json", (json.dumps(rows, indent=1) + "\n").encode())
    replace_file(work / "sweep.csv", table.getvalue().encode())


def load(path: Path) -> dict[Point, Result]:
    names = {field.name for field in fields(Point)}
    results = []
    for row in json.loads(path.read_text()) if path.exists() else []:
        point = Point(**{name: row.pop(name) for name in names})
        results.append(Result(point, **row))
    return {result.point: result for result in results}


if __name__ == "__main__":
    sys.exit(main())
