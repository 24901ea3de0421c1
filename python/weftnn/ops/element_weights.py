"""Weights: how much each element counts, given for every element or for a whole part of the leading axes.

A weight of shape (B,) counts a row, one of (B, T) a step: it holds for all elements of that row or step. The
shape alone decides, axis by axis from the first, so that (B,) never means (T,) where both are as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from weftnn.ops.arrays import Array, refuse_masked


def element_weights(where: str, weight: Any, shape: tuple[int, ...]) -> Array:
    """The weight with axes of length 1 at its end, so that it broadcasts to `shape`.

    Raises ValueError for a shape that is not `shape` or its leading axes, TypeError for what is no number.

    >>> element_weights("MSELoss", [1, 0], (2, 3)).tolist()
    [[1], [0]]
    >>> element_weights("MSELoss", [1, 0, 1], (2, 3))
    Traceback (most recent call last):
    ValueError: MSELoss: weight must be a number or of shape (2,) or (2, 3), got (3,)
    """
    refuse_masked(where, "weight", weight)
    array = np.asarray(weight)
    if array.dtype.kind not in "fbiu":
        raise TypeError(f"{where}: weight must be numbers, got {array.dtype}")
    if array.shape != shape[: array.ndim]:
        shapes = " or ".join(str(shape[: axes + 1]) for axes in range(len(shape)))
        allowed = f"a number or of shape {shapes}" if shapes else "a number"
        raise ValueError(f"{where}: weight must be {allowed}, got {array.shape}")
    return array.reshape(*array.shape, *[1] * (len(shape) - array.ndim))
