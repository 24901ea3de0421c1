"""What runs where: version, instruction set, threads, the OpenMP runtimes that share the process."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weftnn import _core
from weftnn.arguments import check_count

__version__: str = _core.version()

_PRECISIONS = ("highest", "high", "medium")
_precision = "highest"


def get_num_threads() -> int:
    """The number of threads that a call may use, at most 1,024.

    It is that of the environment variable WEFT_NUM_THREADS, else of OMP_NUM_THREADS, else the number of
    processors that this process may run on and that its control group's quota allows. A call takes fewer
    where more would not help: where its work is small, or other processes use the processors.
    """
    return _core.num_threads()


def set_num_threads(threads: int) -> None:
    """Let a call use up to `threads` threads, at most 1,024. Results are the same bits for any number.

    Raises:
        ValueError: `threads` is less than 1.

    Example:
        >>> import weftnn
        >>> before = weftnn.get_num_threads()
        >>> weftnn.set_num_threads(1)
        >>> weftnn.get_num_threads()
        1
        >>> weftnn.set_num_threads(before)
    """
    _core.set_num_threads(check_count("set_num_threads", "threads", threads))


def available_isas() -> list[str]:
    """Instruction sets that weft is built for and this machine can run, slowest first."""
    return _core.available_isas()


def get_isa() -> str:
    """The instruction set in use: the fastest available, or the one that the variable WEFT_ISA names."""
    return _core.isa()


@contextmanager
def use_isa(name: str) -> Iterator[None]:
    """Run the block on another instruction set, in all threads: for tests and comparisons.

    Raises:
        ValueError: this machine does not offer `name`.
    """
    before = _core.isa()
    _core.set_isa(name)
    try:
        yield
    finally:
        _core.set_isa(before)


def set_precision(precision: str) -> None:
    """Allow products of float32 matrices a lower internal precision, in PyTorch's and JAX's words.

    "highest" is float32 arithmetic. "high" and "medium" *permit* pieces in bfloat16 where the hardware makes
    them faster; no such kernel exists yet, so all three compute in float32 (`show_config()` says so).

    Raises:
        ValueError: `precision` is none of these.
    """
    global _precision
    if precision not in _PRECISIONS:
        raise ValueError(
            f"set_precision: precision must be one of {', '.join(_PRECISIONS)}, got {precision!r}"
        )
    _precision = precision


def get_precision() -> str:
    """The precision that `set_precision` was last given."""
    return _precision


def release_memory() -> int:
    """Give the memory that weft keeps for its next calls back to the system; returns the bytes."""
    return _core.release_memory()


def openmp_runtimes() -> list[str]:
    """OpenMP runtimes that other libraries have loaded into this process. weft uses none."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return []
    pattern = re.compile(r"lib(?:gomp|omp|iomp5)[^/]*\.so[^/\s]*$")
    lines = os.fsdecode(maps.read_bytes()).split("\n")  # names of files, which may be any bytes
    paths = (line.split(maxsplit=5)[-1] for line in lines if ".so" in line)
    return sorted({path for path in paths if pattern.search(path)})


def show_config() -> str:
    """A report of version, instruction sets, threads, OpenMP runtimes and precision, as text.

    Example:
        >>> import weftnn
        >>> print(weftnn.show_config().splitlines()[0].split()[0])
        weft
    """
    runtimes = [path.encode("utf-8", "backslashreplace").decode() for path in openmp_runtimes()]
    lines = [
        f"weft {__version__}",
        f"instruction set  {get_isa()} (available: {', '.join(available_isas())})",
        f"threads          {get_num_threads()}",
        f"OpenMP runtimes  {', '.join(runtimes) or 'none found'}",
        f"precision        {_precision} (products in float32 and float64 arithmetic)",
    ]
    return "\n".join(lines)
