"""Where output goes: results on stdout, notes and progress on stderr; with --json one object on stdout, no tables."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

QUIET = 5.0  # seconds of a stage that are not worth a line
WIDTH = 100  # columns: a table never needs more

Advance = Callable[[int, int], None]  # (done, total)


def _console(**options) -> Console:
    console = Console(highlight=False, **options)
    return (
        console if console.is_terminal and console.width <= WIDTH else Console(highlight=False, width=WIDTH, **options)
    )


class Reporter:
    """One per command. With `as_json`, output for people goes to stderr or is dropped; `result` prints the object."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self._out, self._err = _console(), _console(stderr=True)

    def table(self, table: Table) -> None:
        if not self.as_json:
            self._out.print(table)

    def say(self, text: str = "") -> None:
        """A line of the result."""
        if not self.as_json:
            self._out.print(text, markup=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Information besides the result, on stderr."""
        self._err.print(f"note: {text}", markup=False, soft_wrap=True)

    def log(self, text: str) -> None:
        """A line about progress, on stderr."""
        self._err.print(text, markup=False, soft_wrap=True)

    def result(self, payload: dict) -> None:
        if self.as_json:
            print(json.dumps(payload, allow_nan=False))

    @contextmanager
    def progress(self, what: str) -> Iterator[Advance]:
        """A bar on stderr while the block runs, where stderr is a terminal. The block calls advance(done, total)."""
        with self._bar() as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)

    @contextmanager
    def steps(self, what: str) -> Iterator[Callable[[str, int, int], None]]:
        """The same for work in parts: the block calls advance(part, done, total); lines may be logged meanwhile."""
        with self._bar() as bar:
            task, last = bar.add_task(what, total=None), ""

            def advance(part: str, done: int, total: int) -> None:
                nonlocal last
                if part != last:
                    bar.reset(task, description=part)
                    last = part
                bar.update(task, completed=done, total=total)

            yield advance

    def _bar(self) -> Progress:
        columns = (
            TextColumn("{task.description}"), BarColumn(bar_width=None), MofNCompleteColumn(), TimeElapsedColumn(),
            TimeRemainingColumn(),
        )  # fmt: skip
        return Progress(*columns, console=self._err, transient=True, disable=not sys.stderr.isatty())

    @contextmanager
    def stages(self, what: str) -> Iterator[Callable[[str], None]]:
        """A spinner on stderr with the name of the current stage; where stderr is no terminal, a line about each stage
        that takes longer than QUIET."""
        if not sys.stderr.isatty():
            with self._lines(what) as told:
                yield told
            return
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=None), TimeElapsedColumn())
        with Progress(*columns, console=self._err, transient=True) as bar:
            task = bar.add_task(what, total=None)
            yield lambda stage: bar.update(task, description=f"{what}: {stage}")

    @contextmanager
    def _lines(self, what: str) -> Iterator[Callable[[str], None]]:
        timer: threading.Timer | None = None

        def tell(stage: str) -> None:
            nonlocal timer
            if timer:
                timer.cancel()
            timer = threading.Timer(QUIET, self.log, [f"{what}: {stage}"])
            timer.daemon = True
            timer.start()

        try:
            yield tell
        finally:
            if timer:
                timer.cancel()
