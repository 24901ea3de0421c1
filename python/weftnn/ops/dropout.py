"""Dropout whose mask is a function of (seed, offset, element) alone, forward and backward.

    y_e  = x_e  [word_e >= p 2^32] / (1 - p)
    dx_e = dy_e [word_e >= p 2^32] / (1 - p)

Element e, counted in C order, takes word e % 4 of block e // 4 of Philox 4x32-10 under the key `seed`, with
the counter (block, offset). Backward draws the same words again, so only p, seed and offset are kept. An
element depends on no other element and not on the number of threads.

Sources: Srivastava et al., "Dropout", 2014; Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy
as 1, 2, 3", 2011.
"""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import numpy as np

from weftnn import _core
from weftnn.ops.arrays import Array, as_contiguous, require_array, require_saved, require_shape
from weftnn.ops.scalars import require_numbers


class DropoutSaved(NamedTuple):
    """What `dropout_backward` needs to draw the mask again."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    p: float
    seed: int
    offset: int


def counter(operation: str, name: str, value: Any) -> int:
    """`value`, if it is an integer in [0, 2**64)."""
    try:
        number = operator.index(value)
        if isinstance(value, bool):
            raise TypeError
    except TypeError:
        raise TypeError(f"{operation}: {name} must be an int, got {type(value).__name__}") from None
    if not 0 <= number < 2**64:
        raise ValueError(f"{operation}: {name} must be in [0, 2**64), got {number}")
    return number


def dropout_forward(x: Array, p: float, *, seed: int, offset: int = 0) -> tuple[Array, DropoutSaved]:
    """Zero each element with probability p and divide the others by 1 - p, as (y, saved).

    Args:
        x: [...], float32 or float64, any strides. Elements that are dropped may be NaN.
        p: probability to drop, in [0, 1]; 1 drops everything.
        seed: the key of the random numbers, in [0, 2**64).
        offset: which of 2**64 independent masks of that seed; a layer counts its calls with it.

    Raises:
        ValueError: p, seed or offset is out of range.
        TypeError: x is no float32 or float64 array, or seed or offset no int.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> y, saved = ops.dropout_forward(np.ones(8), 0.5, seed=1)
        >>> y
        array([2., 2., 2., 2., 2., 2., 0., 2.])
        >>> bool((ops.dropout_backward(saved, np.ones(8)) == y).all())
        True
    """
    require_array("dropout_forward", "x", x, "(...)")
    numbers = counter("dropout_forward", "seed", seed), counter("dropout_forward", "offset", offset)
    saved = DropoutSaved(x.shape, x.dtype, p, *numbers)
    try:
        y: Array = _core.dropout_forward(as_contiguous(x), p, saved.seed, saved.offset)
    except TypeError:
        require_numbers("dropout_forward", p=p)
        raise
    return y, saved


def dropout_backward(saved: DropoutSaved, dy: Array) -> Array:
    """dx_e = dy_e [element e was kept] / (1 - p): the same function of dy as y is of x.

    Raises ValueError or TypeError unless dy has the shape and dtype of x.
    """
    operation = "dropout_backward"
    require_saved(operation, "dropout_forward", saved, DropoutSaved)
    require_shape(operation, "dy", dy, "(...)", saved.shape)
    if dy.dtype != saved.dtype:
        raise TypeError(f"{operation}: dy must have dtype {saved.dtype}, got {dy.dtype}")
    dx: Array = _core.dropout_backward(as_contiguous(dy), saved.p, saved.seed, saved.offset)
    return dx
