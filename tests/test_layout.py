"""The house: every operator has its files on every shelf and no file is an orphan; imports point one way."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from penni_hls.files import HW
from penni_hls.ir.ops import OPERATORS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "penni_hls"
KINDS = sorted(op.kind for op in OPERATORS)

SHELVES = {
    "penni_hls/ir/ops": "{kind}.py",
    "hw/rtl": "penni_{kind}.sv",
    "hw/hls": "penni_{kind}.hpp",
    "tests/ir/ops": "test_{kind}.py",
}
# Files of ops/ that are no operator: what operators are made of.
HELD_BY_OPERATORS = {
    "__init__", "adder_graph", "base", "cpp_loops", "external", "input", "mac_cost", "mac_folding", "memory", "process",
    "program", "row_cost", "row_walk", "scaled_basis", "timing", "window_pool",
}  # fmt: skip

# The rooms of the package, floor by floor. A module imports from its own room or from lower floors only.
FLOORS = (
    ("errors", "locks"),
    ("files", "pickles", "workers"),
    ("target", "data", "store"),
    ("ir",),
    ("passes", "schedule", "accuracy", "zoo"),
    ("quantize", "project", "checkpoint", "training"),
    ("backends", "export", "compression"),
    ("qat",),
    ("recipes",),
    ("api",),
    ("report",),
    ("commands",),
    ("cli",),
    ("__main__",),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# Library -> the only parts that import it.
ONLY_IN = {
    "torch": ("checkpoint", "compression", "export", "qat", "recipes", "training", "zoo"),
    "subprocess": ("backends", "workers"),
    "jinja2": ("backends",),
    "typer": ("commands", "cli"),
    "rich": ("report",),
    "pickle": ("workers",),
    "pickletools": ("pickles",),
    "onnx": ("checkpoint", "export"),
    "safetensors": ("checkpoint", "export", "recipes"),
}


def modules() -> Iterator[tuple[str, Path]]:
    """(part, file) of every module: the part is the file or folder right under penni_hls/."""
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE)
        if relative.parts[0] != "__init__.py":
            yield relative.parts[0].removesuffix(".py"), path


def imported(path: Path) -> Iterator[tuple[str, bool]]:
    """(name, inside) of each import: the part of penni_hls where `inside`, else the library."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module.split(".") if node.module else [])]
            names = [base] if len(base) > 1 else [[*base, alias.name] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module.split(".")]
        else:
            continue
        for name in names:
            if name[0] == PACKAGE.name:
                if len(name) > 1 and name[1] != "__version__":
                    yield name[1], True
            else:
                yield name[0], False


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shelf", SHELVES)
def test_every_operator_is_on_every_shelf(kind: str, shelf: str) -> None:
    assert (ROOT / shelf / SHELVES[shelf].format(kind=kind)).is_file()


def test_no_file_of_a_shelf_is_an_orphan() -> None:
    assert {path.stem for path in (PACKAGE / "ir" / "ops").glob("*.py")} == {*KINDS, *HELD_BY_OPERATORS}
    tests = {path.stem for path in (ROOT / "tests" / "ir" / "ops").glob("test_*.py")}
    assert tests == {f"test_{kind}" for kind in KINDS}


def test_every_hardware_file_is_used() -> None:
    """Each file of hw/ is named by another one there, or by what emits it."""
    users = [
        *HW.rglob("*.sv"),
        *HW.rglob("*.hpp"),
        *HW.rglob("*.cpp"),
        *(ROOT / "templates").rglob("*.j2"),
        *PACKAGE.rglob("*.py"),
    ]
    texts = {path: path.read_text(encoding="utf-8") for path in users}
    operators = {SHELVES[shelf].format(kind=kind) for shelf in ("hw/rtl", "hw/hls") for kind in KINDS}
    for path in (*HW.rglob("*.sv"), *HW.rglob("*.hpp")):
        if path.name not in operators:
            assert any(path.stem in text for other, text in texts.items() if other != path), f"{path} is an orphan"


def test_every_room_has_a_floor() -> None:
    assert {part for part, _ in modules()} == set(FLOOR)


def test_the_architecture_document_draws_the_rooms() -> None:
    """Its table has a row for each floor, with the rooms that are on it."""
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"), re.M)
    drawn = {int(floor): {Path(room).stem for room in re.findall(r"`([^`]+)`", rooms)} for floor, rooms in rows}
    assert drawn == {floor: set(rooms) for floor, rooms in enumerate(FLOORS)}


def test_imports_point_one_way() -> None:
    upwards = [
        f"{path.relative_to(ROOT)} imports {name}"
        for part, path in modules()
        for name, inside in imported(path)
        if inside and name != part and FLOOR[name] >= FLOOR[part]
    ]
    assert not upwards


def test_libraries_stay_where_they_belong() -> None:
    strays = [
        f"{path.relative_to(ROOT)} imports {name}"
        for part, path in modules()
        for name, inside in imported(path)
        if not inside and name in ONLY_IN and part not in ONLY_IN[name]
    ]
    assert not strays


def test_no_template_does_arithmetic_or_assigns() -> None:
    """Templates hold wiring: no variable of their own, no operator on numbers."""
    for path in (ROOT / "templates").rglob("*.j2"):
        text = path.read_text(encoding="utf-8")
        for statement in text.split("{%")[1:]:
            assert statement.split("%}")[0].strip(" -").split()[0] != "set", path
        for expression in text.split("{{")[1:]:
            assert not any(f" {operator} " in expression.split("}}")[0] for operator in "+-*/%"), path
