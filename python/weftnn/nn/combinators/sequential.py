"""Sequential: y = layer_n(... layer_2(layer_1(x))). Backward: the layers' backprops, last to first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy.typing as npt

from weftnn.nn.backprop import Backprop, State, StatefulBackprop
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.inputs import check_plain
from weftnn.nn.layer import Layer
from weftnn.nn.parameter import Array, Parameter
from weftnn.nn.recurrent.cell import RecurrentCell
from weftnn.nn.rows import lengths_of, resets_of, without_padding
from weftnn.nn.sequences import masks_padding, options_for, widest
from weftnn.nn.tree import members


class Sequential(Layer):
    """Layers one after the other.

    It is stateful if one of its layers is. Then its state is a tuple with an entry for each stateful layer
    (None: zeros). Names are by position, "0.weight".
    lengths[B] and resets[B,T] go to every layer that takes them. With lengths, y is zero past a row's end,
    and nothing of x and dy is read there.
    Raises TypeError for what is not a layer, or is a cell (a single step: use the layer of that name); and
    for lengths or resets with a layer that does not take them but would need them.

    >>> import numpy as np
    >>> from weftnn.nn import GRU, Linear
    >>> model = Sequential(GRU(3, 4), Linear(4, 2))
    >>> (y, state), backprop = model(np.ones((8, 5, 3), np.float32))
    >>> dx, dstate = backprop(np.ones_like(y))
    >>> y.shape, len(state), dx.shape
    ((8, 5, 2), 1, (8, 5, 3))
    """

    takes_lengths = takes_resets = transparent = True

    def __init__(self, *layers: Layer) -> None:
        for layer in layers:
            require_layer("Sequential", layer)
        self.layers = layers
        self.stateful = any(layer.stateful for layer in layers)

    @property
    def reads(self) -> str | None:
        return widest(self.layers)

    def lengths_after(self, lengths: Array) -> Array | None:
        for layer in self.layers:
            after = layer.lengths_after(lengths)
            if after is None:
                return None
            lengths = after
        return lengths

    def __call__(
        self,
        x: Array,
        state: State = None,
        *,
        lengths: npt.ArrayLike | None = None,
        resets: npt.ArrayLike | None = None,
    ) -> Any:
        states = self._states(x, state)
        options, padded, padded_after = self._options(x, lengths, resets)
        x = without_padding(x, padded)
        last = []
        steps = []
        for layer, given in zip(self.layers, options, strict=True):
            if layer.stateful:
                (x, layer_last), backprop = layer(x, next(states), **given)
                last.append(layer_last)
            else:
                x, backprop = layer(x, **given)
            steps.append(backprop)
        x = without_padding(x, padded_after)

        def backward(dy: Any, dstate: State) -> tuple[Any, State]:
            if dy is not None:
                dy = without_padding(dy, padded_after)
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
        states = self._states(x, state)
        options, padded, padded_after = self._options(x, lengths, resets)
        x = without_padding(x, padded)
        last = []
        for layer, given in zip(self.layers, options, strict=True):
            if layer.stateful:
                x, layer_last = layer.predict(x, next(states), **given)
                last.append(layer_last)
            else:
                x = layer.predict(x, **given)
        x = without_padding(x, padded_after)
        return (x, tuple(last)) if self.stateful else x

    def _options(
        self, x: Array, lengths: npt.ArrayLike | None, resets: npt.ArrayLike | None
    ) -> tuple[list[dict[str, Any]], Array | None, Array | None]:
        """What each layer is given beside x; the lengths by which x has still to be masked, and those for y:
        None where the first or the last layer masks by itself."""
        if lengths is None and resets is None:
            return [{}] * len(self.layers), None, None
        own = after = lengths_of(self, x, lengths)
        resets = resets_of(self, x, resets)
        options = []
        for layer in self.layers:
            options.append(options_for("Sequential", layer, after, resets))
            after = None if after is None else layer.lengths_after(after)
        masked = [masks_padding(layer) for layer in self.layers] or [False]
        return options, None if masked[0] else own, None if masked[-1] else after

    def _states(self, x: Array, state: State) -> Iterator[State]:
        count = sum(layer.stateful for layer in self.layers)
        if not self.stateful and state is not None:
            raise TypeError("Sequential: state needs a stateful layer, and there is none")
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
