"""Two threads beside busy processes: how long calls take that may use several, in times of one thread.

    python bench/neighbours.py [--busy N] [--threads N] [--rounds N]

Each case is timed with one thread and with several in turn, while N other processes keep a processor busy
each. Before that, its results with both are compared, to the bit.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

import weftnn
from machine import processor
from weftnn import nn, ops

Arrays = list[NDArray[Any]]
Case = Callable[[], Arrays]


def cases() -> dict[str, Case]:
    rng = np.random.default_rng(0)

    def array(*shape: int) -> NDArray[np.float32]:
        return rng.normal(size=shape).astype(np.float32)

    gru, lstm = nn.GRU(256, 256, rng=0), nn.LSTM(64, 128, rng=0)
    step, sequences, dy = array(1, 1, 256), array(16, 100, 64), array(16, 100, 128)
    rows, weight, heads = array(64, 256), array(256, 256), array(1, 8, 256, 64)

    def steps() -> Arrays:
        state = None
        for _ in range(100):
            y, state = gru.predict(step, state)
        return [y]

    def training() -> Arrays:
        (y, _), backprop = lstm(sequences)
        return [y, backprop(dy)[0]]

    def products() -> Arrays:
        for _ in range(50):
            y, saved = ops.linear_forward(rows, weight)
            dx = ops.linear_backward(saved, y).dx
        assert dx is not None
        return [y, dx]

    def attention() -> Arrays:
        for _ in range(5):
            out, saved = ops.sdpa_forward(heads, heads, heads, causal=True)
            dq = ops.sdpa_backward(saved, out).dq
        return [out, dq]

    return {
        "100 steps of a GRU of 256": steps,
        "LSTM training, T,B,I,H = 100,16,64,128": training,
        "linear 64 x 256 x 256, both ways, 50 times": products,
        "causal attention, B,N,T,D = 1,8,256,64, both ways, 5 times": attention,
    }


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def check(name: str, case: Case, threads: int) -> None:
    results = []
    for count in (1, threads):
        weftnn.set_num_threads(count)
        results.append(case())
    if not all(np.array_equal(one, several) for one, several in zip(*results, strict=True)):
        raise SystemExit(f"neighbours.py: {name}: {threads} threads give other bits than one")


def measure(case: Case, threads: int, rounds: int) -> dict[int, list[float]]:
    """Seconds by the number of threads."""
    seconds: dict[int, list[float]] = {1: [], threads: []}
    for _ in range(rounds):
        for count, taken in seconds.items():
            weftnn.set_num_threads(count)
            start = time.perf_counter()
            case()
            taken.append(time.perf_counter() - start)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    processors = len(os.sched_getaffinity(0))
    parser.add_argument("--busy", type=int, default=processors, help="busy processes (one a processor)")
    parser.add_argument("--threads", type=int, default=max(2, processors), help="against one (as processors)")
    parser.add_argument("--rounds", type=int, default=40, help="samples of each (40)")
    given = parser.parse_args()
    print(f"{processor()}; {given.busy} busy processes, {given.threads} threads\n")
    print("| case | one thread, ms | several, ms | median of ratios | ratio of sums |\n|---|--:|--:|--:|--:|")
    for name, case in cases().items():
        check(name, case, given.threads)
        with busy_processes(given.busy):
            one, several = measure(case, given.threads, given.rounds).values()
        ratio = statistics.median(b / a for a, b in zip(one, several, strict=True))
        figures = (
            1e3 * statistics.median(one),
            1e3 * statistics.median(several),
            ratio,
            sum(several) / sum(one),
        )
        print(f"| {name} | " + " | ".join(f"{figure:.2f}" for figure in figures) + " |", flush=True)


if __name__ == "__main__":
    main()
