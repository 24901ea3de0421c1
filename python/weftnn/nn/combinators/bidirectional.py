"""Bidirectional: y = [forwards(x); reversed(backwards(reversed x))] along the last axis.

Backward: dx = dx of forwards + reversed(dx of backwards), a new array. A row is reversed up to its own end.
Schuster and Paliwal, "Bidirectional recurrent neural networks", 1997
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from weftnn.nn.backprop import State, StatefulBackprop
from weftnn.nn.combinators.sequential import require_layer
from weftnn.nn.graph import GraphWriter, Node, takes_tokens
from weftnn.nn.inputs import check_plain
from weftnn.nn.layer import Layer
from weftnn.nn.parameter import Array
from weftnn.nn.rows import lengths_of, resets_backwards, resets_of, reverse_rows


class Bidirectional(Layer):
    """Any two stateful layers over the same sequences, the second from each row's end to its beginning.

    x[B,T,...], y[B,T,F1+F2] if the layers give F1 and F2 features. lengths and resets: see RecurrentLayer.
    state: (state of forwards, state of backwards), either may be None, and so may their gradients.
    For one type of cell, `GRU(..., bidirectional=True)` is the same and faster.
    Raises TypeError if a layer is not stateful.

    >>> from weftnn.nn import GRU, LSTM
    >>> both = Bidirectional(GRU(3, 4), LSTM(3, 5))
    >>> (y, (h, (h_back, c_back))), backprop = both(np.ones((2, 6, 3), np.float32), lengths=[6, 2])
    >>> y.shape
    (2, 6, 9)
    """

    stateful = True
    reads = "all"

    def __init__(self, forwards: Layer, backwards: Layer) -> None:
        require_layer("Bidirectional", forwards, stateful=True)
        require_layer("Bidirectional", backwards, stateful=True)
        self.forwards = forwards
        self.backwards = backwards

    def __call__(
        self,
        x: Array,
        state: State = None,
        *,
        lengths: npt.ArrayLike | None = None,
        resets: npt.ArrayLike | None = None,
    ) -> tuple[tuple[Array, State], StatefulBackprop]:
        check_plain("Bidirectional: x", x)
        initial, initial_back = _pair(state)
        lengths, resets = lengths_of(self, x, lengths), resets_of(self, x, resets)
        (y, last), backprop = self.forwards(x, initial, lengths=lengths, resets=resets)
        (y_back, last_back), backprop_back = self.backwards(
            reverse_rows(x, lengths), initial_back, lengths=lengths, resets=_reversed_resets(resets, lengths)
        )
        both = np.concatenate([y, reverse_rows(y_back, lengths)], axis=-1)
        split = y.shape[-1]

        def backward(dy: Array | None, dstate: State) -> tuple[Array | None, State]:
            dlast, dlast_back = _pair(dstate)
            dy_back = None if dy is None else reverse_rows(dy[..., split:], lengths)
            dx, dinitial = backprop(None if dy is None else dy[..., :split], dlast)
            dx_back, dinitial_back = backprop_back(dy_back, dlast_back)
            dboth = None if dx is None else dx + reverse_rows(dx_back, lengths)  # None: x is of integers
            return dboth, (dinitial, dinitial_back)

        return (both, (last, last_back)), StatefulBackprop(self, backward, both, (last, last_back))

    def predict(
        self,
        x: Array,
        state: State = None,
        *,
        lengths: npt.ArrayLike | None = None,
        resets: npt.ArrayLike | None = None,
    ) -> tuple[Array, State]:
        check_plain("Bidirectional: x", x)
        initial, initial_back = _pair(state)
        lengths, resets = lengths_of(self, x, lengths), resets_of(self, x, resets)
        y, last = self.forwards.predict(x, initial, lengths=lengths, resets=resets)
        y_back, last_back = self.backwards.predict(
            reverse_rows(x, lengths), initial_back, lengths=lengths, resets=_reversed_resets(resets, lengths)
        )
        return np.concatenate([y, reverse_rows(y_back, lengths)], axis=-1), (last, last_back)

    def graph(self, writer: GraphWriter) -> Node:
        node = writer.node("bidirectional", forwards=self.forwards, backwards=self.backwards)
        if takes_tokens(node["forwards"]) or takes_tokens(node["backwards"]):
            raise writer.obstacle(self, "an embedding must come before it, not within it")
        return node

    def __repr__(self) -> str:
        return f"Bidirectional({self.forwards!r}, {self.backwards!r})"


def _pair(state: State) -> tuple[State, State]:
    if state is None:
        return None, None
    if not isinstance(state, tuple | list) or len(state) != 2:
        raise ValueError("Bidirectional: state must be None or a tuple of 2, one for each direction")
    return state[0], state[1]


def _reversed_resets(resets: Array | None, lengths: Array | None) -> Array | None:
    """Where a sequence starts for a layer that is given the reversed rows."""
    ends = resets_backwards(resets, lengths)
    return None if ends is None else reverse_rows(ends, lengths)
