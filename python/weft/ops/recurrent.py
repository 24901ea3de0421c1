"""One recurrent operation for every cell; `rnn`, `lstm` and `gru` are its named forms.

T time, B batch, I input, H hidden units, G gates, P width of the state (H, or the projection's).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from weft import _core
from weft.arguments import check_count

Array: TypeAlias = NDArray[Any]
Saved: TypeAlias = "_core.RecurrentSaved"


def cells() -> list[str]:
    """Names of the cells that `recurrent_forward` knows.

    Example:
        >>> from weft import ops
        >>> "gru" in ops.cells()
        True
    """
    return _core.recurrent_cells()


def recurrent_forward(
    operation: str,
    cell: str,
    x: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None = None,
    b_hh: Array | None = None,
    *,
    w_peephole: Array | None = None,
    w_proj: Array | None = None,
    h0: Array | None = None,
    c0: Array | None = None,
    lengths: Array | Sequence[int] | None = None,
    resets: Array | None = None,
    reverse: bool = False,
    recurrent_dropout_mask: Array | None = None,
    zoneout_mask: Array | None = None,
    checkpoint_every: int | None = None,
    training: bool = True,
) -> tuple[Array, Array, Array | None, Saved | None]:
    """Run a cell over a batch of sequences: (y[B,T,P], h_n[B,P], c_n[B,H] or None, saved).

    `operation` is how errors name the call. The other arguments are those of `lstm_forward`; a cell that has
    no use for one of them refuses it.

    Raises:
        ValueError: a shape or value does not fit.
        TypeError: an array has another dtype than `x`, which is float32 or float64.

    Example:
        >>> import numpy as np
        >>> from weft import ops
        >>> x, w = np.ones((1, 3, 2)), np.eye(2)
        >>> y, h_n, _, saved = ops.recurrent_forward("rnn", "rnn_relu", x, w, w)
        >>> h_n
        array([[3., 3.]])
    """
    if lengths is not None:
        lengths = np.asarray(lengths)
        if lengths.dtype.kind not in "iu" and lengths.size:
            raise TypeError(f"{operation}_forward: lengths must be integers, got {lengths.dtype}")
        lengths = lengths.astype(np.int64)  # a copy: a loader may use its array again before backward
    if resets is not None:
        resets = np.asarray(resets)
        if resets.dtype != np.bool_:
            raise TypeError(f"{operation}_forward: resets must have dtype bool, got {resets.dtype}")
    if isinstance(zoneout_mask, np.ndarray) and zoneout_mask.dtype == np.bool_:
        zoneout_mask = zoneout_mask.astype(x.dtype)
    if checkpoint_every is not None:
        check_count(f"{operation}_forward", "checkpoint_every", checkpoint_every)
    result: tuple[Array, Array, Array | None, Saved | None] = _core.recurrent_forward(
        operation,
        cell,
        x,
        w_ih,
        w_hh,
        b_ih,
        b_hh,
        w_peephole,
        w_proj,
        h0,
        c0,
        lengths,
        resets,
        recurrent_dropout_mask,
        zoneout_mask,
        bool(reverse),
        int(checkpoint_every or 0),
        bool(training),
    )
    return result


def recurrent_backward(
    operation: str,
    saved: Saved | None,
    dy: Array | None,
    dh_n: Array | None,
    dc_n: Array | None,
    accumulate: Sequence[Array | None],
    need_dx: bool,
) -> tuple[Any, ...]:
    """Gradients (dx, dw_ih, dw_hh, db_ih, db_hh, dh0, dc0, dw_peephole, dw_proj) of `recurrent_forward`.

    `accumulate` holds arrays to add the gradients of (w_ih, w_hh, b_ih, b_hh, w_peephole, w_proj) to, or
    Nones.
    """
    if saved is None:
        raise ValueError(f"{operation}_backward: saved is None; call {operation}_forward with training=True")
    if not isinstance(saved, _core.RecurrentSaved) or saved.operation != operation:
        expected = f"{operation}_backward: saved must be what {operation}_forward returned"
        if not isinstance(saved, _core.RecurrentSaved):
            raise TypeError(f"{expected}, got {type(saved).__name__}")
        raise ValueError(f"{expected}, got {saved.operation}_forward's")
    gradients: tuple[Any, ...] = saved.backward(dy, dh_n, dc_n, bool(need_dx), tuple(accumulate))
    return gradients
