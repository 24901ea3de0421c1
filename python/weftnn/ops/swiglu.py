"""SwiGLU, forward and backward: one half of the features is the gate of the other.

    x  = [a; b]                      s  = sigmoid(a)        y = a s b
    da = dy b s (1 + a (1 - s))      db = dy a s

Leading axes any, 2 F features (the last axis). Source: Shazeer, "GLU variants improve transformer", 2020.
"""

from __future__ import annotations

from typing import NamedTuple

from weftnn import _core
from weftnn.ops.arrays import Array, as_rows, require_array, require_saved, require_shape


class SwigluSaved(NamedTuple):
    """What `swiglu_backward` needs: the forward's x, not copied."""

    x: Array


def swiglu_forward(x: Array) -> tuple[Array, SwigluSaved]:
    """A gated linear unit: y = silu(a) b with x = [a; b] along the last axis, as (y[..., F], saved).

    Args:
        x: [..., 2F], float32 or float64, any strides.

    Raises:
        ValueError: the last axis is odd.
        TypeError: x is no float32 or float64 array.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> y, saved = ops.swiglu_forward(np.array([1.0, -1.0, 2.0, 2.0]))
        >>> y.round(4), ops.swiglu_backward(saved, np.ones(2)).round(4)
        (array([ 1.4621, -0.5379]), array([ 1.8553,  0.1447,  0.7311, -0.2689]))
    """
    require_array("swiglu_forward", "x", x, "(..., 2F)")
    y: Array = _core.swiglu_forward(as_rows(x))
    return y.reshape(*x.shape[:-1], x.shape[-1] // 2), SwigluSaved(x)


def swiglu_backward(saved: SwigluSaved, dy: Array) -> Array:
    """dx = [da; db], da = dy b s (1 + a (1 - s)), db = dy a s; with y = a s b, s = sigmoid(a).

    Raises ValueError or TypeError unless dy[..., F] is like y.
    """
    operation = "swiglu_backward"
    require_saved(operation, "swiglu_forward", saved, SwigluSaved)
    shape = saved.x.shape
    require_shape(operation, "dy", dy, "(..., F)", (*shape[:-1], shape[-1] // 2))
    dx: Array = _core.swiglu_backward(as_rows(saved.x), as_rows(dy))
    return dx.reshape(shape)
