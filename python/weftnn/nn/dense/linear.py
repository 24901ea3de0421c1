"""Linear: y = x Wᵀ + b.

Backward:  dx = dy W,  dW += dyᵀ x,  db += sum of dy.      x[..., I]  y[..., O]  W[O, I]  b[O]
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from weftnn import ops
from weftnn.arguments import check_count
from weftnn.nn import init
from weftnn.nn.backprop import Backprop
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.inputs import check_array
from weftnn.nn.layer import Layer
from weftnn.nn.parameter import Array, Parameter, Seed, data_of, gradient_of


class Linear(Layer):
    """An affine map of the last axis: y = x Wᵀ + b.

    x[..., in_features], y[..., out_features], weight[out_features, in_features], bias[out_features] or None.
    All start uniform within 1/sqrt(in_features), as PyTorch's do.
    Raises ValueError and TypeError for an x that does not fit.

    >>> y, backprop = Linear(3, 2)(np.ones((5, 3), np.float32))
    >>> dx = backprop(np.ones_like(y))
    >>> y.shape, dx.shape
    ((5, 2), (5, 3))
    """

    reads = "step"

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: npt.DTypeLike = np.float32,
        rng: Seed = None,
    ) -> None:
        self.in_features = in_features = check_count("Linear", "in_features", in_features)
        self.out_features = out_features = check_count("Linear", "out_features", out_features)
        rng, bound = np.random.default_rng(rng), in_features**-0.5
        self.weight = Parameter(init.uniform((out_features, in_features), bound, dtype=dtype, rng=rng))
        self.bias = Parameter(init.uniform((out_features,), bound, dtype=dtype, rng=rng)) if bias else None

    def __call__(self, x: Array) -> tuple[Array, Backprop]:
        check_array(self, "x", x, ("...", "I"), self.in_features, self.weight.dtype)
        y, saved = ops.linear_forward(x, self.weight.data, data_of(self.bias))

        def backprop(dy: Array) -> Array | None:
            into = ops.LinearGrads(None, self.weight.gradient(), gradient_of(self.bias))
            return ops.linear_backward(saved, dy, accumulate=into).dx

        return y, Backprop(self, backprop, y)

    def predict(self, x: Array) -> Array:
        check_array(self, "x", x, ("...", "I"), self.in_features, self.weight.dtype)
        return ops.linear_forward(x, self.weight.data, data_of(self.bias))[0]

    def graph(self, writer: GraphWriter) -> Node:
        return writer.node("linear", weight=self.weight, bias=self.bias)

    def __repr__(self) -> str:
        return f"Linear({self.in_features}, {self.out_features}{'' if self.bias else ', bias=False'})"
