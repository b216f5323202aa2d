"""Hostile and broken archives and ONNX files: one line of CheckpointError, soon, and nothing of them runs."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from penni_hls.checkpoint import CheckpointError, read
from penni_hls.checkpoint.module import archive

Members = dict[str, bytes]
SECONDS = 20.0  # far more than any of them takes, on a busy machine too


@contextmanager
def soon() -> Iterator[None]:
    start = time.process_time()
    yield
    assert time.process_time() - start < SECONDS


def refusal(path: Path) -> str:
    """The one line that reading the file ends in."""
    with soon(), pytest.raises(CheckpointError) as error:
        read(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ") and "\n" not in message and len(message) < 1000
    return message.removeprefix(f"{path}: ")


# torch.export archives.


@pytest.fixture(scope="module")
def good() -> Members:
    """The members of an archive of a small network."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with zipfile.ZipFile(io.BytesIO(archive(model, (3, 8, 8)))) as file:
        return {name: file.read(name) for name in file.namelist()}


def zipped(members: Members, path: Path, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def member(members: Members, end: str) -> str:
    (name,) = (name for name in members if name.endswith(end))
    return name


def edited(members: Members, end: str, change: Callable[[Any], None]) -> Members:
    """The members with the JSON of one changed in place."""
    name = member(members, end)
    value = json.loads(members[name])
    change(value)
    return {**members, name: json.dumps(value).encode()}


PROGRAM, WEIGHTS = "models/model.json", "model_weights_config.json"


def test_the_archive_itself_is_good(good: Members, tmp_path: Path) -> None:
    assert [node.name for node in read(zipped(good, tmp_path / "net.pt2"))] == ["input", "0", "1", "2", "3"]


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "archive/../../outside", "archive\\..\\outside"])
def test_members_outside_of_the_archive(name: str, good: Members, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    with zipfile.ZipFile(zipped(good, inside / "net.pt2"), "a") as file:
        info = zipfile.ZipInfo("x")
        info.filename = name
        file.writestr(info, b"evil")
    assert "a member whose path leads out of it" in refusal(inside / "net.pt2")
    assert [path.name for path in tmp_path.rglob("*")] == ["inside", "net.pt2"]


def test_compressed_members(good: Members, tmp_path: Path) -> None:
    bomb = {**good, member(good, PROGRAM): b"[" + b" " * (1 << 24) + b"]"}
    assert "compressed" in refusal(zipped(bomb, tmp_path / "net.pt2", zipfile.ZIP_DEFLATED))


def test_a_declared_size_that_the_file_has_not(good: Members, tmp_path: Path) -> None:
    path = zipped(good, tmp_path / "net.pt2")
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 20 : at + 28] = struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0)  # both sizes in the directory
    path.write_bytes(data)
    assert "members claim more bytes than it has" in refusal(path)


@pytest.mark.parametrize(
    "text", [b"[" * 200_000, b'{"graph_module": ' * 100_000, b'{"a": NaN}', b"\xff\xfe", b"", b"[]", b"1" * 10_000]
)
def test_json_that_is_none(text: bytes, good: Members, tmp_path: Path) -> None:
    message = refusal(zipped({**good, member(good, PROGRAM): text}, tmp_path / "net.pt2"))
    assert "models/model.json is no JSON" in message


def test_deep_nesting_of_parts(good: Members, tmp_path: Path) -> None:
    def nest(program: Any) -> None:
        body = program["graph_module"]["graph"]
        for _ in range(40):
            inner = {**body, "inputs": [], "outputs": []}
            arg = {"name": "", "arg": {"as_graph": {"name": "g", "graph": inner}}, "kind": 1}
            call = {
                "target": "torch.ops.higher_order.wrap_with_autocast",
                "inputs": [arg],
                "outputs": [],
                "metadata": {},
            }
            body = {**body, "nodes": [call]}
        program["graph_module"]["graph"] = body

    assert "nested too deeply" in refusal(zipped(edited(good, PROGRAM, nest), tmp_path / "net.pt2"))


@pytest.mark.parametrize("sizes", [[1 << 40, 3, 3, 3], [4, 3, 3, 1 << 62], [-4, 3, 3, -3], [0, 3, 3, 3], [1] * 20])
def test_absurd_sizes(sizes: list[int], good: Members, tmp_path: Path) -> None:
    def grow(config: Any) -> None:
        meta = config["config"]["0.weight"]["tensor_meta"]
        meta["sizes"] = [{"as_int": n} for n in sizes]
        meta["strides"] = [{"as_int": 0}] * len(sizes)

    assert refusal(zipped(edited(good, WEIGHTS, grow), tmp_path / "net.pt2")).startswith("0.weight ")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("storage_offset", {"as_int": 1 << 50}),
        ("storage_offset", {"as_int": -1}),
        ("strides", [{"as_int": 1 << 50}] * 4),
        ("strides", [{"as_int": -1}] * 4),
        ("dtype", 99),
        ("dtype", "float"),
        ("dtype", []),
        ("layout", 1),
    ],
)
def test_views_that_leave_their_storage(key: str, value: Any, good: Members, tmp_path: Path) -> None:
    def change(config: Any) -> None:
        config["config"]["0.weight"]["tensor_meta"][key] = value

    refusal(zipped(edited(good, WEIGHTS, change), tmp_path / "net.pt2"))


def test_expressions_are_not_evaluated(good: Members, tmp_path: Path) -> None:
    target = tmp_path / "ran"
    evil = {"as_expr": {"expr_str": f"__import__('os').system('touch {target}')", "hint": {"as_int": 8}}}

    def everywhere(program: Any) -> None:
        graph = program["graph_module"]["graph"]
        for meta in graph["tensor_values"].values():
            meta["sizes"] = [evil] * len(meta["sizes"])
        program["guards_code"] = [evil["as_expr"]["expr_str"]]
        program["range_constraints"] = {evil["as_expr"]["expr_str"]: {"min_val": 0, "max_val": 9}}

    message = refusal(zipped(edited(good, PROGRAM, everywhere), tmp_path / "net.pt2"))
    assert "symbolic height, width or number of channels" in message

    def of_a_weight(config: Any) -> None:
        config["config"]["0.weight"]["tensor_meta"]["sizes"][0] = evil

    message = refusal(zipped(edited(good, WEIGHTS, of_a_weight), tmp_path / "net.pt2"))
    assert "a size is symbolic; only the batch may be open" in message
    assert not target.exists()


class Hostile:
    """Unpickled, it would run a command."""

    def __init__(self, target: Path) -> None:
        self.command = f"touch {target}"

    def __reduce__(self):
        return os.system, (self.command,)


def test_pickles_within_are_left_alone(good: Members, tmp_path: Path) -> None:
    target = tmp_path / "ran"
    evil = pickle.dumps(Hostile(target))
    buffer = io.BytesIO()
    torch.save({"0.weight": Hostile(target)}, buffer)
    samples = {member(good, "sample_inputs/model.pt"): evil}
    read(zipped({**good, **samples}, tmp_path / "samples.pt2"))  # not looked at

    def pickled(config: Any) -> None:
        config["config"]["0.weight"]["use_pickle"] = True

    changed = edited(good, WEIGHTS, pickled)
    changed[member(changed, "weights/weight_0")] = evil
    assert "0.weight is a pickled object, which could run code" in refusal(zipped(changed, tmp_path / "weight.pt2"))

    def custom(program: Any) -> None:
        spec = {"custom_obj": {"arg": {"name": "obj", "class_fqn": "x"}, "custom_obj_name": "obj"}}
        program["graph_module"]["signature"]["input_specs"].append(spec)

    assert "custom objects, which could run code" in refusal(
        zipped(edited(good, PROGRAM, custom), tmp_path / "obj.pt2")
    )
    top = member(good, PROGRAM).removesuffix(PROGRAM)
    old = {name: data for name, data in good.items() if "/weights/" not in name}
    old[f"{top}data/weights/model.pt"] = buffer.getvalue()
    assert "system, which could run code" in refusal(zipped(old, tmp_path / "old.pt2"))
    assert not target.exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none(value: float, good: Members, tmp_path: Path) -> None:
    name = member(good, "weights/weight_0")
    data = good[name][:-4] + struct.pack("<f", value)
    message = refusal(zipped({**good, name: data}, tmp_path / "net.pt2"))
    assert message == "conv2d (aten.conv2d): 0.weight holds NaN or infinite values"


def test_a_storage_outside_of_its_folder(good: Members, tmp_path: Path) -> None:
    def elsewhere(config: Any) -> None:
        config["config"]["0.weight"]["path_name"] = "../../models/model.json"

    assert "a member of a strange name" in refusal(zipped(edited(good, WEIGHTS, elsewhere), tmp_path / "net.pt2"))


def test_control_characters_stay_out_of_messages(good: Members, tmp_path: Path) -> None:
    def rename(program: Any) -> None:
        node = program["graph_module"]["graph"]["nodes"][0]
        node["target"], node["name"] = "torch.ops.evil\n\x1b[31m.op", "x\n" * 5000

    message = refusal(zipped(edited(good, PROGRAM, rename), tmp_path / "net.pt2"))
    assert "this operation is not supported" in message and message.isprintable()


def test_parts_of_the_program_missing_or_of_another_kind(good: Members, tmp_path: Path) -> None:
    """Every entry of the JSON, one after the other, replaced: read, or refused in one line."""
    name, path = member(good, PROGRAM), tmp_path / "net.pt2"
    program = json.loads(good[name])

    def places(value: Any, at: tuple = ()) -> Iterator[tuple]:
        for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            if key not in ("module_call_graph", "stack_trace", "device"):
                yield (*at, key)
                yield from places(value[key], (*at, key))

    every = list(places(program))
    refused = 0
    with soon():
        for number, at in enumerate(every[::2]):
            changed = copy.deepcopy(program)
            parent = changed
            for key in at[:-1]:
                parent = parent[key]
            parent[at[-1]] = (None, -1, [], {}, "x", 1 << 70, {"as_int": "1"})[number % 7]
            zipped({**good, name: json.dumps(changed).encode()}, path)
            try:
                read(path)
            except CheckpointError as error:
                refused += "\n" not in str(error)
    assert refused > len(every) // 8


@pytest.mark.parametrize("keep", [0.01, 0.3, 0.7, 0.999])
def test_a_truncated_archive(keep: float, good: Members, tmp_path: Path) -> None:
    path = zipped(good, tmp_path / "net.pt2")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    assert "damaged" in (message := refusal(path)) or "truncated" in message


def flipped(data: bytes, seed: int) -> bytes:
    """A few bytes of it changed."""
    rng = np.random.default_rng(seed)
    changed = np.frombuffer(data, np.uint8).copy()
    where = rng.integers(0, len(changed), rng.integers(1, 6))
    changed[where] = rng.integers(0, 256, len(where))
    return changed.tobytes()


def survive(path: Path, variants: Iterator[bytes]) -> None:
    """Each is read, or refused in one line."""
    with soon():
        for data in variants:
            path.write_bytes(data)
            try:
                read(path)
            except CheckpointError as error:
                assert "\n" not in str(error)


def test_random_bytes_changed_in_an_archive(good: Members, tmp_path: Path) -> None:
    data = zipped(good, tmp_path / "net.pt2").read_bytes()
    survive(tmp_path / "net.pt2", (flipped(data, seed) for seed in range(150)))


# ONNX.


def small(**changes: Any) -> onnx.ModelProto:
    """A convolution of four channels. changes: weight, shape (of the input), nodes, weights."""
    weight = changes.get("weight", numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "c.weight"))
    nodes = changes.get("nodes") or [helper.make_node("Conv", ["x", "c.weight"], ["out"], "c")]
    shape = changes.get("shape", ["n", 3, 8, 8])
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 4, "h", "w"])],
        [weight, *changes.get("weights", ())],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def written(model: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def ints(name: str, *values: int) -> TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def outside(**entries: str) -> TensorProto:
    """A weight of 432 bytes that lies in another file."""
    weight = TensorProto(name="c.weight", data_type=TensorProto.FLOAT, dims=[4, 3, 3, 3])
    weight.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        weight.external_data.add(key=key, value=value)
    return weight


OTHER_FOLDER = "c.weight: its numbers lie in another folder"
NOT_SAID = "c.weight: where its numbers lie is not said as ONNX says it"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"location": "/etc/passwd"}, OTHER_FOLDER),
        ({"location": "../weights.bin"}, OTHER_FOLDER),
        ({"location": "sub/weights.bin"}, OTHER_FOLDER),
        ({"location": "C:weights.bin"}, OTHER_FOLDER),
        ({"location": ".."}, OTHER_FOLDER),
        ({}, OTHER_FOLDER),
        (
            {"location": "none.bin"},
            "c.weight: its numbers should lie in none.bin beside the model, but there is no such",
        ),
        (
            {"location": "link.bin"},
            "c.weight: its numbers should lie in link.bin beside the model, but there is no such",
        ),
        ({"location": "weights.bin", "offset": "-4"}, NOT_SAID),
        ({"location": "weights.bin", "offset": "9" * 30}, NOT_SAID),
        ({"location": "weights.bin", "command": "touch x"}, NOT_SAID),
        ({"location": "weights.bin", "offset": "4", "length": "432"}, "c.weight: its numbers should be 432 bytes of"),
        ({"location": "weights.bin", "length": str(1 << 40)}, "c.weight: its numbers should be 1099511627776 bytes of"),
        ({"location": "weights.bin", "length": "428"}, "it is no valid ONNX: TensorProto (tensor name: c.weight)"),
    ],
)
def test_weights_in_another_file(entries: dict[str, str], message: str, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(432))
    (tmp_path / "link.bin").symlink_to("/etc/passwd")
    assert refusal(written(small(weight=outside(**entries)), tmp_path / "net.onnx")).startswith(message)


def test_weights_within_nodes_lie_nowhere_else(tmp_path: Path) -> None:
    weight = outside(location="weights.bin")
    (tmp_path / "weights.bin").write_bytes(bytes(432))
    node = helper.make_node("Constant", [], ["c.weight"], value=weight)
    nodes = [node, helper.make_node("Conv", ["x", "c.weight"], ["out"])]
    other = numpy_helper.from_array(np.ones(1, np.float32), "other")
    assert refusal(written(small(weight=other, nodes=nodes), tmp_path / "net.onnx")).startswith(
        "a constant of a node lies"
    )


@pytest.mark.parametrize(
    "dims", [[1 << 40, 3, 3, 3], [4, 3, 3, 1 << 62], [-4, -3, 3, 3], [4, 3, 3, 2], [4, 3, 27], [0, 3, 3, 3]]
)
@pytest.mark.parametrize("raw", [True, False])
def test_dimensions_that_cannot_be(dims: list[int], raw: bool, tmp_path: Path) -> None:
    weight = TensorProto(name="c.weight", data_type=TensorProto.FLOAT, dims=dims)
    if raw:
        weight.raw_data = bytes(432)
    else:
        weight.float_data.extend([0.0] * 108)
    assert "c.weight" in refusal(written(small(weight=weight), tmp_path / "net.onnx"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_numbers_that_are_none_in_onnx(value: float, tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.full((4, 3, 3, 3), value), "c.double")
    nodes = [
        helper.make_node("Cast", ["c.double"], ["c.weight"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["x", "c.weight"], ["out"]),
    ]
    message = refusal(written(small(weight=weight, nodes=nodes), tmp_path / "net.onnx"))
    assert message == "out (Conv): c.double holds NaN or infinite values"


def test_a_cycle(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Add", ["x", "b"], ["a"]),
        helper.make_node("Add", ["x", "a"], ["b"]),
        helper.make_node("Conv", ["b", "c.weight"], ["out"]),
    ]
    assert "it is no valid ONNX" in refusal(written(small(nodes=nodes), tmp_path / "net.onnx"))


BOMBS: dict[str, tuple[list[tuple], list[TensorProto]]] = {
    "fill": ([("ConstantOfShape", ["big"], ["w"])], [ints("big", 1 << 40)]),
    "fill, many axes": ([("ConstantOfShape", ["big"], ["w"])], [ints("big", *[64] * 60)]),
    "fill, negative": ([("ConstantOfShape", ["big"], ["w"])], [ints("big", -1, -1)]),
    "expand": ([("Expand", ["c.weight", "big"], ["w"])], [ints("big", 1 << 20, 1 << 20, 4, 3, 3, 3)]),
    "broadcast": (
        [("Reshape", ["c.weight", "tall"], ["1"]), ("Expand", ["1", "big"], ["2"]), ("Reshape", ["2", "wide"], ["3"]),
         ("Mul", ["2", "3"], ["w"])],
        [ints("tall", 108, 1), ints("big", 108, 100_000), ints("wide", -1, 1, 1)],
    ),
    "product": (
        [("ConstantOfShape", ["tall"], ["1"]), ("ConstantOfShape", ["wide"], ["2"]), ("MatMul", ["1", "2"], ["w"])],
        [ints("tall", 11_000, 11_000), ints("wide", 11_000, 11_000)],
    ),
    "doubling": (
        [("Identity", ["c.weight"], ["0"]),
         *(("Concat", [f"{i}", f"{i}"], [f"{i + 1}"]) for i in range(60)), ("Identity", ["60"], ["w"])],
        [],
    ),
    "again and again": (
        [("ConstantOfShape", ["big"], ["0"]),
         *(("Add", [f"{i}", f"{i}"], [f"{i + 1}"]) for i in range(200)), ("Identity", ["200"], ["w"])],
        [ints("big", 1 << 21)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_small_files_that_ask_for_much(bomb: str, tmp_path: Path) -> None:
    steps, weights = BOMBS[bomb]
    nodes = [helper.make_node(*step, **({"axis": 0} if step[0] == "Concat" else {})) for step in steps]
    nodes.append(helper.make_node("Conv", ["x", "w"], ["out"]))
    message = refusal(written(small(nodes=nodes, weights=weights), tmp_path / "net.onnx"))
    assert "constant" in message


def test_windows_and_maps_without_bound(tmp_path: Path) -> None:
    pools = [helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[1 << 40] * 2, pads=[1 << 39] * 4)]
    nodes = [*pools, helper.make_node("Conv", ["y", "c.weight"], ["out"])]
    assert "(MaxPool)" in refusal(written(small(nodes=nodes), tmp_path / "net.onnx"))


def test_redefined_operations(tmp_path: Path) -> None:
    model = small()
    body = [helper.make_node("Identity", ["x"], ["y"])]
    model.functions.append(helper.make_function("", "Conv", ["x"], ["y"], body, [helper.make_opsetid("", 18)]))
    assert "it redefines operations of ONNX" in refusal(written(model, tmp_path / "net.onnx"))


@pytest.mark.parametrize(
    "data", [b"", b"\x08\x08", b"\x08\x08\x12\x04test", b"\x08\x08:" + b"\xff" * 50, b"onnx" * 1000]
)
def test_files_that_are_no_onnx(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(data)
    assert "no ONNX file" in refusal(tmp_path / "net.onnx")


def test_random_bytes_changed_in_onnx(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["c.coefs", "c.basis"], ["1"], "product"),
        helper.make_node("Reshape", ["1", "shape"], ["2"], "kernels"),
        helper.make_node("Conv", ["x", "2"], ["3"], "c", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["3"], ["4"], "relu"),
        helper.make_node("Add", ["3", "4"], ["out"], "add"),
    ]
    weights = [
        numpy_helper.from_array(np.ones((2, 9), np.float32), "c.basis"),
        ints("shape", 4, 3, 3, 3),
    ]
    coefs = numpy_helper.from_array(np.ones((12, 2), np.float32), "c.coefs")
    data = small(weight=coefs, nodes=nodes, weights=weights).SerializeToString()
    variants = [flipped(data, seed) for seed in range(600)] + [data[:n] for n in range(0, len(data), 7)]
    survive(tmp_path / "net.onnx", iter(variants))
