"""weft against other libraries, in one run: every result is checked, then both are timed in turn.

    python bench/compare.py                                     all peers, the main rows
    python bench/compare.py --rows lstm train --threads 1,2     rows whose names contain both words
    python bench/compare.py --group all --json figures.json
    python bench/compare.py --quick                             only to see that it works

Prints a Markdown table: medians in milliseconds, what weft computes per second, and how many times as long
the peer takes. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from library import Worker
from problems import ROWS

PEERS = ("torch",)  # with_<name>.py


@dataclass(frozen=True)
class Effort:
    """How long a row is measured: at least `samples` of each library, then until `seconds` are over."""

    samples: int
    seconds: float
    sample_seconds: float  # a sample repeats short calls until it is that long


THOROUGH = Effort(samples=7, seconds=3.0, sample_seconds=0.02)
QUICK = Effort(samples=2, seconds=0.0, sample_seconds=0.0)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    effort = QUICK if options.quick else THOROUGH
    weft = Worker("weft")
    peers = {name: Worker(name) for name in options.peers}
    print(processor(), weft.version, *(peer.version for peer in peers.values()), sep="\n", end="\n\n")

    records = []
    print_head(list(peers))
    for case, own_threads in (row for group in options.group for row in ROWS[group]):
        if not all(word.lower() in str(case).lower() for word in options.rows):
            continue
        for threads in options.threads or [own_threads]:
            record = measure(case, threads, weft, peers, effort)
            records.append(record)
            print_row(record, list(peers))
    if not records:
        print(f"compare.py: no row matches {' '.join(options.rows)}", file=sys.stderr)
        return 2
    if options.json:
        report: dict[str, Any] = {"processor": processor(), "weft": weft.version, "rows": records}
        report["peers"] = {name: peer.version for name, peer in peers.items()}
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    def names(known: Sequence[str]) -> Callable[[str], list[str]]:
        def split(text: str) -> list[str]:
            chosen = list(known) if text == "all" else text.split(",")
            if unknown := set(chosen) - set(known):
                raise argparse.ArgumentTypeError(
                    f"{', '.join(sorted(unknown))}; known: {', '.join(known)}, all"
                )
            return chosen

        return split

    def counts(text: str) -> list[int]:
        return [int(number) for number in text.split(",")]

    parser = argparse.ArgumentParser(description="weft against other libraries, in one run")
    parser.add_argument("--peers", type=names(PEERS), default=list(PEERS), help="default: all")
    parser.add_argument("--group", type=names(list(ROWS)), default=["main"], help=f"{', '.join(ROWS)} or all")
    parser.add_argument(
        "--rows", nargs="+", default=[], metavar="WORD", help="only rows that contain every word"
    )
    parser.add_argument("--threads", type=counts, help="for every row, instead of the table's own")
    parser.add_argument("--quick", action="store_true", help="few samples: to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    return parser.parse_args(arguments)


def measure(
    case: Any, threads: int, weft: Worker, peers: dict[str, Worker], effort: Effort
) -> dict[str, Any]:
    """Checks weft against each peer, then times them in turn; medians in seconds."""
    weft.build(case, threads)
    present = {name: peer for name, peer in peers.items() if peer.build(case, threads)}
    ours = weft.results()
    errors = {name: check(case, ours, peer.results()) for name, peer in present.items()}
    samples = time_in_turn({"weft": weft, **present}, effort)
    medians = {name: statistics.median(taken) for name, taken in samples.items()}
    return {
        "row": str(case),
        "case": asdict(case),
        "threads": threads,
        "seconds": medians,
        "ratio": {name: medians[name] / medians["weft"] for name in present},
        "error": errors,
        "gflops": case.operations() / medians["weft"] / 1e9,
        "samples": samples,
    }


def check(case: Any, ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    """The largest difference of an output or gradient, relative to the array's largest element."""
    if ours.keys() != theirs.keys():
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
    repeats = {
        name: max(1, round(effort.sample_seconds / worker.sample(1))) for name, worker in workers.items()
    }
    samples: dict[str, list[float]] = {name: [] for name in workers}
    begin = time.perf_counter()
    while True:
        for name, worker in workers.items():
            time.sleep(0.005)  # the other library's idle threads stop spinning
            samples[name].append(worker.sample(repeats[name]))
        done = min(len(taken) for taken in samples.values()) >= effort.samples
        if done and time.perf_counter() - begin >= effort.seconds:
            return samples


def print_head(peers: list[str]) -> None:
    columns = ["layer T,B,I,H", "threads", "weft ms", "weft GFLOP/s"]
    columns += [text for name in peers for text in (f"{name} ms", f"{name} / weft")]
    print("|", " | ".join(columns), "|")
    print("|---|" + "--:|" * (len(columns) - 1), flush=True)


def print_row(record: dict[str, Any], peers: list[str]) -> None:
    seconds = record["seconds"]
    cells = [record["row"], str(record["threads"]), figure(seconds["weft"] * 1e3), f"{record['gflops']:.0f}"]
    for name in peers:
        has = name in seconds
        cells += [figure(seconds[name] * 1e3), f"{record['ratio'][name]:.2f}"] if has else ["-", "-"]
    print("|", " | ".join(cells), "|", flush=True)


def figure(value: float) -> str:
    """Three digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def processor() -> str:
    """The machine's name for itself, where Linux tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{models[0]}, {len(models)} processors" if models else platform.machine()


if __name__ == "__main__":
    sys.exit(main())
