"""An ONNX file -> NNgen's accelerator with its test bench, as Verilog. `peer_nngen.py` runs it in NNgen's environment.

    python bench/nngen_verilog.py NETWORK.onnx IMAGE.npy OUT --par ICH,OCH,COL,ROW [--pointwise ICH,OCH,COL,ROW]

NETWORK has one input `images`, normalised float32 (1, C, H, W), and one result, (1, classes). IMAGE is such an input:
it sets NNgen's shifts, and the test bench runs it. OUT gets `design.v` (top: `test`), the memory image that it reads
and `design.json`. --par: the parallelism of k x k convolutions in input channels, output channels, columns and rows;
--pointwise: that of 1x1 convolutions and, its first two numbers, of linear layers.

--ram-bits: the least that a bank of an on-chip RAM holds, 4 kbit in NNgen's own default. Whether maps and weights stay
on chip, or are read again and again, depends on it and on the split.

The network is NNgen's own reading of the file, at 8 bits by NNgen's own quantizer. The test bench is that of NNgen's
examples: an AXI memory model with a latency, and a controller that starts the accelerator, counts cycles until it is
done and compares the results in memory with those of NNgen's integer model.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import re
from pathlib import Path

import nngen as ng
import numpy as np
import veriloggen as vg
from veriloggen import thread as vthread
from veriloggen.types import axi

CHUNK = 64  # bytes between what lies in memory
WORD = 32  # bits of a word of the memory image
MEMORY = 1 << 20  # words
PERIOD = 10  # time units of a clock cycle
MULTIPLIER = "mul_rshift_round_madd"  # the substream that holds a multiply-accumulator
RESCALER = "mul_rshift_round_clip"  # and the one that scales a sum


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--par", type=numbers, required=True)
    parser.add_argument("--pointwise", type=numbers)
    parser.add_argument("--elements", type=int, default=8, help="parallelism of additions and pooling")
    parser.add_argument("--axi-bits", type=int, default=64, help="width of the memory port")
    parser.add_argument("--ram-bits", type=int, default=1 << 12, help="the least that a bank of a RAM holds")
    parser.add_argument("--patience", type=int, default=20_000_000, help="cycles after which the bench gives up")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    image = np.load(options.image).astype(np.float64)
    images, logits, operators = quantized(options.network, image)
    set_parallelism(operators, options)
    value = np.round(image.transpose(0, 2, 3, 1) * images.scale_factor).astype(np.int64)
    expected = ng.eval([logits], images=value)[0]
    log = io.StringIO()
    with contextlib.redirect_stdout(log):
        config = {"maxi_datawidth": options.axi_bits, "min_onchip_ram_capacity": options.ram_bits}
        core = ng.to_veriloggen([logits], "nngen_core", config=config)
    os.chdir(options.out)  # the memory image is written to the working folder
    bench(core, images, logits, value, expected, options).to_verilog("design.v")
    found = {
        "multipliers": substreams(log.getvalue(), MULTIPLIER),
        "rescalers": substreams(log.getvalue(), RESCALER),
        "memory_bits": memory_bits(log.getvalue()),
        "logits": (expected / logits.scale_factor).reshape(-1).tolist(),
    }
    Path("design.json").write_text(json.dumps(found))
    Path("design.log").write_text(log.getvalue())


def numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


def quantized(path: Path, image: np.ndarray):
    """NNgen's input, result and operators of the network, at 8 bits (activations, weights, scales); biases have 32."""
    outputs, inputs, _, _, operators = ng.from_onnx(
        str(path),
        value_shapes={"images": image.shape},
        default_placeholder_dtype=ng.int8,
        default_variable_dtype=ng.int8,
        default_constant_dtype=ng.int8,
        default_operator_dtype=ng.int8,
        default_scale_dtype=ng.int8,
        default_bias_dtype=ng.int32,
    )
    for op in operators.values():
        if isinstance(op, ng.avg_pool_serial):
            op.sum_dtype = ng.int32  # the reader of ONNX leaves 8 bits, in which the hardware's sum wraps around
    step = 127 / np.abs(image).max()
    sample = np.round(image.transpose(0, 2, 3, 1) * step).astype(np.int64)
    ng.quantize(outputs, {"images": step}, input_generators={"images": lambda node, count: sample})
    distinct = list({id(op): op for op in operators.values()}.values())
    for op in distinct:
        if isinstance(op, ng.scaled_add):  # its scales may have 32 bits in the quantizer, but have 8 in the hardware
            while max(abs(op.a_scale), abs(op.b_scale)) > 127:
                op.a_scale, op.b_scale, op.shamt = round(op.a_scale / 2), round(op.b_scale / 2), op.shamt - 1
    (images,), (logits,) = inputs.values(), outputs.values()
    return images, logits, distinct


def set_parallelism(operators: list, options: argparse.Namespace) -> None:
    pointwise = options.pointwise or options.par
    for op in operators:
        if isinstance(op, ng.matmul):
            op.attribute(par_left_col=pointwise[0], par_out_col=pointwise[1])
        elif isinstance(op, ng.conv2d):
            kernel = op.args[1].shape[1:3]
            ich, och, col, row = pointwise if tuple(kernel) == (1, 1) else options.par
            op.attribute(par_ich=ich, par_och=och, par_col=col, par_row=row)
        elif isinstance(op, ng.avg_pool | ng.max_pool | ng.avg_pool_serial | ng.max_pool_serial):
            op.attribute(par=options.elements)
        elif ng.is_elementwise_operator(op):
            op.attribute(par=options.elements)


def substreams(log: str, kind: str) -> int:
    """How many of a kind NNgen says that its hardware has. All layers share them."""
    return sum(int(count) for count in re.findall(rf"^  \('{kind}', .*\): (\d+)$", log, re.M))


def memory_bits(log: str) -> int:
    """What NNgen says that its on-chip RAMs hold together."""
    rams = re.findall(r"^  (\d+)-bit (\d+)-entry .* RAM: (\d+)$", log, re.M)
    return sum(math.prod(map(int, ram)) for ram in rams)


def bench(core, images, logits, value: np.ndarray, expected: np.ndarray, options: argparse.Namespace):
    """NNgen's test bench around its accelerator, as in the examples that come with it."""
    parameters = ng.export_ndarray([logits], CHUNK)
    weights = aligned(images.addr + images.memory_size)
    check = aligned(weights + len(parameters))
    scratch = aligned(check + logits.memory_size)
    memory = np.zeros(MEMORY, np.int64)
    axi.set_memory(memory, value, WORD, 8, images.addr, images.get_word_alignment())
    axi.set_memory(memory, parameters, WORD, 8, weights)
    axi.set_memory(memory, expected, WORD, 8, check, logits.get_word_alignment())

    m = vg.Module("test")
    m.copy_params(core)
    ports = m.copy_sim_ports(core)
    clk, resetn = ports["CLK"], ports["RESETN"]
    rst = m.Wire("RST")
    rst.assign(vg.Not(resetn))
    model = axi.AxiMemoryModel(
        m, "memory", clk, rst, datawidth=options.axi_bits, memimg=memory, memimg_name="memory.hex",
        memimg_datawidth=WORD,
    )  # fmt: skip
    model.connect(ports, "maxi")
    control = vthread.AXIMLite(m, "control", clk, rst, noio=True)
    control.connect(ports, "saxi")
    clock = m.Reg("clock", 32, initval=0)
    vg.Seq(m, "clock_seq", clk, rst)(clock.inc())
    classes = logits.shape[-1]

    def controller() -> None:  # veriloggen makes a state machine of it
        for _ in range(100):
            pass
        ng.sim.set_global_addrs(control, scratch)
        begin = clock.value
        ng.sim.start(control)
        ng.sim.wait(control)
        end = clock.value
        print("cycles: %d" % (end - begin))  # noqa: UP031 - a $display
        wrong = 0
        for i in range(classes):
            found = model.read_word(i, logits.addr, 8)
            wanted = model.read_word(i, check, 8)
            if vthread.verilog.NotEql(found, wanted):
                wrong += 1
        print("wrong: %d" % wrong)  # noqa: UP031
        vthread.finish()

    vthread.Thread(m, "controller", clk, rst, controller).start()
    m.Instance(core, "uut", params=m.connect_params(core), ports=m.connect_ports(core))
    vg.simulation.setup_clock(m, clk, hperiod=PERIOD // 2)
    init = vg.simulation.setup_reset(m, resetn, m.make_reset(), period=10 * PERIOD, polarity="low")
    init.add(vg.Delay(options.patience * PERIOD), vg.Systask("finish"))
    return m


def aligned(address: int) -> int:
    return math.ceil(address / CHUNK) * CHUNK


if __name__ == "__main__":
    main()
