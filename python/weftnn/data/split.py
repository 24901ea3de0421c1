"""split: data into a training, a validation and a test part."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Set
from typing import Any, NamedTuple

import numpy as np

from weftnn.arguments import check_count, check_number
from weftnn.data.order import epoch_order


class Split(NamedTuple):
    """The three parts, each of the kind that was split (a tuple where several were)."""

    train: Any
    validation: Any
    test: Any


def split(
    *data: Any, validation: float = 0.1, test: float = 0.1, shuffle: bool = False, seed: int = 0
) -> Split:
    """Cuts data along its first axis into train, validation and test parts.

    data: arrays, tables (of pandas, by rows), lists or texts of the same length N, cut at the same places;
        whatever has a shape is an array. Without `shuffle` the order stays: validation follows training
        and test follows validation, as text and time series need, and parts of arrays are views.
    validation, test: their shares of N; the rest is for training. A share of 0 gives an empty part.
    Raises ValueError where the lengths differ or a part with a share would be empty, TypeError for what has
    no order of its own, such as a dict.

    >>> split("abcdefghij", validation=0.2, test=0.1)
    Split(train='abcdefg', validation='hi', test='j')
    """
    if not data:
        raise TypeError("split: give at least one array, list or text")
    validation = check_number("split", "validation", validation, low=0, below=1)
    test = check_number("split", "test", test, low=0, below=1)
    seed = check_count("split", "seed", seed, low=0)
    sizes = [_size(part) for part in data]
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


def _size(data: Any) -> int:
    """N, the items along the first axis."""
    if isinstance(data, (Mapping, Set)) or not hasattr(data, "__getitem__"):
        raise TypeError(
            f"split: data must be arrays, tables, lists or texts, got {type(data).__name__}: "
            "give its parts one by one"
        )
    shape = getattr(data, "shape", None)
    if shape is not None and not shape:
        raise ValueError("split: data must have a first axis to cut, got a single number")
    return int(shape[0]) if shape else len(data)


def _take(data: Any, which: Any) -> Any:
    """The items of a slice or of an array of positions, along the first axis."""
    if hasattr(data, "iloc"):  # a table of pandas' kind, where data[which] would look for columns or labels
        return data.iloc[which]
    if isinstance(data, memoryview):
        return memoryview(np.asarray(data)[which])
    if isinstance(which, slice) or hasattr(data, "shape"):
        return data[which]
    items = [data[position] for position in which.tolist()]
    if isinstance(data, str):
        return "".join(items)
    if isinstance(data, (bytes, bytearray)):
        return type(data)(bytes(items))
    if isinstance(data, array):
        return array(data.typecode, items)
    return tuple(items) if isinstance(data, tuple) else items
