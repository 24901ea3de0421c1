"""Gathering the text of a command: files, folders, standard input, or the default text.

Text is bytes, in any language and any encoding without zero bytes; what it is made of is kept beside it.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from weftnn.cli.arguments import CommandError
from weftnn.cli.file_names import shown

__all__ = ["Text", "default_text", "read_standard_input", "read_text"]

_DEFAULT_NAME = "pydoc_data.topics"


@dataclass(frozen=True)
class Text:
    """Bytes as ids uint8[N], where they came from, and how many binary files of folders were left out."""

    ids: npt.NDArray[np.uint8]
    sources: tuple[str, ...]
    files: int = 1
    skipped: int = 0

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes: tells a resumed run whether it got the same text."""
        return hashlib.sha256(self.ids.tobytes()).hexdigest()

    def __str__(self) -> str:
        names = ", ".join(map(shown, self.sources[:3])) + (", ..." if len(self.sources) > 3 else "")
        files = f", {self.files:,} files" if self.files > 1 else ""
        skipped = f", {self.skipped:,} left out as binary or special" if self.skipped else ""
        return f"{names} ({self.ids.size:,} bytes{files}{skipped})"


def read_text(paths: Sequence[str]) -> Text:
    """The bytes of all paths, one after the other.

    A path is a file, a pipe, a folder (its files recursively, sorted by path, without hidden and binary
    ones) or `-` for standard input. No path at all: the default text. Raises CommandError for what is
    missing, unreadable, binary or empty.
    """
    if not paths:
        return default_text()
    pieces: list[bytes] = []
    skipped = 0
    if paths.count("-") > 1:
        raise CommandError("standard input (-) can be read only once")
    for path in paths:
        if not path:
            raise CommandError("a text's name must not be empty")
        if path == "-":
            pieces.append(_refuse_binary(read_standard_input(), "standard input"))
        elif Path(path).is_dir():
            found = [_read_of_folder(file) for file in _files(Path(path))]
            readable = [piece for piece in found if piece is not None]
            skipped += len(found) - len(readable)
            if not any(readable):
                raise CommandError(f"the folder {path!r} holds no text ({len(found)} files looked at)")
            pieces.extend(readable)
        else:
            pieces.append(_refuse_binary(_read_file(Path(path)), repr(path)))
    ids = np.frombuffer(b"".join(pieces), dtype=np.uint8)
    if ids.size == 0:
        raise CommandError("the text is empty: " + ", ".join(map(repr, paths)))
    # Absolute, so that a resumed run finds them from any working folder.
    sources = tuple(path if path == "-" else str(Path(path).absolute()) for path in paths)
    return Text(ids, sources, files=len(pieces), skipped=skipped)


def default_text() -> Text:
    """The prose that every Python carries: the topics of `help()`, sorted by name, 0.4 MB."""
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise CommandError(
            f"this Python lacks the default text ({_DEFAULT_NAME}): name a text file or folder"
        ) from None
    joined = "".join(topics[name] for name in sorted(topics)).encode()
    return Text(np.frombuffer(joined, dtype=np.uint8), (_DEFAULT_NAME,))


def is_default(sources: Sequence[str]) -> bool:
    """Whether sources, as a Text names them, are the default text."""
    return tuple(sources) == (_DEFAULT_NAME,)


def read_standard_input() -> bytes:
    """All of it. Raises CommandError where it is closed or cannot be read."""
    if sys.stdin is None:
        raise CommandError("standard input (-) is closed")
    try:
        if sys.stdin.isatty():
            print("Reading text from the terminal; Ctrl-D ends it.", file=sys.stderr)
        return sys.stdin.buffer.read()
    except OSError as error:
        raise CommandError(f"cannot read standard input (-): {error.strerror or error}") from None


def _read_file(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise CommandError(f"{str(path)!r} is neither a file, a folder nor a pipe")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise CommandError(f"cannot read the text {str(path)!r}: {reason}") from None
    except MemoryError:
        raise CommandError(f"the text {str(path)!r} does not fit into memory") from None


def _read_of_folder(path: Path) -> bytes | None:
    """The file's bytes, or None if it is not text: special, a broken link, or binary."""
    if not path.is_file():
        return None
    content = _read_file(path)
    return None if b"\0" in content else content


def _files(folder: Path) -> Iterator[Path]:
    """All files below a folder, sorted by path, without hidden ones and links to folders."""

    def refuse(error: OSError) -> None:
        raise CommandError(f"cannot read the folder {error.filename!r}: {error.strerror}")

    for root, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root, name) for name in sorted(names) if not name.startswith("."))


def _refuse_binary(content: bytes, name: str) -> bytes:
    zero = content.find(b"\0")
    if zero >= 0:
        raise CommandError(
            f"{name} is not text: it has a zero byte at offset {zero:,}"
            " (UTF-16? `iconv -f UTF-16 -t UTF-8` makes it UTF-8)"
        )
    return content
