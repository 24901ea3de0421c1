"""RecurrentCell: one direction of one layer, and by itself one step.

Inside, a state is a tuple of arrays, (h,) or (h, c), any of them None for zeros; users see h, or (h, c).
T time, B batch, I input, G gates, H hidden, P output (the projection's size, or H).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from weftnn import ops
from weftnn.arguments import check_count
from weftnn.nn import init
from weftnn.nn.backprop import Backprop, Outline, State, check_like, is_like
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.inputs import check_array
from weftnn.nn.layer import Layer
from weftnn.nn.parameter import Array, Parameter, data_of, gradient_of

States: TypeAlias = tuple[Array, ...]
GivenStates: TypeAlias = tuple[Array | None, ...]


class RecurrentCell(Layer):
    """Base of the cells. One step is `state, backprop = cell(x, state)`; `dx, dstate = backprop(dstate)`.

    x[B,I]; state h[B,P], for LSTM (h[B,P], c[B,H]); None is zeros. Weights are PyTorch's: weight_ih[GH,I],
    weight_hh[GH,P], bias_ih and bias_hh[GH] (or None), uniform within 1/sqrt(H).

    To write a cell, declare its weights and the name of the op's cell.
    """

    reads = "step"
    operation: str  # "lstm": what errors call it
    weight_peephole: Parameter | None = None
    weight_hr: Parameter | None = None  # the projection

    @property
    def cell(self) -> str:
        """The op's cell, one of `ops.cells()`."""
        raise NotImplementedError

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
        self.input_size = input_size = check_count(type(self).__name__, "input_size", input_size)
        self.hidden_size = hidden_size = check_count(type(self).__name__, "hidden_size", hidden_size)
        self.output_size = output_size or hidden_size
        self.state_sizes: tuple[int, ...] = (self.output_size,)
        rows, bound = gates * hidden_size, hidden_size**-0.5

        def weight(*shape: int) -> Parameter:
            return Parameter(init.uniform(shape, bound, dtype=dtype, rng=rng))

        self.weight_ih = weight(rows, input_size)
        self.weight_hh = weight(rows, self.output_size)
        self.bias_ih = weight(rows) if bias else None
        self.bias_hh = weight(rows) if bias else None

    def forward_call(
        self,
        x: Array,
        state: GivenStates,
        training: bool,
        lengths: Any = None,
        resets: Any = None,
        reverse: bool = False,
        checkpoint_every: int | None = None,
        recurrent_dropout_mask: Array | None = None,
        zoneout_mask: Array | None = None,
    ) -> ops.RecurrentCall:
        """The arguments of ops.recurrent_forward over x[B,T,I]."""
        kind, weights = self._constants or self._remember()
        c0 = state[1] if len(state) > 1 else None
        return ops.RecurrentCall._make(
            (
                *kind,
                x,
                *weights,
                state[0],
                c0,
                lengths,
                resets,
                recurrent_dropout_mask,
                zoneout_mask,
                reverse,
                checkpoint_every,
                training,
            )
        )

    # What every call is given; forgotten when an attribute is set, such as a tied weight. A Parameter's array
    # is the same one for good.
    _constants: tuple[tuple[Any, ...], tuple[Any, ...]] | None = None

    def _remember(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        optional = (self.bias_ih, self.bias_hh, self.weight_peephole, self.weight_hr)
        weights = (self.weight_ih.data, self.weight_hh.data, *map(data_of, optional))
        self.__dict__["_constants"] = constants = ((self.operation, self.cell), weights)
        return constants

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        self.__dict__.pop("_constants", None)

    def __getstate__(self) -> dict[str, Any]:
        """Without the constants: a Parameter that is unpickled may make itself another array."""
        return {name: value for name, value in vars(self).items() if name != "_constants"}

    def backward_call(self, saved: Any, dy: Array | None, dstate: GivenStates) -> dict[str, Any]:
        """The arguments of ops.recurrent_backward, which adds to the gradients of the weights."""
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return {
            "operation": self.operation,
            "saved": saved,
            "dy": dy,
            "dh_n": dstate[0],
            "dc_n": dstate[1] if len(dstate) > 1 else None,
            "accumulate": [gradient_of(w) for w in (*weights, self.weight_peephole, self.weight_hr)],
        }

    def __call__(self, x: Array, state: State = None) -> tuple[State, Backprop]:
        last, saved = self._step(x, state, training=True)

        def backprop(dstate: State) -> tuple[Array, State]:
            grads = ops.recurrent_backward(**self.backward_call(saved, None, together(dstate)))
            return grads.dx[:, 0], apart(grads.dstate)

        return last, Backprop(self, backprop, last, "dstate")

    def predict(self, x: Array, state: State = None) -> State:
        return self._step(x, state, training=False)[0]

    def graph(self, writer: GraphWriter) -> Node:
        weights = {"w_ih": self.weight_ih, "w_hh": self.weight_hh, "w_proj": self.weight_hr}
        biases = {"b_ih": self.bias_ih, "b_hh": self.bias_hh, "extra": self.weight_peephole}
        return writer.node("recurrent", cell=self.cell, **weights, **biases)

    def _step(self, x: Array, state: State, training: bool) -> tuple[State, Any]:
        dtype = self.weight_ih.dtype
        check_array(self, "x", x, ("B", "I"), self.input_size, dtype)
        given = given_state(self, state, (len(x),), self.state_sizes, dtype)
        out = ops.recurrent_forward(self.forward_call(x[:, None], given, training))
        return apart(out.state), out.saved

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.input_size}, {self.hidden_size})"


def together(state: State) -> GivenStates:
    """The user's state (h, or the tuple (h, c)) as a tuple."""
    if isinstance(state, tuple):
        return state
    return tuple(state) if isinstance(state, list) else (state,)


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
