"""What the machine can do at most, as bench/cpp/bench_machine measured it."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Machine:
    """gflops[isa][dtype] of one thread, and the read bandwidth of one, in GB/s where it is known."""

    gflops: dict[str, dict[str, float]]
    bandwidth: float | None = None

    @classmethod
    def of_peak(cls, gflops: float, isa: str) -> Machine:
        """From the float32 peak alone."""
        return cls({isa: {"float32": gflops, "float64": gflops / 2}})

    @classmethod
    def read(cls, path: Path) -> Machine:
        found: dict[str, Any] = json.loads(path.read_text())
        return cls(found["gflops"], found["read_gbs"])

    def peak(self, isa: str, dtype: str, threads: int) -> float:
        """Operations a second, at most. Raises ValueError for an instruction set that was not measured."""
        if isa not in self.gflops:
            raise ValueError(f"the machine's file has no peak for {isa}; it has {', '.join(self.gflops)}")
        return self.gflops[isa][dtype] * 1e9 * threads


def processor() -> str:
    """The machine's name for itself, where Linux tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{models[0]}, {os.cpu_count()} processors" if models else platform.machine()
