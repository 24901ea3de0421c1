"""KeyValueCache: the keys and values of all steps so far, so that decoding a step computes that step alone.

    keys[B,Nk,S,D], values[B,Nk,S,E] = cache.append(k[B,Nk,T,D], v[B,Nk,T,E])        S = steps before + T

Both are views of two buffers whose capacity doubles when it is reached: n steps, appended one by one, copy
less than 2n steps. Nk heads of keys, D and E the sizes of a key and a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from weftnn.arguments import check_count
from weftnn.nn.parameter import Array
from weftnn.ragged import check_lengths


class CachedKeys(NamedTuple):
    """What attention reads: views, right until the next append."""

    keys: Array  # [B,Nk,S,D]
    values: Array  # [B,Nk,S,E]
    lengths: Array | None  # [B], the steps of each row; None: all have S


class KeyValueCache:
    """Grows by the keys and values of each call of MultiheadAttention.predict(x, cache=cache).

    capacity: steps to make room for at first.
    fixed: the cache never grows. A step beyond the capacity is a ValueError.

    Rows may begin with prompts of several lengths: `lengths` of the first append. Each row then goes on from
    its own end. Raises ValueError for other rows, heads or sizes than those of the first append; the cache is
    then unchanged.

    >>> cache = KeyValueCache(capacity=4)
    >>> for _ in range(5):
    ...     keys, values, _ = cache.append(np.ones((2, 3, 1, 8)), np.ones((2, 3, 1, 8)))
    >>> keys.shape, len(cache), cache.capacity
    ((2, 3, 5, 8), 5, 8)
    """

    def __init__(self, capacity: int = 64, *, fixed: bool = False) -> None:
        self.capacity = check_count("KeyValueCache", "capacity", capacity)
        self.fixed = fixed
        self._keys: Array | None = None
        self._values: Array | None = None
        self._length = 0  # of the longest row
        self._lengths: Array | None = None  # of each row, where they may differ; never written to
        self.begun = False  # there may be steps, if only of rows without any

    def __len__(self) -> int:
        """Steps of the longest row."""
        return self._length

    @property
    def offset(self) -> int | Array:
        """The position of the next step: how many steps came before it; [B] where rows may differ."""
        return self._length if self._lengths is None else self._lengths

    @property
    def nbytes(self) -> int:
        """Bytes that the buffers take."""
        return sum(buffer.nbytes for buffer in (self._keys, self._values) if buffer is not None)

    def append(self, k: Array, v: Array, lengths: npt.ArrayLike | None = None) -> CachedKeys:
        """Copy k[B,Nk,T,D] and v[B,Nk,T,E] behind what is there; lengths[B] of the first ones may differ."""
        rows, time = k.shape[0], k.shape[2]
        if lengths is not None:
            if self.begun:
                raise ValueError(
                    f"KeyValueCache: lengths must come with the first steps, got them after {self._length}"
                )
            lengths = check_lengths("KeyValueCache", lengths, rows, time)
            time = int(lengths.max(initial=0))  # what all rows have as padding is not kept
            k, v = k[:, :, :time], v[:, :, :time]
        keys, values = self._room_for(k, v)
        if self._lengths is None:
            keys[:, :, self._length : self._length + time] = k
            values[:, :, self._length : self._length + time] = v
        else:  # behind each row's own end
            places = self._lengths[:, None] + np.arange(time)
            keys[np.arange(rows)[:, None], :, places] = k.swapaxes(1, 2)
            values[np.arange(rows)[:, None], :, places] = v.swapaxes(1, 2)
        self._keys, self._values, self.begun = keys, values, True
        self.capacity = keys.shape[2]
        if lengths is None and self._lengths is None:
            self._length += time
        else:
            self._set_lengths(self._lengths + time if lengths is None else lengths)
        return self.read()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Buffers that are unpickled out of band are read-only, and `append` writes into them."""
        vars(self).update(state)
        if self._keys is not None and self._values is not None:
            self._keys = np.require(self._keys, requirements=["W"])
            self._values = np.require(self._values, requirements=["W"])

    def read(self) -> CachedKeys:
        """What is there. Raises RuntimeError before the first append."""
        if self._keys is None or self._values is None:
            raise RuntimeError("KeyValueCache: append must come before read")
        return CachedKeys(self._keys[:, :, : self._length], self._values[:, :, : self._length], self._lengths)

    def truncate(self, length: int) -> None:
        """Forget all but the first `length` steps of every row."""
        length = check_count("KeyValueCache.truncate", "length", length, low=0)
        if length == 0:
            self._length, self._lengths, self.begun = 0, None, False
        elif self._lengths is None:
            self._length = min(self._length, length)
        else:
            self._set_lengths(np.minimum(self._lengths, length))

    def select(self, rows: npt.ArrayLike) -> None:
        """Row i becomes what row rows[i] was, as a beam search needs. The number of rows may change.

        rows: integers in 0..B-1, in any order, any of them often. Before the first append there is nothing to
        choose from.
        """
        rows = np.asarray(rows)
        if rows.ndim != 1 or (rows.dtype.kind not in "iu" and rows.size):
            raise TypeError(
                f"KeyValueCache.select: rows must be a list of integers, got {rows.dtype} {rows.shape}"
            )
        if self._keys is None or self._values is None:
            return
        batch = len(self._keys)
        if rows.size and (rows.min() < 0 or rows.max() >= batch):
            raise ValueError(
                f"KeyValueCache.select: rows must be in 0..B-1 = 0..{batch - 1}, "
                f"got {rows.min()}..{rows.max()}"
            )
        rows = rows.astype(np.intp)
        self._keys, self._values = self._keys[rows], self._values[rows]
        if self._lengths is not None:
            self._set_lengths(self._lengths[rows])

    def _set_lengths(self, lengths: Array) -> None:
        lengths.flags.writeable = False  # callers see it as `offset`
        self._lengths = lengths
        self._length = int(lengths.max(initial=0))

    def _room_for(self, k: Array, v: Array) -> tuple[Array, Array]:
        """The two buffers, or larger copies, with room for k and v."""
        if k.shape[:3] != v.shape[:3]:
            raise ValueError(
                f"KeyValueCache: k and v must agree in (B, N, T), got {k.shape[:3]} and {v.shape[:3]}"
            )
        needed = self._length + k.shape[2]
        if needed > self.capacity and self.fixed:
            raise ValueError(
                f"KeyValueCache: steps must be at most {self.capacity}, the fixed capacity, got {needed}"
            )
        capacity = self.capacity
        while needed > capacity:
            capacity *= 2
        return self._grown("k", self._keys, k, capacity), self._grown("v", self._values, v, capacity)

    def _grown(self, name: str, buffer: Array | None, like: Array, capacity: int) -> Array:
        batch, heads, _, size = like.shape
        if buffer is None:
            return np.empty((batch, heads, capacity, size), like.dtype)
        if (batch, heads, size, like.dtype) != (*buffer.shape[:2], buffer.shape[3], buffer.dtype):
            raise ValueError(
                f"KeyValueCache: {name} must go on as (B, N, T, D) = "
                f"({buffer.shape[0]}, {buffer.shape[1]}, T, {buffer.shape[3]}) of {buffer.dtype}, "
                f"got {like.shape} of {like.dtype}"
            )
        if buffer.shape[2] == capacity:
            return buffer
        grown = np.empty((batch, heads, capacity, size), like.dtype)
        grown[:, :, : self._length] = buffer[:, :, : self._length]
        return grown

    def __repr__(self) -> str:
        return f"KeyValueCache({self.capacity}{', fixed=True' if self.fixed else ''}): {self._length} steps"


@contextmanager
def unchanged_if_refused(caches: Iterable[KeyValueCache]) -> Iterator[None]:
    """Whatever is raised inside, the caches are then as they were.

    An append writes only behind the steps that are there, so what a cache knew before is enough to go back.

    >>> cache = KeyValueCache()
    >>> with unchanged_if_refused([cache]):
    ...     _ = cache.append(np.ones((2, 3, 1, 8)), np.ones((2, 3, 1, 8)))
    ...     raise ValueError("refused")
    Traceback (most recent call last):
    ValueError: refused
    >>> len(cache)
    0
    """
    before = [(cache, dict(vars(cache))) for cache in caches]
    try:
        yield
    except BaseException:
        for cache, state in before:
            vars(cache).update(state)
        raise
