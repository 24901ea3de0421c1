"""The figures as Markdown: row by row while they are measured, and put into a page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any


def head(sizes: str, against: list[str], limit: bool, memory: bool, moves: bool) -> list[str]:
    """The table's first two lines. limit: with a column of the share of what the machine can do at most.

    moves: rows whose limit is memory's bandwidth, not arithmetic.
    """
    columns = [sizes, "threads", "weft ms", "GB/s" if moves else "GFLOP/s"]
    columns += ["of one core's bandwidth" if moves else "of peak"] * limit + ["weft MB"] * memory
    for name in against:
        columns += [f"{name} ms", f"{name} / weft", *[f"{name} MB"] * memory]
    return [line(columns), "|---|" + "--:|" * (len(columns) - 1)]


def row(record: dict[str, Any], against: list[str], limit: bool, memory: bool, moves: bool) -> str:
    seconds, megabytes = record["seconds"], record.get("megabytes", {})
    rate, share = ("gbs", record.get("of_bandwidth")) if moves else ("gflops", record.get("of_peak"))
    cells = [record["row"], str(record["threads"]), figure(seconds["weft"] * 1e3), f"{record[rate]:.0f}"]
    cells += ["-" if share is None else f"{100 * share:.0f} %"] if limit else []
    cells += [figure(megabytes["weft"])] if memory else []
    for name in against:
        has = name in seconds
        cells += [figure(seconds[name] * 1e3), f"{record['ratio'][name]:.2f}"] if has else ["-", "-"]
        cells += [figure(megabytes[name])] if memory else []
    return line(cells)


def line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def figure(value: float) -> str:
    """Three digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def put_into(page: Path, name: str, table: str | None) -> None:
    """Replaces what stands between <!-- figures: NAME --> and <!-- end --> by a table; None: only looks.

    Raises ValueError where the page has no such place.
    """
    text = page.read_text()
    place = re.compile(rf"(<!-- figures: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not place.search(text):
        raise ValueError(f"{page} has no place for the figures of {name}: <!-- figures: {name} -->")
    if table is not None:
        page.write_text(place.sub(lambda found: f"{found[1]}{table}\n{found[2]}", text))
