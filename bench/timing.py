"""Estimate the longest register-to-register paths of each operator of a project, in ns on an xc7z020-1.

    python bench/timing.py PROJECT [--only NAME] [--paths 1] [--json]

yosys synthesizes each operator and each shape of FIFO alone, and the delays below are added up along its netlist.
Nothing is placed: a net's delay is guessed from the number of its loads, so figures underestimate a full device, most of
all paths with few levels and long nets. They compare designs, and say what cannot meet a clock. An input is taken to
come straight from a flip-flop, an output to go straight into one.

A path ends in "R" or "CE" where it ends at a flip-flop's reset or enable. A loop without a register is reported, and cut.
Real placement and routing as a second witness, for another device (ECP5), compared before and after a change only:
bench/place.py.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from penni_hls import api
from penni_hls.backends.rtl import yosys
from penni_hls.errors import ToolError

# Delays in ns, speed grade -1, rounded. CLB and block RAM: the worst pins of yosys's cells_sim.v, which quotes the
# timing database of prjxray for the Artix-7 fabric of this device. DSP48E1: the same file, which has them at grade -3
# after the device's data sheet, times 1.37, the data sheet's factor between the two.
LUT = 0.12  # logic alone; pins differ by 0.5, but a router gives the late net the fast pin
MUX7, MUX8 = 0.30, 0.27
CLOCK_TO_FF, D_SETUP, CE_SETUP, R_SETUP = 0.50, 0.06, 0.20, 0.43
CLOCK_TO_SRL, CLOCK_TO_LUTRAM, LUTRAM_SETUP = 1.60, 1.20, 0.50  # SRL16E/SRLC32E; RAM32M, RAM64M and others
CARRY_IN, CARRY_OUT, CARRY_BY = 0.40, 0.25, 0.114  # S or DI -> CO; CI -> O; CI -> CO of one CARRY4
CLOCK_TO_BRAM, CLOCK_TO_BRAM_REG, BRAM_SETUP = 2.45, 0.88, 0.57
DSP_P, DSP_MREG_P, DSP_A_P = 0.45, 2.30, 4.00  # clock -> P from PREG, from MREG through the adder, from AREG or BREG
DSP_REG, DSP_M, DSP_AD, DSP_ADM, DSP_MULT_P, DSP_ADD_P = 0.45, 1.95, 1.75, 3.30, 3.75, 1.75  # setup, to the register
DSP_CONTROL = 0.60  # CE and RST
DSP_INNER = {"AREG-MREG": 1.95, "MREG-PREG": 1.95, "AREG-PREG": 3.75}  # clock to clock inside the cell
NET, NET_PER_DOUBLING = 0.60, 0.10  # a net of one load; more for each doubling of its loads
SLICE = 8  # flip-flops that share the CE and R pins of a slice
FLIP_FLOPS = {"FDRE", "FDSE", "FDCE", "FDPE"}
LUTRAMS = re.compile(r"RAM(32|64|128|256)[XM]")
CLOCKS = {"C", "CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK", "RDCLK", "WRCLK"}

Pin = tuple[str, str, int]  # (cell, port, bit)


@dataclass(frozen=True)
class Route:
    """A path from register to register: ns, levels of logic (a carry chain is one), and the registers at its ends."""

    ns: float
    levels: int
    start: str
    end: str


class Netlist:
    """The timing graph of one module: bits are nodes, with arrival times by longest path."""

    def __init__(self, module: dict[str, Any]) -> None:
        self.cells: dict[str, dict[str, Any]] = module["cells"]
        self.ports: dict[str, dict[str, Any]] = module["ports"]
        self.names = _names(module)
        self.driver: dict[int, Pin] = {}
        self.loads: dict[int, list[Pin]] = defaultdict(list)
        for name, cell in self.cells.items():
            for port, bits in cell["connections"].items():
                for index, bit in enumerate(bits):
                    if isinstance(bit, int):
                        if cell["port_directions"][port] == "input":
                            self.loads[bit].append((name, port, index))
                        else:
                            self.driver[bit] = (name, port, index)
        self.net_delay = {bit: self._net(bit) for bit in {*self.loads, *self.driver}}
        self.loops: list[str] = []

    def _net(self, bit: int) -> float:
        shared = sum(port in ("CE", "R", "S") and self._type(cell) in FLIP_FLOPS for cell, port, _ in self.loads[bit])
        count = len(self.loads[bit]) - shared + math.ceil(shared / SLICE)
        return NET + NET_PER_DOUBLING * math.log2(max(1, count))

    def _type(self, cell: str) -> str:
        return self.cells[cell]["type"]

    def wire(self, bit: int, pin: Pin) -> float:
        """Delay of the net to a pin; 0 where both ends lie in one slice or on a dedicated line."""
        source = self._type(self.driver[bit][0]) if bit in self.driver else ""
        kind, port = self._type(pin[0]), pin[1]
        if (kind == "CARRY4" and port == "CI") or (kind == "MUXF8" and port != "S") or port in ("PCIN", "ACIN", "BCIN"):
            return 0.0
        alone = len(self.loads[bit]) == 1
        if kind == "MUXF7" and port != "S" or kind == "CARRY4" and port in ("S", "DI"):
            return 0.0 if alone and (source.startswith("LUT") or source == "INV") else self.net_delay[bit]
        if (
            kind in FLIP_FLOPS
            and port == "D"
            and (source.startswith(("LUT", "MUXF", "RAM", "SRL")) or source == "CARRY4")
        ):
            return 0.0 if alone else self.net_delay[bit]
        return self.net_delay[bit]

    def arcs(self, pin: Pin) -> list[tuple[str, int, float, int]]:
        """From an input pin through its cell: (output port, bit, ns, levels)."""
        name, port, index = pin
        kind = self._type(name)
        outputs = [p for p, d in self.cells[name]["port_directions"].items() if d == "output"]
        if kind.startswith("LUT") or kind == "INV":
            return [("O", 0, LUT, 1)]
        if kind in ("MUXF7", "MUXF8"):
            return [("O", 0, MUX7 if kind == "MUXF7" else MUX8, 1)]
        if kind == "CARRY4":
            if port == "CI":
                return [("O", i, CARRY_OUT, 0) for i in range(4)] + [("CO", i, CARRY_BY, 0) for i in range(4)]
            first = 0 if port == "CYINIT" else index
            return [(p, i, CARRY_IN, 1) for p in ("O", "CO") for i in range(first, 4)]
        if LUTRAMS.match(kind) and (read := _read_port(port, outputs)):
            return [(p, i, LUT, 1) for p in read for i in range(len(self.cells[name]["connections"][p]))]
        if kind.startswith("SRL") and port.startswith("A"):
            return [("Q", 0, LUT, 1)]
        if kind == "DSP48E1" and port not in CLOCKS and self._dsp(name, port) is None:
            return [(p, i, 4.0, 1) for p in outputs for i in range(len(self.cells[name]["connections"].get(p, ())))]
        return []

    def launch(self, name: str, port: str) -> float | None:
        """Clock to an output pin; None where no clock moves it."""
        kind = self._type(name)
        if kind in FLIP_FLOPS:
            return CLOCK_TO_FF
        if kind.startswith("SRL"):
            return CLOCK_TO_SRL
        if LUTRAMS.match(kind):
            return CLOCK_TO_LUTRAM
        if kind.startswith("RAMB"):
            return (
                CLOCK_TO_BRAM_REG
                if self._set(name, f"DO{'A' if port.startswith('DOA') else 'B'}_REG")
                else CLOCK_TO_BRAM
            )
        if kind == "DSP48E1":
            return DSP_P if self._set(name, "PREG") else DSP_MREG_P if self._set(name, "MREG") else DSP_A_P
        return None

    def setup(self, pin: Pin) -> float | None:
        """What a path has to spare at an input pin; None where no register is behind it."""
        name, port, _ = pin
        kind = self._type(name)
        if port in CLOCKS:
            return None
        if kind in FLIP_FLOPS:
            return {"D": D_SETUP, "CE": CE_SETUP}.get(port, R_SETUP)
        if kind.startswith("SRL"):
            return LUTRAM_SETUP if port in ("D", "CE") else None
        if LUTRAMS.match(kind):
            return LUTRAM_SETUP if port.startswith(("D", "WE")) or re.match(r"A(\d|DDRD|$)", port) else None
        if kind.startswith("RAMB"):
            return BRAM_SETUP
        return self._dsp(name, port) if kind == "DSP48E1" else None

    def _set(self, name: str, parameter: str) -> bool:
        value = str(self.cells[name].get("parameters", {}).get(parameter, "0")).strip()
        return value == "TRUE" or "1" in value  # a word of bits, or text

    def _dsp(self, name: str, port: str) -> float | None:
        """Setup of a pin of a DSP48E1, by the registers that the cell uses."""
        has = {p: self._set(name, f"{p}REG") for p in ("A", "B", "C", "D", "AD", "M", "P")}
        if port.startswith(("CE", "RST")):
            return DSP_CONTROL
        if port in has and has[port]:
            return DSP_REG
        if port in ("A", "B", "D"):
            added = port != "B" and self._set(name, "USE_DPORT")
            if added and has["AD"]:
                return DSP_AD
            if has["M"]:
                return DSP_ADM if added else DSP_M
            return (DSP_MULT_P + added * (DSP_ADM - DSP_M)) if has["P"] else None
        return DSP_ADD_P if has["P"] else None

    def paths(self) -> list[Route]:
        """The longest path to each register's group of pins, longest first. Fills `loops`."""
        arrival: dict[int, tuple[float, int, int]] = {}  # bit -> ns, levels, bit of the register it starts at
        before: dict[int, int] = defaultdict(int)
        edges: dict[int, list[tuple[int, float, int]]] = defaultdict(list)
        for bit, pins in self.loads.items():
            for pin in pins:
                for port, index, ns, levels in self.arcs(pin):
                    bits = self.cells[pin[0]]["connections"].get(port, ())
                    if index < len(bits) and isinstance(bits[index], int):
                        edges[bit].append((bits[index], self.wire(bit, pin) + ns, levels))
                        before[bits[index]] += 1
        for port in self.ports.values():
            if port["direction"] == "input":
                arrival |= {bit: (CLOCK_TO_FF, 0, bit) for bit in port["bits"] if isinstance(bit, int)}
        for bit, (name, port, _) in self.driver.items():
            if (ns := self.launch(name, port)) is not None:
                arrival[bit] = (ns, 0, bit)
        waiting = {bit for bit in {*self.net_delay, *before} if before[bit]}
        ready = [bit for bit in {*self.net_delay, *arrival} if not before[bit]]
        while ready or waiting:
            if not ready:  # a loop: cut it where it is
                cut = min(waiting)
                self.loops.append(self._name(cut))
                ready.append(cut)
            bit = ready.pop()
            waiting.discard(bit)
            for end, ns, levels in edges[bit]:
                if bit in arrival:
                    total, depth, start = arrival[bit]
                    arrival[end] = max(arrival.get(end, (0.0, 0, 0)), (total + ns, depth + levels, start))
                before[end] -= 1
                if not before[end] and end in waiting:
                    ready.append(end)
        worst: dict[str, Route] = {}
        for bit, (ns, levels, start) in arrival.items():
            for pin in self.loads[bit]:
                if (setup := self.setup(pin)) is not None:
                    self._keep(worst, ns + self.wire(bit, pin) + setup, levels, start, self._end(pin))
        for name, port in self.ports.items():
            for bit in port["bits"]:
                if port["direction"] == "output" and bit in arrival:
                    ns, levels, start = arrival[bit]
                    self._keep(worst, ns + NET + D_SETUP, levels, start, name)
        for name, cell in self.cells.items():
            if cell["type"] == "DSP48E1":
                m, p, a = (self._set(name, f"{r}REG") for r in "MPA")
                arc = "AREG-MREG" if a and m else "MREG-PREG" if m and p else "AREG-PREG" if a and p else ""
                if arc:
                    worst[f"{name} {arc}"] = Route(DSP_INNER[arc] + DSP_P, 0, f"{name} {arc}", f"{name} {arc}")
        return sorted(worst.values(), key=lambda path: -path.ns)

    def _keep(self, worst: dict[str, Route], ns: float, levels: int, start: int, end: str) -> None:
        if end not in worst or worst[end].ns < ns:
            worst[end] = Route(round(ns, 2), levels, self._name(start), end)

    def _name(self, bit: int) -> str:
        if bit in self.names:
            return self.names[bit]
        name, port, _ = self.driver.get(bit, (f"net {bit}", "", 0))
        return self._type(name) + f" {port}" if name in self.cells else name

    def _end(self, pin: Pin) -> str:
        """A register by the name of what it holds, without the bit."""
        name, port, _ = pin
        outputs = [p for p, d in self.cells[name]["port_directions"].items() if d == "output"]
        bits = [bit for p in outputs for bit in self.cells[name]["connections"].get(p, ()) if bit in self.names]
        held = self.names[bits[0]] if bits else self._type(name)
        return held if port == "D" and self._type(name) in FLIP_FLOPS else f"{held} {port}"


def _read_port(port: str, outputs: list[str]) -> list[str]:
    """The outputs of a LUT RAM that an address pin reads."""
    if port.startswith("ADDR"):
        return [f"DO{port[4]}"] if f"DO{port[4]}" in outputs else []
    if port.startswith("DPRA"):
        return ["DPO"]
    return [p for p in ("SPO", "O") if p in outputs] if re.match(r"A\d*$", port) else []


def _names(module: dict[str, Any]) -> dict[int, str]:
    """For each bit the name of a signal that a person wrote, the shortest where there are several."""
    names: dict[int, str] = {}
    for name, net in module["netnames"].items():
        if not net.get("hide_name"):
            for bit in net["bits"]:
                if isinstance(bit, int) and (bit not in names or len(name) < len(names[bit])):
                    names[bit] = name
    return names


def measure(project: Path, only: str, count: int) -> dict[str, dict[str, Any]]:
    """By operator: its longest paths, longest first, and its loops."""
    loaded = api.load(project)
    found: dict[str, dict[str, Any]] = {}
    for name, unit in yosys.units(loaded.schedule):
        shape = dict(unit.parameters)
        label = f"fifo {shape['WIDTH']}x{shape['DEPTH']}{' block' * shape['BLOCK']}" if shape else name
        if label in found or only not in label:
            continue
        print(label, file=sys.stderr)
        netlist = Netlist(yosys.netlist(project / "rtl", unit, project / "build" / "timing"))
        found[label] = {"paths": [asdict(path) for path in netlist.paths()[:count]], "loops": netlist.loops}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("--only", default="", help="operators with this in their name")
    parser.add_argument("--paths", type=int, default=1, help="paths of each operator")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        found = measure(options.project, options.only, options.paths)
    except ToolError as error:
        sys.exit(str(error))
    if options.json:
        print(json.dumps(found, indent=1))
        return
    print("| operator | ns | levels | from | to |\n|---|---|---|---|---|")
    for name, entry in sorted(found.items(), key=lambda item: -max((p["ns"] for p in item[1]["paths"]), default=0)):
        for path in entry["paths"]:
            print(f"| {name} | {path['ns']:.2f} | {path['levels']} | {path['start']} | {path['end']} |")
        for loop in entry["loops"]:
            print(f"| {name} | - | - | loop without a register | {loop} |")


if __name__ == "__main__":
    main()
