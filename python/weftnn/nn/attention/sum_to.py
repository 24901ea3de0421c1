"""The gradient of an array that was broadcast: a sum over the axes along which it was."""

from __future__ import annotations

from weftnn.nn.parameter import Array


def sum_to(x: Array, shape: tuple[int, ...]) -> Array:
    """x summed over the axes along which an array of that shape was broadcast to x's.

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
