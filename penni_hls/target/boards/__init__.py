"""Boards: the resources of a device and the share the accelerator may take. One TOML file per board, in this folder.

A bare part (`of_part`) is a board without a processor: there is no system around the accelerator.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import BoardError
from ..fabric import FABRICS, Fabric
from ..parts import CLOCKS, device_of
from ..resources import Resources

PROCESSORS = ("zynq7", "zynqmp")
DEFAULT = "pynq-z2"
BARE = "none"  # the processor of a bare part
# The processor's block in a block design, and how its properties are named.
PROPERTIES = {"zynq7": r"PCW_\w+|preset", "zynqmp": r"PSU_\w+"}
LUT_ERROR = 0.0125  # of an accelerator's LUTs: what their estimate may be too low by; it was by 0.5 % at most
MOST_MHZ, MOST_CELLS = 2000, 10**9
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Usable:
    """The share of each resource that the accelerator may use; the rest is for the processor's interconnect, the DMA
    engine and routing."""

    lut: float = 0.80
    ff: float = 0.85
    dsp: float = 0.97
    bram36: float = 0.97
    uram: float = 0.97


@dataclass(frozen=True)
class Board:
    """name: as given to --board. part: the vendor's part number. family: `7series` or `ultrascale+`, the kind of its
    cells. vivado_board: the name in Vivado's board files. processor: `zynq7` or `zynqmp`, the hard processor that feeds
    the accelerator, or `none`. lut .. uram: the whole device (6-input LUTs, flip-flops, DSP slices, 36-kbit block RAMs,
    UltraRAMs, which not every device has). clock_mhz: the clock the accelerator is built for. preset: properties of the
    processor's block that Vivado does not know without board files, by name: crystal and DDR."""

    name: str
    title: str
    part: str
    family: str
    vivado_board: str
    processor: str
    clock_mhz: float
    lut: int
    ff: int
    dsp: int
    bram36: int
    uram: int = 0
    usable: Usable = Usable()
    preset: tuple[tuple[str, str], ...] = ()

    @property
    def fabric(self) -> Fabric:
        """What its cells can do."""
        return dataclasses.replace(FABRICS[self.family], uram=self.uram > 0)

    @property
    def device(self) -> Resources:
        return Resources(self.lut, self.ff, self.dsp, self.bram36, self.uram)

    @property
    def plan_budget(self) -> Resources:
        """What an estimate of the accelerator may come to, so that it keeps the budget when it is synthesized."""
        return dataclasses.replace(self.budget, lut=(1 - LUT_ERROR) * self.budget.lut)

    @property
    def budget(self) -> Resources:
        """What the accelerator may use."""
        share = self.usable
        return Resources(
            self.lut * share.lut, self.ff * share.ff, self.dsp * share.dsp, self.bram36 * share.bram36,
            self.uram * share.uram,
        )  # fmt: skip


def names() -> tuple[str, ...]:
    """The boards that come with the package, in alphabetical order."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def load(name: str, usable: Mapping[str, float] | None = None) -> Board:
    """A board by its name, or by the path of a TOML file (`*.toml`). usable: shares instead of those of the board, by
    resource."""
    board = _load(name)
    return dataclasses.replace(board, usable=dataclasses.replace(board.usable, **(usable or {})))


def of_part(part: str, usable: Mapping[str, float] | None = None) -> Board:
    """A bare part as a board: its device, no processor, the clock of the boards of its family. BoardError where it is
    not known."""
    family, have = device_of(part)
    shares = dataclasses.replace(Usable(), **(usable or {}))
    return Board(
        part, f"part {part}", part, family, "", BARE, CLOCKS[family], have.lut, have.ff, have.dsp, have.bram36, have.uram,
        usable=shares,
    )  # fmt: skip


def choose(board: str, part: str | None = None, usable: Mapping[str, float] | None = None) -> Board:
    """The bare part `part` where one is given, else the board `board`, as `load` takes it."""
    return load(board, usable) if part is None else of_part(part, usable)


def _load(name: str) -> Board:
    if name.endswith(".toml"):
        return _read(Path(name))
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(names())};"
        raise BoardError(
            f"unknown board '{name}': {hint} ('penni-hls boards' lists them, or give the path of a .toml file)"
        )
    return _read(_FOLDER / f"{name}.toml")


def _read(path: Path) -> Board:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise BoardError(
            f"board file {path}: {reason}; give the path of a TOML file like those of 'penni-hls boards'"
        ) from None
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise BoardError(f"board file {path}: not valid TOML: nested too deeply") from None
    except ValueError as error:  # of TOML, or of an integer with thousands of digits
        raise BoardError(f"board file {path}: not valid TOML: {error}") from None
    usable = table.pop("usable", {})
    if not isinstance(usable, dict):
        raise BoardError(
            f"board file {path}: usable is no table; [usable] gives shares of lut, ff, dsp, bram36 and uram"
        )
    shares = _fields(path, Usable, dataclasses.asdict(Usable()) | usable, "usable.")
    preset = table.pop("preset", {})
    board = Board(name=path.stem, usable=Usable(**shares), **_fields(path, Board, {"uram": 0} | table))
    for key, known in (("processor", PROCESSORS), ("family", FABRICS)):
        if (value := getattr(board, key)) not in known:
            raise BoardError(f"board file {path}: {key} is '{value}'; known: {', '.join(known)}")
    return dataclasses.replace(board, preset=_preset(path, board.processor, preset))


def _preset(path: Path, processor: str, table: object) -> tuple[tuple[str, str], ...]:
    """The table [preset], its numbers as text."""
    if not isinstance(table, dict):
        raise BoardError(f"board file {path}: preset is no table; [preset] gives properties of the processor's block")
    for key, value in table.items():
        if not re.fullmatch(PROPERTIES[processor], key, re.ASCII):
            raise BoardError(
                f"board file {path}: preset.{key} is no property of a {processor} ({PROPERTIES[processor]})"
            )
        if not isinstance(value, (str, int, float)) or isinstance(value, bool):
            raise BoardError(f"board file {path}: preset.{key} is {repr(value)[:60]}; it must be text or a number")
    return tuple((key, str(value)) for key, value in table.items())


def _fields(path: Path, cls: type, table: dict, prefix: str = "") -> dict:
    """`table` checked against the fields of `cls`: all there, none unknown, each of its type, numbers above 0."""
    kinds = {"str": str, "int": int, "float": (int, float)}
    wanted = {
        field.name: field.type for field in dataclasses.fields(cls) if field.type in kinds and field.name != "name"
    }
    for what, keys in (("missing", wanted.keys() - table.keys()), ("not known", table.keys() - wanted.keys())):
        if keys:
            raise BoardError(f"board file {path}: {', '.join(prefix + key for key in sorted(keys))} {what}")
    for key, kind in wanted.items():
        value = table[key]
        if not isinstance(value, kinds[kind]) or isinstance(value, bool):
            raise BoardError(
                f"board file {path}: {prefix}{key} is {repr(value)[:60]}; it must be {'text' if kind == 'str' else 'a number'}"
            )
        if kind == "str":
            continue
        if key == "uram" and value == 0 and cls is Board:
            continue
        if not value > 0:
            raise BoardError(f"board file {path}: {prefix}{key} is {value}; it must be above 0")
        if key == "clock_mhz" and not 1 <= value <= MOST_MHZ:
            raise BoardError(f"board file {path}: clock_mhz is {value}; it must lie between 1 and {MOST_MHZ}")
        if value > MOST_CELLS:
            raise BoardError(f"board file {path}: {prefix}{key} is {value:g}; no device has so many")
        if cls is Usable and value > 1:
            raise BoardError(f"board file {path}: {prefix}{key} is {value}; a share lies between 0 and 1")
    return {key: table[key] for key in wanted}
