"""stream_bench of a design that also reads memories: each is an AXI4 RAM behind the read port of its prefix."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cocotb
import stream_bench
from cocotb.clock import Clock
from cocotbext.axi import AxiRamRead, AxiReadBus


@cocotb.test()
async def memory_bench(dut) -> None:
    path = Path(os.environ["PENNI_BENCH"])
    spec = json.loads(path.read_text())
    bench = stream_bench.Bench(dut, spec, path.parent)
    for design in spec["designs"]:
        for memory in design["memories"]:
            contents = (path.parent / memory["file"]).read_bytes()
            bus = AxiReadBus.from_prefix(dut, memory["prefix"])
            ram = AxiRamRead(bus, bench.clock, bench.reset, reset_active_level=False, size=len(contents))
            ram.write(0, contents)
    bench.clock.value = 0
    Clock(bench.clock, stream_bench.PERIOD, "step").start()
    result = await bench.run()
    (path.parent / "result.json").write_text(json.dumps(result, indent=1))
