"""cocotb tests of penni_accelerator: the shell's three ports from outside, by the models of cocotbext-axi.

SHELL_BENCH names a folder with images.npy (N, bytes) uint8, results.npy (N, words) int32 and design.json.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import random
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge, with_timeout
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiRamRead,
    AxiReadBus,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

FOLDER = Path(os.environ["SHELL_BENCH"])
DESIGN = json.loads((FOLDER / "design.json").read_text())
IMAGES = np.load(FOLDER / "images.npy")
RESULTS = np.load(FOLDER / "results.npy")
CUTS, BROKEN = DESIGN["cuts"], RESULTS[len(IMAGES) :]
PERIOD = 10
REGISTERS = {register["name"]: register for register in DESIGN["registers"]}


def coin(rng: random.Random, chance: float):
    while True:
        yield rng.random() < chance


class Bench:
    """The accelerator with a sender, a receiver and a processor."""

    def __init__(self, dut) -> None:
        self.dut = dut
        logging.getLogger("cocotb").setLevel(logging.WARNING)
        low = {"reset": dut.ap_rst_n, "reset_active_level": False}
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.ap_clk, **low)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.ap_clk, **low)
        self.control = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi_control"), dut.ap_clk, **low)
        self.memories = [self._memory(**memory, **low) for memory in DESIGN["memories"]]
        self.clock = Clock(dut.ap_clk, PERIOD, "step")

    def _memory(self, prefix: str, contents: list[int], **low) -> AxiRamRead:
        ram = AxiRamRead(AxiReadBus.from_prefix(self.dut, prefix), self.dut.ap_clk, **low, size=len(contents))
        ram.write(0, bytes(contents))
        return ram

    async def start(self) -> Bench:
        self.clock.start()
        self.dut.ap_rst_n.value = 0
        await self.cycles(5)
        self.dut.ap_rst_n.value = 1
        await self.cycles(3)
        return self

    async def cycles(self, count: int) -> None:
        for _ in range(count):
            await RisingEdge(self.dut.ap_clk)

    def stall(self, seed: int, source: float = 0.3, sink: float = 0.3) -> None:
        rng = random.Random(seed)
        self.source.set_pause_generator(coin(rng, source) if source else None)
        self.sink.set_pause_generator(coin(rng, sink) if sink else None)

    def smooth(self) -> None:
        self.source.clear_pause_generator()
        self.sink.clear_pause_generator()
        self.source.pause = self.sink.pause = False

    # ---- packets ---------------------------------------------------------------------------------------------------

    async def send(self, first: int, count: int) -> None:
        """A packet of images."""
        await self.source.send(AxiStreamFrame(IMAGES[first : first + count].tobytes()))

    async def receive(self) -> np.ndarray:
        """The next packet, int32 (images, words)."""
        frame = await with_timeout(self.sink.recv(), 200_000 * PERIOD, "step")
        return np.frombuffer(bytes(frame.tdata), "<i4").reshape(-1, RESULTS.shape[1])

    async def expect(self, first: int, count: int) -> None:
        """The next packet has the results of these images."""
        got = await self.receive()
        assert np.array_equal(got, RESULTS[first : first + count]), f"images {first} to {first + count - 1}: {got}"

    # ---- registers -------------------------------------------------------------------------------------------------

    async def word(self, offset: int) -> int:
        data = await with_timeout(self.control.read(offset, 4), 1000 * PERIOD, "step")
        assert data.resp == 0
        return int.from_bytes(data.data, "little")

    async def put(self, offset: int, value: int, size: int = 4) -> None:
        answer = await with_timeout(self.control.write(offset, value.to_bytes(size, "little")), 1000 * PERIOD, "step")
        assert answer.resp == 0

    async def read(self, name: str) -> int:
        """A register; of a counter, all of it."""
        register = REGISTERS[name]
        words = [await self.word(register["offset"] + 4 * index) for index in range(register["words"])]
        return sum(word << 32 * index for index, word in enumerate(words))

    async def field(self, name: str, field: str) -> int:
        place = REGISTERS[name]["fields"][field]
        return (await self.read(name)) >> place["lsb"] & ((1 << place["bits"]) - 1)

    async def until(self, name: str, field: str) -> None:
        for _ in range(2000):
            if await self.field(name, field):
                return
        raise AssertionError(f"{name}.{field} stays 0")

    def bit(self, name: str, field: str) -> int:
        return 1 << REGISTERS[name]["fields"][field]["lsb"]

    async def write(self, name: str, value: int) -> None:
        await self.put(REGISTERS[name]["offset"], value)


async def begin(dut) -> Bench:
    return await Bench(dut).start()


@cocotb.test()
async def every_register_is_at_its_place(dut) -> None:
    bench = await begin(dut)
    offsets = {r["offset"] + 4 * i: (r, i) for r in REGISTERS.values() for i in range(r["words"])}
    for offset in range(0, 0x400, 4):
        register, index = offsets.get(offset, (None, 0))
        before = await bench.word(offset)
        if register is None:
            assert before == 0, hex(offset)
        elif register["access"] == "constant":
            assert before == DESIGN["constants"][register["name"]][index], register["name"]
        elif register["name"] not in ("CYCLES",):
            assert before == 0, register["name"]
        if register is None or register["access"] in ("constant", "read"):
            await bench.put(offset, 0xFFFFFFFF)
            assert await bench.word(offset) == before, hex(offset)
    for offset in range(0x400 + 8 * DESIGN["operators"], 0x1000, 4 * 61):
        assert await bench.word(offset) == 0, hex(offset)
    assert await bench.read("CONTROL") == 0 and await bench.read("STATUS") == 0


@cocotb.test()
async def control_keeps_reset_and_not_clear(dut) -> None:
    bench = await begin(dut)
    for value, kept in ((0xFFFFFFFF, 1), (0, 0), (2, 0), (1, 1)):
        await bench.write("CONTROL", value)
        assert await bench.read("CONTROL") == kept
    await bench.put(REGISTERS["CONTROL"]["offset"] + 1, 0, size=1)  # another byte than that of RESET
    assert await bench.read("CONTROL") == 1
    await bench.put(REGISTERS["CONTROL"]["offset"], 0, size=1)
    assert await bench.read("CONTROL") == 0


@cocotb.test()
async def counters_of_cycles_and_clear(dut) -> None:
    bench = await begin(dut)
    first = await bench.read("CYCLES")
    await bench.cycles(1000)
    second = await bench.read("CYCLES")
    assert 1000 <= second - first < 1100, "the reads themselves take some cycles"
    await bench.write("CONTROL", bench.bit("CONTROL", "CLEAR"))
    assert await bench.read("CYCLES") < 50


@cocotb.test()
async def both_words_of_a_counter_belong_together(dut) -> None:
    """Though the lower one wraps between the two reads."""
    bench = await begin(dut)
    offset = REGISTERS["CYCLES"]["offset"]
    dut.u_shell.u_cycles.count_q.value = 0x1234_FFFF_FF80
    low = await bench.word(offset)
    assert low > 0xFFFF_FF80
    await bench.cycles(200)
    assert await bench.word(offset + 4) == 0x1234
    assert 200 <= await bench.read("CYCLES") - (0x1234_0000_0000 | low) < 250


@cocotb.test()
async def packets_of_any_length(dut) -> None:
    """With and without stalls, while the processor reads; TLAST once a packet."""
    bench = await begin(dut)
    write, read = bench.control.write_if, bench.control.read_if
    channels = (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel)
    for seed, channel in enumerate(channels):
        channel.set_pause_generator(coin(random.Random(seed), 0.5))
    lengths, total = (1, 2, 1, 5, 3), 12
    for seed, (source, sink) in enumerate(((0, 0), (0.4, 0), (0, 0.6), (0.3, 0.3))):
        bench.smooth()
        if source or sink:
            bench.stall(seed, source, sink)
        first = 0
        for length in lengths:
            await bench.send(first, length)
            first += length
        assert first == total
        first = 0
        for length in lengths:
            await bench.write("ERRORS", await bench.read("ERRORS"))
            assert await bench.read("CLOCK_HZ") == 125_000_000
            await bench.expect(first, length)
            first += length
    assert await bench.read("IMAGES_IN") == await bench.read("IMAGES_OUT") == 4 * total
    assert await bench.read("ERRORS") == 0 and await bench.read("STATUS") == 0
    assert bench.sink.empty()


@cocotb.test()
async def packets_that_pile_up(dut) -> None:
    """Nothing is received until no more pixels go in; then everything comes, packet by packet."""
    bench = await begin(dut)
    bench.sink.pause = True
    for image in range(len(IMAGES)):
        await bench.send(image, 1)
    await bench.cycles(len(IMAGES) * DESIGN["cycles"] * 2)
    assert await bench.read("IMAGES_IN") > 1 and await bench.read("IMAGES_OUT") == 0
    bench.sink.pause = False
    for image in range(len(IMAGES)):
        await bench.expect(image, 1)
    assert await bench.read("STATUS") == 0 and await bench.read("ERRORS") == 0


@cocotb.test()
async def a_packet_that_ends_within_an_image(dut) -> None:
    """At a beat's end and within one. Zeros fill it up: RESULTS has rows for CUTS bytes of image 0 and zeros."""
    bench = await begin(dut)
    for whole, (cut, result) in itertools.product((0, 2), zip(CUTS, BROKEN, strict=True)):
        data = IMAGES[1 : 1 + whole].tobytes() + IMAGES[0].tobytes()[:cut]
        behind = -len(data) % DESIGN["lanes"]  # bytes that TKEEP leaves out, whatever they are
        await bench.source.send(AxiStreamFrame(data + bytes([0xEE] * behind), tkeep=[1] * len(data) + [0] * behind))
        await bench.send(3, 2)
        got = await bench.receive()
        assert np.array_equal(got, np.concatenate((RESULTS[1 : 1 + whole], result[None]))), got
        await bench.expect(3, 2)
        short, sparse = bench.bit("ERRORS", "SHORT_PACKET"), bench.bit("ERRORS", "SPARSE_BEAT")
        assert await bench.read("ERRORS") == short
        await bench.write("ERRORS", sparse)
        assert await bench.read("ERRORS") == short
        await bench.write("ERRORS", short)
        assert await bench.read("ERRORS") == 0


@cocotb.test()
async def bytes_that_are_left_out(dut) -> None:
    """Each time: the error, and the packets after it are right."""
    bench = await begin(dut)
    lanes, size = DESIGN["lanes"], IMAGES.shape[1]
    sparse, short = bench.bit("ERRORS", "SPARSE_BEAT"), bench.bit("ERRORS", "SHORT_PACKET")
    image, cut = IMAGES[0].tobytes(), CUTS[0]
    whole = -(-size // lanes) * lanes

    async def beats(data: bytes, keep: list[int], errors: int, expected: np.ndarray | None) -> None:
        await bench.source.send(AxiStreamFrame(data, tkeep=keep))
        if expected is not None:
            assert np.array_equal(await bench.receive(), expected)
        else:
            await bench.source.wait()
            await bench.cycles(10)
        assert await bench.read("ERRORS") == errors
        await bench.write("ERRORS", errors)
        await bench.send(1, 2)
        await bench.expect(1, 2)

    # A beat without any byte, in the middle: nothing is lost. At the end of a packet that is not whole: it is filled up.
    empty = ([0] * lanes, [0] * lanes)
    padded, kept = image + bytes(whole - size), [1] * size + [0] * (whole - size)
    await beats(bytes(empty[0]) + padded, empty[1] + kept, sparse, RESULTS[:1])
    front = cut // lanes * lanes
    assert front == cut, "the cut is at a beat's end"
    await beats(image[:cut] + bytes(empty[0]), [1] * cut + empty[1], sparse | short, BROKEN[:1])
    # Nothing but such a beat: no image.
    await beats(bytes(empty[0]), empty[1], sparse, None)
    if lanes > 1:  # a hole: what is before it is taken, what is behind it in the beat is not
        assert lanes == 4 or lanes == 8
        await beats(image[:cut] + bytes([9] * lanes), [1] * cut + [0] * (lanes - 1) + [1], sparse | short, BROKEN[:1])


@cocotb.test()
async def soft_reset_within_an_image(dut) -> None:
    """At many places of a packet, while it flows and while results wait; the sender is cut off, or sends the rest."""
    bench = await begin(dut)
    reset = bench.bit("CONTROL", "RESET")
    for step in range(6):
        cut_off = step % 2 == 0
        bench.sink.pause = step % 3 == 2
        await bench.send(0, 5)
        await bench.cycles(40 + step * DESIGN["cycles"] // 2)
        if bench.sink.pause:
            await bench.until("STATUS", "OUTPUT_WAITS")
        await bench.write("CONTROL", reset)
        await bench.cycles(3)
        assert dut.m_axis_TVALID.value == 0 and dut.s_axis_TREADY.value == 1
        if cut_off:  # a DMA engine that is reset ends its packet anywhere
            bench.source.clear()
            await restart(bench)
        await with_timeout(bench.source.wait(), 100_000 * PERIOD, "step")
        bench.sink.pause = False
        assert await bench.field("STATUS", "BUSY") == 0
        assert await bench.field("STATUS", "IN_FLIGHT") == 0
        await bench.cycles(5)
        assert dut.m_axis_TVALID.value == 0
        await bench.write("CONTROL", 0)
        bench.sink.clear()
        await restart(bench)
        await bench.send(step, 3)
        await bench.send(0, 1)
        await bench.expect(step, 3)
        await bench.expect(0, 1)
        assert await bench.read("STATUS") == 0
    assert await bench.read("ERRORS") == 0
    assert await bench.read("IMAGES_OUT") >= 6 * 4, "counters stay"


@cocotb.test(skip=not DESIGN["memories"])
async def soft_reset_within_a_burst(dut) -> None:
    """A memory of an operator, slow, gives the beats of before to nobody, during the reset and behind it."""
    prefix = DESIGN["memories"][0]["prefix"]
    signals = {name: getattr(dut, f"{prefix}_{name}") for name in ("ARVALID", "ARREADY", "RVALID", "RREADY", "RLAST")}
    opened = 0

    async def watch() -> None:
        nonlocal opened
        while True:
            await FallingEdge(dut.ap_clk)
            now = {name: signal.value == 1 for name, signal in signals.items()}
            opened += (now["ARVALID"] and now["ARREADY"]) - (now["RVALID"] and now["RREADY"] and now["RLAST"])

    cocotb.start_soon(watch())  # a burst is asked for before there is an image
    bench = await begin(dut)
    (memory,) = bench.memories
    within = behind = 0
    for step in range(8):
        memory.r_channel.set_pause_generator(coin(random.Random(step), 0.95))
        await bench.send(0, 3)
        await bench.cycles(40 + 61 * step)
        await bench.write("CONTROL", bench.bit("CONTROL", "RESET"))
        within += opened > 0
        bench.source.clear()
        await restart(bench)
        await with_timeout(bench.source.wait(), 1000 * PERIOD, "step")
        await bench.write("CONTROL", 0)
        behind += opened > 0
        bench.sink.clear()
        await restart(bench)
        await bench.send(step, 2)
        memory.r_channel.set_pause_generator(coin(random.Random(step), 0.2))
        await bench.expect(step, 2)
    assert within == 8 and behind > 4, (within, behind)
    assert await bench.read("ERRORS") == 0


async def restart(bench: Bench) -> None:
    """The sender's and the receiver's ends begin anew, as after a reset of the DMA engine."""
    for end in (bench.source, bench.sink):
        end.assert_reset(True)
    await bench.cycles(3)
    for end in (bench.source, bench.sink):
        end.assert_reset(False)
    await bench.cycles(1)


class Operator:
    """Counts how long an operator waits, by the signals at its ports in penni_top."""

    def __init__(self, top, ports: dict) -> None:
        self.inputs = [(getattr(top, valid), getattr(top, ready)) for valid, ready in ports["inputs"]]
        self.valid, self.ready = (getattr(top, name) for name in ports["output"])
        self.starved = self.blocked = 0

    def look(self, busy: bool) -> None:
        blocked = int(self.valid.value) & ~int(self.ready.value) != 0
        starved = any(ready.value == 1 and valid.value == 0 for valid, ready in self.inputs)
        self.blocked += busy and blocked
        self.starved += busy and starved and not blocked


@cocotb.test()
async def counters_tell_the_truth(dut) -> None:
    """Compared with what is seen at the ports of shell and network, cycle by cycle."""
    bench = await begin(dut)
    seen = dict.fromkeys(("BUSY_CYCLES", "STARVED_CYCLES", "BLOCKED_CYCLES", "IMAGES_IN", "IMAGES_OUT"), 0)
    size, words = IMAGES.shape[1], RESULTS.shape[1]
    operators = [Operator(dut.u_top, ports) for ports in DESIGN["counted"]]

    async def watch() -> None:
        shell = dut.u_shell
        pixels = results = 0
        while True:
            await FallingEdge(dut.ap_clk)
            came = shell.pixel_valid.value == 1 and shell.pixel_ready.value == 1
            waits = shell.core_in_ready_i.value == 1 and shell.core_in_valid_o.value == 0
            offered, taken = dut.m_axis_TVALID.value == 1, dut.m_axis_TREADY.value == 1
            busy = pixels % size != 0 or pixels // size > results // words
            seen["BUSY_CYCLES"] += busy
            for operator in operators:
                operator.look(busy)
            seen["STARVED_CYCLES"] += busy and waits
            seen["BLOCKED_CYCLES"] += offered and not taken
            pixels += DESIGN["word"] * came
            results += offered and taken
            seen["IMAGES_IN"], seen["IMAGES_OUT"] = pixels // size, results // words

    cocotb.start_soon(watch())
    for seed, (source, sink, count) in enumerate(((0, 0, 6), (0.7, 0, 3), (0, 0.7, 6), (0.3, 0.3, 4))):
        bench.smooth()
        if source or sink:
            bench.stall(seed, source, sink)
        await bench.send(0, count)
        await bench.expect(0, count)
        await bench.cycles(10)
        assert {name: await bench.read(name) for name in seen} == seen
        for index, operator in enumerate(operators):
            counted = [await bench.word(0x400 + 8 * index + 4 * word) for word in range(2)]
            assert counted == [operator.starved, operator.blocked], index
    assert all(seen.values()), seen
    assert not operators or any(o.starved for o in operators) and any(o.blocked for o in operators)
    await bench.write("CONTROL", bench.bit("CONTROL", "CLEAR"))
    assert [await bench.read(name) for name in seen] == [0] * len(seen)


@cocotb.test()
async def the_rate_is_the_networks(dut) -> None:
    """No cycle is lost to the shell: images follow each other as the schedule predicts."""
    bench = await begin(dut)
    ends: list[int] = []

    async def watch() -> None:
        cycle = words = 0
        while True:
            await FallingEdge(dut.ap_clk)
            cycle += 1
            if dut.m_axis_TVALID.value == 1 and dut.m_axis_TREADY.value == 1:
                words += 1
                if words % RESULTS.shape[1] == 0:
                    ends.append(cycle)

    cocotb.start_soon(watch())
    for _ in range(2):
        await bench.send(0, len(IMAGES))
    for _ in range(2):
        await bench.expect(0, len(IMAGES))
    half = len(IMAGES)
    mean = (ends[-1] - ends[half - 1]) / half
    assert mean <= DESIGN["cycles"] * 1.01 + 1, mean
    bench.dut._log.warning("cycles per image: %.1f", mean)
