"""`penni-hls report`: a project on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import api
from ..report.console import Reporter
from .options import Json, ProjectDir


def report(
    project: ProjectDir,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where to write; by default PROJECT/report.html."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Write report.html: the network, its load, resources and FIFOs, and what simulate, synth and evaluate found.

    One file that needs no network. `generate` writes it, too; run this after the others, so that it shows their results.

    \b
    Examples:
      penni-hls report build/r20
      penni-hls report build/r20 -o r20.html
    """
    reporter = Reporter(as_json)
    path, shown = api.write_report(api.load(project), output)
    reporter.say(f"written: {path}")
    reporter.say(f"with the results of {', '.join(shown)}" if shown else "predictions only: nothing has been run yet")
    reporter.result({"output": str(path), "bytes": path.stat().st_size, "results": list(shown)})
    return 0
