"""Residual: y = x + layer(x). Backward: dx = dy + backprop(dy), a new array: both branches read the same dy.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2016
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from weftnn.nn.backprop import Backprop, State, StatefulBackprop
from weftnn.nn.combinators.sequential import require_layer
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.inputs import check_array
from weftnn.nn.layer import Layer
from weftnn.nn.parameter import Array
from weftnn.nn.rows import lengths_of, resets_of, without_padding
from weftnn.nn.sequences import masks_padding, options_for


class Residual(Layer):
    """A residual connection around a layer: y = x + layer(x). It is stateful if its layer is.

    x, y of one shape. lengths and resets go to the layer if it takes them. With lengths, y is zero past a
    row's end, and nothing of x and dy is read there. Parameters keep their names behind "layer.".
    Raises ValueError if layer(x) is not shaped like x, TypeError as Sequential does.

    >>> import numpy as np
    >>> from weftnn.nn import LSTM
    >>> (y, state), backprop = Residual(LSTM(4, 4))(np.ones((2, 5, 4), np.float32))
    >>> y.shape
    (2, 5, 4)
    """

    takes_lengths = takes_resets = transparent = True

    def __init__(self, layer: Layer) -> None:
        require_layer("Residual", layer)
        self.layer = layer
        self.stateful = layer.stateful

    @property
    def reads(self) -> str | None:
        return self.layer.reads

    def __call__(
        self,
        x: Array,
        state: State = None,
        *,
        lengths: npt.ArrayLike | None = None,
        resets: npt.ArrayLike | None = None,
    ) -> Any:
        check_array(self, "x", x, ("...",))
        lengths, options = self._options(x, state, lengths, resets)
        x = without_padding(x, lengths)
        if not self.stateful:
            inner, backprop = self.layer(x, **options)
            y = self._sum(x, inner, lengths)

            def backward(dy: Array) -> Array:
                dy = without_padding(dy, lengths)
                dx: Array = dy + backprop(dy)
                return dx

            return y, Backprop(self, backward, y)

        (inner, last), stateful_backprop = self.layer(x, state, **options)
        y = self._sum(x, inner, lengths)

        def stateful_backward(dy: Array | None, dstate: State) -> tuple[Array, State]:
            dy = None if dy is None else without_padding(dy, lengths)
            dx, dinitial = stateful_backprop(dy, dstate)
            return (dx if dy is None else dy + dx), dinitial

        return (y, last), StatefulBackprop(self, stateful_backward, y, last)

    def predict(
        self,
        x: Array,
        state: State = None,
        *,
        lengths: npt.ArrayLike | None = None,
        resets: npt.ArrayLike | None = None,
    ) -> Any:
        check_array(self, "x", x, ("...",))
        lengths, options = self._options(x, state, lengths, resets)
        x = without_padding(x, lengths)
        if not self.stateful:
            return self._sum(x, self.layer.predict(x, **options), lengths)
        inner, last = self.layer.predict(x, state, **options)
        return self._sum(x, inner, lengths), last

    def graph(self, writer: GraphWriter) -> Node:
        return writer.node("residual", layer=self.layer)

    def _options(
        self, x: Array, state: State, lengths: npt.ArrayLike | None, resets: npt.ArrayLike | None
    ) -> tuple[Array | None, dict[str, Any]]:
        """The lengths, checked, and what the layer is given beside x."""
        if not self.stateful and state is not None:
            raise TypeError("Residual: state needs a stateful layer")
        lengths, resets = lengths_of(self, x, lengths), resets_of(self, x, resets)
        return lengths, options_for("Residual", self.layer, lengths, resets)

    def _sum(self, x: Array, inner: Array, lengths: Array | None) -> Array:
        if inner.shape != x.shape:
            raise ValueError(
                f"Residual: the layer's result must be shaped like x, {x.shape}, got {inner.shape}"
            )
        y = x + inner
        return y if masks_padding(self.layer) else without_padding(y, lengths)

    def __repr__(self) -> str:
        return f"Residual({self.layer!r})"
