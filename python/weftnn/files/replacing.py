"""replace_file: a file is written whole or not at all, whatever happens to the process or the disk.

    1. write a temporary file beside it        .<name>.<16 hex digits>.tmp, its bytes on the disk
    2. rename it to the file's name            one move, which a reader sees done or not done
    3. put the folder on the disk              the rename is an entry in it

The temporary file is where the name is, because only within one file system is a rename one move.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeAlias

__all__ = ["PathLike", "leftovers", "replace_file"]

PathLike: TypeAlias = str | os.PathLike[str]

_ABANDONED = 3600.0  # seconds after which a temporary file can only be what a killed process left behind
_ADDED = len("..0123456789abcdef.tmp")  # what a temporary name has beyond the file's
_USUAL_LIMIT = 255  # bytes of a name, on nearly every file system


@contextmanager
def replace_file(path: PathLike) -> Iterator[BinaryIO]:
    """Write `path` whole or not at all: the block writes a new file, which replaces the old one at its end.

    The bytes are on the disk before the name is moved, and the name before this returns. If the block raises,
    if the disk is full or the process is killed, `path` is what it was before.

    The new file has the old one's mode, and its owner and group where the system lets them be given. A link
    stays a link: the file that it points to is replaced. What killed processes left beside it is removed.

    Raises OSError as writing does, with the file's name; IsADirectoryError for a folder, and OSError for a
    device or a pipe, in whose place no file is put.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "config.json"
    >>> with replace_file(path) as file:
    ...     written = file.write(b"{}")
    >>> path.read_text()
    '{}'
    """
    path = Path(os.path.realpath(path))
    old = _replaceable(path)
    temporary = path.with_name(f".{_stem(path)}.{secrets.token_hex(8)}.tmp")
    try:
        try:
            # Nobody else may open what takes a private file's place, not even before it has its mode.
            mode = 0o666 if old is None else 0o600
            file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
            with open(file, "wb") as stream:
                if old is not None:
                    _make_like(file, old)
                yield stream
                stream.flush()
                os.fsync(file)
                now = os.fstat(file).st_mtime
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        _sync_folder(path.parent)
    except OSError as error:
        if error.filename is not None and Path(error.filename) not in (temporary, path.parent):
            raise
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    for left in leftovers(path):
        with suppress(OSError):
            # By the file system's clock, which need not be this machine's.
            if now - left.stat().st_mtime > _ABANDONED:
                left.unlink()


def leftovers(path: Path) -> list[Path]:
    """The temporary files there are for `path`: of saves that go on, or of processes that were killed."""
    ours = re.compile(re.escape(f".{_stem(path)}.") + r"[0-9a-f]{16}\.tmp")
    try:
        return [path.with_name(name) for name in os.listdir(path.parent) if ours.fullmatch(name)]
    except OSError:  # a folder that may be written to but not listed
        return []


def _replaceable(path: Path) -> os.stat_result | None:
    """What stands at `path`, None if nothing does; refuses what is not a file."""
    try:
        old = os.lstat(path)  # a link has been followed, unless it leads round in a circle
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(errno.EISDIR, "replace_file: it is a folder, not a file", str(path))
    if stat.S_ISLNK(old.st_mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    if not stat.S_ISREG(old.st_mode):
        raise OSError(errno.EINVAL, "replace_file: it is a device or a pipe, not a file", str(path))
    return old


def _make_like(file: int, old: os.stat_result) -> None:
    """Gives the open file the owner, group and mode of the old one, as far as the system allows."""
    if os.name != "posix":
        return
    mode = stat.S_IMODE(old.st_mode)
    try:
        os.fchown(file, old.st_uid, old.st_gid)
    except OSError:
        mode &= 0o777  # set-user-ID and its like mean nothing under another owner
        try:
            os.fchown(file, -1, old.st_gid)
        except OSError:
            mode &= ~0o070  # what the old group was allowed is not for the new one
    os.fchmod(file, mode)  # last, because a change of owner clears bits of the mode


def _stem(path: Path) -> str:
    """The file's name, or so much of it, with a digest of all, that the temporary name is not too long."""
    name = path.name
    room = _longest_name(path.parent) - _ADDED
    if len(os.fsencode(name)) <= room:
        return name
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    while len(os.fsencode(name)) > room - len(digest) - 1:
        name = name[:-1]
    return f"{name}~{digest}"


def _longest_name(folder: Path) -> int:
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError, AttributeError):  # no such folder; not known there; not POSIX
        return _USUAL_LIMIT


def _sync_folder(folder: Path) -> None:
    """Puts the folder's entries on the disk, where a folder can be opened and the file system can do it."""
    if os.name != "posix":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)
