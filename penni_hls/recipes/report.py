"""A project and what has been found out about it -> report.html."""

from __future__ import annotations

from pathlib import Path

from ..backends.page.emit import emit_report
from ..errors import ProjectError
from ..files import replace_file
from ..project import REPORT, Project, results


def write_report(project: Project, output: Path | None = None) -> tuple[Path, tuple[str, ...]]:
    """Write the page of `project` to `output`, by default into the project; its path, and the names of the results that
    it shows (see project.results)."""
    path, found = output or project.path / REPORT, results.load(project)
    try:
        page = emit_report(project.manifest, project.schedule, found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if not found and not project.manifest.get("results"):
            raise  # of what generate wrote: no user's mistake
        raise ProjectError(
            f"{project.work / results.FOLDER}: something in it was not written by this penni-hls ({error!r}); "
            "remove that folder, and run simulate and synth anew"
        ) from None
    replace_file(path, page.encode())
    return path, tuple(found)
