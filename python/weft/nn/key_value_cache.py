"""KeyValueCache: the keys and values of all steps so far, so that decoding a step costs a step.

    keys[B,N,S,D], values[B,N,S,V] = cache.append(k[B,N,T,D], v[B,N,T,V])           S = steps before + T

Both are views of two buffers whose capacity doubles when it is reached: n steps, appended one by one, copy
less than 2n steps. N heads of keys, D and V the sizes of a key and a value.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from weft.arguments import check_count
from weft.nn.parameter import Array


class CachedKeys(NamedTuple):
    """What attention reads: views, right until the next append."""

    keys: Array  # [B,N,S,D]
    values: Array  # [B,N,S,V]
    lengths: Array | None  # [B], the steps of each row; None: all have S


class KeyValueCache:
    """Grows by the keys and values of each call of MultiheadAttention.predict(x, cache=cache).

    capacity: steps to make room for at first.
    fixed: never grow: a step beyond the capacity is a ValueError, and the memory is known from the start.

    Rows may begin with prompts of several lengths: `lengths` of the first append. Each then goes on from its
    own end. Raises ValueError for rows, heads or sizes other than those it began with.

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
        self._lengths: Array | None = None  # of each row, where they differ

    def __len__(self) -> int:
        """Steps of the longest row."""
        return self._length

    @property
    def offset(self) -> int | Array:
        """Where the next step stands: the steps before it, [B] of them where rows differ."""
        return self._length if self._lengths is None else self._lengths

    @property
    def nbytes(self) -> int:
        """Bytes that the buffers take."""
        return sum(buffer.nbytes for buffer in (self._keys, self._values) if buffer is not None)

    def append(self, k: Array, v: Array, lengths: npt.ArrayLike | None = None) -> CachedKeys:
        """Copy k[B,N,T,D] and v[B,N,T,V] behind what is there; lengths[B] of the first ones may differ."""
        if lengths is not None and self._length:
            raise ValueError(
                f"KeyValueCache: lengths must come with the first steps, got them after {self._length}"
            )
        keys, values = self._room_for(k, v)
        time = k.shape[2]
        if self._lengths is None:
            keys[:, :, self._length : self._length + time] = k
            values[:, :, self._length : self._length + time] = v
        else:  # behind each row's own end
            rows, places = np.arange(len(k))[:, None], self._lengths[:, None] + np.arange(time)
            keys[rows, :, places] = k.swapaxes(1, 2)
            values[rows, :, places] = v.swapaxes(1, 2)
            self._lengths = self._lengths + time
        self._length += time
        if lengths is not None:
            self._lengths = np.array(lengths, np.int64)
            self._length = int(self._lengths.max(initial=0))
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
        """Forget all but the first `length` steps of every row: to take back what was tried."""
        length = check_count("KeyValueCache.truncate", "length", length, low=0)
        self._length = min(self._length, length)
        if self._lengths is not None:
            self._lengths = np.minimum(self._lengths, length)

    def select(self, rows: npt.ArrayLike) -> None:
        """Row i becomes what row rows[i] was: a beam search goes on from the best. Rows may come and go."""
        rows = np.asarray(rows)
        if self._keys is not None and self._values is not None:
            self._keys, self._values = self._keys[rows], self._values[rows]
        if self._lengths is not None:
            self._lengths = self._lengths[rows]

    def _room_for(self, k: Array, v: Array) -> tuple[Array, Array]:
        """The two buffers, with room for k and v."""
        needed = self._length + k.shape[2]
        if needed > self.capacity and self.fixed:
            raise ValueError(
                f"KeyValueCache: steps must be at most {self.capacity}, the fixed capacity, got {needed}"
            )
        while needed > self.capacity:
            self.capacity *= 2
        self._keys = self._grown("k", self._keys, k)
        self._values = self._grown("v", self._values, v)
        return self._keys, self._values

    def _grown(self, name: str, buffer: Array | None, like: Array) -> Array:
        batch, heads, _, size = like.shape
        if buffer is None:
            return np.empty((batch, heads, self.capacity, size), like.dtype)
        if (batch, heads, size, like.dtype) != (*buffer.shape[:2], buffer.shape[3], buffer.dtype):
            raise ValueError(
                f"KeyValueCache: {name} must go on as (B, N, T, D) = "
                f"({buffer.shape[0]}, {buffer.shape[1]}, T, {buffer.shape[3]}) of {buffer.dtype}, "
                f"got {like.shape} of {like.dtype}"
            )
        if buffer.shape[2] == self.capacity:
            return buffer
        grown = np.empty((batch, heads, self.capacity, size), like.dtype)
        grown[:, :, : self._length] = buffer[:, :, : self._length]
        return grown

    def __repr__(self) -> str:
        return f"KeyValueCache({self.capacity}{', fixed=True' if self.fixed else ''}): {self._length} steps"
