"""Heads: the last axis of a sequence seen as N heads of size D, and back; what was broadcast to all heads."""

from __future__ import annotations

from weft.nn.parameter import Array


def split_heads(x: Array, heads: int) -> Array:
    """x[B,T,N*D] as [B,N,T,D], always a view.

    >>> import numpy as np
    >>> split_heads(np.zeros((2, 5, 12)), 3).shape
    (2, 3, 5, 4)
    """
    batch, time, size = x.shape
    split: Array = x.reshape(batch, time, heads, size // heads).swapaxes(1, 2)
    return split


def join_heads(x: Array) -> Array:
    """x[B,N,T,D] as [B,T,N*D]: a view if it lies in memory as split_heads leaves it, else a copy.

    >>> import numpy as np
    >>> x = np.zeros((2, 5, 12))
    >>> np.shares_memory(x, join_heads(split_heads(x, 3)))
    True
    """
    batch, heads, time, size = x.shape
    joined: Array = x.swapaxes(1, 2).reshape(batch, time, heads * size)
    return joined


def sum_to(x: Array, shape: tuple[int, ...]) -> Array:
    """x summed over the axes along which an array of that shape was broadcast to x's: its gradient.

    >>> import numpy as np
    >>> sum_to(np.ones((2, 3, 4)), (3, 1))
    array([[8.],
           [8.],
           [8.]])
    """
    if x.shape == shape:
        return x
    lead = x.ndim - len(shape)
    axes = [lead + i for i, size in enumerate(shape) if size == 1 != x.shape[lead + i]]
    total: Array = x.sum(axis=(*range(lead), *axes), keepdims=True).reshape(shape)
    return total
