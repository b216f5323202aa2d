"""Many random networks, in several processes, and what is said of them together."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from .check import Outcome, check


def failure(outcome: Outcome) -> str:
    """What went wrong, and how to repeat it."""
    return f"seed {outcome.seed} {outcome.kind}: {outcome.why.strip()}\n  repeat: python -m tests.fuzz --seed {outcome.seed}"


def run(seeds: Iterable[int], rtl_every: int, jobs: int, folder: Path) -> Iterator[Outcome]:
    """Outcomes as they come, of `jobs` processes; each `rtl_every`-th seed goes through RTL too (0: none)."""
    context = multiprocessing.get_context("spawn")
    one_thread = {"initializer": torch.set_num_threads, "initargs": (1,)}
    pool = concurrent.futures.ProcessPoolExecutor(jobs, mp_context=context, **one_thread)
    try:
        work = [pool.submit(_one, seed, folder, bool(rtl_every) and seed % rtl_every == 0) for seed in seeds]
        for done in concurrent.futures.as_completed(work):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _one(seed: int, folder: Path, rtl: bool) -> Outcome:
    return check(seed, folder / str(os.getpid()), rtl)


def summary(outcomes: list[Outcome]) -> list[str]:
    counts = Counter(outcome.kind for outcome in outcomes)
    lines = [", ".join(f"{counts[kind]} {kind}" for kind in ("passed", "refused", "failed"))]
    for what in ("cycles", "latency"):
        known = [o for o in outcomes if getattr(o, what) is not None]
        if known:
            worst = max(known, key=lambda o: abs(getattr(o, what)))
            lines.append(
                f"{what}: {len(known)} in RTL, worst error of the prediction {getattr(worst, what):+.1%} (seed {worst.seed})"
            )
    errors = sorted(o.error for o in outcomes if o.error is not None)
    if errors:
        shares = ", ".join(f"{p} %: {errors[min(len(errors) - 1, len(errors) * p // 100)]:.3f}" for p in (50, 90, 99))
        lines.append(f"error against torch, of the spread of its results: {shares}, largest: {errors[-1]:.3f}")
    failed = sorted(o.seed for o in outcomes if o.kind == "failed")
    if failed:
        lines.append(f"failing seeds: {' '.join(map(str, failed))}")
    return lines
