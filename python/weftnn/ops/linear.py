"""The linear layer, forward and backward.

    y  = x Wᵀ + b
    dx = dy W
    dW = dyᵀ x
    db = sum over rows of dy

R rows (all leading axes), I inputs, O outputs.
"""

from __future__ import annotations

from typing import NamedTuple

from weftnn import _core
from weftnn.ops.arrays import (
    Array,
    as_rows,
    gradient_to_add_to,
    require_array,
    require_gradients,
    require_saved,
    require_shape,
)


class LinearGrads(NamedTuple):
    """Gradients in the order of the forward's arguments; None where there is none."""

    dx: Array | None
    dweight: Array | None
    dbias: Array | None


class LinearSaved(NamedTuple):
    """What `linear_backward` needs: the forward's arrays, not copied."""

    x: Array
    weight: Array
    has_bias: bool


def linear_forward(x: Array, weight: Array, bias: Array | None = None) -> tuple[Array, LinearSaved]:
    """A linear map of the last axis: y = x Wᵀ + b, as (y[..., O], saved).

    Args:
        x: [..., I], float32 or float64; all arrays share its dtype. Any strides; nothing is copied where the
            leading axes fold into one and the last is contiguous.
        weight: [O, I].
        bias: [O], or None.

    Raises:
        ValueError: a shape does not fit.
        TypeError: an argument is no array, or has another dtype.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> x, weight = np.ones((2, 3)), np.arange(6.0).reshape(2, 3)
        >>> y, saved = ops.linear_forward(x, weight, np.array([0.5, 0.0]))
        >>> y[0]
        array([ 3.5, 12. ])
        >>> ops.linear_backward(saved, np.ones((2, 2))).dbias
        array([2., 2.])
    """
    require_array("linear_forward", "x", x, "(..., I)")
    require_array("linear_forward", "weight", weight, "(O, I)")
    y: Array = _core.linear_forward(as_rows(x), weight, bias)
    return y if x.ndim == 2 else y.reshape(*x.shape[:-1], y.shape[1]), LinearSaved(
        x, weight, bias is not None
    )


def linear_backward(
    saved: LinearSaved, dy: Array, *, accumulate: LinearGrads | None = None, need_dx: bool = True
) -> LinearGrads:
    """Gradients of `linear_forward`, given dL/dy.

    With y = x Wᵀ + b:  dx = dy W,  dW = dyᵀ x,  db = sum over rows of dy.

    Args:
        saved: what forward returned; it may be used again, and the forward's arrays must be unchanged.
        dy: [..., O].
        accumulate: gradients whose dweight and dbias are added to in place, instead of new ones.
        need_dx: False skips dx and returns None for it.

    Raises:
        ValueError: a shape does not fit.
        TypeError: an argument is no array, or has another dtype.
    """
    operation = "linear_backward"
    require_saved(operation, "linear_forward", saved, LinearSaved)
    x, weight, has_bias = saved
    require_shape(operation, "dy", dy, "(..., O)", (*x.shape[:-1], weight.shape[0]))
    require_gradients(operation, "accumulate", accumulate, LinearGrads)
    given = accumulate or LinearGrads(None, None, None)
    dweight = gradient_to_add_to(operation, "dweight", given.dweight, "(O, I)", weight.shape, x.dtype)
    dbias = None
    if has_bias:
        dbias = gradient_to_add_to(operation, "dbias", given.dbias, "(O,)", weight.shape[:1], x.dtype)
    dx: Array | None = _core.linear_backward(as_rows(x), weight, as_rows(dy), need_dx, dweight, dbias)
    return LinearGrads(None if dx is None else dx.reshape(x.shape), dweight, dbias)
