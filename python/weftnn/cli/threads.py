"""The option `--threads`: more threads than processors would only wait for each other."""

from __future__ import annotations

import os

import weftnn
from weftnn.cli.arguments import CommandError

__all__ = ["processors", "use_threads"]


def processors() -> int:
    """How many processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_threads(threads: int | None) -> None:
    """Let calls use so many threads; None: as many as they would. Raises CommandError for too many."""
    if threads is None:
        return
    if threads > processors():
        raise CommandError(
            f"--threads must be at most {processors()}, the number of processors here, got {threads}"
        )
    weftnn.set_num_threads(threads)
