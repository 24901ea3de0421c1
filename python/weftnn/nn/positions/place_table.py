"""PlaceTable: rows of numbers that depend on the place alone, the first kept, others made when asked for.

Sines take longer than sums, so near places are looked up; a single step at place 10^9 makes a single row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from weftnn.nn.parameter import Array

_MOST_BYTES = 1 << 24  # of what is kept for one dtype


class PlaceTable:
    """rows(places[...]) gives float64[..., width]; `at` gives the same numbers, rounded to a dtype.

    >>> table = PlaceTable(lambda places: np.sqrt(places)[..., None], width=1)
    >>> table.at(np.array([4, 9]), np.dtype(np.float32))
    array([[2.],
           [3.]], dtype=float32)
    >>> kept = table.nbytes
    >>> float(table.at(np.array([10**12]), np.dtype(np.float32))[0, 0]), table.nbytes == kept
    (1000000.0, True)
    """

    def __init__(self, rows: Callable[[Array], Array], width: int) -> None:
        self._rows = rows
        self._width = width
        self._kept: dict[np.dtype[Any], Array] = {}  # the rows of the places 0, 1, ...

    @property
    def nbytes(self) -> int:
        """Bytes that are kept."""
        return sum(kept.nbytes for kept in self._kept.values())

    def at(self, places: Array, dtype: np.dtype[Any]) -> Array:
        """The rows of places[...], whole numbers of any sign."""
        kept = self._kept.get(dtype)
        first, last = (int(places.min()), int(places.max())) if places.size else (0, 0)
        if first < 0 or last >= self._most(dtype):
            return self._rows(places).astype(dtype)
        if kept is None or last >= len(kept):
            count = min(2 * last + 1, self._most(dtype))  # twice: steps that come one by one cost little
            kept = self._kept[dtype] = self._rows(np.arange(count)).astype(dtype)
        rows: Array = kept[places]
        return rows

    def _most(self, dtype: np.dtype[Any]) -> int:
        return _MOST_BYTES // (self._width * dtype.itemsize)
