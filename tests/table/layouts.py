"""One array in every layout: the same values, other strides."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


def transposed(array: Array) -> Array:
    """The same values with all axes but the last, which is contiguous, laid out the other way round."""
    axes = (*reversed(range(array.ndim - 1)), array.ndim - 1)
    return np.ascontiguousarray(array.transpose(axes)).transpose(axes) if array.ndim > 2 else backwards(array)


def spaced(array: Array) -> Array:
    """The same values inside a larger array of NaN, with gaps between rows and beyond them."""
    fill = np.nan if array.dtype.kind == "f" else 1
    *leading, last = array.shape
    room = np.full((*(2 * n + 1 for n in leading), last + 3), fill, array.dtype)
    view = room[(*(slice(1, 2 * n + 1, 2) for n in leading), slice(2, 2 + last))]
    view[...] = array
    return view


def backwards(array: Array) -> Array:
    """The same values with a negative stride of the first axis, if that is not the last one."""
    return np.ascontiguousarray(array[::-1])[::-1] if array.ndim > 1 else array


def last_axis_spaced(array: Array) -> Array:
    """Beyond the contract, which wants a contiguous last axis: weft copies such an array."""
    return np.repeat(array, 2, axis=-1)[..., ::2]


def misaligned(array: Array) -> Array:
    """The same values a byte beyond where they belong: weft copies such an array, too."""
    room = np.zeros(array.nbytes + array.itemsize, np.uint8)
    view = room[1 : 1 + array.nbytes].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


LAYOUTS = {f.__name__: f for f in (transposed, spaced, backwards, last_axis_spaced, misaligned)}
