"""The state of a walk over a traced program: the values so far, and the layers they come from.

A value of the program is a constant, or an `Act`: a view of the map that a layer gives. Reshapes change only the view.
Strides and zero channels stay part of the view, too, until something reads it: then they become one PadShortcut.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from ...errors import CheckpointError
from ...ir.graph import Graph, Node
from ...ir.layers import Input, Layer, MapSpec, PadShortcut
from .advice import composed, key_of, unsupported
from .fold import Budget
from .names import Draft, named
from .program import Call, Constant, Program, Ref, normalisation, printable

MAX_MAP = 1 << 26  # values of one map
THROUGH = ("identity", "cast", "reshape", "flatten", "squeeze", "unsqueeze")  # calls that may follow a `last`


@dataclass(frozen=True)
class Act:
    """The map of layer `node`, without its batch axis, seen as `shape`.

    stride: every stride-th row and column of it; zeros: channels added before and after; margins: what is then added at
    the top, left, bottom and right, all of it `outside`; origin: the call that did so.
    """

    node: int
    shape: tuple[int, ...]
    stride: tuple[int, int] = (1, 1)
    zeros: tuple[int, int] = (0, 0)
    margins: tuple[int, int, int, int] = (0, 0, 0, 0)
    outside: float = 0.0
    origin: Call | None = None

    @property
    def plain(self) -> bool:
        return self.stride == (1, 1) and self.zeros == (0, 0) and not any(self.margins)


@dataclass(frozen=True)
class Unknown:
    """The result of a call that is not understood; an error, `text`, once something needs it."""

    call: Call
    text: str = ""


@dataclass(frozen=True)
class Last:
    """The result of a call that the end of the network may leave out, and what it was computed from."""

    call: Call
    act: Act


Value = Act | Constant | Unknown | Last


class CallError(CheckpointError):
    """An error that names its call."""


def refuse(call: Call, text: str) -> CallError:
    """An error of this call, in one line."""
    return CallError(f"{printable(call.where)}: {unsupported(call) if composed(call) else text}")


class Walk:
    """The layers so far, and the values of the program by name."""

    def __init__(self, program: Program, mean: tuple[float, ...] | None, std: tuple[float, ...] | None) -> None:
        c, h, w = program.shape
        self.batch = program.batch
        self.drafts: list[Draft] = [Draft(Input(MapSpec((h, w, c)), *normalisation(c, mean, std)), (), "input")]
        self.values: dict[str, Value] = {**program.constants, program.input: Act(0, program.shape)}
        self._shortcuts: dict[tuple, int] = {}
        self.budget = Budget()
        self.notes: tuple[str, ...] = ()

    def resolve(self, value: Any, call: Call) -> Any:
        if isinstance(value, Ref):
            found = self.values.get(value.name)
            if found is None:
                raise refuse(call, f"it reads {value.name}, which is not defined before it")
            if isinstance(found, Unknown):
                raise refuse(found.call, found.text or unsupported(found.call))
            if isinstance(found, Last) and call.op not in THROUGH:
                raise self._too_early(found, call)
            return found
        if isinstance(value, tuple):
            return tuple(self._scalar(self.resolve(v, call)) if isinstance(v, Ref) else v for v in value)
        return value

    def _too_early(self, last: Last, reader: Call) -> CallError:
        """That more follows. A sigmoid of what it is then multiplied by is a SiLU, of anything else part of a product."""
        call = last.call
        if reader.op != "mul" or "sigmoid" not in (key_of(call.kind), key_of(call.what)):
            return refuse(call, unsupported(call))
        reads = [self.values.get(v.name) for v in reader.args.values() if isinstance(v, Ref)]
        if last.act in reads:
            call = replace(call, kind="SiLU")
            return refuse(call, unsupported(call))
        return refuse(call, unsupported(call if composed(call) else replace(call, kind="product of maps")))

    @staticmethod
    def _scalar(value: Value) -> Any:
        """A constant of one number as that number: within a list of sizes."""
        return value.array.item() if isinstance(value, Constant) and value.array.size == 1 else value

    def overwrite(self, call: Call, name: str, result: Value) -> None:
        """The result takes the place of what it was computed from, under every name that this has."""
        old = self.values.get(name)
        if isinstance(result, Unknown):
            raise refuse(call, result.text or unsupported(call))
        if not isinstance(old, Act) or not isinstance(result, Act):
            raise refuse(call, "it changes a value in place; export the network without that")
        for other, value in self.values.items():
            if isinstance(value, Act) and value.node == old.node:
                if not value.plain:
                    raise refuse(call, "it changes in place a map of which another part is in use")
                self.values[other] = replace(value, node=result.node)

    def spec(self, act: Act) -> MapSpec:
        return self.drafts[act.node].op.out_spec

    def whole(self, act: Act, call: Call) -> Act:
        """The same view of a map that needs no striding or zeros: where it did, of a PadShortcut."""
        if act.plain:
            return act
        if any(act.margins):
            text = "padding of a map is supported only right before a convolution or pooling that can do it"
            raise refuse(act.origin or call, f"{text}; give it to that layer instead")
        key = (act.node, act.stride, act.zeros)
        if key not in self._shortcuts:
            if act.stride[0] != act.stride[1]:
                raise refuse(call, f"its input has different strides for rows and columns, {act.stride}")
            spec = self.spec(act)
            op = PadShortcut(spec, act.stride[0], sum(act.zeros) + spec.shape[2], act.zeros[0])
            self._shortcuts[key] = self._append(op, (act.node,), "shortcut", act.origin or call, "")
        return Act(self._shortcuts[key], act.shape)

    def map_of(self, value: Any, call: Call) -> tuple[Act, MapSpec]:
        """An argument that must be a map (C, H, W)."""
        act = self._act(value, call)
        spec = self.spec(act)
        if act.shape != chw(spec):
            raise refuse(call, f"it reads values of shape {list(act.shape)}; a map (C, H, W) is needed")
        return act, spec

    def flat(self, value: Any, call: Call) -> tuple[Act, MapSpec]:
        """An argument that must be a vector of features."""
        act = self._act(value, call)
        if len(act.shape) != 1:
            raise refuse(call, f"it reads values of shape {list(act.shape)}, which need to be flattened first")
        return act, self.spec(act)

    def _act(self, value: Any, call: Call) -> Act:
        if not isinstance(value, Act):
            raise refuse(call, "its first input does not come from the images")
        return self.whole(value, call)

    def add_layer(self, op: Layer, inputs: tuple[Act, ...], kind: str, call: Call, owner: str = "") -> Act:
        """Append a layer; its map as a value. owner: the name of the module that holds its weights."""
        node = self._append(op, tuple(act.node for act in inputs), kind, call, owner)
        return Act(node, chw(op.out_spec))

    def _append(self, op: Layer, inputs: tuple[int, ...], kind: str, call: Call, owner: str) -> int:
        if math.prod(op.out_spec.shape) > MAX_MAP:
            raise refuse(call, f"it gives a {op.out_spec} map, which is larger than supported")
        self.drafts.append(Draft(op, inputs, kind, call, owner))
        return len(self.drafts) - 1

    def finish(self, output: str) -> Graph[Layer]:
        """The layers that the output needs, named, in order."""
        value = self.values.get(output)
        if isinstance(value, Unknown):
            raise refuse(value.call, value.text or unsupported(value.call))
        if isinstance(value, Last):
            self.notes = (f"{value.call.where}, the last operation, is left out: argmax of the logits is the same",)
            value = value.act
        if not isinstance(value, Act) or value.node == 0:
            raise CheckpointError(f"its output {output} is not computed from the images")
        last = self.drafts[value.node]
        value = self.whole(value, last.call) if last.call else value
        spec = self.spec(value)
        if value.shape != chw(spec) and spec.pixels > 1 and spec.shape[2] > 1:
            text = f"the result, of shape {list(value.shape)} in the file, is a {spec} map here: the channels of each pixel"
            self.notes += (f"{text} stand together",)
        needed = {value.node}
        for index in range(len(self.drafts) - 1, -1, -1):
            if index in needed:
                needed.update(self.drafts[index].inputs)
        kept = sorted(needed | {0})
        names = named([self.drafts[i] for i in kept])
        by_index = dict(zip(kept, names))
        return Graph(
            tuple(
                Node(by_index[i], self.drafts[i].op, tuple(by_index[source] for source in self.drafts[i].inputs))
                for i in kept
            )
        )


def chw(spec: MapSpec) -> tuple[int, int, int]:
    h, w, c = spec.shape
    return c, h, w
