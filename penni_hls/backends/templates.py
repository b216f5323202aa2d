"""The one Jinja environment, and how a node's name becomes an identifier. Templates hold wiring only."""

from __future__ import annotations

import re
from functools import cache

import jinja2

from ..files import TEMPLATES
from . import quoting


@cache
def environment() -> jinja2.Environment:
    """Templates under templates/; an undefined name is an error; block tags leave no blank lines."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=jinja2.select_autoescape(("html.j2",), default_for_string=False),
    )
    made.filters |= {"comment": quoting.comment, "tcl": quoting.tcl, "c_string": quoting.c_string}
    return made


def render(template: str, **view: object) -> str:
    """`template` is a path under templates/, as `hls/penni_top.cpp.j2`."""
    return environment().get_template(template).render(**view)


def identifier(name: str) -> str:
    """`layer1.0.conv1.basis` -> `layer1_0_conv1_basis`: good in C++, SystemVerilog and file names."""
    text = re.sub(r"\W", "_", name, flags=re.ASCII)
    return text if text[:1].isalpha() else f"n_{text}"
