"""Checks of plain arguments (numbers, counts, choices), with errors in the house form:

``Adam: lr must be a finite number >= 0, got -1``
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection
from typing import Any


def check_number(
    where: str,
    name: str,
    value: Any,
    *,
    low: float | None = None,
    above: float | None = None,
    high: float | None = None,
    below: float | None = None,
) -> float:
    """`value` as a float, if it is a finite real number within the bounds (`low` and `high` are inside).

    >>> check_number("Adam", "lr", 0.1, low=0)
    0.1
    >>> check_number("Adam", "lr", -1, low=0)
    Traceback (most recent call last):
    ValueError: Adam: lr must be a finite number >= 0, got -1
    """
    bounds = [(">=", low), (">", above), ("<=", high), ("<", below)]
    given = " and ".join(f"{sign} {bound}" for sign, bound in bounds if bound is not None)
    expected = f"a finite number {given}".rstrip()
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{where}: {name} must be {expected}, got {value!r}")
    number = float(value)
    if (
        not math.isfinite(number)
        or (low is not None and number < low)
        or (above is not None and number <= above)
        or (high is not None and number > high)
        or (below is not None and number >= below)
    ):
        raise ValueError(f"{where}: {name} must be {expected}, got {value!r}")
    return number


def check_count(where: str, name: str, value: Any, *, low: int = 1) -> int:
    """`value` as an int, if it is an integer (NumPy's included, bool not) and at least `low`.

    >>> check_count("Trainer.fit", "epochs", 0)
    Traceback (most recent call last):
    ValueError: Trainer.fit: epochs must be an integer >= 1, got 0
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{where}: {name} must be an integer >= {low}, got {value!r}")
    if value < low:
        raise ValueError(f"{where}: {name} must be an integer >= {low}, got {value!r}")
    return int(value)


def check_choice(where: str, name: str, value: Any, choices: Collection[str]) -> str:
    """`value`, if it is one of the words in `choices`.

    >>> check_choice("Windows", "target", "next", ("after", "every"))
    Traceback (most recent call last):
    ValueError: Windows: target must be one of 'after', 'every', got 'next'
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{where}: {name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return str(value)
