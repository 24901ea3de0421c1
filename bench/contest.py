"""Contest: the processes of weft and its peers, and rows measured with them."""

from __future__ import annotations

import re
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Any

from library import Worker
from measure import Contestant, Effort, measure, memory_beyond_arguments
from peers import PEERS, WEFT
from problems.table import Row


def able(peer: str, row: Row) -> bool:
    """Whether the row is measured against that peer."""
    return not row.beside and PEERS[peer].can(row.case)


class Contest:
    """Starts a process for each library and number of threads when it is first needed."""

    def __init__(self, peers: list[str], isa: str | None, effort: Effort) -> None:
        self._avx2, self._effort = isa == "avx2", effort
        self._stack = ExitStack()
        self._workers: dict[tuple[str, int], Worker] = {}
        self.peers = peers
        self.versions = {name: self._worker(name, 1).version for name in ["weft", *peers]}
        found = re.search(r"\((\w+)\)", self.versions["weft"])
        assert found is not None
        self.isa = found[1]

    def __enter__(self) -> Contest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def against(self, rows: list[Row]) -> list[str]:
        """Whom the rows are measured against: the columns of their table."""
        beside = dict.fromkeys(name for row in rows for name in row.beside)
        if beside:
            return list(beside)
        return [name for name in self.peers if any(able(name, row) for row in rows)]

    def measure(self, row: Row, threads: int) -> dict[str, Any]:
        """The row's record."""
        if not row.beside:
            names = [name for name in self.peers if able(name, row)]
            others = {name: Contestant(self._worker(name, threads), row.case) for name in names}
            ours = Contestant(self._worker("weft", threads), row.case)
            record = measure(ours, others, threads, self._effort)
            if row.memory:
                of = {name: self._megabytes(name, row.case, threads) for name in ["weft", *names]}
                record["megabytes"] = of
            return record
        with ExitStack() as stack:
            others = {
                name: Contestant(self._start("weft", other.threads, stack), other.case, other.same)
                for name, other in row.beside.items()
            }
            ours = Contestant(self._start("weft", threads, stack), row.case)
            record = measure(ours, others, threads, self._effort)
        if row.memory:
            cases = {"weft": row.case, **{name: other.case for name, other in row.beside.items()}}
            record["megabytes"] = {
                name: self._megabytes("weft", case, threads) for name, case in cases.items()
            }
        return record

    def _megabytes(self, library: str, case: Any, threads: int) -> float:
        with ExitStack() as stack:
            return memory_beyond_arguments(self._start(library, threads, stack), case) / 1e6

    def _worker(self, name: str, threads: int) -> Worker:
        if (name, threads) not in self._workers:
            self._workers[name, threads] = self._start(name, threads, self._stack)
        return self._workers[name, threads]

    def _start(self, name: str, threads: int, stack: ExitStack) -> Worker:
        library = WEFT if name == "weft" else PEERS[name]
        return stack.enter_context(closing(Worker(name, threads, library.environment(threads, self._avx2))))
