"""The register map: registers do not overlap, and everything that is made from it says the same."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from penni_hls.backends import registers
from penni_hls.backends.registers import ADDRESS_BITS, KEPT, MAP, OPERATORS

ROOT = Path(__file__).resolve().parents[2]


def test_registers_lie_one_after_the_other() -> None:
    end = 0
    for register in MAP:
        assert register.offset >= end and register.offset % 4 == 0, register.name
        assert register.words == 2 if register.access == "counter" else register.words >= 1, register.name
        assert register.words == 1 or register.offset % 8 == 0, register.name
        end = register.offset + 4 * register.words
    assert end <= OPERATORS < 1 << ADDRESS_BITS


def test_fields_share_no_bit() -> None:
    for register in MAP:
        assert sum(field.mask for field in register.fields) < 1 << 32, register.name
        taken = 0
        for field in register.fields:
            assert not field.mask & taken, f"{register.name}.{field.name}"
            taken |= field.mask


@pytest.mark.parametrize("path", KEPT)
def test_what_is_kept_is_what_the_map_gives(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == KEPT[path](), "run `make registers`"


def constants() -> dict[str, int]:
    """As a reader of the map would write them down."""
    found = {register.name: register.offset for register in MAP}
    for register in MAP:
        found |= {f"{register.name}_{field.name}": field.mask for field in register.fields}
    return found | {"OPERATORS": 0x400, "OPERATOR_BYTES": 8, "MAGIC_VALUE": 0x4E4E4550}


def test_the_driver_gets_every_register_and_field() -> None:
    namespace: dict[str, object] = {}
    exec(registers.python(), namespace)
    assert {name: namespace[name] for name in namespace if name.isupper() and name != "MAP_VERSION"} == constants()
    assert namespace["MAP_VERSION"] == registers.VERSION


def test_c_gets_every_register_and_field(tmp_path: Path) -> None:
    """As a C compiler evaluates them."""
    names = re.findall(r"#define (PENNI_\w+) \S", registers.c_header())
    prints = "".join(f'  printf("{name} %u\\n", (unsigned)({name}));\n' for name in names)
    (tmp_path / "penni_registers.h").write_text(registers.c_header())
    (tmp_path / "main.c").write_text(
        f'#include <stdio.h>\n#include "penni_registers.h"\nint main(void) {{\n{prints}  return 0;\n}}\n'
    )
    subprocess.run(
        ["g++", "-xc", "-std=c99", "-Wall", "-Wextra", "-Werror", "main.c", "-o", "main"], cwd=tmp_path, check=True
    )
    lines = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout.splitlines()
    found = {name.removeprefix("PENNI_"): int(value) for name, value in map(str.split, lines)}
    assert (found.pop("MAP_MAJOR"), found.pop("MAP_MINOR")) == registers.VERSION
    assert found == constants()
