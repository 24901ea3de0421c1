"""The plain recurrent layer, forward and backward. Equations: help(weftnn.nn.RNN).

T time, B batch, I input, H hidden. Source: Elman, "Finding structure in time", 1990.
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


class RNNGrads(NamedTuple):
    """Gradients in the order of the forward's arguments; None where the argument was None."""

    dx: Array | None
    dw_ih: Array | None
    dw_hh: Array | None
    db_ih: Array | None
    db_hh: Array | None
    dh0: Array | None


@with_recurrent_options
def rnn_forward(
    x: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None = None,
    b_hh: Array | None = None,
    *,
    h0: Array | None = None,
    nonlinearity: str = "tanh",
    **options: Unpack[RecurrentOptions],
) -> tuple[Array, Array, Saved | None]:
    """A plain recurrent layer over a batch of sequences: (y[B,T,H], h_n[B,H], saved).

    Args:
        x: [B, T, I], float32 or float64; all arrays share its dtype. Last axis contiguous, others any stride.
        w_ih, w_hh: [H, I] and [H, H].
        b_ih, b_hh: [H], or None.
        h0: [B, H] initial state; None is zero.
        nonlinearity: "tanh" or "relu".
        **options

    Raises:
        ValueError: a shape or value does not fit; the message names the argument, what it must be and is.
        TypeError: an array has another dtype.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> x, w = np.ones((1, 3, 2)), np.eye(2)
        >>> y, h_n, saved = ops.rnn_forward(x, w, w, nonlinearity="relu")
        >>> y[0, :, 0]
        array([1., 2., 3.])
        >>> ops.rnn_backward(saved, dh_n=np.ones((1, 2))).dx[0, :, 0]
        array([1., 1., 1.])
    """
    check_options("rnn_forward", options, RecurrentOptions)
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"rnn_forward: nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
    call = RecurrentCall("rnn", f"rnn_{nonlinearity}", x, w_ih, w_hh, b_ih, b_hh, h0=h0, **options)
    y, h_n, _, saved = recurrent_forward(call)
    return y, h_n, saved


def rnn_backward(
    saved: Saved | None,
    dy: Array | None = None,
    dh_n: Array | None = None,
    *,
    accumulate: RNNGrads | None = None,
    need_dx: bool = True,
) -> RNNGrads:
    """Gradients of `rnn_forward`, given dL/dy and dL/dh_n (None means zero).

    With h_t = f(a_t):

        da_t  = f'(a_t) (dy_t + W_hhᵀ da_{t+1})
        dx_t  = W_ihᵀ da_t
        dW_ih = sum over t of da_t x_tᵀ
        dW_hh = sum over t of da_t h_{t-1}ᵀ
        db    = sum over t of da_t

    Args:
        saved: what forward returned; it may be used again, and the forward's arrays must be unchanged.
        dy, dh_n: [B, T, H] and [B, H].
        accumulate: gradients whose weight arrays are added to in place, instead of new ones.
        need_dx: False skips dx and returns None for it.

    Raises:
        ValueError, TypeError: as in `rnn_forward`.
    """
    require_gradients("rnn_backward", "accumulate", accumulate, RNNGrads)
    g = accumulate
    given = (g.dw_ih, g.dw_hh, g.db_ih, g.db_hh) if g else ()
    grads = recurrent_backward("rnn", saved, dy, dh_n, None, given, need_dx)
    return RNNGrads(*grads[:6])
