"""Sequential: y = layer_n(... layer_2(layer_1(x))). Backward: the layers' backprops, last to first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy.typing as npt

from weft.nn.backprop import Backprop, State, StatefulBackprop
from weft.nn.cell import RecurrentCell
from weft.nn.graph import GraphWriter, Node
from weft.nn.inputs import check_plain
from weft.nn.layer import Layer
from weft.nn.parameter import Array, Parameter
from weft.nn.tree import members


class Sequential(Layer):
    """Layers one after the other.

    It is stateful if one of its layers is. Then its state is a tuple with an entry for each stateful layer
    (None: zeros), and `lengths` and `resets` go to each of these. Names are by position, "0.weight".
    Raises TypeError for what is not a layer, or is a cell (a single step: use the layer of that name).

    >>> import numpy as np
    >>> from weft.nn import GRU, Linear
    >>> model = Sequential(GRU(3, 4), Linear(4, 2))
    >>> (y, state), backprop = model(np.ones((8, 5, 3), np.float32))
    >>> dx, dstate = backprop(np.ones_like(y))
    >>> y.shape, len(state), dx.shape
    ((8, 5, 2), 1, (8, 5, 3))
    """

    def __init__(self, *layers: Layer) -> None:
        for layer in layers:
            require_layer("Sequential", layer)
        self.layers = layers
        self.stateful = any(layer.stateful for layer in layers)

    def __call__(
        self,
        x: Array,
        state: State = None,
        *,
        lengths: npt.ArrayLike | None = None,
        resets: npt.ArrayLike | None = None,
    ) -> Any:
        states = self._states(x, state, lengths, resets)
        last = []
        steps = []
        for layer in self.layers:
            if layer.stateful:
                (x, layer_last), backprop = layer(x, next(states), lengths=lengths, resets=resets)
                last.append(layer_last)
            else:
                x, backprop = layer(x)
            steps.append(backprop)

        def backward(dy: Any, dstate: State) -> tuple[Any, State]:
            dlast = list(dstate or [None] * len(last))
            dinitial = []
            for layer in reversed(self.layers):
                backprop = steps.pop()  # popped: a layer's memory goes free as soon as it has been used
                if layer.stateful:
                    dy, dlayer = backprop(dy, dlast.pop())
                    dinitial.append(dlayer)
                elif dy is not None:  # else the gradient starts further down, at a state
                    dy = backprop(dy)
            return dy, tuple(dinitial[::-1])

        if self.stateful:
            return (x, tuple(last)), StatefulBackprop(self, backward, x, tuple(last))
        return x, Backprop(self, lambda dy: backward(dy, None)[0], x)

    def predict(
        self,
        x: Array,
        state: State = None,
        *,
        lengths: npt.ArrayLike | None = None,
        resets: npt.ArrayLike | None = None,
    ) -> Any:
        states = self._states(x, state, lengths, resets)
        last = []
        for layer in self.layers:
            if layer.stateful:
                x, layer_last = layer.predict(x, next(states), lengths=lengths, resets=resets)
                last.append(layer_last)
            else:
                x = layer.predict(x)
        return (x, tuple(last)) if self.stateful else x

    def _states(
        self, x: Array, state: State, lengths: npt.ArrayLike | None, resets: npt.ArrayLike | None
    ) -> Iterator[State]:
        count = sum(layer.stateful for layer in self.layers)
        if not self.stateful and not (state is None and lengths is None and resets is None):
            raise TypeError("Sequential: state, lengths and resets need a stateful layer, and there is none")
        if state is not None and (not isinstance(state, tuple | list) or len(state) != count):
            raise ValueError(f"Sequential: state must be None or a tuple of {count}, one a stateful layer")
        if not self.layers:  # none that would check it
            check_plain("Sequential: x", x)
        return iter(state or (None,) * count)

    def graph(self, writer: GraphWriter) -> Node:
        return writer.sequence(*self.layers)

    def named_members(self) -> Iterator[tuple[str, Parameter | Layer]]:
        layers = {str(index): layer for index, layer in enumerate(self.layers)}
        others = {name: value for name, value in vars(self).items() if name != "layers"}
        return members(type(self).__name__, layers | others, Layer)

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, index: int) -> Layer:
        return self.layers[index]

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"


def require_layer(where: str, layer: object, stateful: bool = False) -> None:
    """Refuse what a combinator cannot call."""
    if isinstance(layer, RecurrentCell):
        name = type(layer).__name__
        raise TypeError(f"{where}: {name} makes a single step, use {name.removesuffix('Cell')}")
    if not isinstance(layer, Layer):
        raise TypeError(f"{where}: expected a Layer, got {layer!r}")
    if stateful and not layer.stateful:
        raise TypeError(f"{where}: expected a stateful layer, got {layer!r}")
