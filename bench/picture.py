"""Two pictures of the figures: how many times as long each peer takes, and the roofline.

A row's intensity is its operations over the bytes that must move at least; above bandwidth x intensity, or
above the peak, nothing can compute.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from machine import Machine


def draw(records: list[dict[str, Any]], machine: Machine | None, isa: str, file: Path) -> None:
    """Into a file of any type that Matplotlib writes."""
    from matplotlib.figure import Figure  # only who draws needs it

    figure = Figure(figsize=(14, max(5.0, 0.45 * len(records))), layout="constrained")
    bars, roofline = figure.subplots(1, 2)
    draw_ratios(bars, records)
    draw_roofline(roofline, records, machine, isa)
    figure.savefig(file, dpi=150)


def draw_ratios(axes: Any, records: list[dict[str, Any]]) -> None:
    """A bar for each row and each that it was measured against."""
    names = list(dict.fromkeys(name for record in records for name in record["ratio"]))
    height = 0.8 / max(1, len(names))
    for index, name in enumerate(names):
        places = [i for i, record in enumerate(records) if name in record["ratio"]]
        ratios = [records[i]["ratio"][name] for i in places]
        heights = [i + index * height for i in places]
        axes.barh(heights, [ratio - 1 for ratio in ratios], height, left=1, label=name)
        for at, ratio in zip(heights, ratios, strict=True):
            axes.text(max(ratio, 1), at, f" {ratio:.2f}", fontsize=6, verticalalignment="center")
    labels = [f"{record['row']} ({record['threads']})" for record in records]
    axes.set_yticks([i + (len(names) - 1) * height / 2 for i in range(len(records))], labels, fontsize=7)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.margins(x=0.1)
    axes.set_xlabel("its time / weft's")
    axes.legend(fontsize=7)


def draw_roofline(axes: Any, records: list[dict[str, Any]], machine: Machine | None, isa: str) -> None:
    """GFLOP/s of a thread against operations per byte, under the roofs of one thread, float32."""
    names = list(dict.fromkeys(name for record in records for name in record["seconds"]))
    for name in names:
        measured = [record for record in records if name in record["seconds"]]
        achieved = [
            record["operations"] / record["seconds"][name] / record["threads"] / 1e9 for record in measured
        ]
        axes.plot([intensity(record) for record in measured], achieved, "o", markersize=4, label=name)
    if machine:
        peak = machine.peak(isa, "float32", 1) / 1e9
        axes.axhline(peak, color="black", linewidth=0.8)
        if machine.bandwidth:
            corner = peak / machine.bandwidth
            axes.plot([corner / 10, corner], [peak / 10, peak], color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_box_aspect(1)
    axes.set_xlabel("operations per byte")
    axes.set_ylabel("GFLOP/s of a thread")
    axes.legend(fontsize=7)


def intensity(record: dict[str, Any]) -> float:
    return float(record["operations"] / record["bytes"])
