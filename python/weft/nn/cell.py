"""RecurrentCell: one direction of one layer, and by itself one step.

Inside, a state is a tuple of arrays, (h,) or (h, c), any of them None for zeros; users see h, or (h, c).
T time, B batch, I input, G gates, H hidden, P output (the projection's size, or H).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from weft.arguments import check_count
from weft.nn import init
from weft.nn.backprop import Backprop, Outline, State, check_like, is_like
from weft.nn.layer import Layer
from weft.nn.parameter import Array, Parameter

States: TypeAlias = tuple[Array, ...]
GivenStates: TypeAlias = tuple[Array | None, ...]
Gradients: TypeAlias = tuple[Any, tuple[Any, ...]]  # (dx, dstate), as the ops type them: maybe None


class RecurrentCell(Layer):
    """Base of the cells. One step is `state, backprop = cell(x, state)`; `dx, dstate = backprop(dstate)`.

    x[B,I]; state h[B,P], for LSTM (h[B,P], c[B,H]); None is zeros. Weights are PyTorch's: weight_ih[GH,I],
    weight_hh[GH,P], bias_ih and bias_hh[GH] (or None), uniform within 1/sqrt(H).

    A cell of one's own is its weights and two methods that call its op, `forward` and `backward`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        gates: int,
        bias: bool,
        dtype: npt.DTypeLike,
        rng: np.random.Generator,
        output_size: int | None = None,
    ) -> None:
        self.input_size = check_count(type(self).__name__, "input_size", input_size)
        self.hidden_size = check_count(type(self).__name__, "hidden_size", hidden_size)
        self.output_size = output_size or hidden_size
        self.state_sizes: tuple[int, ...] = (self.output_size,)
        rows, bound = gates * hidden_size, hidden_size**-0.5

        def weight(*shape: int) -> Parameter:
            return Parameter(init.uniform(shape, bound, dtype=dtype, rng=rng))

        self.weight_ih = weight(rows, input_size)
        self.weight_hh = weight(rows, self.output_size)
        self.bias_ih = weight(rows) if bias else None
        self.bias_hh = weight(rows) if bias else None

    def forward(self, x: Array, state: GivenStates, **options: Any) -> tuple[Array, States, Any]:
        """(y[B,T,P], last state, saved) over x[B,T,I]; options are the op's: lengths, reverse, ..."""
        raise NotImplementedError

    def backward(self, saved: Any, dy: Array | None, dstate: GivenStates) -> Gradients:
        """(dx, dL/d(initial state)), new arrays; adds to the gradients of the weights."""
        raise NotImplementedError

    def __call__(self, x: Array, state: State = None) -> tuple[State, Backprop]:
        last, saved = self._step(x, state, training=True)

        def backprop(dstate: State) -> tuple[Array, State]:
            dx, dinitial = self.backward(saved, None, together(dstate))
            return dx[:, 0], apart(dinitial)

        return last, Backprop(self, backprop, last, "dstate")

    def predict(self, x: Array, state: State = None) -> State:
        return self._step(x, state, training=False)[0]

    def _step(self, x: Array, state: State, training: bool) -> tuple[State, Any]:
        check_input(self, x, "BI", self.input_size)
        given = given_state(self, state, (len(x),), self.state_sizes, self.weight_ih.dtype)
        _, last, saved = self.forward(x[:, None], given, training=training)
        return apart(last), saved

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.input_size}, {self.hidden_size})"


def together(state: State) -> GivenStates:
    """The user's state (h, or the tuple (h, c)) as a tuple."""
    return tuple(state) if isinstance(state, tuple | list) else (state,)


def apart(states: tuple[Any, ...]) -> State:
    """The tuple as the user sees it: h, or (h, c)."""
    return states if len(states) > 1 else states[0]


def given_state(
    layer: Layer, state: State, lead: tuple[int, ...], sizes: tuple[int, ...], dtype: npt.DTypeLike
) -> GivenStates:
    """The user's initial state of arrays [*lead, size], checked, as a tuple; None becomes Nones."""
    if state is None:
        return (None,) * len(sizes)
    like = apart(tuple([Outline((*lead, size), dtype) for size in sizes]))
    if not is_like(state, like):
        check_like(f"{type(layer).__name__}: state", state, like)
    return together(state)


def check_input(layer: Layer, x: Array, axes: str, size: int) -> None:
    """Refuse an x of other axes or another last size."""
    shape = x.shape if isinstance(x, np.ndarray) else np.shape(x)
    if len(shape) != len(axes) or shape[-1] != size:
        expected = f"({', '.join(axes)}) with {axes[-1]} = {size}"
        raise ValueError(f"{type(layer).__name__}: x must be {expected}, got {np.shape(x)}")
