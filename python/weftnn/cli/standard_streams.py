"""Standard output and standard error as a command needs them, whatever its caller made of them.

    standard output   what cannot be written ends the command: one line and exit code 1, or 141 and no line
                      where the reader (head, less) has left
    standard error    what cannot be written is lost, and the command goes on: its exit code still tells

Either may be closed (Python then has None in its place), full, or a pipe without a reader, and its encoding
may lack a character, which is then escaped.
"""

from __future__ import annotations

import errno
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from weftnn.cli.arguments import CommandError

__all__ = ["Output", "standard_streams"]

_READER_LEFT = 141  # as shells name the end by SIGPIPE, 128 + 13


class _Stream(ABC):
    """Stands in the place of sys.stdout or sys.stderr; what it does not do itself, the stream does."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = None if getattr(stream, "closed", False) else stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def encoding(self) -> str:
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def write(self, text: str) -> int:
        shown = text.encode(self.encoding, "backslashreplace").decode(self.encoding)
        self._attempt(lambda stream: stream.write(shown))
        return len(text)

    def flush(self) -> None:
        if self._stream is not None:
            self._attempt(lambda stream: stream.flush())

    def _attempt(self, action: Callable[[TextIO], object]) -> None:
        try:
            if self._stream is None:
                raise OSError(errno.EBADF, "it is closed (>/dev/null would discard it)")
            action(self._stream)
        except OSError as error:
            self._discard()
            self._failed(error)

    @abstractmethod
    def _failed(self, error: OSError) -> None:
        """What a write that failed means."""

    def _discard(self) -> None:
        """What is still in the buffers would fail again, and be complained of, when Python exits."""
        with suppress(AttributeError, OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)


class Output(_Stream):
    """Standard output. Raises CommandError where it cannot be written."""

    def check(self) -> None:
        """Refuse a command whose output nobody could get, before it begins."""
        if self._stream is None:
            self.write("")

    def write_name(self, name: str | os.PathLike[str]) -> None:
        """Write a file's name for another program: its bytes, in any locale."""

        def write(stream: TextIO) -> None:
            stream.flush()
            stream.buffer.write(os.fsencode(name))

        self._attempt(write)

    def _failed(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError):
            raise CommandError("", code=_READER_LEFT) from None
        raise CommandError(f"cannot write to standard output: {error.strerror or error}", code=1) from None


class _Messages(_Stream):
    """Standard error: there is nowhere left to say that it failed."""

    def _failed(self, error: OSError) -> None:
        pass


@contextmanager
def standard_streams() -> Iterator[Output]:
    """While the block runs, sys.stdout and sys.stderr can be written to as the head of this file says."""
    _keep_their_numbers()
    before = sys.stdout, sys.stderr
    output = Output(sys.stdout)
    sys.stdout, sys.stderr = cast(TextIO, output), cast(TextIO, _Messages(sys.stderr))
    try:
        yield output
    finally:
        sys.stdout, sys.stderr = before


def _keep_their_numbers() -> None:
    """A file gets the lowest free number: were 2 free, a checkpoint would get what libraries complain of."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
