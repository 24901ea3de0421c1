"""LSTM: long short-term memory. The equations are in the docstring of the layer, `LSTM`.

Backward of c_t = f_t c_{t-1} + i_t g_t:

    df_t     = c_{t-1} dc_t
    di_t     = g_t dc_t
    dg_t     = i_t dc_t
    dc_{t-1} = f_t dc_t + what comes through the peepholes

Hochreiter and Schmidhuber, "Long short-term memory", 1997; Gers, Schmidhuber and Cummins, "Learning to
forget", 2000; Gers and Schmidhuber, "Recurrent nets that time and count", 2000 (peepholes); Sak, Senior and
Beaufays, "Long short-term memory recurrent neural network architectures", 2014 (projection)
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from weftnn.arguments import check_count, check_number
from weftnn.nn import init
from weftnn.nn.parameter import Parameter, Seed
from weftnn.nn.recurrent.cell import RecurrentCell
from weftnn.nn.recurrent.recurrent_layer import RecurrentLayer, RecurrentLayerOptions, with_layer_options

if TYPE_CHECKING:
    from typing_extensions import Unpack


class LSTMCell(RecurrentCell):
    """One step of an LSTM: c_t = f_t c_{t-1} + i_t g_t, h_t = o_t tanh(c_t). All equations: see `LSTM`.

    `(h, c), backprop = cell(x[B,I], (h[B,P], c[B,H]))`, `dx, (dh, dc) = backprop((dh, dc))`; None is zeros.
    Parameters are PyTorch's, gates in the order i f g o: weight_ih[4H,I], weight_hh[4H,P], bias_ih[4H],
    bias_hh[4H], weight_hr[P,H] if proj_size, and weight_peephole[3,H] (i f o) if peephole.
    forget_bias: the first value of the forget gate's bias, so that a new LSTM remembers. None: drawn like
        the others, as in PyTorch. With coupled, where f = 1 - i, the input gate's starts at its negative.
    Raises ValueError and TypeError for arguments that do not fit.

    >>> cell, state = LSTMCell(3, 4), None
    >>> for x in np.ones((5, 2, 3), np.float32):
    ...     state = cell.predict(x, state)
    >>> h, c = state
    >>> h.shape
    (2, 4)
    """

    operation = "lstm"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        proj_size: int = 0,
        forget_bias: float | None = 1.0,
        peephole: bool = False,
        coupled: bool = False,
        dtype: npt.DTypeLike = np.float32,
        rng: Seed = None,
    ) -> None:
        rng = np.random.default_rng(rng)
        gates = 3 if coupled else 4
        hidden_size = check_count(type(self).__name__, "hidden_size", hidden_size)
        proj_size = check_count("LSTM", "proj_size", proj_size, low=0)
        output_size = proj_size or hidden_size
        super().__init__(
            input_size, hidden_size, gates=gates, output_size=output_size, bias=bias, dtype=dtype, rng=rng
        )
        if proj_size >= hidden_size:
            raise ValueError(f"LSTM: proj_size must be below hidden_size = {hidden_size}, got {proj_size}")
        self.state_sizes = (output_size, hidden_size)
        self.coupled = coupled
        bound = hidden_size**-0.5

        def weight(*shape: int) -> Parameter:
            return Parameter(init.uniform(shape, bound, dtype=dtype, rng=rng))

        self.weight_hr = weight(proj_size, hidden_size) if proj_size else None
        self.weight_peephole = weight(3, hidden_size) if peephole else None
        if forget_bias is not None:
            forget_bias = check_number("LSTM", "forget_bias", forget_bias)
            if self.bias_ih and self.bias_hh:
                gate = slice(0, hidden_size) if coupled else slice(hidden_size, 2 * hidden_size)
                self.bias_ih.data[gate] = -forget_bias if coupled else forget_bias
                self.bias_hh.data[gate] = 0

    @property
    def cell(self) -> str:
        return "lstm" + "_coupled" * self.coupled + "_peephole" * (self.weight_peephole is not None)


@with_layer_options
class LSTM(RecurrentLayer):
    """Layers of long short-term memory: gates i (input), f (forget), o (output), candidate g, cell state c.

        i_t = sigmoid(W_i x_t + U_i h_{t-1} + b_i + p_i c_{t-1})
        f_t = sigmoid(W_f x_t + U_f h_{t-1} + b_f + p_f c_{t-1})     coupled: f_t = 1 - i_t
        g_t = tanh   (W_g x_t + U_g h_{t-1} + b_g)
        c_t = f_t c_{t-1} + i_t g_t
        o_t = sigmoid(W_o x_t + U_o h_{t-1} + b_o + p_o c_t)
        h_t = o_t tanh(c_t)                                          with proj_size: W_hr (o_t tanh(c_t))
        y_t = h_t

    The peepholes p are zero unless peephole=True.
    x[B,T,I], y[B,T,DP], state (h[LD,B,P], c[LD,B,H]), where P = proj_size or H.
    Parameters are PyTorch's, gates in the order i f g o (coupled: i g o): weight_ih_l0[4H,I] is W,
    weight_hh_l0[4H,P] is U, bias_ih_l0[4H] + bias_hh_l0[4H] is b, weight_hr_l0[P,H] is W_hr, and so on;
    weight_peephole_l0[3,H] is p, rows i f o.

    input_size, hidden_size, num_layers: I, H and L; each layer reads the y of the one before.
    proj_size: P, what W_hr projects h to; 0 for no projection.
    forget_bias: the first value of the forget gate's bias, so that a new LSTM remembers. None: drawn like
        the others, as in PyTorch. With coupled, where f = 1 - i, the input gate's starts at its negative.
    peephole: whether the gates see the cell state, through p; without, p is zero.
    coupled: no forget gate of its own: f = 1 - i.
    **options

    Raises ValueError and TypeError for arguments that do not fit. Hochreiter and Schmidhuber, 1997.

    >>> lstm = LSTM(3, 8, proj_size=4, rng=0)
    >>> (y, (h, c)), backprop = lstm(np.ones((2, 5, 3), np.float32))
    >>> dx, (dh, dc) = backprop(np.ones_like(y))
    >>> y.shape, h.shape, c.shape
    ((2, 5, 4), (1, 2, 4), (1, 2, 8))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        proj_size: int = 0,
        forget_bias: float | None = 1.0,
        peephole: bool = False,
        coupled: bool = False,
        **options: Unpack[RecurrentLayerOptions],
    ) -> None:
        make_cell = partial(
            LSTMCell, proj_size=proj_size, forget_bias=forget_bias, peephole=peephole, coupled=coupled
        )
        super().__init__(make_cell, input_size, hidden_size, num_layers, options)
