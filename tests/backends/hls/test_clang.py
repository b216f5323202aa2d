"""What bambu's front end, clang 16, must accept: every operator and the demo network against a stand-in for its headers.

bambu itself is in no package registry. The stand-in (folder bambu) declares the part of its documented interface that the
C++ uses, and leaves away what is known not to get through; libclang is the compiler's front end as a Python package.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from clang.cindex import CursorKind, Diagnostic, Index, TranslationUnit

from penni_hls.backends.hls.emit import emit_hls, emit_operators
from penni_hls.backends.hls.gxx import write_changed
from penni_hls.files import HW
from penni_hls.ir.fixed import QType
from penni_hls.ir.graph import TensorSpec
from penni_hls.ir.ops import BasisConv
from penni_hls.schedule import plan
from penni_hls.target.boards import load
from tests.backends.hls.test_operators import ALL
from tests.networks import random_resnet

STAND_IN = Path(__file__).parent / "bambu"
HEADERS = (f"-I{STAND_IN}", "-nostdinc", "-nostdinc++", "-w", "-D__BAMBU__", "-D__SYNTHESIS__")
S8, U8 = QType(8, True), QType(8, False)


def parse(source: Path, *, standard: str = "gnu++17", text: str = "") -> TranslationUnit:
    """source, with `text` behind it. bambu calls its front end without -std=, which means gnu++17."""
    arguments = [*HEADERS, f"-I{source.parent}", f"-std={standard}"]
    behind = source.read_text() + text
    return Index.create().parse(str(source), arguments, unsaved_files=[(str(source), behind)])


def errors(unit: TranslationUnit) -> list[str]:
    return [f"{each.location}: {each.spelling}" for each in unit.diagnostics if each.severity >= Diagnostic.Error]


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("network")
    write_changed(emit_hls(plan(random_resnet(), load("pynq-z2"))), folder)
    return folder / "hls" / "penni_top.cpp"


@pytest.mark.parametrize("standard", ["gnu++17", "c++14"])
def test_a_network_compiles_and_its_top_has_a_plain_name(network, standard):
    unit = parse(network, standard=standard)
    assert errors(unit) == []
    (top,) = (
        node
        for node in unit.cursor.walk_preorder()
        if node.kind == CursorKind.FUNCTION_DECL and node.spelling == "penni_top" and node.is_definition()
    )
    assert top.mangled_name == "penni_top"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('void f() { hls::stream<penni::word<8> > named("named"); }', "no matching constructor"),
        ("void f(penni::counter<9> x) { --x; }", "cannot decrement"),
        ("penni::word<8> f(const penni::word<128>& all, int at) { return all.slc<8>(at); }", "no matching member"),
        ("void f(penni::word<128>& all, int at) { all.set_slc(at, penni::word<8>(0)); }", "no matching member"),
        ("void f() { penni::fork<int>(1, 2, 3, 4, 5, 6); }", "no matching function"),
    ],
)
def test_what_bambu_does_not_take_is_an_error(network, text, said):
    found = errors(parse(network, text=text))
    assert found and said in found[0]


def test_no_function_takes_a_parameter_pack():
    """bambu's interface pass fails on one that the top calls; plain overloads are as good."""
    headers = [path for path in HW.rglob("hls/*.hpp") if path.name not in ("penni_pragmas.hpp", "penni_blocks.hpp")]
    assert len(headers) > 15
    assert [path.name for path in headers if re.search(r"\.\.\.", path.read_text())] == []


@pytest.mark.slow
def test_the_demo_network_compiles(tmp_path):
    command = [sys.executable, "-m", "penni_hls", "generate", "examples/resnet8.pt", "-o", str(tmp_path / "r8")]
    subprocess.run([*command, "--bits", "8/8", "--copies", "2"], cwd=HW.parent, check=True, capture_output=True)
    assert errors(parse(tmp_path / "r8" / "hls" / "penni_top.cpp")) == []


@pytest.mark.slow
def test_every_operator_compiles(tmp_path):
    """Words of up to 512 bits among them: fields are taken at constant places only."""
    write_changed(emit_operators({name: (case.op, case.folding) for name, case in ALL.items()}), tmp_path)
    tops = sorted((tmp_path / "hls").glob("top_*.cpp"))
    assert len(tops) == len(ALL)
    everything = tmp_path / "hls" / "everything.cpp"
    everything.write_text("".join(f'#include "{path.name}"\n' for path in tops))
    assert errors(parse(everything)) == []


def test_a_large_map_is_within_the_limit_of_constant_evaluation(tmp_path):
    """Steps are counted in Python: 50,176 groups are more than clang evaluates."""
    op = BasisConv(TensorSpec((224, 224, 3), U8), np.ones((2, 3, 3), np.int64), (3, 3), S8, 1, 1, np.zeros(3, np.int64))
    write_changed(emit_operators({"large": (op, op.folding(1))}), tmp_path)
    assert errors(parse(tmp_path / "hls" / "top_large.cpp")) == []
