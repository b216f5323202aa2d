"""A traced program -> Graph[Layer]."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...errors import CheckpointError
from ...ir.graph import Graph, GraphError, verify
from ...ir.layers import Layer
from .fold import fold
from .layers import HANDLERS
from .program import MAX_CALLS, Call, Program
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
    for call in program.calls:
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
