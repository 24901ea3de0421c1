"""GRU: gated recurrent units. The equations are in the docstring of the layer, `GRU`.

Backward of h_t = (1 - z_t) n_t + z_t h_{t-1}:

    dn_t     = (1 - z_t) dh_t
    dz_t     = (h_{t-1} - n_t) dh_t
    dh_{t-1} = z_t dh_t + what comes through the gates

Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from weftnn.nn.parameter import Seed
from weftnn.nn.recurrent.cell import RecurrentCell
from weftnn.nn.recurrent.recurrent_layer import RecurrentLayer, RecurrentLayerOptions, with_layer_options

if TYPE_CHECKING:
    from typing_extensions import Unpack


class GRUCell(RecurrentCell):
    """One step of a GRU: h_t = (1 - z_t) n_t + z_t h_{t-1}. All equations: see `GRU`.

    `h, backprop = cell(x[B,I], h[B,H])`, `dx, dh = backprop(dh)`; an h of None is zeros. Parameters are
    PyTorch's, gates in the order r z n: weight_ih[3H,I], weight_hh[3H,H], bias_ih[3H], bias_hh[3H].
    Raises ValueError and TypeError for arguments that do not fit.

    >>> cell, h = GRUCell(3, 4), None
    >>> for x in np.ones((5, 2, 3), np.float32):
    ...     h = cell.predict(x, h)
    >>> h.shape
    (2, 4)
    """

    operation = "gru"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        reset_after: bool = True,
        dtype: npt.DTypeLike = np.float32,
        rng: Seed = None,
    ) -> None:
        rng = np.random.default_rng(rng)
        super().__init__(input_size, hidden_size, gates=3, bias=bias, dtype=dtype, rng=rng)
        self.reset_after = reset_after

    @property
    def cell(self) -> str:
        return "gru" if self.reset_after else "gru_reset_before"


@with_layer_options
class GRU(RecurrentLayer):
    """Layers of gated recurrent units: reset gate r, update gate z, candidate n.

        r_t = sigmoid(W_r x_t + b_ir + U_r h_{t-1} + b_hr)
        z_t = sigmoid(W_z x_t + b_iz + U_z h_{t-1} + b_hz)
        n_t = tanh(W_n x_t + b_in + r_t (U_n h_{t-1} + b_hn))     reset_after=True: PyTorch, cuDNN
        n_t = tanh(W_n x_t + b_in + U_n (r_t h_{t-1}) + b_hn)     reset_after=False: the paper
        h_t = (1 - z_t) n_t + z_t h_{t-1}
        y_t = h_t

    x[B,T,I], y[B,T,DH], state h[LD,B,H].
    Parameters are PyTorch's, gates in the order r z n: weight_ih_l0[3H,I] is W, weight_hh_l0[3H,H] is U,
    bias_ih_l0[3H] and bias_hh_l0[3H] are b_i and b_h, and so on.

    input_size, hidden_size, num_layers: I, H and L; each layer reads the y of the one before.
    reset_after: PyTorch's form; False is the paper's, which PyTorch lacks.
    **options

    Raises ValueError and TypeError for arguments that do not fit. Cho et al., 2014.

    >>> gru = GRU(3, 4, bidirectional=True, rng=0)
    >>> (y, h), backprop = gru(np.ones((2, 5, 3), np.float32))
    >>> dx, dh = backprop(np.ones_like(y))
    >>> y.shape, h.shape, dx.shape
    ((2, 5, 8), (2, 2, 4), (2, 5, 3))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        reset_after: bool = True,
        **options: Unpack[RecurrentLayerOptions],
    ) -> None:
        make_cell = partial(GRUCell, reset_after=reset_after)
        super().__init__(make_cell, input_size, hidden_size, num_layers, options)
