"""split: one part of the data to train on, one to choose by, one to judge by."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from weft.arguments import check_count, check_number
from weft.data.order import epoch_order


class Split(NamedTuple):
    """The three parts, each of the kind that was split (a tuple where several were)."""

    train: Any
    validation: Any
    test: Any


def split(
    *data: Any, validation: float = 0.1, test: float = 0.1, shuffle: bool = False, seed: int = 0
) -> Split:
    """Cuts data along its first axis into train, validation and test parts.

    data: arrays, lists or texts of the same length N, cut at the same places. Without `shuffle` the order
    stays: validation follows training and test follows validation, as text and time series need, and arrays
    stay views.
    validation, test: their shares of N; the rest is for training. A share of 0 gives an empty part.
    Raises ValueError where the lengths differ or a part with a share would be empty.

    >>> split("abcdefghij", validation=0.2, test=0.1)
    Split(train='abcdefg', validation='hi', test='j')
    """
    if not data:
        raise TypeError("split: give at least one array, list or text")
    validation = check_number("split", "validation", validation, low=0, below=1)
    test = check_number("split", "test", test, low=0, below=1)
    seed = check_count("split", "seed", seed, low=0)
    sizes = [len(part) for part in data]
    size = sizes[0]
    if any(other != size for other in sizes):
        raise ValueError(f"split: all data must have the same length, got {sizes}")
    checks, tests = round(size * validation), round(size * test)
    begin, end = size - checks - tests, size - tests
    for name, share, count in (("validation", validation, checks), ("test", test, tests)):
        if share and not count:
            raise ValueError(f"split: {name}={share} of {size} items is none; give a larger share, or 0")
    if begin < 1:
        raise ValueError(
            f"split: validation={validation} and test={test} leave nothing of {size} to train on"
        )
    order = epoch_order(size, seed, 0) if shuffle else None
    cuts = [slice(0, begin), slice(begin, end), slice(end, size)]
    parts = [[_take(part, cut if order is None else order[cut]) for part in data] for cut in cuts]
    return Split(*(part[0] if len(data) == 1 else tuple(part) for part in parts))


def _take(data: Any, which: Any) -> Any:
    """The items of a slice or of a list of positions."""
    if isinstance(which, slice) or isinstance(data, np.ndarray):
        return data[which]
    items = [data[position] for position in which]
    if isinstance(data, str):
        return "".join(items)
    return bytes(items) if isinstance(data, (bytes, bytearray)) else items
