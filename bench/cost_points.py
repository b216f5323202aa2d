"""Points of bench/costs.py: operators at one folding each, what yosys says of them, and the files that hold them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path

import numpy as np

from penni_hls.ir.ops.base import Folding, Operator
from penni_hls.ir.serialize import from_npz, to_npz
from penni_hls.project.manifest import INTEGER
from penni_hls.schedule import Link
from penni_hls.target.resources import Resources

DATA = Path(__file__).resolve().parent / "data"
TABLE, NETWORKS = DATA / "costs.csv", DATA / "costs"
HELD_OUT = ("resnet18", "vgg_test", "mobilenet_test", "unet_test")  # networks that no model is fitted to
FIFO = "fifo"


@dataclass(frozen=True)
class Point:
    """folding: its choices as text. A FIFO has no operator. lut to bram36, yosys: what which version of yosys says; digest:
    of what it read, empty where it has not yet run."""

    network: str
    operator: str
    kind: str
    folding: str
    lut: float = 0
    ff: float = 0
    dsp: float = 0
    bram36: float = 0
    digest: str = ""
    yosys: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        return self.network, self.operator, self.kind, self.folding

    @property
    def held_out(self) -> bool:
        return self.network in HELD_OUT

    @property
    def measured(self) -> Resources:
        return Resources(self.lut, self.ff, self.dsp, self.bram36)

    @property
    def op(self) -> Operator:
        return operators(self.network)[self.operator]

    def estimate(self) -> Resources:
        if self.kind == FIFO:
            return link(self.folding).cost()
        return self.op.cost(folding(self.op, self.folding))


def load() -> list[Point]:
    if not TABLE.exists():
        return []
    numbers = {field.name for field in fields(Point) if field.type == "float"}
    with TABLE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [Point(**{name: float(v) if name in numbers else v for name, v in row.items()}) for row in rows]


def save(points: Iterable[Point]) -> None:
    fresh = TABLE.with_suffix(".new")
    with fresh.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Point)], lineterminator="\n")
        writer.writeheader()
        for point in sorted(points, key=lambda point: point.key):
            writer.writerow({name: f"{v:g}" if isinstance(v, float) else v for name, v in asdict(point).items()})
    fresh.replace(TABLE)


@cache
def operators(network: str) -> Mapping[str, Operator]:
    """Those that have points, by name."""
    arrays = from_npz((NETWORKS / f"{network}.npz").read_bytes())
    return INTEGER.decode(json.loads(arrays.pop("operators").tobytes()), arrays)


def store(network: str, ops: Mapping[str, Operator]) -> None:
    arrays: dict[str, np.ndarray] = {}
    text = json.dumps(INTEGER.encode(dict(ops), arrays)).encode()
    NETWORKS.mkdir(parents=True, exist_ok=True)
    (NETWORKS / f"{network}.npz").write_bytes(to_npz({"operators": np.frombuffer(text, np.uint8), **arrays}))


def written(choices: Mapping[str, object]) -> str:
    return " ".join(f"{name}={value}" for name, value in choices.items())


def _read(text: str) -> dict[str, str]:
    return dict(item.split("=") for item in text.split())


def folding(op: Operator, text: str) -> Folding:
    plain = op.folding()
    return replace(plain, **{name: type(getattr(plain, name))(value) for name, value in _read(text).items()})


def link(text: str) -> Link:
    """A FIFO, as `link_text` wrote it."""
    choices = _read(text)
    depth = int(choices["depth"])
    return Link("", "", 0, depth, int(choices["width"]), choices["memory"], depth)  # type: ignore[arg-type]


def link_text(link: Link) -> str:
    return written({"width": link.width, "depth": link.depth, "memory": link.memory})
