"""One function for many arguments, on all cores.

The calling process works, too; others are started only where much is left to do. They are interpreters of their
own that import the function's module and nothing of the caller's program, whose threads and main module may be anything:
what `multiprocessing` does needs a guard in every script that calls the library, or forks threads that hold locks.
They end when their input does, so none outlives its caller by more than a call.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

Result = TypeVar("Result")

ALONE = (
    2.0  # seconds: what may be left to do, by what has been done, before others are started; a start takes about one
)

_SERVE = "from penni_hls.workers import serve; serve()"


def each(function: Callable[..., Result], calls: Sequence[tuple]) -> list[Result]:
    """function(*arguments) for each of `calls`, in their order. The function is one of a module's own, and pure; it, its
    arguments and results can be pickled. Raises what the function raises."""
    todo = deque(enumerate(calls))
    done: dict[int, Result] = {}
    start, others = time.monotonic(), []
    try:
        while (call := _next(todo)) is not None:
            index, arguments = call
            done[index] = function(*arguments)
            left = (time.monotonic() - start) / len(done) * len(todo)
            if not others and len(todo) > 1 and left > ALONE:
                others = [_Other(function, todo, done) for _ in range(min(len(os.sched_getaffinity(0)) - 1, len(todo)))]
        for other in others:
            other.thread.join()
    finally:
        todo.clear()
        for other in others:
            other.end()
    for index, arguments in enumerate(calls):  # of one that died
        if index not in done:
            done[index] = function(*arguments)
    return [done[index] for index in range(len(calls))]


def _next(todo: deque) -> tuple[int, tuple] | None:
    """Takes it from what all share."""
    try:
        return todo.popleft()
    except IndexError:
        return None


class _Other:
    """Another process, and a thread that gives it calls as long as there are some."""

    def __init__(self, function: Callable, todo: deque, done: dict) -> None:
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        self._child: subprocess.Popen | None = None
        with suppress(OSError):  # no memory for one, say: then the caller does it all
            self._child = subprocess.Popen(
                [sys.executable, "-c", _SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": paths}, start_new_session=True,
            )  # fmt: skip
        self.thread = threading.Thread(target=self._feed, args=(function, todo, done), daemon=True)
        self.thread.start()

    def _feed(self, function: Callable, todo: deque, done: dict) -> None:
        with suppress(
            OSError, EOFError, pickle.PickleError
        ):  # it died, of lack of memory or of what the function raised
            while self._child:
                pickle.load(self._child.stdout)  # it is ready
                if (call := _next(todo)) is None:
                    return
                pickle.dump((function, call[1]), self._child.stdin)
                self._child.stdin.flush()
                done[call[0]] = pickle.load(self._child.stdout)

    def end(self) -> None:
        if self._child:
            with suppress(OSError):
                self._child.stdin.close()
            self._child.kill()
            self._child.wait()
            self.thread.join()
            self._child.stdout.close()


def serve() -> None:
    """What another process does: calls from stdin, results to stdout; nothing else may be written there."""
    calls, results = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def say(result: Any) -> None:
        pickle.dump(result, results)
        results.flush()

    with suppress(EOFError, BrokenPipeError):
        while True:
            say(None)
            function, arguments = pickle.load(calls)
            say(function(*arguments))
