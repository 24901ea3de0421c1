"""Heads: the last axis of a sequence seen as N heads of size D, and back. Views where strides allow it."""

from __future__ import annotations

from weftnn.nn.parameter import Array


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
