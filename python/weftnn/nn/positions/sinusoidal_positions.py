"""SinusoidalPositions: y = x + p, with sines and cosines of each step's position.

    p[t, 2i]   = sin(t / 10000^(2i/E))
    p[t, 2i+1] = cos(t / 10000^(2i/E))

Backward: dx = dy.      x, y[B,T,E]      Vaswani et al., "Attention is all you need", 2017
"""

from __future__ import annotations

import numpy as np

from weftnn.arguments import check_count, check_number
from weftnn.nn.backprop import Backprop
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.inputs import check_array
from weftnn.nn.layer import Layer
from weftnn.nn.parameter import Array
from weftnn.nn.positions.frequencies import frequencies
from weftnn.nn.positions.place_table import PlaceTable
from weftnn.nn.positions.steps import steps_from


class SinusoidalPositions(Layer):
    """Adds to each step an encoding of its position. It has no parameters and no largest position.

    x, y[B,T,d_model]; offset: the position of the first step, an int, or [B] where rows differ; it may be
    negative, as for left padding. Raises ValueError and TypeError for
    an x or an offset that does not fit.

    >>> SinusoidalPositions(4).predict(np.zeros((1, 2, 4)), offset=1).round(2)
    array([[[ 0.84,  0.54,  0.01,  1.  ],
            [ 0.91, -0.42,  0.02,  1.  ]]])
    """

    reads = "place"

    def __init__(self, d_model: int, base: float = 10000.0) -> None:
        self.d_model = check_count("SinusoidalPositions", "d_model", d_model)
        self.base = check_number("SinusoidalPositions", "base", base, above=0)
        self._frequencies = frequencies(self.base, self.d_model)
        self._table = PlaceTable(self.table, self.d_model)

    def __call__(self, x: Array, offset: int | Array = 0) -> tuple[Array, Backprop]:
        y = self.predict(x, offset)
        return y, Backprop(self, lambda dy: dy, y)

    def predict(self, x: Array, offset: int | Array = 0) -> Array:
        check_array(self, "x", x, ("B", "T", "E"), self.d_model)
        places = steps_from(self, offset, x.shape[1], len(x))
        y: Array = x + self._table.at(places, x.dtype)
        return y

    def graph(self, writer: GraphWriter) -> Node:
        return writer.node("sinusoidal_positions", size=self.d_model, base=self.base)

    def table(self, places: Array) -> Array:
        """p[..., d_model] of places[...], in float64."""
        angle = places[..., None] * self._frequencies
        p = np.empty((*places.shape, self.d_model))
        p[..., 0::2] = np.sin(angle)
        p[..., 1::2] = np.cos(angle)[..., : self.d_model // 2]
        return p

    def __repr__(self) -> str:
        return f"SinusoidalPositions({self.d_model})"
