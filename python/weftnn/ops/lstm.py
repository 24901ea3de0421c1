"""Long short-term memory, forward and backward. Equations: help(weftnn.nn.LSTM).

T time, B batch, I input, H hidden, P width of the state h; gates i f g o. Sources: Hochreiter & Schmidhuber
1997; Gers et al. 2002 (peepholes); Sak et al. 2014 (projection); Greff et al. 2017 (coupled gates).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from weftnn.ops.arrays import require_gradients
from weftnn.ops.recurrent import (
    Array,
    RecurrentCall,
    RecurrentOptions,
    Saved,
    recurrent_backward,
    recurrent_forward,
    with_recurrent_options,
)
from weftnn.options import check_options

if TYPE_CHECKING:
    from typing_extensions import Unpack


class LSTMGrads(NamedTuple):
    """Gradients in the order of the forward's arguments; None where a weight was None."""

    dx: Array | None
    dw_ih: Array | None
    dw_hh: Array | None
    db_ih: Array | None
    db_hh: Array | None
    dh0: Array | None
    dc0: Array | None
    dw_peephole: Array | None
    dw_proj: Array | None


@with_recurrent_options
def lstm_forward(
    x: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None = None,
    b_hh: Array | None = None,
    *,
    h0: Array | None = None,
    c0: Array | None = None,
    w_peephole: Array | None = None,
    w_proj: Array | None = None,
    coupled: bool = False,
    **options: Unpack[RecurrentOptions],
) -> tuple[Array, Array, Array, Saved | None]:
    """An LSTM over a batch of sequences: (y[B,T,P], h_n[B,P], c_n[B,H], saved).

    Args:
        x: [B, T, I], float32 or float64; all arrays share its dtype. Last axis contiguous, others any stride.
        w_ih, w_hh: [4H, I] and [4H, P], rows i f g o; coupled: [3H, ...], rows i g o.
        b_ih, b_hh: [4H] or [3H], or None.
        h0, c0: [B, P] and [B, H] initial states; None is zero.
        w_peephole: [3, H], rows i f o; when coupled, row f has no effect.
        w_proj: [P, H], projects o tanh(c) to h, which is both the output and the next step's state.
        coupled: no forget gate of its own: f = 1 - i.
        **options

    Raises:
        ValueError: a shape or value does not fit; the message names the argument, what it must be and is.
        TypeError: an array has another dtype.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> x, w_ih, w_hh = np.zeros((1, 2, 3)), np.zeros((16, 3)), np.zeros((16, 4))
        >>> y, h_n, c_n, saved = ops.lstm_forward(x, w_ih, w_hh, c0=np.ones((1, 4)))
        >>> c_n                                    # f = 1/2: the cell's content halves at each step
        array([[0.25, 0.25, 0.25, 0.25]])
    """
    check_options("lstm_forward", options, RecurrentOptions)
    cell = "lstm" + "_coupled" * bool(coupled) + "_peephole" * (w_peephole is not None)
    call = RecurrentCall(
        "lstm", cell, x, w_ih, w_hh, b_ih, b_hh, h0=h0, c0=c0, w_peephole=w_peephole, w_proj=w_proj, **options
    )
    y, h_n, c_n, saved = recurrent_forward(call)
    assert c_n is not None
    return y, h_n, c_n, saved


def lstm_backward(
    saved: Saved | None,
    dy: Array | None = None,
    dh_n: Array | None = None,
    dc_n: Array | None = None,
    *,
    accumulate: LSTMGrads | None = None,
    need_dx: bool = True,
) -> LSTMGrads:
    """Gradients of `lstm_forward`, given dL/dy, dL/dh_n and dL/dc_n (None means zero).

    From h = o tanh(c) and c = f c_{t-1} + i g, with di, df, dg, do the gradients before sigmoid and tanh:

        do       = dh tanh(c) o (1 - o)            di = dc g i (1 - i)
        dc      += dh o (1 - tanh(c)^2)            df = dc c_{t-1} f (1 - f)
        dc_{t-1} = dc f                            dg = dc i (1 - g^2)

    Args:
        saved: what forward returned; it may be used again, and the forward's arrays must be unchanged.
        dy, dh_n, dc_n: [B, T, P], [B, P] and [B, H].
        accumulate: gradients whose weight arrays are added to in place, instead of new ones.
        need_dx: False skips dx and returns None for it.

    Raises:
        ValueError, TypeError: as in `lstm_forward`.
    """
    require_gradients("lstm_backward", "accumulate", accumulate, LSTMGrads)
    g = accumulate
    given = (g.dw_ih, g.dw_hh, g.db_ih, g.db_hh, g.dw_peephole, g.dw_proj) if g else ()
    grads = recurrent_backward("lstm", saved, dy, dh_n, dc_n, given, need_dx)
    return LSTMGrads(*grads)
