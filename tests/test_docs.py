"""The documentation is true: messages that it explains exist, its worked numbers come out, its pages are on the site."""

from __future__ import annotations

import ast
import doctest
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


@cache
def pieces() -> list[str]:
    """Every text of package and driver, up to what is put into it: `f"{path}: no {kind} here"` -> ": no ", " here"."""
    found = []
    for path in (*(ROOT / "penni_hls").rglob("*.py"), *(ROOT / "driver").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
    return found


def messages() -> list[str]:
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    return [match.replace("\\|", "|") for match in re.findall(r"^\| `([^`]+)` \|", text, re.M)]


@pytest.mark.parametrize("message", messages())
def test_a_message_that_is_explained_exists(message):
    known = pieces()
    parts = [part for part in message.split("…") if len(part.strip(" '\"():;,.")) > 2]
    assert parts
    for part in parts:
        assert any(part.strip(" '") in text for text in known), f"{part!r} is said nowhere"


def test_many_messages_are_explained():
    assert len(messages()) > 25


def test_the_worked_numbers_of_the_contract():
    failed, tried = doctest.testfile(str(DOCS / "contract.md"), module_relative=False, encoding="utf-8")
    assert tried > 10 and failed == 0


def test_the_site_is_built_and_loads_nothing(tmp_path):
    """No link leads nowhere, and no page wants a script, style, font or picture from elsewhere."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 15
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r"<(?:script|img|iframe)[^>]+src=\"?https?:", text), page
        assert not re.findall(r"<link[^>]+rel=\"?(?:stylesheet|preconnect)\"?[^>]+href=\"?https?:", text), page


def test_every_page_is_on_the_site():
    """And the site has no other; README.md, CONTRIBUTING.md and examples/README.md are pages by docs/site.py."""
    listed = set(re.findall(r"([\w/.-]+\.md)", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert listed == pages | {"index.md", "extending.md", "examples.md"}
