"""Operators synthesized one by one: what their cost models are fitted to and tested with.

    python bench/costs.py [--only REGEX]       # synthesize every point whose RTL is not that of the last time
    python bench/costs.py --errors             # what the models are wrong by, by network and by kind
    python bench/costs.py --fit                # the constants of the models, by least squares; put them in their files
    python bench/costs.py --networks           # draw the points of random networks, see cost_networks
    python bench/costs.py --add NAME PROJECT   # those of a network that `penni-hls generate` made a project of

A *point* is an operator of a network at one folding, or a FIFO. Points stand in data/costs.csv with what yosys says and a
digest of all that it read; their operators in data/costs/NETWORK.npz, so that they stay the same whatever becomes of the
quantizer. Of each kind of operator of a network some are drawn, by turns as the scheduler built them and at any folding
that they offer. A point takes 10 to 20 s of a core; a run that is stopped goes on where it was.

The projects are those of examples/resnet8.pt (resnet8), examples/resnet18.penni (resnet18), and of random weights in the
shape of ResNet-20 (`make_network.py --arch resnet20 -d 5 --sparsity 0.85`, --bits 8/8: resnet20), each for the default
board. Some of the points that were drawn were left out to save time. Models are fitted to networks that are not
`cost_points.HELD_OUT`; tests/bench/test_costs.py asks that they hold for those that are.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import tempfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import cost_networks
import numpy as np
from cost_points import FIFO, Point, folding, link, link_text, load, operators, save, store, written
from rich.progress import Progress
from scipy.optimize import lsq_linear

from penni_hls.backends.rtl.emit import emit_instance, hand_written, instance_module
from penni_hls.backends.rtl.yosys import Unit, synthesis_script, synthesize, version
from penni_hls.errors import ToolError
from penni_hls.ir.graph import Graph, Node
from penni_hls.ir.ops import basis_conv, depthwise_conv, mac_cost, row_cost
from penni_hls.ir.ops.base import Folding, Operator
from penni_hls.project import read
from penni_hls.schedule import Link
from penni_hls.schedule import link as link_cost
from penni_hls.target.fabric import SERIES7
from penni_hls.target.memory import BLOCK, ram_style

PER_KIND = {"sparse_mac": 6, "basis_conv": 4, "depthwise_conv": 3, FIFO: 2}  # points of a network; of other kinds 1
LARGEST = 3000  # LUTs, as estimated, of a folding that is drawn
MODELS = (link_cost, row_cost, basis_conv, mac_cost, depthwise_conv)  # modules with fitted constants
LEAST = 100  # LUTs or flip-flops: errors of what is smaller are counted as if it were so large
HOLD = 0.02  # how strongly a constant is held where it is: one that no point tells anything of stays


# ---- points to be synthesized ------------------------------------------------------------------------------------------


def sample(name: str, graph: Graph, foldings: Mapping[str, Folding], links: Iterable[Link]) -> list[Point]:
    """PER_KIND operators of the network, by turns at these foldings and at any others that they offer. Their operators are
    stored."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    by_kind: dict[str, list[Node]] = {}
    for node in graph.nodes[1:]:
        by_kind.setdefault(node.op.kind, []).append(node)
    found, kept = [], {}
    for kind, nodes in by_kind.items():
        for index in range(PER_KIND.get(kind, 1)):
            node = nodes[rng.integers(len(nodes))]
            chosen = foldings[node.name]
            if index % 2 and (others := _others(node.op, rng)):
                chosen = others[rng.integers(len(others))]
            found.append(Point(name, node.name, kind, written(chosen.choices())))
            kept[node.name] = node.op
    fifos = sorted({link_text(link) for link in links})
    found += [Point(name, "", FIFO, fifos[index]) for index in rng.permutation(len(fifos))[: PER_KIND[FIFO]]]
    store(name, kept)
    return list({point.key: point for point in found}.values())


def _others(op: Operator, rng: np.random.Generator) -> list[Folding]:
    """Those that the operator offers with one way to multiply, which is drawn first: most offers are of one way."""
    groups: dict[object, list[Folding]] = {}
    for offer in op.foldings(SERIES7):
        if op.cost(offer).lut <= LARGEST:
            way = offer.choices()
            groups.setdefault((way.get("multiplier"), way.get("multipliers")), []).append(offer)
    ways = list(groups.values())
    return ways[rng.integers(len(ways))] if ways else []


def from_project(name: str, folder: Path) -> list[Point]:
    schedule = read(folder).schedule
    return sample(name, schedule.graph, schedule.foldings, schedule.links)


def from_random(name: str, make: Callable[[], Graph]) -> list[Point]:
    """Pixels of a group and the sizes of FIFOs are drawn, too."""
    graph, rng = make(), np.random.default_rng(zlib.crc32(name.encode()))
    foldings = {node.name: node.op.folding(int(rng.choice((1, 2, 4, 8)))) for node in graph}
    depths, widths = rng.integers(1, 24, 4) * 32, rng.integers(4, 20, 4)
    sizes = ((int(depth), int(width)) for depth, width in zip(depths, widths))
    links = [Link("", "", 0, depth, width, ram_style(depth, width), depth) for depth, width in sizes]
    return sample(name, graph, foldings, links)


# ---- synthesis ---------------------------------------------------------------------------------------------------------


def unit(point: Point) -> tuple[Unit, dict[str, str]]:
    """What yosys is to synthesize, and the files it needs, by their paths in a project: of the hand-written modules, those
    that are used."""
    if point.kind == FIFO:
        fifo = link(point.folding)
        sizes = (("WIDTH", fifo.width), ("DEPTH", fifo.depth), ("BLOCK", int(fifo.memory == BLOCK)))
        return Unit("penni_fifo", sizes), _used(["penni_fifo"])
    node = Node(point.operator, point.op, ("x",) * len(point.op.in_specs))
    own = emit_instance(node, folding(point.op, point.folding))
    return Unit(instance_module(point.operator)), own | _used(
        text for path, text in own.items() if path.endswith(".sv")
    )


@cache
def _library() -> Mapping[str, str]:
    return hand_written()


def _used(texts: Iterable[str]) -> dict[str, str]:
    """The hand-written modules that are named in these, and in those, and so on."""
    found: dict[str, str] = {}
    todo = list(texts)
    while todo:
        for name in re.findall(r"\bpenni_\w+", todo.pop()):
            path = f"rtl/{name}.sv"
            if path in _library() and path not in found:
                found[path] = _library()[path]
                todo.append(found[path])
    return found


def digest(point: Point) -> str:
    wanted, files = unit(point)
    read_by_yosys = [synthesis_script(wanted, []), sorted(files.items())]
    return hashlib.sha256(json.dumps(read_by_yosys).encode()).hexdigest()[:16]


def measure(point: Point) -> Point:
    """The point with what yosys says now."""
    wanted, files = unit(point)
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        found = synthesize(Path(folder, "rtl"), [wanted], Path(folder, "cache"))[wanted]
    counts = {name: getattr(found, name) for name in ("lut", "ff", "dsp", "bram36")}
    return replace(point, **counts, digest=digest(point), yosys=version())


def run(points: list[Point], jobs: int, only: re.Pattern) -> None:
    """Synthesize the stale ones in an order by chance, so that a part of them is of all kinds, and save each as it comes."""
    stale = [point for point in points if only.search(" ".join(point.key)) and point.digest != digest(point)]
    stale.sort(key=lambda point: zlib.crc32("".join(point.key).encode()))
    known = {point.key: point for point in points}
    with Progress() as bar, ThreadPoolExecutor(jobs) as pool:
        task = bar.add_task("synthesis", total=len(stale))
        futures = {pool.submit(measure, point): point for point in stale}
        try:
            for future in as_completed(futures):
                try:
                    known[futures[future].key] = future.result()
                except ToolError as error:
                    bar.console.print(f"{' '.join(futures[future].key)}: {error}")
                save(known.values())
                bar.advance(task)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


# ---- models against yosys ----------------------------------------------------------------------------------------------


def errors(points: Iterable[Point]) -> None:
    """Print LUTs, the error of their sum, the mean and the largest of a point (of 100 LUTs or more), the same for
    flip-flops, and how many points have other DSPs or block RAMs."""
    done = [(point, point.estimate()) for point in points if point.digest]
    groups: dict[tuple[str, str], list] = {}
    for point, found in done:
        groups.setdefault(("network", point.network), []).append((point, found))
        groups.setdefault((f"kind, {'held out' if point.held_out else 'fitted'}", point.kind), []).append(
            (point, found)
        )
    title = ""
    for (group, name), rows in sorted(groups.items()):
        if group != title:
            title = group
            print(f"\n| {title} | points | LUT | sum | mean | worst | FF | sum | DSP, RAM wrong |\n{'|---' * 9}|")
        lut = np.array([(point.lut, found.lut) for point, found in rows])
        ff = np.array([(point.ff, found.ff) for point, found in rows]).sum(0)
        off = np.abs(lut[:, 1] - lut[:, 0]) / lut[:, 0].clip(LEAST)
        wrong = sum((point.dsp, point.bram36) != (found.dsp, found.bram36) for point, found in rows)
        total, said = lut.sum(0)
        print(
            f"| {name} | {len(rows)} | {total:.0f} | {said / total - 1:+.1%} | {off.mean():.1%} | {off.max():.0%}"
            f" | {ff[0]:.0f} | {ff[1] / max(1, ff[0]) - 1:+.1%} | {wrong} |"
        )


def fit(points: Iterable[Point]) -> None:
    """Print the constants of MODELS that make the sum of squares of relative errors least, over points not held out.

    Estimates are linear in all constants, so the effect of each is found by adding one to it.
    """
    points = [point for point in points if point.digest and not point.held_out]
    found = np.array([(point.lut, point.ff) for point in points]).T.ravel()
    start = _estimates(points)
    columns, names, values = [], [], []
    for module in MODELS:
        held = module.FITTED
        for name in (field.name for field in fields(held)):
            module.FITTED = replace(held, **{name: getattr(held, name) + 1})  # type: ignore[misc]
            effect = _estimates(points) - start
            if effect.any():
                columns.append(effect)
                names.append(f"{module.__name__.removeprefix('penni_hls.')}: {name}")
                values.append(getattr(held, name))
        module.FITTED = held  # type: ignore[misc]
    effects, before = np.array(columns).T, np.array(values)
    weights = 1 / found.clip(LEAST)
    hold = HOLD / before.clip(0.1)
    matrix = np.vstack([effects * weights[:, None], np.diag(hold)])
    target = np.concatenate([(found - start + effects @ before) * weights, hold * before])
    for name, value, old in zip(names, lsq_linear(matrix, target, bounds=(0, np.inf)).x, before):
        print(f"{name} = {value:.3g}  # was {old:g}")


def _estimates(points: Iterable[Point]) -> np.ndarray:
    """LUTs of all, then flip-flops of all, at the constants of now."""
    operators.cache_clear()  # operators keep what parts of them cost
    found = [point.estimate() for point in points]
    return np.array([(cost.lut, cost.ff) for cost in found]).T.ravel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2, choices=(1, 2))
    for name in ("--networks", "--errors", "--fit"):
        parser.add_argument(name, action="store_true")
    parser.add_argument("--add", nargs=2, metavar=("NAME", "PROJECT"))
    parser.add_argument(
        "--only", default="", help="a regular expression: points whose network, kind or folding it finds"
    )
    options = parser.parse_args()
    points = load()
    if options.errors or options.fit:
        return (errors if options.errors else fit)(points)
    drawn: list[Point] = []
    if options.networks:
        for name, make in cost_networks.NETWORKS.items():
            drawn += from_random(name, make)
    if options.add:
        drawn += from_project(options.add[0], Path(options.add[1]))
    if not drawn:
        return run(points, options.jobs, re.compile(options.only))
    known, networks = {point.key: point for point in points}, {point.network for point in drawn}
    others = [point for point in points if point.network not in networks]
    return save([*others, *(known.get(point.key, point) for point in drawn)])


if __name__ == "__main__":
    main()
