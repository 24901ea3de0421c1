"""weft against other libraries, in one run: every result is checked, then all are timed in turn.

    python bench/compare.py                                     all peers that are installed, the main rows
    python bench/compare.py --rows lstm train --threads 1,2     rows whose names contain both words
    python bench/compare.py --group main,small --peers jax --isa avx2
    python bench/compare.py --group all --json figures.json --markdown docs/performance/figures.md
    python bench/compare.py --quick                             only to see that it works

Prints Markdown tables: medians in milliseconds, what weft computes per second, and how many times as long the
other takes. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import table
from contest import Contest, able
from machine import Machine, processor
from measure import QUICK, THOROUGH
from peers import PEERS
from picture import draw
from problems.table import ROWS, Row


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    chosen = {group: [row for row in ROWS[group] if matches(row, options.rows)] for group in options.group}
    chosen = {group: rows for group, rows in chosen.items() if rows}
    if not chosen:
        print(f"compare.py: no row matches {' '.join(options.rows)}", file=sys.stderr)
        return 2
    needed = [name for name in options.peers if any(able(name, row) for row in chain(*chosen.values()))]
    with Contest(needed, options.isa, QUICK if options.quick else THOROUGH) as contest:
        machine = the_machine(options, contest)
        report: dict[str, Any] = {"processor": processor(), "versions": contest.versions, "rows": []}
        about = "; ".join(dict.fromkeys([processor(), *contest.versions.values()]))
        print(about)
        for group, rows in chosen.items():
            print(f"\n### {group}\n")
            lines = []
            for text, record in measured(rows, contest, options.threads, machine):
                print(text, flush=True)
                lines.append(text)
                report["rows"] += [] if record is None else [record | {"group": group}]
            # After every group: a run of an hour should leave something, however it ends.
            if options.json:
                options.json.write_text(json.dumps(report, indent=1) + "\n")
            if options.markdown:
                table.put_into(options.markdown, place(group, options), "\n".join([about, "", *lines]))
        if options.picture:
            draw(report["rows"], machine, contest.isa, options.picture)
    return 0


def measured(
    rows: list[Row], contest: Contest, threads: list[int] | None, machine: Machine | None
) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """The lines of a table, each as soon as it is known, with the record that it shows."""
    against = contest.against(rows)
    moves = all(row.moves for row in rows)
    columns = {"limit": machine is not None, "memory": any(row.memory for row in rows), "moves": moves}
    yield from ((text, None) for text in table.head(rows[0].case.sizes, against, **columns))
    for row in rows:
        for count in [row.threads] if row.beside else threads or [row.threads]:
            record = contest.measure(row, count)
            if machine:
                peak = machine.peak(contest.isa, record["case"]["dtype"], count)
                record["of_peak"] = record["gflops"] * 1e9 / peak
                if machine.bandwidth:
                    record["of_bandwidth"] = record["gbs"] / machine.bandwidth
            yield table.row(record, against, **columns), record


def matches(row: Row, words: list[str]) -> bool:
    return all(word.lower() in str(row.case).lower() for word in words)


def place(group: str, options: argparse.Namespace) -> str:
    """The name of the group's mark in a page."""
    return f"{group} {options.isa}" if options.isa else group


def the_machine(options: argparse.Namespace, contest: Contest) -> Machine | None:
    if options.machine:
        return Machine.read(options.machine)
    return Machine.of_peak(options.peak, contest.isa) if options.peak else None


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

    parser = argparse.ArgumentParser(
        description="weft against other libraries, in one run",
        epilog="Rows of weft beside itself (padding, checkpoint, scaling) set their threads themselves.",
    )
    option = parser.add_argument
    option("--peers", type=names(list(PEERS)), help=f"{', '.join(PEERS)} or all; default: those installed")
    option("--group", type=names(list(ROWS)), default=["main"], help=f"{', '.join(ROWS)} or all")
    option("--rows", nargs="+", default=[], metavar="WORD", help="only rows that contain every word")
    option("--threads", type=counts, metavar="N,N", help="measure every row with so many, instead of one")
    option("--isa", choices=["avx2"], help="keep weft and its peers from using wider instructions")
    option("--machine", type=Path, metavar="FILE", help="bench_machine's output: shows the share of the peak")
    option("--peak", type=float, metavar="GFLOPS", help="the same, from one core's float32 peak alone")
    option("--quick", action="store_true", help="few samples: to see that it works")
    option("--json", type=Path, metavar="FILE", help="write all figures there too")
    option("--markdown", type=Path, metavar="PAGE", help="put the tables into that page, at their marks")
    option("--picture", type=Path, metavar="FILE", help="draw ratios and the roofline (extra: plot)")
    options = parser.parse_args(arguments)
    options.peers = present_peers(parser, options)
    # What would end a long run at its end is refused at its start.
    if options.picture and find_spec("matplotlib") is None:
        parser.error("argument --picture: needs Matplotlib: pip install '.[plot]'")
    if options.machine and not options.machine.is_file():
        parser.error(f"argument --machine: there is no {options.machine}")
    for group in options.group if options.markdown else ():
        try:
            table.put_into(options.markdown, place(group, options), None)
        except (OSError, ValueError) as error:
            parser.error(f"argument --markdown: {error}")
    return options


def present_peers(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[str]:
    """The peers asked for, or all that are there; one asked for that is not ends the program."""
    present = []
    for name in options.peers or PEERS:
        missing = PEERS[name].missing()
        reason = f"needs {' and '.join(missing)}: pip install '.[compare]'" if missing else None
        if options.isa and PEERS[name].avx2 is None:
            reason = f"cannot be kept to {options.isa}"
        if reason is None:
            present.append(name)
        elif options.peers:
            parser.error(f"argument --peers: {name} {reason}")
        else:
            print(f"compare.py: without {name}, which {reason}", file=sys.stderr)
    return present


if __name__ == "__main__":
    sys.exit(main())
