"""What compare.py asks of a library, weft's own included, and the process that it runs in.

Two libraries in one process would share its threads, and two OpenMP runtimes get in each other's way.
"""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, Protocol


@dataclass(frozen=True)
class Runner:
    """run() does once what is measured; results() is what the last run gave, as NumPy arrays by name."""

    run: Callable[[], None]
    results: Callable[[], dict[str, Any]]


class Library(Protocol):
    """A module with_<name>.py."""

    def version(self) -> str: ...

    def set_threads(self, threads: int) -> None: ...

    def build(self, case: Any) -> Runner | None:
        """Ready to run; None where the library has no such thing."""


class Worker:
    """A library in a process of its own."""

    def __init__(self, name: str) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would inherit what the parent has loaded
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(name, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self.version: str = self._pipe.recv()

    def build(self, case: Any, threads: int) -> bool:
        """Whether the library can run the case."""
        return bool(self._ask("build", case, threads))

    def results(self) -> dict[str, Any]:
        """Of one run."""
        found: dict[str, Any] = self._ask("results")
        return found

    def sample(self, repeats: int) -> float:
        """Seconds of one run, the mean of as many in a row."""
        return float(self._ask("sample", repeats))

    def _ask(self, *request: Any) -> Any:
        self._pipe.send(request)
        return self._pipe.recv()


def serve(name: str, pipe: Connection) -> None:
    """A worker's process: answers until the other end closes."""
    library: Any = import_module(f"with_{name}")
    pipe.send(library.version())
    runner = None
    while True:
        try:
            what, *arguments = pipe.recv()
        except EOFError:
            return
        if what == "build":
            case, threads = arguments
            library.set_threads(threads)
            runner = library.build(case)
            pipe.send(runner is not None)
            continue
        assert runner is not None
        if what == "results":
            runner.run()
            pipe.send(runner.results())
        else:
            pipe.send(seconds(runner.run, *arguments))


def seconds(run: Callable[[], None], repeats: int) -> float:
    gc.collect()
    gc.disable()
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    taken = time.perf_counter() - start
    gc.enable()
    return taken / repeats
