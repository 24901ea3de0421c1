"""LayerNorm: y = (x - mean) / sqrt(variance + eps) * w + b, over the last axis.

Backward, with n = (y - b) / w and s = 1 / sqrt(variance + eps):

    dx  = s (w dy - mean(w dy) - n mean(w dy n))
    dw += sum over rows of dy n
    db += sum over rows of dy

x, y[..., D]  w, b[D].      Ba, Kiros and Hinton, "Layer Normalization", 2016
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from weftnn import ops
from weftnn.arguments import check_count, check_number
from weftnn.nn.backprop import Backprop
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.inputs import check_array
from weftnn.nn.layer import Layer
from weftnn.nn.parameter import Array, Parameter, data_of, gradient_of


class LayerNorm(Layer):
    """Mean 0 and variance 1 over the last axis, then a learned scale and shift.

    x, y[..., normalized_shape]; weight and bias[normalized_shape], 1 and 0 at first, or None if not wanted.
    Raises ValueError and TypeError for an x that does not fit.

    >>> LayerNorm(4).predict(np.array([[1, 2, 3, 4]], np.float32)).round(3)
    array([[-1.342, -0.447,  0.447,  1.342]], dtype=float32)
    """

    reads = "step"

    def __init__(
        self,
        normalized_shape: int,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        normalized_shape = check_count("LayerNorm", "normalized_shape", normalized_shape)
        self.normalized_shape = normalized_shape
        self.eps = check_number("LayerNorm", "eps", eps, low=0)
        self.weight = Parameter(np.ones(normalized_shape, dtype)) if elementwise_affine else None
        self.bias = Parameter(np.zeros(normalized_shape, dtype)) if elementwise_affine and bias else None

    def __call__(self, x: Array) -> tuple[Array, Backprop]:
        y, saved = self._forward(x)

        def backprop(dy: Array) -> Array | None:
            into = ops.LayerNormGrads(None, gradient_of(self.weight), gradient_of(self.bias))
            return ops.layer_norm_backward(saved, dy, accumulate=into).dx

        return y, Backprop(self, backprop, y)

    def predict(self, x: Array) -> Array:
        return self._forward(x)[0]

    def _forward(self, x: Array) -> tuple[Array, Any]:
        dtype = None if self.weight is None else self.weight.dtype
        check_array(self, "x", x, ("...", "D"), self.normalized_shape, dtype)
        return ops.layer_norm_forward(x, data_of(self.weight), data_of(self.bias), eps=self.eps)

    def graph(self, writer: GraphWriter) -> Node:
        sizes = {"size": self.normalized_shape, "eps": self.eps}
        return writer.node("layer_norm", **sizes, weight=self.weight, bias=self.bias)

    def __repr__(self) -> str:
        return f"LayerNorm({self.normalized_shape})"
