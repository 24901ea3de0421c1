"""SwiGLU: y = a sigmoid(a) b, where x = [a; b] along the last axis: a gate of one half for the other.

Backward, with s = sigmoid(a):  da = dy b s (1 + a (1 - s)),  db = dy a s.       x[..., 2F]  y[..., F]
Shazeer, "GLU variants improve transformer", 2020
"""

from __future__ import annotations

from typing import Any

import numpy as np

from weft import ops
from weft.nn.backprop import Backprop
from weft.nn.layer import Layer
from weft.nn.parameter import Array


class SwiGLU(Layer):
    """silu(first half of the last axis) times the second half: x[..., 2F], y[..., F].

    Raises ValueError for an odd last axis.

    >>> SwiGLU().predict(np.array([1.0, -1.0, 2.0, 2.0])).round(4)
    array([ 1.4621, -0.5379])
    """

    def __call__(self, x: Array) -> tuple[Array, Backprop]:
        y, gate, b, saved = self._forward(x)

        def backprop(dy: Array) -> Array:
            return np.concatenate([ops.silu_backward(saved, dy * b), dy * gate], axis=-1)

        return y, Backprop(self, backprop, y)

    def predict(self, x: Array) -> Array:
        return self._forward(x)[0]

    def _forward(self, x: Array) -> tuple[Array, Array, Array, Any]:
        if np.ndim(x) == 0 or x.shape[-1] % 2:
            raise ValueError(f"SwiGLU: x must be (..., 2F), got {np.shape(x)}")
        a, b = np.split(x, 2, axis=-1)
        gate, saved = ops.silu_forward(a)
        return gate * b, gate, b, saved
