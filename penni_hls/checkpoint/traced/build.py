"""A traced program -> Graph[Layer]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from ...errors import CheckpointError
from ...ir.graph import Graph, GraphError, verify
from ...ir.layers import Layer
from .fold import fold
from .layers import HANDLERS
from .program import MAX_CALLS, Call, Program, Ref
from .walk import Act, CallError, Last, Unknown, Value, Walk, refuse


@dataclass(frozen=True, eq=False)
class Traced:
    """The network that a program computes, and what its reader is told: what was left out of it."""

    graph: Graph[Layer]
    notes: tuple[str, ...] = ()


def build(program: Program, mean: tuple[float, ...] | None = None, std: tuple[float, ...] | None = None) -> Traced:
    """The network that the program computes. mean, std: of the pixels; None: see `program.normalisation`.

    Raises CheckpointError, one line; ValueError where mean and std do not go with the network.
    """
    if len(program.calls) > MAX_CALLS:
        raise CheckpointError(f"it has {len(program.calls):,} operations, more than {MAX_CALLS:,}")
    walk = Walk(program, mean, std)
    for call in _turned_back(program):
        try:
            _run(walk, call)
        except CallError:
            raise
        except CheckpointError as error:
            raise refuse(call, str(error)) from error
        except (ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError) as error:
            text = " ".join(str(error).split())[:200]
            raise refuse(call, f"its arguments do not match ({text})") from error
    try:
        return Traced(verify(walk.finish(program.output)), walk.notes)
    except GraphError as error:
        raise CheckpointError(str(error)) from error


def _turned_back(program: Program) -> list[Call]:
    """The calls, but a `last` between two equal swaps of axes is one along the other axis: older exporters of ONNX write the
    softmax of a map's channels like that."""
    made = {call.output: call for call in program.calls}
    if len(made) < len(program.calls):  # names that come twice: an error, or what is overwritten
        return list(program.calls)
    found = dict(made)
    for call in program.calls:
        last = _source(made, call)
        first = None if last is None or last.op != "last" else _source(made, last)
        if last is None or first is None or {call.op, first.op} != {"transpose"}:
            continue
        perm, axis = call.args.get("perm"), last.args.get("axis")
        swapped = _is_swap(perm) and perm == first.args.get("perm")
        alone = last.output != program.output and [c for c in program.calls if _source(made, c) is last] == [call]
        if swapped and alone and isinstance(axis, int) and -len(perm) <= axis < len(perm):
            del found[last.output]
            args = {**last.args, "x": first.args["x"], "axis": perm[axis]}
            found[call.output] = replace(last, output=call.output, args=args)
    return list(found.values())


def _is_swap(perm: object) -> TypeGuard[Sequence[int]]:
    """True for the axes of a map, two of them swapped: what the same permutation turns back."""
    if not isinstance(perm, (tuple, list)) or not all(type(axis) is int for axis in perm):
        return False
    return sorted(perm) == list(range(len(perm))) and all(perm[at] == axis for axis, at in enumerate(perm))


def _source(made: Mapping[str, Call], call: Call) -> Call | None:
    """The call whose result it reads as x."""
    x = call.args.get("x")
    return made.get(x.name) if isinstance(x, Ref) else None


def _run(walk: Walk, call: Call) -> None:
    """A call on constants is evaluated, one on maps becomes a layer or a view; its result is a value of the walk."""
    args = {key: walk.resolve(value, call) for key, value in call.args.items()}
    result: Value
    lasts = [value for value in args.values() if isinstance(value, Last)]
    args = {key: value.act if isinstance(value, Last) else value for key, value in args.items()}
    flat = [v for value in args.values() for v in (value if isinstance(value, tuple) else (value,))]
    if any(isinstance(value, Act) for value in flat):
        handler = HANDLERS.get(call.op)
        result = handler(walk, call, args) if handler else Unknown(call)
        if lasts and isinstance(result, Act):
            result = replace(lasts[0], act=result)
    else:
        result = fold(call.op, args, walk.budget) or Unknown(call)
    if call.overwrites is not None:
        walk.overwrite(call, call.overwrites, result)
    walk.values[call.output] = result
