"""What compare.py asks of a library, weft's own included, and the process that it runs in.

Two libraries in one process would get in each other's way: the threads of one beside those of the other. A
process may use as many processors as it is asked to use threads: some libraries cannot be told otherwise.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ClassVar, Protocol


class Case(Protocol):
    """A problem: a frozen dataclass, whose str() is its row's name and begins with its sizes."""

    sizes: ClassVar[str]  # the heading of that column

    def arrays(self) -> dict[str, Any]:
        """Inputs, weights and given gradients; the same at every call."""

    def operations(self) -> float:
        """Floating-point operations that a run has to do, counting matrix products only."""

    def bytes(self) -> float:
        """That a run has to move from or to memory at least."""

    def tolerance(self) -> float:
        """How far two libraries' results may differ, relative to the largest element of an array."""


@dataclass(frozen=True)
class Runner:
    """run() does once what is measured; results() is what the last run gave, as NumPy arrays by name."""

    run: Callable[[], None]
    results: Callable[[], dict[str, Any]]


class Library(Protocol):
    """A module with_<name>.py."""

    def version(self) -> str: ...

    def set_threads(self, threads: int) -> None: ...

    def build(self, case: Case) -> Runner:
        """Ready to run."""


class Worker:
    """A library in a process of its own, which sees the given environment before it loads anything."""

    def __init__(self, name: str, threads: int, environment: Mapping[str, str]) -> None:
        self.name = name
        context = multiprocessing.get_context("spawn")  # a fork would inherit what the parent has loaded
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(name, threads, dict(environment), theirs), daemon=True
        )
        self._process.start()
        theirs.close()
        self.version: str = self._receive()

    def build(self, case: Case) -> None:
        self._ask("build", case)

    def results(self) -> dict[str, Any]:
        """Of one run."""
        found: dict[str, Any] = self._ask("results")
        return found

    def sample(self, repeats: int) -> float:
        """Seconds of one run, the mean of as many in a row."""
        return float(self._ask("sample", repeats))

    def peak_memory(self) -> int:
        """Bytes that the process has held at most."""
        return int(self._ask("memory"))

    def close(self) -> None:
        self._pipe.close()
        self._process.join()

    def _ask(self, *request: Any) -> Any:
        self._pipe.send(request)
        return self._receive()

    def _receive(self) -> Any:
        try:
            return self._pipe.recv()
        except EOFError:
            raise SystemExit(f"compare.py: {self.name} has stopped; why stands above") from None


def serve(name: str, threads: int, environment: dict[str, str], pipe: Connection) -> None:
    """A worker's process: answers until the other end closes."""
    os.environ.update(environment)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    library: Any = import_module(f"with_{name}")
    library.set_threads(threads)
    pipe.send(library.version())
    runner = None
    while True:
        try:
            what, *arguments = pipe.recv()
        except EOFError:
            return
        if what == "build":
            runner = None  # its arrays go before the next ones come
            runner = library.build(*arguments)
            pipe.send(None)
            continue
        assert runner is not None
        if what == "results":
            runner.run()
            pipe.send(runner.results())
        elif what == "memory":
            pipe.send(peak_memory())
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


def peak_memory() -> int:
    """VmHWM: the most bytes that this process has held in memory (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("peak_memory: /proc/self/status has no VmHWM")
