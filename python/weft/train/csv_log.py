"""CsvLog: a CSV file that gets each record at once, so that it can be followed while training runs."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from weft.files import replace_file
from weft.train.history import Record, csv_text


class CsvLog:
    """Starts the file anew with the records there are (after a resume, up to the checkpoint), appends."""

    def __init__(self, path: Path, columns: list[str], records: list[Record]) -> None:
        self.columns = columns
        path.parent.mkdir(parents=True, exist_ok=True)
        with replace_file(path) as file:
            file.write(csv_text(columns, records).encode())
        self._file = path.open("a", encoding="utf-8", newline="")

    def add(self, record: Record) -> None:
        """Appends a line."""
        self._file.write(csv_text(self.columns, [record], header=False))
        self._file.flush()

    def __enter__(self) -> CsvLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
