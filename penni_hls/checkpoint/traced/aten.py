"""Operations of PyTorch's exported programs, as torch.export writes them -> calls of the traced vocabulary.

An operation comes with its arguments by the names of its schema, values as Ref; those that the file leaves out have
their defaults here. Both dialects are known: what torch.export gives, and the core ATen of `run_decompositions`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...errors import CheckpointError
from .advice import UPSAMPLE
from .program import Ref

Args = Mapping[str, Any]
Translated = tuple[str, dict[str, Any]]

LAST = (1 << 63) - 1


def translate(target: str, args: Args) -> Translated:
    """(operation, arguments). target: `aten.conv2d.default`. Any other becomes "unknown"."""
    name = target.removeprefix("aten.").rsplit(".", 1)[0] if target.startswith("aten.") else target
    function = _KNOWN.get(name) or _KNOWN.get(name.removesuffix("_"))
    return function(args) if function else ("unknown", {})


def overwrites(target: str, args: Args) -> str | None:
    """The value that an operation such as `aten.relu_.default` writes its result to."""
    name = target.removeprefix("aten.").rsplit(".", 1)[0]
    first = next(iter(args.values()), None)
    return first.name if name.endswith("_") and not name.startswith("_") and isinstance(first, Ref) else None


def _conv(args: Args) -> Translated:
    if args.get("transposed"):
        raise CheckpointError(f"a transposed convolution is not supported; {UPSAMPLE}")
    given = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": None} | dict(args)
    return "conv", {
        "x": given["input"], "weight": given["weight"], "bias": given["bias"], "stride": given["stride"],
        "pad": given["padding"], "dilation": given["dilation"], "groups": given["groups"],
    }  # fmt: skip


def _batch_norm(args: Args) -> Translated:
    if args.get("training"):
        raise CheckpointError("BatchNorm in training mode; export the network in evaluation mode (model.eval())")
    return "batch_norm", {
        "x": args["input"], "gamma": args.get("weight"), "beta": args.get("bias"),
        "mean": args.get("running_mean"), "var": args.get("running_var"), "eps": args["eps"],
    }  # fmt: skip


def _dropout(args: Args) -> Translated:
    if args.get("train"):
        raise CheckpointError("dropout in training mode; export the network in evaluation mode (model.eval())")
    return "identity", {"x": args["input"]}


def _identity(args: Args) -> Translated:
    return "identity", {"x": args["self"]}


def _to(args: Args) -> Translated:
    """dtype: a name such as float16; absent where only the device or layout changes."""
    return (
        ("identity", {"x": args["self"]})
        if args.get("dtype") is None
        else ("cast", {"x": args["self"], "to": args["dtype"]})
    )


def _relu(args: Args) -> Translated:
    return "relu", {"x": args["self"]}


def _relu6(args: Args) -> Translated:
    return "clip", {"x": args["self"], "lo": 0.0, "hi": 6.0}


def _hardtanh(args: Args) -> Translated:
    return "clip", {"x": args["self"], "lo": args.get("min_val", -1.0), "hi": args.get("max_val", 1.0)}


def _clamp(args: Args) -> Translated:
    return "clip", {"x": args["self"], "lo": args.get("min"), "hi": args.get("max")}


def _binary(op: str) -> Callable[[Args], Translated]:
    def binary(args: Args) -> Translated:
        if args.get("rounding_mode") is not None:
            raise CheckpointError("rounding within this operation is not supported")
        alpha = args.get("alpha", 1)
        factor = {} if alpha == 1 else {"alpha": alpha}
        return op, {"x": args["self"], "y": args["other"], **factor}

    return binary


def _reversed_sub(args: Args) -> Translated:
    alpha = args.get("alpha", 1)
    return "sub", {"x": args["other"], "y": args["self"], **({} if alpha == 1 else {"alpha": alpha})}


def _negative(args: Args) -> Translated:
    return "mul", {"x": args["self"], "y": -1}


def _concat(args: Args) -> Translated:
    return "concat", {"xs": args["tensors"], "axis": args.get("dim", 0)}


def _max_pool(args: Args) -> Translated:
    return "max_pool", {
        "x": args["self"], "kernel": args["kernel_size"], "stride": args.get("stride"), "pad": args.get("padding", 0),
        "dilation": args.get("dilation", 1), "ceil": args.get("ceil_mode", False),
    }  # fmt: skip


def _avg_pool(args: Args) -> Translated:
    if args.get("divisor_override") is not None:
        raise CheckpointError("average pooling with a divisor of its own is not supported; leave divisor_override out")
    return "avg_pool", {
        "x": args["self"], "kernel": args["kernel_size"], "stride": args.get("stride"), "pad": args.get("padding", 0),
        "ceil": args.get("ceil_mode", False), "include": args.get("count_include_pad", True),
    }  # fmt: skip


def _adaptive(args: Args) -> Translated:
    return "adaptive", {"x": args["self"], "size": args["output_size"]}


def _adaptive_max(args: Args) -> Translated:
    return "adaptive", {"x": args["self"], "size": args["output_size"], "max": True}


def _upsample(args: Args) -> Translated:
    """Both overloads; torch takes output pixel o from floor(o / factor)."""
    scales = args.get("scale_factors")
    sizes = args.get("output_size") if scales is None else None
    settings = {"axes": None, "transformation": "asymmetric", "rounding": "floor"}
    return "upsample", {"x": args.get("self", args.get("input")), "scales": scales, "sizes": sizes, **settings}


def _mean(args: Args) -> Translated:
    axes = args.get("dim")
    return "mean", {"x": args["self"], "axes": axes if axes is not None else (0,), "keep": args.get("keepdim", False)}


def _maximum(args: Args) -> Translated:
    return "mean", {"x": args["self"], "axes": args.get("dim", ()), "keep": args.get("keepdim", False), "max": True}


def _last(args: Args) -> Translated:
    """Without an axis it works on each value."""
    return "last", {"x": args["self"], "axis": args.get("dim", 1)}


def _argmax(args: Args) -> Translated:
    return "last", {"x": args["self"], "axis": args.get("dim")}


def _reshape(args: Args) -> Translated:
    return "reshape", {"x": args["self"], "shape": args["size"] if "size" in args else args["shape"]}


def _flatten(args: Args) -> Translated:
    return "flatten", {"x": args["self"], "start": args.get("start_dim", 0), "end": args.get("end_dim", -1)}


def _squeeze(args: Args) -> Translated:
    return "squeeze", {"x": args["self"], "axes": args.get("dim")}


def _unsqueeze(args: Args) -> Translated:
    return "unsqueeze", {"x": args["self"], "axes": args["dim"]}


def _unflatten(args: Args) -> Translated:
    return "unflatten", {"x": args["self"], "axis": args["dim"], "sizes": args["sizes"]}


def _select(args: Args) -> Translated:
    return "gather", {"x": args["self"], "indices": args["index"], "axis": args["dim"]}


def _linear(args: Args) -> Translated:
    return "linear", {"x": args["input"], "weight": args["weight"], "bias": args.get("bias")}


def _addmm(args: Args) -> Translated:
    if args.get("alpha", 1) != 1 or args.get("beta", 1) != 1:
        raise CheckpointError("a factor within this operation is not supported")
    return "matmul", {"x": args["mat1"], "y": args["mat2"], "bias": args["self"]}


def _matmul(args: Args) -> Translated:
    return "matmul", {"x": args["self"], "y": args["other"] if "other" in args else args["mat2"]}


def _permute(args: Args) -> Translated:
    return "transpose", {"x": args["self"], "perm": args["dims"]}


def _transpose(args: Args) -> Translated:
    return "swap", {"x": args["self"], "first": args.get("dim0", 0), "second": args.get("dim1", 1)}


def _slice(args: Args) -> Translated:
    start, end = args.get("start"), args.get("end")
    return "slice", {
        "x": args["self"], "starts": 0 if start is None else start, "ends": LAST if end is None else end,
        "axes": args.get("dim", 0), "steps": args.get("step", 1),
    }  # fmt: skip


def _pad(args: Args) -> Translated:
    """torch counts pads in pairs, from the last axis backwards."""
    if args.get("mode", "constant") != "constant":
        raise CheckpointError("only padding with zeros is supported")
    pads = tuple(args["pad"])
    if len(pads) % 2 or not all(type(n) is int for n in pads):
        raise CheckpointError("pads that are not pairs of numbers")
    axes = tuple(range(-1, -len(pads) // 2 - 1, -1))
    return "pad", {"x": args["self"], "pads": pads[0::2] + pads[1::2], "axes": axes, "value": args.get("value")}


def _size(args: Args) -> Translated:
    return "size", {"x": args["self"], "axis": args["dim"]}


_KNOWN: dict[str, Callable[[Args], Translated]] = {
    "conv2d": _conv,
    "convolution": _conv,
    "batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "dropout": _dropout,
    "feature_dropout": _dropout,
    "alpha_dropout": _dropout,
    "relu": _relu,
    "relu6": _relu6,
    "hardtanh": _hardtanh,
    **dict.fromkeys(("clamp", "clip", "clamp_min", "clamp_max"), _clamp),
    "add": _binary("add"),
    "sub": _binary("sub"),
    "rsub": _reversed_sub,
    "neg": _negative,
    "mul": _binary("mul"),
    "div": _binary("div"),
    "cat": _concat,
    "concat": _concat,
    "max_pool2d": _max_pool,
    "max_pool2d_with_indices": _max_pool,
    "avg_pool2d": _avg_pool,
    "adaptive_avg_pool2d": _adaptive,
    "_adaptive_avg_pool2d": _adaptive,
    "adaptive_max_pool2d": _adaptive_max,
    **dict.fromkeys(("softmax", "_softmax", "log_softmax", "_log_softmax", "sigmoid"), _last),
    "argmax": _argmax,
    "mean": _mean,
    "amax": _maximum,
    "upsample_nearest2d": _upsample,
    "_upsample_nearest_exact2d": _upsample,
    "view": _reshape,
    "view_copy": _reshape,
    "reshape": _reshape,
    "_unsafe_view": _reshape,
    "flatten": _flatten,
    "squeeze": _squeeze,
    "squeeze_copy": _squeeze,
    "unsqueeze": _unsqueeze,
    "unflatten": _unflatten,
    "select": _select,
    "select_copy": _select,
    "linear": _linear,
    "addmm": _addmm,
    "mm": _matmul,
    "matmul": _matmul,
    "permute": _permute,
    "permute_copy": _permute,
    "t": _transpose,
    "transpose": _transpose,
    "slice": _slice,
    "slice_copy": _slice,
    "pad": _pad,
    "constant_pad_nd": _pad,
    "sym_size": _size,
    "to": _to,
    "_to_copy": _to,
    **dict.fromkeys(("clone", "contiguous", "detach", "alias", "lift_fresh_copy", "alias_copy", "lift"), _identity),
}
