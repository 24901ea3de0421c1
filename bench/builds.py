"""This build of weft beside another, in one run: what did a change cost?

    python bench/builds.py --against OTHER/bin/python [GROUP ...]

OTHER is an environment in which the other build is installed. Rows are those of compare.py. Results are
compared to the bit first (`bits` says whether they are the same), then both builds are timed in turn; the
ratio is this build's median over the other's.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np

from problems.table import ROWS

FAST = ("main", "small", "ragged", "cells", "attention", "decode")  # groups of one thread


def serve() -> None:
    """A worker: lines of JSON in, lines of JSON out."""
    import with_weft

    with_weft.set_threads(1)
    runner = None
    for line in sys.stdin:
        asked = json.loads(line)
        if "case" in asked:
            group, index = asked["case"]
            runner = with_weft.build(ROWS[group][index].case)
            runner.run()
            h = hashlib.sha256()
            for name, array in sorted(runner.results().items()):
                h.update(name.encode() + np.ascontiguousarray(array).tobytes())
            answer: Any = h.hexdigest()
        else:
            assert runner is not None
            start = time.perf_counter()
            for _ in range(asked["calls"]):
                runner.run()
            answer = (time.perf_counter() - start) / asked["calls"]
        print(json.dumps(answer), flush=True)


class Build:
    def __init__(self, python: str) -> None:
        self._process = subprocess.Popen(
            [python, __file__, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, **asked: Any) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


def compare(ours: Build, other: Build, group: str, index: int, seconds: float) -> None:
    same = ours.ask(case=[group, index]) == other.ask(case=[group, index])
    once = ours.ask(calls=3)
    calls = max(1, round(0.01 / once))  # of a measurement: ten milliseconds or more
    rounds = max(7, round(seconds / (2 * calls * once)))
    times: dict[Build, list[float]] = {ours: [], other: []}
    for i in range(rounds):
        for build in (ours, other) if i % 2 else (other, ours):
            times[build].append(build.ask(calls=calls))
    a, b = (statistics.median(times[build]) for build in (ours, other))
    case = ROWS[group][index].case
    bits = "same" if same else "differ"
    print(f"| {group} | {case} | {a * 1e3:.4g} | {b * 1e3:.4g} | {a / b:.3f} | {bits} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", metavar="PYTHON", required=True, help="the other build's interpreter")
    parser.add_argument("--seconds", type=float, default=1.5, help="for each row (default: 1.5)")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(ROWS)}")
    arguments = parser.parse_args()
    unknown = [group for group in arguments.groups if group not in ROWS]
    if unknown:
        parser.error(f"no such group: {', '.join(unknown)}")
    ours, other = Build(sys.executable), Build(arguments.against)
    print("| group | row | this ms | other ms | this / other | bits |\n|---|---|---|---|---|---|")
    for group in arguments.groups or FAST:
        for index in range(len(ROWS[group])):
            compare(ours, other, group, index, arguments.seconds)


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["--serve"] else main()
