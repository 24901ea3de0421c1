"""Entries of a checkpoint's config.json, checked one by one before any is taken.

Each function gives the entry in the type that it should have. It raises KeyError where the entry is missing,
TypeError or ValueError, which name entry and value, where it is something else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from weftnn.arguments import check_count, check_number

_LARGEST = 2**63 - 1  # what a count can be in any language


def mapping_of(entries: Any, name: str) -> Mapping[str, Any]:
    """An entry that has entries."""
    value = entries[name]
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must have entries by name, got {value!r:.80}")
    return value


def count_of(entries: Mapping[str, Any], name: str, *, low: int = 0) -> int:
    """A whole number of at least `low`.

    >>> count_of({"step": -3}, "step")
    Traceback (most recent call last):
    ValueError: config: step must be an integer >= 0, got -3
    """
    value = check_count("config", name, entries[name], low=low)
    if value > _LARGEST:
        raise ValueError(f"config: {name} must be below 2**63, got {value:.3e}")
    return value


def number_of(entries: Mapping[str, Any], name: str, *, low: float | None = None) -> float:
    """A finite number."""
    return check_number("config", name, entries[name], low=low)


def any_number_of(entries: Mapping[str, Any], name: str) -> float:
    """A number, infinity and NaN included: what a metric gave."""
    value = entries[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"config: {name} must be a number, got {value!r:.80}")
    return float(value)


def best_of(entries: Mapping[str, Any], name: str) -> float | None:
    """The best value so far: None before the first, never NaN."""
    if entries[name] is None:
        return None
    value = any_number_of(entries, name)
    if math.isnan(value):
        raise ValueError(f"config: {name} must be a number, got NaN")
    return value
