"""The command line's argument types and its parser: every value is checked before any work starts.

An error is one line on standard error, `weftnn lm train: --hidden must be a whole number of at least 1, got
'0'`, and exit code 2.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["CommandError", "Parser", "duration", "fraction", "name", "number", "one_of", "whole"]

_LARGEST_SIZE = 2**31 - 1


class CommandError(Exception):
    """Ends a command with one line on standard error.

    code 2: bad arguments; 1: something failed later. command: which one, where it is not the one that runs.
    hint: a second line. An empty message is none.
    """

    def __init__(self, message: str, *, code: int = 2, command: str | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.command = command
        self.hint = hint


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises CommandError, in the form `command: --argument must be ..., got ...`."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        message = re.sub(r"^argument ([^:]+): ", r"\1 ", message)
        raise CommandError(message, command=self.prog, hint=f"Try '{self.prog} --help'.")


def whole(least: int, most: int = _LARGEST_SIZE) -> Callable[[str], int]:
    """A whole number from least to most."""
    wanted = f"a whole number of at least {least}"
    if most != _LARGEST_SIZE:
        wanted = f"a whole number from {least} to {most}"

    def parse(text: str) -> int:
        # Longer digit strings would raise from int() itself, with words of its own.
        if re.fullmatch(r"[+-]?[0-9]{1,30}", text) and least <= int(text) <= most:
            return int(text)
        if re.fullmatch(r"[0-9]{1,30}", text) and int(text) > most == _LARGEST_SIZE:
            raise _wrong(f"a whole number of at most {most}", text)
        raise _wrong(wanted, text)

    return parse


def number(*, above: float | None = None, least: float | None = None) -> Callable[[str], float]:
    """A finite number above `above`, or of at least `least`."""
    wanted = f"a number above {above:g}" if above is not None else f"a number of at least {least:g}"

    def parse(text: str) -> float:
        value = _float(text)
        low_enough = (above is not None and value > above) or (least is not None and value >= least)
        if not (math.isfinite(value) and low_enough):
            raise _wrong(wanted, text)
        return value

    return parse


def fraction(*, zero: bool = True, one: bool = False) -> Callable[[str], float]:
    """A number from 0 to 1; whether the ends belong to it is said by zero= and one=."""
    wanted = f"a number {'from' if zero else 'above'} 0 {'to' if one else 'and below'} 1"
    if one and not zero:
        wanted = "a number above 0 and at most 1"

    def parse(text: str) -> float:
        value = _float(text)
        if 0 < value < 1 or (zero and value == 0) or (one and value == 1):
            return value
        raise _wrong(wanted, text)

    return parse


def name(text: str) -> str:
    """The name of a file or folder: an empty one, as of a variable that is not set, would be this folder."""
    if not text:
        raise _wrong("a name", text)
    return text


def one_of(*choices: str) -> Callable[[str], str]:
    """One of some words."""

    def parse(text: str) -> str:
        if text not in choices:
            raise _wrong("one of " + ", ".join(choices), text)
        return text

    return parse


def duration(text: str) -> float:
    """Seconds: 90, 90s, 1.5m, 2h, 1h30m.

    >>> duration("1h30m"), duration("90")
    (5400.0, 90.0)
    """
    wanted = "a time such as 90 (seconds), 90s, 5m, 2h or 1h30m"
    plain = _float(text)
    if not math.isnan(plain):
        seconds = plain
    else:
        parts = re.fullmatch(r"(?:([0-9.]+)h)?(?:([0-9.]+)m)?(?:([0-9.]+)s)?", text)
        if not text or parts is None:
            raise _wrong(wanted, text)
        values = [_float(part) if part else 0.0 for part in parts.groups()]
        seconds = 3600 * values[0] + 60 * values[1] + values[2]
    if not (math.isfinite(seconds) and seconds > 0):
        raise _wrong(wanted, text)
    return seconds


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _wrong(wanted: str, got: str) -> argparse.ArgumentTypeError:
    shown = got if len(got) <= 60 else got[:57] + "..."
    return argparse.ArgumentTypeError(f"must be {wanted}, got {shown!r}")
