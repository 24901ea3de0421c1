"""What is wrong with a number that the extension module has refused: asked only then."""

from __future__ import annotations

import numbers
from typing import Any


def require_numbers(operation: str, **values: Any) -> None:
    """Raise a TypeError that names the first value which is no real number."""
    for name, value in values.items():
        if not isinstance(value, numbers.Real):
            raise TypeError(f"{operation}: {name} must be a number, got {value!r}")


def require_integers(operation: str, **values: Any) -> None:
    """Raise a TypeError that names the first value which is no integer, a ValueError beyond 64 bits."""
    for name, value in values.items():
        if not isinstance(value, numbers.Integral):
            raise TypeError(f"{operation}: {name} must be an integer, got {value!r}")
        if not -(2**63) <= int(value) < 2**63:
            raise ValueError(f"{operation}: {name} must be below 2**63, got {value}")
