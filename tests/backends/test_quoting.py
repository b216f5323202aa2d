"""Names from outside do nothing in generated files: not in Python, Tcl, C++, SystemVerilog or Markdown."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penni_hls.backends.board.driver import emit_driver
from penni_hls.backends.board.readme import emit_readme
from penni_hls.backends.design import Design
from penni_hls.backends.hls.emit import emit_hls
from penni_hls.backends.quoting import c_string, comment, tcl
from penni_hls.backends.rtl.emit import emit_rtl
from penni_hls.backends.vivado.emit import emit_vivado
from penni_hls.ir.graph import Graph, Node
from penni_hls.schedule import plan
from penni_hls.target.boards import load
from tests.networks import random_resnet

EVIL = (
    '"""\nimport os; os.system("touch MARK")\n"""',
    "x]; exec touch MARK; [",
    "[exec touch MARK]",
    "$(touch MARK)\nexec touch MARK\n",
    '"; exec touch MARK; "',
    "}; exec touch MARK; {",
    "name\\",
    "*/ #error MARK\n`include MARK",
    '");} int mark(){return 0;} void f(){("',
    "ünï\x00\x1bcode\u2028exec touch MARK",
)


def design(text: str) -> Design:
    board = replace(load("pynq-z2"), title=text, part=text, vivado_board=text)
    graph = random_resnet(blocks=1, widths=(2,), size=4, bases=1)
    renamed = {node.name: f"{text}{index}" for index, node in enumerate(graph)}
    nodes = (Node(renamed[n.name], n.op, tuple(renamed[i] for i in n.inputs)) for n in graph)
    return Design(text, text, replace(plan(Graph(tuple(nodes)), load("pynq-z2")), board=board), 1.0, ())


@pytest.mark.parametrize("text", EVIL)
def test_programs_of_the_driver_are_what_they_were(text: str) -> None:
    """Names are in its data, printable and in one line, and in comments."""
    tame, evil = (emit_driver(design(name)) for name in ("tame", text))
    assert tame.keys() == evil.keys()
    for path in tame:
        if path.endswith((".py", ".ipynb", "penni.h", "main.c", "registers.h")):
            assert tame[path] == evil[path]
    values = json.loads(evil["driver/penni.json"])
    assert values["name"].isprintable() and all(name.isprintable() for name in values["operators"])
    assert values | {"name": "", "operators": [], "digest": ""} == json.loads(tame["driver/penni.json"]) | {
        "name": "", "operators": [], "digest": "",
    }  # fmt: skip


@pytest.mark.parametrize("text", EVIL)
def test_every_other_file_has_the_lines_that_it_had(text: str) -> None:
    """A name that broke out of its line would add one; comments and strings hold it in theirs."""
    texts = {".h", ".md"}
    driver = lambda d: {p: t for p, t in emit_driver(d).items() if Path(p).suffix in texts}  # noqa: E731
    for emit in (emit_vivado, emit_readme, driver, lambda d: emit_hls(d.schedule), lambda d: emit_rtl(d.schedule)):
        tame, evil = emit(design("tame")), emit(design(text))
        lines = [
            sorted(len(str(t).splitlines()) for p, t in files.items() if "vectors" not in p) for files in (tame, evil)
        ]
        assert lines[0] == lines[1]
        assert not any("\x00" in str(t) or "\x1b" in str(t) for p, t in evil.items() if "vectors" not in p)


@pytest.mark.skipif(shutil.which("tclsh") is None, reason="tclsh is not on PATH")
@pytest.mark.parametrize("text", EVIL)
def test_tcl_substitutes_nothing(text: str, tmp_path: Path) -> None:
    script = (
        f'proc show {{word}} {{ puts -nonewline $word }}\nshow {tcl(text)}\nshow "|{tcl(text)}|"\n# {comment(text)}\n'
    )
    (tmp_path / "run.tcl").write_text(script)
    done = subprocess.run(["tclsh", "run.tcl"], cwd=tmp_path, capture_output=True, timeout=60)
    shown = done.stdout.decode()
    assert not done.stderr and not (tmp_path / "MARK").exists()
    if text.isascii():
        assert shown == f"{text}|{text}|"


@given(st.text())
def test_quoted_text_stays_within_its_line(text: str) -> None:
    assert len(comment(text).splitlines()) <= 1 and "\\" not in comment(text) and '"' not in comment(text)
    assert re.fullmatch(r"(?:[\w.:/-]|\\u[0-9a-f]{4}|\\[^\w\s]|\\ )+|\{\}", tcl(text), re.ASCII)
    assert '"' not in c_string(text) and c_string(text).isprintable() and "??" not in c_string(text)


@given(st.from_regex(r"[\w.:/-]+", fullmatch=True).filter(str.isascii))
def test_tame_text_stays_as_it_is(text: str) -> None:
    assert comment(text) == tcl(text) == c_string(text) == text or len(text) > 200
