"""Residual: y = x + layer(x). Backward: dx = dy + backprop(dy), a new array: both branches read the same dy.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2016
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from weft.nn.backprop import Backprop, State, StatefulBackprop
from weft.nn.graph import GraphWriter, Node
from weft.nn.inputs import check_array
from weft.nn.layer import Layer
from weft.nn.parameter import Array
from weft.nn.rows import without_padding
from weft.nn.sequential import require_layer


class Residual(Layer):
    """A layer that adds to what goes past it: y = x + layer(x). It is stateful if its layer is.

    x, y of one shape. With `lengths`, x goes past only where it is valid: y is zero past a row's end, as the
    layer's is. Parameters keep their names behind "layer.".
    Raises ValueError if layer(x) is not shaped like x.

    >>> import numpy as np
    >>> from weft.nn import LSTM
    >>> (y, state), backprop = Residual(LSTM(4, 4))(np.ones((2, 5, 4), np.float32))
    >>> y.shape
    (2, 5, 4)
    """

    def __init__(self, layer: Layer) -> None:
        require_layer("Residual", layer)
        self.layer = layer
        self.stateful = layer.stateful

    def __call__(
        self,
        x: Array,
        state: State = None,
        *,
        lengths: npt.ArrayLike | None = None,
        resets: npt.ArrayLike | None = None,
    ) -> Any:
        check_array(self, "x", x, ("...",))
        if not self.stateful:
            self._refuse(state, lengths, resets)
            inner, backprop = self.layer(x)
            y = self._sum(x, inner, None)
            return y, Backprop(self, lambda dy: dy + backprop(dy), y)
        (inner, last), stateful_backprop = self.layer(x, state, lengths=lengths, resets=resets)
        y = self._sum(x, inner, lengths)

        def backward(dy: Array | None, dstate: State) -> tuple[Array, State]:
            dx, dinitial = stateful_backprop(dy, dstate)
            return (dx if dy is None else without_padding(dy, lengths) + dx), dinitial

        return (y, last), StatefulBackprop(self, backward, y, last)

    def predict(
        self,
        x: Array,
        state: State = None,
        *,
        lengths: npt.ArrayLike | None = None,
        resets: npt.ArrayLike | None = None,
    ) -> Any:
        check_array(self, "x", x, ("...",))
        if not self.stateful:
            self._refuse(state, lengths, resets)
            return self._sum(x, self.layer.predict(x), None)
        inner, last = self.layer.predict(x, state, lengths=lengths, resets=resets)
        return self._sum(x, inner, lengths), last

    def graph(self, writer: GraphWriter) -> Node:
        return writer.node("residual", layer=self.layer)

    def _sum(self, x: Array, inner: Array, lengths: npt.ArrayLike | None) -> Array:
        if inner.shape != x.shape:
            raise ValueError(
                f"Residual: the layer's result must be shaped like x, {x.shape}, got {inner.shape}"
            )
        return without_padding(x, lengths) + inner

    def _refuse(self, *given: Any) -> None:
        if any(value is not None for value in given):
            raise TypeError("Residual: state, lengths and resets need a stateful layer")

    def __repr__(self) -> str:
        return f"Residual({self.layer!r})"
