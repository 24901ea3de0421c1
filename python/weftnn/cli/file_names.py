"""Names of files, which are bytes: shown to people, repeated in advice, kept in JSON.

Python has a byte that is not UTF-8 (or not ASCII, in a locale that knows no more) as a lone surrogate, which
no stream can print and other programs' JSON readers refuse. Other names are a terminal's commands.
"""

from __future__ import annotations

import os
import shlex
import sys

__all__ = ["from_json", "printable", "quoted", "shown", "to_json"]


def shown(name: str | os.PathLike[str]) -> str:
    """The name as people read it: itself, or as a shell would take it where it cannot be printed.

    >>> shown("a name.txt")
    'a name.txt'
    >>> print(shown(os.fsdecode(b"caf\\xe9.txt")))
    $'caf\\351.txt'
    """
    name = os.fspath(name)
    return name if _can_be_printed(name) else _escaped(name)


def quoted(name: str | os.PathLike[str]) -> str:
    """The name as a word of a command line, to be pasted into a shell.

    >>> print(quoted("runs/lm-1"), quoted("a name.txt"), quoted("-name"))
    runs/lm-1 'a name.txt' ./-name
    """
    name = os.fspath(name)
    if name.startswith("-"):  # which would be taken for an option
        name = os.path.join(".", name)
    return shlex.quote(name) if _can_be_printed(name) else _escaped(name)


def printable(text: str) -> str:
    """A message in one line, whatever names are in it.

    >>> print(printable("a\\nb"))
    a\\nb
    """
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def to_json(name: str) -> str:
    """The name for a JSON file that is read in other locales too: its bytes, taken as UTF-8."""
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def from_json(name: str) -> str:
    """What `to_json` was given. Raises ValueError for what is no name.

    >>> from_json(to_json(os.fsdecode(b"caf\\xe9"))) == os.fsdecode(b"caf\\xe9")
    True
    """
    return os.fsdecode(name.encode("utf-8", "surrogateescape"))


def _can_be_printed(name: str) -> bool:
    try:
        name.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return name.isprintable()


def _escaped(name: str) -> str:
    """$'...', which bash, zsh and ksh have, and POSIX since 2024; bytes that are not ASCII are octal."""
    plain = set(range(0x20, 0x7F)) - set(b"'\\")
    return "$'" + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in os.fsencode(name)) + "'"
