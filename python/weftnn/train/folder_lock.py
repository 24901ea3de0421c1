"""FolderLock: one run in a folder at a time.

The lock is an flock on the file `.lock` in the folder. The system lets go of it when the process ends,
however it ends, so a killed run leaves nothing that would keep the next one out. The file says who holds the
lock. Whoever lets go of it removes the file, so one that comes just then finds its file gone and takes
another.
"""

from __future__ import annotations

import errno
import json
import os
import threading
import warnings
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType

try:
    import fcntl
except ImportError:  # not POSIX: the lock holds between the threads of this process alone
    fcntl = None  # type: ignore[assignment]

__all__ = ["FolderInUseError", "FolderLock"]

_LOCK = ".lock"
_HELD_ELSEWHERE = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
_LONGEST_HOLDER = 1000  # bytes that are read of a file that should say who holds the lock


class FolderInUseError(BlockingIOError):
    """Another run, in another process or thread, holds the folder; `holder` says which, if that is known."""

    def __init__(self, folder: Path, holder: str) -> None:
        self.holder = holder
        super().__init__(
            errno.EWOULDBLOCK,
            f"{folder} is in use by {holder}: only one run at a time may save there; "
            "wait for its end, stop it, or give another folder",
            str(folder),
        )

    def __str__(self) -> str:
        return str(self.strerror)


@dataclass
class _Held:
    """A lock of this process: the thread that has it, how often, and the open file (None: without flock)."""

    thread: int
    since: str
    file: int | None
    times: int = 1


_held: dict[Path, _Held] = {}  # by the folder's real path
_guard = threading.Lock()


class FolderLock:
    """While its block runs, no other process and no other thread can lock the folder.

    The thread that has it may take it again, so what saves inside a run locks like everyone else. Where the
    file system has no locks, as some network file systems, a warning says so and the run goes on: other
    threads are kept out all the same, other processes are not.

    Raises FolderInUseError where another has it, OSError where the folder cannot be written to.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with FolderLock(folder), FolderLock(folder):
    ...     (folder / ".lock").exists()
    True
    >>> (folder / ".lock").exists()
    False
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> FolderLock:
        self._key = self._folder.resolve()
        with _guard:
            held, thread = _held.get(self._key), threading.get_ident()
            if held is None:
                since = datetime.now().astimezone().isoformat(" ", "seconds")
                _held[self._key] = _Held(thread, since, _lock(self._folder, since))
            elif held.thread == thread:
                held.times += 1
            else:
                holder = f"another thread of this process (pid {os.getpid()}) since {held.since}"
                raise FolderInUseError(self._folder, holder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _guard:
            held = _held.get(self._key)
            if held is None:  # in a process that was forked inside the block: the lock is its parent's
                return
            held.times -= 1
            if not held.times:
                del _held[self._key]
                if held.file is not None:
                    try:
                        with suppress(OSError):
                            (self._key / _LOCK).unlink()  # before it is let go: after, it might be another's
                    finally:
                        os.close(held.file)


def _lock(folder: Path, since: str) -> int | None:
    """The open and locked file; None where there are no locks."""
    if fcntl is None:
        _warn(folder, "this system has no flock")
        return None
    path = folder / _LOCK
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(file)
            os.close(file)
            if error.errno in _HELD_ELSEWHERE:
                raise FolderInUseError(folder, holder) from None
            _warn(folder, error.strerror or str(error))
            return None
        if _stands_at(path, file):
            break
        os.close(file)  # its holder removed it when letting go of it
    about = {"pid": os.getpid(), "host": os.uname().nodename, "since": since}
    with suppress(OSError):  # a full disk: the lock holds, its holder stays unnamed
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps(about).encode(), 0)
    return file


def _stands_at(path: Path, file: int) -> bool:
    """Whether the open file is the one that the path names."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file))
    except FileNotFoundError:
        return False


def _holder(file: int) -> str:
    """Who holds the lock, as the file says it."""
    try:
        about = json.loads(os.pread(file, _LONGEST_HOLDER, 0))
        since = datetime.fromisoformat(about["since"]).isoformat(" ", "seconds")
        return f"the process {int(about['pid'])} on {str(about['host'])!r} since {since}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _warn(folder: Path, reason: str) -> None:
    warnings.warn(
        f"FolderLock: {folder} cannot be locked ({reason}): nothing keeps another process from saving into "
        "it at the same time; see to it that only one run uses it",
        RuntimeWarning,
        stacklevel=4,
    )


def _forget_after_fork() -> None:
    """A forked child has none of its parent's locks, and must not keep them alive after the parent's end."""
    global _guard
    _guard = threading.Lock()  # another thread may have held it
    for held in _held.values():
        if held.file is not None:
            with suppress(OSError):
                os.close(held.file)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
