"""Boards: the resources of a device and the share the accelerator may take. One TOML file per board, in this folder."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path

from ...errors import BoardError
from ...target.resources import Resources

PROCESSORS = ("zynq7", "zynqmp")
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Usable:
    """The share of each resource that the accelerator may use; the rest is for the DMA engine and for routing."""

    lut: float
    ff: float
    dsp: float
    bram36: float


@dataclass(frozen=True)
class Board:
    """name: as given to --board. part: the vendor's part number. vivado_board: the name in Vivado's board files.
    processor: `zynq7` or `zynqmp`, the hard processor that feeds the accelerator. lut .. bram36: the whole device
    (6-input LUTs, flip-flops, DSP slices, 36-kbit block RAMs). clock_mhz: the clock the accelerator is built for."""

    name: str
    title: str
    part: str
    vivado_board: str
    processor: str
    clock_mhz: float
    lut: int
    ff: int
    dsp: int
    bram36: int
    usable: Usable

    @property
    def device(self) -> Resources:
        return Resources(self.lut, self.ff, self.dsp, self.bram36)

    @property
    def budget(self) -> Resources:
        """What the accelerator may use."""
        share = self.usable
        return Resources(self.lut * share.lut, self.ff * share.ff, self.dsp * share.dsp, self.bram36 * share.bram36)


def names() -> tuple[str, ...]:
    """The boards that come with the package, in alphabetical order."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def load(name: str) -> Board:
    """A board by its name, or by the path of a TOML file (`*.toml`)."""
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
    except tomllib.TOMLDecodeError as error:
        raise BoardError(f"board file {path}: not valid TOML: {error}") from None
    usable = table.pop("usable", None)
    if not isinstance(usable, dict):
        raise BoardError(
            f"board file {path}: the table [usable] is missing; it gives the share of lut, ff, dsp and bram36"
        )
    board = Board(
        name=path.stem, usable=Usable(**_fields(path, Usable, usable, "usable.")), **_fields(path, Board, table)
    )
    if board.processor not in PROCESSORS:
        raise BoardError(f"board file {path}: processor is '{board.processor}'; known: {', '.join(PROCESSORS)}")
    return board


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
                f"board file {path}: {prefix}{key} is {value!r}; it must be {'text' if kind == 'str' else 'a number'}"
            )
        if kind != "str" and not value > 0:
            raise BoardError(f"board file {path}: {prefix}{key} is {value}; it must be above 0")
        if cls is Usable and value > 1:
            raise BoardError(f"board file {path}: {prefix}{key} is {value}; a share lies between 0 and 1")
    return {key: table[key] for key in wanted}
