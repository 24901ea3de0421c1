"""One row measured: results checked, then all contestants timed in turn."""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from library import Case, Worker


@dataclass(frozen=True)
class Effort:
    """How long a row is measured: at least `samples` of each contestant, then until `seconds` are over.

    Of one that takes `slow` seconds a run, two samples are enough.
    """

    samples: int
    seconds: float
    sample_seconds: float  # a sample repeats short calls until it is that long
    slow: float = 2.0


THOROUGH = Effort(samples=7, seconds=3.0, sample_seconds=0.02)
QUICK = Effort(samples=2, seconds=0.0, sample_seconds=0.0)


@dataclass(frozen=True)
class Contestant:
    """A worker and what it runs. compared: its results must be those of the row."""

    worker: Worker
    case: Case
    compared: bool = True


def measure(ours: Contestant, others: dict[str, Contestant], threads: int, effort: Effort) -> dict[str, Any]:
    """Checks ours against each of the others, then times them in turn; medians in seconds."""
    all_of_them = {"weft": ours, **others}
    for contestant in all_of_them.values():
        contestant.worker.build(contestant.case)
    right = ours.worker.results()
    errors = {}
    for name, other in others.items():
        found = other.worker.results()
        if other.compared:
            errors[name] = check(ours.case, right, found)
    del right
    workers = {name: contestant.worker for name, contestant in all_of_them.items()}
    samples = time_in_turn(workers, effort)
    medians = {name: statistics.median(taken) for name, taken in samples.items()}
    return {
        "row": str(ours.case),
        "case": asdict(ours.case),  # type: ignore[call-overload]  # every Case is a dataclass
        "threads": threads,
        "operations": ours.case.operations(),
        "bytes": ours.case.bytes(),
        "seconds": medians,
        "ratio": {name: medians[name] / medians["weft"] for name in others},
        "error": errors,
        "gflops": ours.case.operations() / medians["weft"] / 1e9,
        "gbs": ours.case.bytes() / medians["weft"] / 1e9,
        "samples": samples,
    }


def check(case: Case, ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    """The largest difference of an output or gradient, relative to the array's largest element.

    A library may give less than weft does, but not nothing.
    """
    if not theirs or not theirs.keys() <= ours.keys():
        raise SystemExit(f"compare.py: {case}: results differ in kind: {sorted(ours)}, {sorted(theirs)}")
    worst = 0.0
    for name, expected in theirs.items():
        difference = float(np.abs(ours[name].astype(np.float64) - expected).max() / np.abs(expected).max())
        if not difference <= case.tolerance():
            raise SystemExit(
                f"compare.py: {case}: {name} is off by {difference:.1e} of its largest element, "
                f"more than {case.tolerance():.1e}; nothing was timed"
            )
        worst = max(worst, difference)
    return worst


def time_in_turn(workers: dict[str, Worker], effort: Effort) -> dict[str, list[float]]:
    """Samples of each, one after the other, so that whatever else the machine does meets all alike."""
    first = {name: worker.sample(1) for name, worker in workers.items()}
    repeats = {name: max(1, round(effort.sample_seconds / taken)) for name, taken in first.items()}
    slow = {name for name, taken in first.items() if taken >= effort.slow}
    samples = {name: [first[name]] if name in slow else [] for name in workers}
    begin = time.perf_counter()
    while True:
        for name, worker in workers.items():
            if name in slow and len(samples[name]) >= 2:
                continue
            time.sleep(0.005)  # the other library's idle threads stop spinning
            samples[name].append(worker.sample(repeats[name]))
        done = all(len(taken) >= effort.samples for name, taken in samples.items() if name not in slow)
        enough = time.perf_counter() - begin >= effort.seconds or len(slow) == len(workers)
        if done and enough:
            return samples


def memory_beyond_arguments(worker: Worker, case: Any) -> int:
    """Bytes that a fresh process needs at most for one run, without x, y and their gradients."""
    worker.build(case)
    worker.sample(1)
    return worker.peak_memory() - int(case.argument_bytes())
