"""Rotary positions, forward and backward: pairs of features are rotated by an angle for each step.

    y_a  = x_a c - x_b s        y_b  = x_b c + x_a s        c = cos(angle), s = sin(angle)
    dx_a = dy_a c + dy_b s      dx_b = dy_b c - dy_a s      rotation by the opposite angle

Pair i is (a, b) = (i, i + P), or interleaved (2i, 2i + 1); features from 2P on are copied unchanged.
B batch, N heads, T time, D features, P pairs. Source: Su et al., "RoFormer", 2021.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from weftnn import _core
from weftnn.ops.arrays import Array, require_array, require_saved, require_shape


class RotarySaved(NamedTuple):
    """What `rotary_backward` needs: the tables, not copied."""

    cos: Array
    sin: Array
    interleaved: bool
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def rotary_forward(
    x: Array, cos: Array, sin: Array, *, interleaved: bool = False, out: Array | None = None
) -> tuple[Array, RotarySaved]:
    """Rotate pairs of features: y_a = x_a cos - x_b sin, y_b = x_b cos + x_a sin, as (y[B,N,T,D], saved).

    Args:
        x: [B, N, T, D], float32 or float64, any strides but the last axis contiguous.
        cos, sin: [T, P], or [B, T, P] where rows differ; of the angle of each pair at each step. 2P <= D.
        interleaved: pairs are neighbours, as in RoFormer and GPT-J; else halves, as in GPT-NeoX and LLaMA.
        out: an array for y, of any strides but the last axis contiguous, or x itself; None: a new one.

    Raises:
        ValueError: a shape does not fit.
        TypeError: an argument is no array, or has another dtype.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> x, angle = np.array([[[[1.0, 0.0], [1.0, 0.0]]]]), np.array([[0.0], [np.pi / 2]])
        >>> y, saved = ops.rotary_forward(x, np.cos(angle), np.sin(angle))
        >>> y[0, 0].round(4)
        array([[1., 0.],
               [0., 1.]])
        >>> bool(np.allclose(ops.rotary_backward(saved, y), x))
        True
    """
    operation = "rotary_forward"
    require_array(operation, "x", x, "(B, N, T, D)")
    saved = RotarySaved(
        _table(operation, "cos", cos), _table(operation, "sin", sin), interleaved, x.shape, x.dtype
    )
    if out is not None:
        require_shape(operation, "out", out, "(B, N, T, D)", x.shape)
    y: Array = _core.rotary_forward(x, saved.cos, saved.sin, interleaved, out)
    return y, saved


def rotary_backward(saved: RotarySaved, dy: Array, *, out: Array | None = None) -> Array:
    """dx_a = dy_a cos + dy_b sin, dx_b = dy_b cos - dy_a sin; the forward's tables must be unchanged.

    out is for dx as forward's is for y, and may be dy itself. Raises ValueError or TypeError unless dy is
    like x.
    """
    operation = "rotary_backward"
    require_saved(operation, "rotary_forward", saved, RotarySaved)
    require_shape(operation, "dy", dy, "(B, N, T, D)", saved.shape)
    if dy.dtype != saved.dtype:
        raise TypeError(f"{operation}: dy must have dtype {saved.dtype}, got {dy.dtype}")
    if out is not None:
        require_shape(operation, "out", out, "(B, N, T, D)", saved.shape)
    dx: Array = _core.rotary_backward(dy, saved.cos, saved.sin, saved.interleaved, out)
    return dx


def _table(operation: str, name: str, table: Any) -> Array:
    """[T, P] as [1, T, P]."""
    rows = isinstance(table, np.ndarray) and table.ndim == 3
    require_array(operation, name, table, "(B, T, P)" if rows else "(T, P)")
    array: Array = table if table.ndim == 3 else table[None]
    return array
