"""LearnedPositions: y[b, t] = x[b, t] + W[t].

Backward:  dx = dy,  dW[t] += sum over b of dy[b, t].      x, y[B,T,E]  W[max_len, E]
Gehring et al., "Convolutional sequence to sequence learning", 2017
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from weftnn.arguments import check_count
from weftnn.nn import init
from weftnn.nn.backprop import Backprop
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.inputs import check_array
from weftnn.nn.layer import Layer
from weftnn.nn.parameter import Array, Parameter, Seed
from weftnn.nn.positions.steps import steps_from


class LearnedPositions(Layer):
    """Adds to each step a learned vector for its position; weight[max_len, d_model], at first N(0, 0.02^2).

    x, y[B,T,d_model]; offset: the position of the first step, an int, or [B] where rows differ.
    Raises ValueError and TypeError for what does not fit, and ValueError for a position outside 0..max_len-1.

    >>> y, backprop = LearnedPositions(16, 4)(np.ones((2, 3, 4), np.float32), offset=5)
    >>> y.shape
    (2, 3, 4)
    """

    reads = "place"

    def __init__(
        self, max_len: int, d_model: int, *, dtype: npt.DTypeLike = np.float32, rng: Seed = None
    ) -> None:
        self.max_len = max_len = check_count("LearnedPositions", "max_len", max_len)
        self.d_model = d_model = check_count("LearnedPositions", "d_model", d_model)
        self.weight = Parameter(init.normal((max_len, d_model), 0.02, dtype=dtype, rng=rng))

    def __call__(self, x: Array, offset: int | Array = 0) -> tuple[Array, Backprop]:
        places = self._places(x, offset)
        y = x + self.weight.data[places]

        def backprop(dy: Array) -> Array:
            dplaces = dy.sum(axis=0) if places.ndim == 1 else dy
            np.add.at(self.weight.gradient(), places, dplaces)  # rows may stand at one place
            return dy

        return y, Backprop(self, backprop, y)

    def predict(self, x: Array, offset: int | Array = 0) -> Array:
        y: Array = x + self.weight.data[self._places(x, offset)]
        return y

    def graph(self, writer: GraphWriter) -> Node:
        return writer.node("learned_positions", weight=self.weight)

    def _places(self, x: Array, offset: int | Array) -> Array:
        check_array(self, "x", x, ("B", "T", "E"), self.d_model, self.weight.dtype)
        places = steps_from(self, offset, x.shape[1], len(x))
        if places.size and places.min() < 0:
            raise ValueError(f"LearnedPositions: offset must be at least 0, got {offset}")
        if places.size and places.max() >= self.max_len:
            raise ValueError(
                f"LearnedPositions: offset + T must be at most max_len = {self.max_len}, "
                f"got offset {offset} and T = {x.shape[1]}"
            )
        return places

    def __repr__(self) -> str:
        return f"LearnedPositions({self.max_len}, {self.d_model})"
