"""The gated recurrent unit, forward and backward. Equations: help(weftnn.nn.GRU).

T time, B batch, I input, H hidden; gates r z n. Source: Cho et al., "Learning phrase representations", 2014.
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


class GRUGrads(NamedTuple):
    """Gradients in the order of the forward's arguments; None where the argument was None."""

    dx: Array | None
    dw_ih: Array | None
    dw_hh: Array | None
    db_ih: Array | None
    db_hh: Array | None
    dh0: Array | None


@with_recurrent_options
def gru_forward(
    x: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None = None,
    b_hh: Array | None = None,
    *,
    h0: Array | None = None,
    reset_after: bool = True,
    **options: Unpack[RecurrentOptions],
) -> tuple[Array, Array, Saved | None]:
    """A GRU over a batch of sequences: (y[B,T,H], h_n[B,H], saved).

    Args:
        x: [B, T, I], float32 or float64; all arrays share its dtype. Last axis contiguous, others any stride.
        w_ih, w_hh: [3H, I] and [3H, H], rows r z n.
        b_ih, b_hh: [3H], or None.
        h0: [B, H] initial state; None is zero.
        reset_after: whether r multiplies the recurrent product (PyTorch's form) or the state before it.
        **options

    Raises:
        ValueError: a shape or value does not fit; the message names the argument, what it must be and is.
        TypeError: an array has another dtype.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> x, w_ih, w_hh = np.zeros((1, 2, 3)), np.zeros((12, 3)), np.zeros((12, 4))
        >>> y, h_n, saved = ops.gru_forward(x, w_ih, w_hh, h0=np.ones((1, 4)))
        >>> h_n                                    # z = 1/2 and n = 0: the state halves at each step
        array([[0.25, 0.25, 0.25, 0.25]])
    """
    check_options("gru_forward", options, RecurrentOptions)
    call = RecurrentCall(
        "gru", "gru" if reset_after else "gru_reset_before", x, w_ih, w_hh, b_ih, b_hh, h0=h0, **options
    )
    y, h_n, _, saved = recurrent_forward(call)
    return y, h_n, saved


def gru_backward(
    saved: Saved | None,
    dy: Array | None = None,
    dh_n: Array | None = None,
    *,
    accumulate: GRUGrads | None = None,
    need_dx: bool = True,
) -> GRUGrads:
    """Gradients of `gru_forward`, given dL/dy and dL/dh_n (None means zero).

    With reset_after, q = U_n h_{t-1} + b_hn, and dn, dz, dr the gradients before tanh and sigmoid:

        dn       = dh (1 - z) (1 - n^2)
        dz       = dh (h_{t-1} - n) z (1 - z)
        dr       = dn q r (1 - r)
        dh_{t-1} = z dh + U_rᵀ dr + U_zᵀ dz + U_nᵀ (r dn)

    Args:
        saved: what forward returned; it may be used again, and the forward's arrays must be unchanged.
        dy, dh_n: [B, T, H] and [B, H].
        accumulate: gradients whose weight arrays are added to in place, instead of new ones.
        need_dx: False skips dx and returns None for it.

    Raises:
        ValueError, TypeError: as in `gru_forward`.
    """
    require_gradients("gru_backward", "accumulate", accumulate, GRUGrads)
    g = accumulate
    given = (g.dw_ih, g.dw_hh, g.db_ih, g.db_hh) if g else ()
    grads = recurrent_backward("gru", saved, dy, dh_n, None, given, need_dx)
    return GRUGrads(*grads[:6])
