"""What RNN, LSTM and GRU share: a stack of cells, in pairs if bidirectional.

    y_l     = [cell_l(x_l); reverse cell_l(x_l)]        along the last axis
    x_{l+1} = dropout(y_l)

Backward walks the layers from last to first; dx of a layer is the sum over its directions.

Both directions of a layer run at the same time.
A new cell is one file: a RecurrentCell (its weights, its name in ops) and a RecurrentLayer of such cells.
T time, B batch, I input, H hidden, P output (projection or H), L layers, D directions (1 or 2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from weftnn import ops
from weftnn.arguments import check_count, check_number
from weftnn.nn.backprop import State, StatefulBackprop
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.inputs import check_array
from weftnn.nn.layer import Layer
from weftnn.nn.parameter import Array, Parameter, Seed
from weftnn.nn.recurrent.cell import GivenStates, RecurrentCell, States, apart, given_state, together
from weftnn.nn.rows import lengths_of, resets_backwards, resets_of
from weftnn.nn.tree import members
from weftnn.options import check_options, takes


class RecurrentLayerOptions(TypedDict, total=False):
    """Options of every recurrent layer.

    bias: whether the gates have the biases b_ih and b_hh.
    bidirectional: whether a second direction reads each row from its end; y has both, [B,T,2P].
    dtype: of the weights, and so of all arrays: float32 or float64.
    rng: draws the weights and what training drops: a seed, a generator, or None for entropy.

    Options that act in training only:
    dropout: the probability to drop a value that passes from layer to layer.
    recurrent_dropout: that to drop a unit of h in the product U h, the same at every step of a call (Gal
        and Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks", 2016).
    zoneout: the probability that a unit of h keeps its value at a step (Krueger et al., "Zoneout", 2017);
        predict uses the expected value of that.
    checkpoint_every: k keeps every k-th state for backward, which recomputes the others.
    """

    bias: bool
    bidirectional: bool
    dropout: float
    recurrent_dropout: float
    zoneout: float
    checkpoint_every: int | None
    dtype: npt.DTypeLike
    rng: Seed


_DEFAULTS: RecurrentLayerOptions = {
    "bias": True,
    "bidirectional": False,
    "dropout": 0.0,
    "recurrent_dropout": 0.0,
    "zoneout": 0.0,
    "checkpoint_every": None,
    "dtype": np.float32,
    "rng": None,
}
with_layer_options = takes(RecurrentLayerOptions, _DEFAULTS)


class RecurrentLayer(Layer):
    """Base of RNN, LSTM and GRU; `__call__` describes their arguments."""

    stateful = True

    def __init__(
        self,
        make_cell: Callable[..., RecurrentCell],  # (input_size, hidden_size, bias, dtype=..., rng=...)
        input_size: int,
        hidden_size: int,
        num_layers: int,
        options: RecurrentLayerOptions,
    ) -> None:
        name = type(self).__name__
        check_options(f"{name}.__init__", options, RecurrentLayerOptions)
        given: RecurrentLayerOptions = {**_DEFAULTS, **options}
        self.num_layers = num_layers = check_count(name, "num_layers", num_layers)
        self.bidirectional = given["bidirectional"]
        self.dropout = check_number(name, "dropout", given["dropout"], low=0, below=1)
        self.recurrent_dropout = check_number(
            name, "recurrent_dropout", given["recurrent_dropout"], low=0, below=1
        )
        self.zoneout = check_number(name, "zoneout", given["zoneout"], low=0, below=1)
        every = given["checkpoint_every"]
        self.checkpoint_every = None if every is None else check_count(name, "checkpoint_every", every)
        rng = np.random.default_rng(given["rng"])
        self._cells: list[list[RecurrentCell]] = []  # [layer][direction]
        for _ in range(num_layers):
            pair = [
                make_cell(input_size, hidden_size, given["bias"], dtype=given["dtype"], rng=rng)
                for _ in range(2 if self.bidirectional else 1)
            ]
            input_size = sum(cell.output_size for cell in pair)
            self._cells.append(pair)
        self.input_size = self._cells[0][0].input_size
        self.hidden_size = self._cells[0][0].hidden_size
        self.output_size = input_size  # of y: what the last layer would feed into a next one
        self._owners = {
            f"{name}_l{depth}{'_reverse' * reverse}": (cell, name)
            for depth, pair in enumerate(self._cells)
            for reverse, cell in enumerate(pair)
            for name, _ in cell.own_parameters()
        }
        if self.dropout or self.recurrent_dropout or self.zoneout:
            self.draw_from(rng)

    @property
    def reads(self) -> str:
        return "all" if self.bidirectional else "past"

    # ---- the cells' weights under PyTorch's names, as in lstm.weight_hh_l0_reverse ----

    def named_members(self) -> Iterator[tuple[str, Parameter | Layer]]:
        weights = {name: getattr(*owner) for name, owner in self._owners.items()}
        others = {name: value for name, value in vars(self).items() if name not in ("_cells", "_owners")}
        return members(type(self).__name__, weights | others, Layer)

    def __getattr__(self, name: str) -> Any:
        owners = vars(self).get("_owners", {})  # not there yet while an object is being made or copied
        if name not in owners:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(*owners[name])

    def __setattr__(self, name: str, value: Any) -> None:
        owners = vars(self).get("_owners", {})
        if name in owners:
            setattr(owners[name][0], owners[name][1], value)
        else:
            super().__setattr__(name, value)

    # ---- forward and backward ----

    def __call__(
        self,
        x: Array,
        state: State = None,
        *,
        lengths: npt.ArrayLike | None = None,
        resets: npt.ArrayLike | None = None,
    ) -> tuple[tuple[Array, State], StatefulBackprop]:
        """Run over a batch of sequences.

            (y, state), backprop = layer(x, state, lengths=None, resets=None)
            dx, dstate = backprop(dy, dstate)

        x: [B,T,I].  y: [B,T,DP], zero past a row's end.
        state: h[LD,B,P], for LSTM (h[LD,B,P], c[LD,B,H]). None is zeros, for dy and dstate too.
        lengths: [B] integers, how many steps of each row are valid. The padding after them is never read.
        resets: [B,T] bool, True where another sequence starts inside a row, with a state of zeros. A layer
            that reads in reverse ends it there, so that several sequences in one row give what each gives in
            its own.

        Raises ValueError and TypeError for arguments that do not fit.
        """
        if self.seed is None:  # it draws nothing
            y, last, saved = self._forward(x, state, lengths, resets, training=True)
        else:
            with self.undrawn_if_refused():
                y, last, saved = self._forward(x, state, lengths, resets, training=True)

        def backprop(dy: Array | None, dstate: State) -> tuple[Array | None, State]:
            return self._backward(saved, dy, dstate)

        return (y, last), StatefulBackprop(self, backprop, y, last)

    def predict(
        self,
        x: Array,
        state: State = None,
        *,
        lengths: npt.ArrayLike | None = None,
        resets: npt.ArrayLike | None = None,
    ) -> tuple[Array, State]:
        """y, state = layer.predict(x, state): the call without its backprop; nothing is kept or dropped."""
        y, last, _ = self._forward(x, state, lengths, resets, training=False)
        return y, last

    def graph(self, writer: GraphWriter) -> Node:
        zoneout = {"zoneout": self.zoneout} if self.zoneout else {}
        depths = []
        for pair in self._cells:
            forwards, *backwards = [writer.layer(cell) | zoneout for cell in pair]
            both = {"forwards": forwards, "backwards": backwards[0]} if backwards else {}
            depths.append(writer.node("bidirectional", **both) if both else forwards)
        return writer.sequence(*depths)

    def _forward(
        self,
        x: Array,
        state: State,
        lengths: npt.ArrayLike | None,
        resets: npt.ArrayLike | None,
        training: bool,
    ) -> tuple[Array, State, list[Any]]:
        cell = self._cells[0][0]
        dtype = cell.weight_ih.dtype
        check_array(self, "x", x, ("B", "T", "I"), self.input_size, dtype)
        if lengths is not None:
            lengths = lengths_of(self, x, lengths)
        if resets is not None:
            resets = resets_of(self, x, resets)
        count = len(self._cells) * len(self._cells[0])
        initial: list[GivenStates] = [(None,) * len(cell.state_sizes)] * count
        if state is not None:
            given = given_state(self, state, (count, len(x)), cell.state_sizes, dtype)
            initial = _by_cell(given, count)
        last: list[States] = []
        saved = []
        for depth, pair in enumerate(self._cells):
            dropped = None
            if depth and training and self.dropout:
                x, dropped = ops.dropout_forward(x, self.dropout, **self.next_draw())
            if self.bidirectional:
                starts = (resets, resets_backwards(resets, lengths))
                outs = ops.recurrent_forward_all(
                    [
                        self._call(cell, x, initial[len(last) + k], training, lengths, starts[k], k == 1)
                        for k, cell in enumerate(pair)
                    ]
                )
                x = np.concatenate([out.y for out in outs], axis=-1)
                last += [out.state for out in outs]
                saved.append((dropped, [out.saved for out in outs]))
            else:
                call = self._call(pair[0], x, initial[depth], training, lengths, resets, False)
                out = ops.recurrent_forward(call)
                x = out.y
                last.append(out.state)
                saved.append((dropped, [out.saved]))
        return x, _stacked(last), saved

    def _call(
        self,
        cell: RecurrentCell,
        x: Array,
        state: GivenStates,
        training: bool,
        lengths: npt.ArrayLike | None,
        resets: npt.ArrayLike | None,
        reverse: bool,
    ) -> ops.RecurrentCall:
        every = self.checkpoint_every
        if not (self.recurrent_dropout or self.zoneout):
            return cell.forward_call(x, state, training, lengths, resets, reverse, every)
        masks = self._masks(x.shape[:2], cell, training)
        return cell.forward_call(x, state, training, lengths, resets, reverse, every, *masks)

    def _backward(self, saved: list[Any], dy: Array | None, dstate: State) -> tuple[Array | None, State]:
        parts = (None,) * len(self._cells[0][0].state_sizes) if dstate is None else together(dstate)
        dlast = _by_cell(parts, len(saved) * len(self._cells[0]))
        dinitial: list[States] = []
        while saved:  # popped, so that each layer's memory goes free as soon as it has been used
            dropped, kept = saved.pop()
            pair = self._cells[len(saved)]
            size = pair[0].output_size
            dys = [dy] * len(pair)
            if self.bidirectional and dy is not None:
                dys = [dy[..., :size], dy[..., size:]]
            calls = [cell.backward_call(kept[k], dys[k], dlast[k - len(pair)]) for k, cell in enumerate(pair)]
            del kept, dlast[-len(pair) :]
            if self.bidirectional:
                grads = ops.recurrent_backward_all(calls)
                dx = grads[0].dx
                dx += grads[1].dx  # in place: the cells have just made these arrays
            else:
                grads = [ops.recurrent_backward(**calls[0])]
                dx = grads[0].dx
            dinitial = [g.dstate for g in grads] + dinitial
            del calls, dys
            dy = dx if dropped is None else ops.dropout_backward(dropped, dx)
        return dy, _stacked(dinitial)

    def _masks(self, shape: tuple[int, int], cell: RecurrentCell, training: bool) -> list[Array | None]:
        """recurrent_dropout_mask of 0 and 1/(1-p); zoneout_mask of the units that keep their value, or p."""
        recurrent_dropout_mask = zoneout_mask = None
        size, dtype = cell.output_size, cell.weight_ih.dtype
        if self.recurrent_dropout and training:
            ones = np.ones((shape[0], size), dtype)
            recurrent_dropout_mask, _ = ops.dropout_forward(ones, self.recurrent_dropout, **self.next_draw())
        if self.zoneout and training:
            kept, _ = ops.dropout_forward(np.ones((*shape, size), dtype), self.zoneout, **self.next_draw())
            zoneout_mask = kept == 0
        elif self.zoneout:
            zoneout_mask = np.full((shape[0], size), self.zoneout, dtype)
        return [recurrent_dropout_mask, zoneout_mask]

    def __repr__(self) -> str:
        usual = {"num_layers": 1, "bidirectional": False, "dropout": 0.0}
        options = [f", {name}={getattr(self, name)}" for name in usual if getattr(self, name) != usual[name]]
        return f"{type(self).__name__}({self.input_size}, {self.hidden_size}{''.join(options)})"


def _by_cell(parts: GivenStates, count: int) -> list[GivenStates]:
    """h[LD,B,P] (and c[LD,B,H]) as one state a cell."""
    return [tuple([None if part is None else part[k] for part in parts]) for k in range(count)]


def _stacked(states: list[States]) -> State:
    """One state a cell as h[LD,B,P], or (h[LD,B,P], c[LD,B,H])."""
    if len(states) == 1:  # no copy; in small models it would take a tenth of the time
        only = states[0]
        return only[0][None] if len(only) == 1 else tuple([part[None] for part in only])
    return apart(tuple(np.stack(parts) for parts in zip(*states, strict=True)))
