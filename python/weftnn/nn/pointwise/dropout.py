"""Dropout: y = x * keep / (1 - p), where keep is 0 with probability p and else 1.

Backward:  dx = dy * keep / (1 - p).       Srivastava et al., "Dropout", 2014
"""

from __future__ import annotations

from weftnn import ops
from weftnn.arguments import check_number
from weftnn.nn.backprop import Backprop
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.inputs import check_array
from weftnn.nn.layer import Layer
from weftnn.nn.parameter import Array, Seed


class Dropout(Layer):
    """In training, each element is zero with probability p, else scaled by 1/(1-p); predict returns x itself.

    x, y of any shape. What the n-th call drops depends only on n and the layer's `rng`.
    p = 0 gives x itself, p = 1 drops everything. Raises ValueError unless 0 <= p <= 1.

    >>> import numpy as np
    >>> y, backprop = Dropout(0.5, rng=0)(np.ones(1000, np.float32))
    >>> sorted(set(y.tolist()))
    [0.0, 2.0]
    """

    reads = "step"

    def __init__(self, p: float = 0.5, *, rng: Seed = None) -> None:
        self.p = check_number("Dropout", "p", p, low=0, high=1)
        self.draw_from(rng)

    def __call__(self, x: Array) -> tuple[Array, Backprop]:
        check_array(self, "x", x, ("...",))
        if self.p == 0.0:  # the identity, as it stands: nothing is drawn or copied
            return x, Backprop(self, lambda dy: dy, x)
        with self.undrawn_if_refused():
            y, saved = ops.dropout_forward(x, self.p, **self.next_draw())
        return y, Backprop(self, lambda dy: ops.dropout_backward(saved, dy), y)

    def predict(self, x: Array) -> Array:
        check_array(self, "x", x, ("...",))
        return x

    def graph(self, writer: GraphWriter) -> Node:
        return writer.sequence()

    def __repr__(self) -> str:
        return f"Dropout({self.p:g})"
