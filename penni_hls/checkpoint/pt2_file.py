"""torch.export archives (.pt2) -> a traced network, of any architecture that the vocabulary holds.

torch.export.load is not used: it evaluates expressions of the file and unpickles. The program is read as JSON.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import CheckpointError
from .pt2_archive import DAMAGED, TYPES, Archive, opened, plain_int
from .tensors import FLOATS
from .traced.advice import kind_of
from .traced.aten import overwrites, translate
from .traced.build import Traced, build
from .traced.program import MAX_CALLS, OPEN_BATCH, Call, Constant, Program, Ref, check_input, printable

NAME = "torch.export archive"
SCHEMA = 8  # the major version, as torch 2.13 writes it
OLD = "serialized_exported_program.json"  # a member of an earlier kind of archive
INLINED = ("wrap_with_autocast", "wrap_with_set_grad_enabled")
MAX_DEPTH = 16


def recognises(path: Path, head: bytes) -> bool:
    if not head.startswith(b"PK"):
        return False
    if path.suffix == ".pt2":
        return True
    try:
        with zipfile.ZipFile(path) as file:
            names = {name.partition("/")[2] or name for name in file.namelist()}
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        return False
    return OLD in names or {"archive_format", "archive_version"} <= names


def traced(path: Path, mean: tuple[float, ...] | None = None, std: tuple[float, ...] | None = None) -> Traced:
    """The network in the file. mean, std: of the pixels; None: see `traced.program.normalisation`."""
    with path.open("rb") as file:
        return build(read(file), mean, std)


def read(file: BinaryIO) -> Program:
    """The program in an open archive."""
    with opened(file) as archive:
        if OLD in archive or OLD in {name.rpartition("/")[2] for name in archive.names()}:
            raise CheckpointError(
                "it was saved by an older torch.export; load it there, and save it again with torch 2.13"
            )
        models = [name for name in archive.names() if name.startswith("models/") and name.endswith(".json")]
        if len(models) != 1:
            raise CheckpointError(f"it holds {len(models)} exported programs, or is truncated; one is needed")
        if "byteorder" in archive and archive.read("byteorder", 16) != b"little":
            raise CheckpointError("its numbers are not little-endian")
        program = archive.json(models[0])
        version = program.get("schema_version")
        if not isinstance(version, Mapping) or version.get("major") != SCHEMA:
            have = version.get("major") if isinstance(version, Mapping) else None
            raise CheckpointError(
                f"its program has schema version {printable(str(have))}, but {SCHEMA} is read (torch 2.13)"
            )
        model = models[0].removeprefix("models/").removesuffix(".json")
        try:
            return _program(archive, model, program["graph_module"])
        except (KeyError, TypeError, AttributeError, IndexError, ValueError, OverflowError) as error:
            raise CheckpointError(DAMAGED) from error


def _program(archive: Archive, model: str, module: Mapping[str, Any]) -> Program:
    body, signature = module["graph"], module["signature"]
    images, tensors = _inputs(signature["input_specs"])
    calls = tuple(_calls(body, {}, ""))
    used = {name for call in calls for value in call.args.values() for name in _names(value)}
    config = {folder: archive.tensors(folder, model) for folder in {f for f, _ in tensors.values()}}
    constants: dict[str, Constant] = {}
    for name in sorted(used & set(tensors)):
        folder, tensor = tensors[name]
        constants[name] = archive.constant(folder, tensor, config[folder].get(tensor))
    batch, shape = _image_shape(images, body["tensor_values"][images])
    return Program(images, shape, batch, _output(signature["output_specs"]), calls, constants)


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, Ref):
        yield value.name
    elif isinstance(value, tuple):
        for part in value:
            yield from _names(part)


def _inputs(specs: list[Mapping[str, Any]]) -> tuple[str, dict[str, tuple[str, str]]]:
    """The name of the images, and for each tensor's name (its folder, what it is called there)."""
    images: list[str] = []
    tensors: dict[str, tuple[str, str]] = {}
    for spec in specs:
        ((kind, value),) = spec.items()
        if kind == "parameter":
            tensors[_text(value["arg"]["name"])] = ("weights", _text(value["parameter_name"]))
        elif kind == "buffer":
            folder = "weights" if value["persistent"] else "constants"
            tensors[_text(value["arg"]["name"])] = (folder, _text(value["buffer_name"]))
        elif kind == "tensor_constant":
            tensors[_text(value["arg"]["name"])] = ("constants", _text(value["tensor_constant_name"]))
        elif kind == "user_input" and "as_tensor" in value["arg"]:
            images.append(_text(value["arg"]["as_tensor"]["name"]))
        elif kind == "custom_obj":
            raise CheckpointError("it holds custom objects, which could run code; only tensors are read")
        elif kind not in ("user_input", "constant_input"):
            raise CheckpointError(f"its input of kind {printable(kind)} is not supported")
    if len(images) != 1:
        raise CheckpointError(f"it takes {len(images)} tensors; one, the images, is needed")
    return images[0], tensors


def _output(specs: list[Mapping[str, Any]]) -> str:
    if any("user_output" not in spec for spec in specs):
        raise CheckpointError("it changes its own buffers; export the network in evaluation mode (model.eval())")
    if len(specs) != 1 or "as_tensor" not in specs[0]["user_output"]["arg"]:
        raise CheckpointError(f"it returns {len(specs)} results; one tensor, the logits, is needed")
    return _text(specs[0]["user_output"]["arg"]["as_tensor"]["name"])


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise CheckpointError(DAMAGED)
    return value


def _image_shape(name: str, meta: Mapping[str, Any]) -> tuple[int, tuple[int, int, int]]:
    """(batch, (C, H, W)) of the images. Only the batch may be symbolic."""
    if TYPES.get(meta["dtype"]) not in FLOATS:
        raise CheckpointError(f"its input {printable(name)} is not a float tensor")
    sizes = list(meta["sizes"])
    open_batch = bool(sizes) and "as_int" not in sizes[0]
    try:
        lengths = [OPEN_BATCH if open_batch else plain_int(sizes[0]), *map(plain_int, sizes[1:])] if sizes else []
    except CheckpointError:
        raise CheckpointError(
            f"its input {printable(name)} has a symbolic height, width or number of channels"
        ) from None
    return (OPEN_BATCH if open_batch else lengths[0] if lengths else 0), check_input(name, tuple(lengths))


def _calls(body: Mapping[str, Any], names: dict[str, str], scope: str, depth: int = 0) -> Iterator[Call]:
    """The calls of a graph. names: names of its values in the whole program; all others get the prefix `scope`."""
    if depth > MAX_DEPTH or len(body["nodes"]) > MAX_CALLS:
        raise CheckpointError("its program is nested too deeply, or too long")

    def ref(name: Any) -> Ref:
        return Ref(names.get(_text(name), f"{scope}{name}"))

    for node in body["nodes"]:
        target = str(node["target"]).removeprefix("torch.ops.")
        outputs = [ref(name).name for name in _outputs(node["outputs"])]
        label = printable(str(node.get("name") or (outputs[0] if outputs else "")))
        given = [(argument["name"], argument["arg"]) for argument in node["inputs"]]
        nested = [arg["as_graph"] for _, arg in given if "as_graph" in arg]
        if nested and target.removeprefix("higher_order.") in INLINED:
            yield from _inlined(
                nested[0], [a for _, a in given if "as_tensor" in a], outputs, ref, f"{scope}{label}/", depth
            )
            continue
        if not outputs:
            continue
        args = {str(name): _argument(arg, ref) for name, arg in given}
        what = printable(target.removesuffix(".default"))
        module, kind = _module(node.get("metadata")), _kind(node.get("metadata"))
        call = Call("unknown", outputs[0], {}, what, label, module, overwrites(target, args), kind)
        try:
            op, translated = translate(target, args)
        except CheckpointError as error:
            raise CheckpointError(f"{printable(call.where)}: {error}") from error
        yield replace(call, op=op, args=translated)
        yield from (
            replace(call, output=output, overwrites=None) for output in outputs[1:]
        )  # what reads these is refused


def _inlined(
    nested: Mapping[str, Any], given: list[Mapping[str, Any]], outputs: list[str], ref: Any, scope: str, depth: int
) -> Iterator[Call]:
    """A part of the program that was traced apart, as under autocast, where it is called."""
    inner = nested["graph"]
    parameters = [value["as_tensor"]["name"] for value in inner["inputs"]]
    names = {name: ref(arg["as_tensor"]["name"]).name for name, arg in zip(parameters, given, strict=True)}
    yield from _calls(inner, names, scope, depth + 1)
    for output, result in zip(outputs, _outputs(inner["outputs"]), strict=True):
        yield Call("identity", output, {"x": Ref(names.get(result, f"{scope}{result}"))}, "wrap")


def _outputs(outputs: list[Mapping[str, Any]]) -> list[str]:
    """The names of a node's results, one after the other."""
    found: list[str] = []
    for output in outputs:
        ((kind, value),) = output.items()
        if kind == "as_tensor":
            found.append(value["name"])
        elif kind == "as_tensors":
            found += [part["name"] for part in value]
        elif kind in ("as_sym_int", "as_sym_bool", "as_sym_float"):
            found.append(value["as_name"])
    return found


def _argument(arg: Mapping[str, Any], ref: Any) -> Any:
    """A JSON argument as number, tuple, text or Ref; None for what no supported operation takes."""
    ((kind, value),) = arg.items()
    match kind:
        case "as_tensor":
            return ref(value["name"])
        case "as_tensors":
            return tuple(ref(part["name"]) for part in value)
        case "as_sym_int":
            return _sym_int(value, ref)
        case "as_sym_ints":
            return tuple(_sym_int(part, ref) for part in value)
        case "as_int" | "as_float" | "as_bool" | "as_string":
            return value if isinstance(value, int | float | str) else None
        case "as_ints" | "as_floats":
            return tuple(part for part in value if isinstance(part, int | float))
        case "as_scalar_type":
            return TYPES.get(value, "other")
    return None


def _sym_int(value: Mapping[str, Any], ref: Any) -> Any:
    return ref(value["as_name"]) if "as_name" in value else int(value["as_int"])


def _innermost(metadata: Any) -> list[str] | None:
    """Key, path and class of the innermost module: the last entry of `L__self__,,Net;L__self__conv1,conv1,Conv2d`."""
    stack = metadata.get("nn_module_stack") if isinstance(metadata, Mapping) else None
    parts = stack.rpartition(";")[2].split(",") if isinstance(stack, str) else []
    return parts if len(parts) > 2 and not parts[0].startswith("_empty") else None


def _module(metadata: Any) -> str | None:
    parts = _innermost(metadata)
    return parts[1] if parts else None


def _kind(metadata: Any) -> str:
    """The class of the innermost module, or the function of `silu_1;function.silu`."""
    parts = _innermost(metadata)
    function = metadata.get("torch_fn") if isinstance(metadata, Mapping) else None
    function = function.rpartition(".")[2] if isinstance(function, str) else ""
    return printable(kind_of(parts[2] if parts else "", function), 60)
