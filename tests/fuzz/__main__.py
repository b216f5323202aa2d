"""Random networks through everything: python -m tests.fuzz --count 100 --start 0 --jobs 2, or --seed 17 for one."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .check import Outcome, check
from .many import failure, run, summary
from .networks import random_network


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="networks")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--rtl-every", type=int, default=4, help="each so many-th seed goes through RTL too; 0: none")
    parser.add_argument("--seed", type=int, help="only this one: it is printed, and its files are kept")
    options = parser.parse_args()
    console = Console(highlight=False)
    if options.seed is not None:
        print(random_network(options.seed), flush=True)
        folder = Path(tempfile.mkdtemp(prefix=f"fuzz{options.seed}-"))
        outcome = check(options.seed, folder, rtl=True)
        print(outcome.kind, outcome.why, outcome, f"files: {folder}", sep="\n")
        return outcome.kind == "failed"
    outcomes: list[Outcome] = []
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, Progress(*columns, console=console) as bar:
        task = bar.add_task("networks", total=options.count)
        seeds = range(options.start, options.start + options.count)
        try:
            for outcome in run(seeds, options.rtl_every, options.jobs, Path(folder)):
                outcomes.append(outcome)
                bar.advance(task)
                if outcome.kind != "passed":
                    console.print(failure(outcome), markup=False, soft_wrap=True)
        except KeyboardInterrupt:
            console.print("interrupted; so far:")
            return 130
        finally:
            for line in summary(outcomes):
                console.print(line, markup=False, soft_wrap=True)
    return any(outcome.kind == "failed" for outcome in outcomes)


if __name__ == "__main__":
    sys.exit(main())
