"""A constant matrix times a vector as a pipelined graph of shifts and adds, found by the alkaid library.

No operator of its own: an operator that has such sums declares them. Every value is an exact integer with its proven range.
"""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass
from functools import cache, cached_property
from importlib.metadata import version

import numpy as np
from alkaid.cmvm import CombLogic, QInterval, cmvm_solve

from ...store import stored
from ..fixed import QType, smallest_qtype

FORMAT = 1  # of what is kept on disk, and of how it is made: to be counted up where either changes
ADDERS_PER_STAGE = 1  # adders in a row between two registers: two of them take 5.9 ns on -1 parts (bench/timing.py)


@dataclass(frozen=True)
class Adder:
    """value = (a << a_shift) + (b << b_shift), or minus; a and b number inputs first, then adders."""

    a: int
    a_shift: int
    b: int
    b_shift: int
    subtract: bool
    lo: int
    hi: int

    @property
    def qtype(self) -> QType:
        return smallest_qtype(self.lo, self.hi)


@dataclass(frozen=True)
class Output:
    """value = source << shift; source None is the constant 0."""

    source: int | None
    shift: int
    lo: int
    hi: int

    @property
    def qtype(self) -> QType:
        return smallest_qtype(self.lo, self.hi)


@dataclass(frozen=True)
class AdderGraph:
    """outputs[j] = sum_i matrix[j, i] * x[i], for x[i] of type `x_type`."""

    inputs: int
    x_type: QType
    adders: tuple[Adder, ...]
    outputs: tuple[Output, ...]

    def qtype(self, index: int) -> QType:
        """Type of input or adder `index`."""
        return self.x_type if index < self.inputs else self.adders[index - self.inputs].qtype

    @cached_property
    def stages(self) -> tuple[int, ...]:
        """For each input (0) and adder the pipeline stage whose end registers it."""
        level = [0] * self.inputs
        for adder in self.adders:
            level.append(1 + max(level[adder.a], level[adder.b]))
        return tuple(-(-n // ADDERS_PER_STAGE) for n in level)

    @property
    def latency(self) -> int:
        """Register stages from the inputs to the outputs, the same for every output; at least 1."""
        return max((self.stages[out.source] for out in self.outputs if out.source is not None), default=0) or 1

    @cached_property
    def last_use(self) -> tuple[int, ...]:
        """For each input and adder the last stage whose logic or register reads it (outputs read at `latency`)."""
        last = list(self.stages)
        for index, adder in enumerate(self.adders):
            for source in (adder.a, adder.b):
                last[source] = max(last[source], self.stages[self.inputs + index])
        for out in self.outputs:
            if out.source is not None:
                last[out.source] = self.latency + 1
        return tuple(last)

    @cached_property
    def register_bits(self) -> int:
        """Flip-flops of the pipeline (delays included, before any are turned into shift registers)."""
        return sum(
            self.qtype(index).bits * max(0, min(self.last_use[index], self.latency + 1) - max(stage, 1))
            for index, stage in enumerate(self.stages)
        )

    @cached_property
    def adder_bits(self) -> int:
        """Bits of all adders that take a LUT: those of both operands, and of a difference those above, too. The others are
        bits of one operand, as they are, or on a carry chain."""
        return sum(map(self._bits, self.adders))

    def _bits(self, adder: Adder) -> int:
        width = adder.qtype.bits
        if adder.subtract:
            return width - adder.b_shift
        operands = ((self.qtype(adder.a), adder.a_shift), (self.qtype(adder.b), adder.b_shift))
        ends = (width if qtype.signed else shift + qtype.bits for qtype, shift in operands)
        return max(0, min(width, *ends) - max(adder.a_shift, adder.b_shift))

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        """x (..., inputs) int64 -> (..., outputs) int64."""
        value = [x[..., i] for i in range(self.inputs)]
        for adder in self.adders:
            a, b = value[adder.a] << adder.a_shift, value[adder.b] << adder.b_shift
            value.append(a - b if adder.subtract else a + b)
        zero = np.zeros(x.shape[:-1], np.int64)
        return np.stack([zero if o.source is None else value[o.source] << o.shift for o in self.outputs], axis=-1)


@dataclass(frozen=True)
class RoundedSums:
    """z[j] = sat(rshift(sum_i matrix[j, i] * x[i], shifts[j]), z_type): an adder graph and what rounds its outputs."""

    graph: AdderGraph
    shifts: tuple[int, ...]
    z_type: QType

    @property
    def latency(self) -> int:
        """Clock cycles from x to z: the graph's stages and one for rounding and saturation."""
        return self.graph.latency + 1

    @cached_property
    def dropped_bits(self) -> int:
        """Lowest bits of outputs that rounding does not read: they are not registered."""
        return sum(max(0, shift - 1 - out.shift) for out, shift in zip(self.graph.outputs, self.shifts))


def solve(matrix: np.ndarray, x_type: QType) -> AdderGraph:
    """matrix (outputs, inputs) of integers -> the adder graph for inputs of `x_type`. Deterministic; of matrices seen before,
    by this process or another, it is kept."""
    return _solve(tuple(map(tuple, matrix.tolist())), x_type)


@cache
def _solve(rows: tuple[tuple[int, ...], ...], x_type: QType) -> AdderGraph:
    matrix = np.array(rows, np.int64)

    def read(content: bytes) -> AdderGraph:
        inputs, adders, outputs = json.loads(content)
        graph = AdderGraph(inputs, x_type, tuple(Adder(*adder) for adder in adders), tuple(Output(*o) for o in outputs))
        if not np.array_equal(graph.evaluate(np.eye(matrix.shape[1], dtype=np.int64)), matrix.T):
            raise ValueError("this graph computes another product")
        return graph

    def write(graph: AdderGraph) -> bytes:
        return json.dumps(
            (graph.inputs, *map(list, (map(astuple, graph.adders), map(astuple, graph.outputs))))
        ).encode()

    key = json.dumps((FORMAT, version("alkaid"), astuple(x_type), rows))
    return stored("adders", key, lambda: _solved(matrix, x_type), write, read)


def _solved(matrix: np.ndarray, x_type: QType) -> AdderGraph:
    """By alkaid, which uses threads of its own."""
    outputs, inputs = matrix.shape
    interval = QInterval(float(x_type.lo), float(x_type.hi), 1.0)
    stages = cmvm_solve(np.ascontiguousarray(matrix.T, dtype=np.float32), qintervals=[interval] * inputs)
    builder = _Builder(inputs, x_type)
    values = [_Value(i, 0) for i in range(inputs)]
    for logic in stages:
        values = builder.add(logic, values)
    outs = []
    for row, value in zip(matrix.astype(np.int64), values):
        ends = np.stack([row * x_type.lo, row * x_type.hi])
        lo, hi = int(ends.min(0).sum()), int(ends.max(0).sum())
        if value is not None and value.exponent < 0:
            raise ArithmeticError("adder graph: an output has a fraction")
        outs.append(Output(None if value is None else value.index, 0 if value is None else value.exponent, lo, hi))
    return AdderGraph(inputs, x_type, tuple(builder.adders), tuple(outs))


@dataclass(frozen=True)
class _Value:
    """The integer `index` times 2^exponent. None stands for zero."""

    index: int
    exponent: int
    negative: bool = False


class _Builder:
    """Turns alkaid's operations on scaled reals into adders on integers."""

    def __init__(self, inputs: int, x_type: QType) -> None:
        self.inputs, self.x_type = inputs, x_type
        self.adders: list[Adder] = []

    def add(self, logic: CombLogic, values: list[_Value | None]) -> list[_Value | None]:
        buffer: list[_Value | None] = []
        for op in logic.ops:
            if op.opcode == -1:
                value = values[op.data[0]]
                shift = int(logic.inp_shifts[op.data[0]])
                buffer.append(value and _Value(value.index, value.exponent + shift, value.negative))
            elif op.opcode in (0, 1):
                b = buffer[op.addr[1]]
                shifted = b and _Value(b.index, b.exponent + int(op.data[0]), b.negative)
                buffer.append(self._sum(buffer[op.addr[0]], shifted, op.opcode == 1))
            elif op.opcode == -2:
                buffer.append(_negated(buffer[op.addr[0]]))
            else:
                raise ArithmeticError(f"adder graph: alkaid operation {op.opcode} is not known here")
        out: list[_Value | None] = []
        for index, shift, negative in zip(logic.out_idxs, logic.out_shifts, logic.out_negs):
            value = buffer[index] if index >= 0 else None
            if value is not None:
                value = _Value(value.index, value.exponent + int(shift), value.negative)
            out.append(_negated(value) if negative else value)
        return [self._positive(value) for value in out]

    def _range(self, index: int) -> tuple[int, int]:
        if index < self.inputs:
            return self.x_type.lo, self.x_type.hi
        return self.adders[index - self.inputs].lo, self.adders[index - self.inputs].hi

    def _sum(self, a: _Value | None, b: _Value | None, subtract: bool) -> _Value | None:
        if subtract:
            b = _negated(b)
        if a is None or b is None:
            return a if b is None else b
        if a.negative and not b.negative:
            a, b = b, a
        base = min(a.exponent, b.exponent)
        a_shift, b_shift = a.exponent - base, b.exponent - base
        a_range, b_range = self._range(a.index), self._range(b.index)
        minus = a.negative != b.negative  # now a - b or a + b, negated as a whole where a is negative
        a_lo, a_hi = (v << a_shift for v in a_range)
        b_lo, b_hi = (v << b_shift for v in b_range)
        lo, hi = (a_lo - b_hi, a_hi - b_lo) if minus else (a_lo + b_lo, a_hi + b_hi)
        self.adders.append(Adder(a.index, a_shift, b.index, b_shift, minus, lo, hi))
        return _Value(self.inputs + len(self.adders) - 1, base, a.negative)

    def _positive(self, value: _Value | None) -> _Value | None:
        """Spend an adder on x - 2x where a negated value leaves the graph: outputs carry no sign of their own."""
        if value is None or not value.negative:
            return value
        lo, hi = self._range(value.index)
        self.adders.append(Adder(value.index, 0, value.index, 1, True, -hi, -lo))
        return _Value(self.inputs + len(self.adders) - 1, value.exponent)


def _negated(value: _Value | None) -> _Value | None:
    return value and _Value(value.index, value.exponent, not value.negative)
