"""RNN: plain recurrent layers. The equations are in the docstring of the layer, `RNN`.

Backward, from the last step to the first, where a_t is the argument of f:

    da_t     = f'(a_t) (dy_t + dh_t)
    dx_t     = W_ihᵀ da_t         dW_ih += da_t x_tᵀ
    dh_{t-1} = W_hhᵀ da_t         dW_hh += da_t h_{t-1}ᵀ        db += da_t

Elman, "Finding structure in time", 1990
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from weftnn.arguments import check_choice
from weftnn.nn.parameter import Seed
from weftnn.nn.recurrent.cell import RecurrentCell
from weftnn.nn.recurrent.recurrent_layer import RecurrentLayer, RecurrentLayerOptions, with_layer_options

if TYPE_CHECKING:
    from typing_extensions import Unpack


class RNNCell(RecurrentCell):
    """One step of an RNN: h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh).

    `h, backprop = cell(x[B,I], h[B,H])`, `dx, dh = backprop(dh)`; an h of None is zeros. Parameters are
    PyTorch's: weight_ih[H,I], weight_hh[H,H], bias_ih[H], bias_hh[H].
    Raises ValueError and TypeError for arguments that do not fit.

    >>> cell, h = RNNCell(3, 4), None
    >>> for x in np.ones((5, 2, 3), np.float32):
    ...     h = cell.predict(x, h)
    >>> h.shape
    (2, 4)
    """

    operation = "rnn"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        nonlinearity: str = "tanh",
        dtype: npt.DTypeLike = np.float32,
        rng: Seed = None,
    ) -> None:
        rng = np.random.default_rng(rng)
        super().__init__(input_size, hidden_size, gates=1, bias=bias, dtype=dtype, rng=rng)
        self.nonlinearity = check_choice("RNN", "nonlinearity", nonlinearity, ("tanh", "relu"))

    @property
    def cell(self) -> str:
        return f"rnn_{self.nonlinearity}"


@with_layer_options
class RNN(RecurrentLayer):
    """Plain recurrent layers.

        h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)     f = tanh or relu
        y_t = h_t

    x[B,T,I], y[B,T,DH], state h[LD,B,H].
    Parameters are PyTorch's: weight_ih_l0[H,I], weight_hh_l0[H,H], bias_ih_l0[H], bias_hh_l0[H], and so on.

    input_size, hidden_size, num_layers: I, H and L; each layer reads the y of the one before.
    nonlinearity: f, "tanh" or "relu".
    **options

    Raises ValueError and TypeError for arguments that do not fit. Elman, "Finding structure in time", 1990.

    >>> rnn = RNN(3, 4, num_layers=2, rng=0)
    >>> (y, h), backprop = rnn(np.ones((2, 5, 3), np.float32), lengths=[5, 3])
    >>> dx, dh = backprop(np.ones_like(y))
    >>> y.shape, h.shape, dx.shape
    ((2, 5, 4), (2, 2, 4), (2, 5, 3))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        nonlinearity: str = "tanh",
        **options: Unpack[RecurrentLayerOptions],
    ) -> None:
        make_cell = partial(RNNCell, nonlinearity=nonlinearity)
        super().__init__(make_cell, input_size, hidden_size, num_layers, options)
