"""CsvLog: a CSV file that gets each record at once, so that it can be followed while training runs."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TextIO

from weftnn.files import replace_file
from weftnn.train.history import Record, csv_text


class CsvLog:
    """Starts the file anew with the records there are (after a resume, up to the checkpoint), appends.

    records: the history's own list, to which each record is added before it is logged. A log that cannot be
    written later on (a full disk) ends no training: it says so once, by a RuntimeWarning, and from the next
    record on tries to write the whole file again, so that it lacks nothing once there is room.

    Raises OSError, which names the file, if it cannot be started.
    """

    def __init__(self, path: Path, columns: list[str], records: list[Record]) -> None:
        self.path = path
        self.columns = columns
        self._records = records
        self._warned = False
        self._file: TextIO | None = None
        try:
            self._file = self._start()
        except OSError as error:
            raise OSError(error.errno, f"log_csv: {error.strerror or error}", str(path)) from error

    def add(self, record: Record) -> None:
        """Appends a line."""
        try:
            if self._file is None:
                self._file = self._start()
            else:
                self._file.write(csv_text(self.columns, [record], header=False))
                self._file.flush()
        except OSError as error:
            self._close()
            if not self._warned:
                self._warned = True
                warnings.warn(
                    f"Trainer.fit: log_csv {self.path} could not be written ({error.strerror or error}); "
                    "training goes on, and the log is written as soon as it can be",
                    RuntimeWarning,
                    stacklevel=2,
                )

    def _start(self) -> TextIO:
        """Writes all records there are, and opens the file for those to come."""
        text = csv_text(self.columns, self._records)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists() and not self.path.is_file():  # a terminal or a pipe: nothing to replace
            file = self.path.open("a", encoding="utf-8", newline="")
            file.write(text)
            file.flush()
            return file
        with replace_file(self.path) as binary:
            binary.write(text.encode())
        return self.path.open("a", encoding="utf-8", newline="")

    def _close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # what could not be written is tried once more, and fails once more
                self._file.close()
            self._file = None

    def __enter__(self) -> CsvLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
