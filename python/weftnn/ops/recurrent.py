"""One recurrent operation for every cell; `rnn`, `lstm` and `gru` are its named forms.

T time, B batch, I input, H hidden units, G gates, P width of the state (H, or the projection's).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

from weftnn import _core
from weftnn.arguments import check_count
from weftnn.ops.bindings import checked_names
from weftnn.options import takes
from weftnn.ragged import check_lengths, check_resets

Array: TypeAlias = NDArray[Any]
Saved: TypeAlias = "_core.RecurrentSaved"


class RecurrentCall(NamedTuple):
    """The arguments of `recurrent_forward`, in the order in which the kernels' bindings take them.

    `operation` is how errors name the call, `cell` one of `cells()`. The others are those of `lstm_forward`;
    a cell that has no use for one of them refuses it.
    """

    operation: str
    cell: str
    x: Array
    w_ih: Array
    w_hh: Array
    b_ih: Array | None = None
    b_hh: Array | None = None
    w_peephole: Array | None = None
    w_proj: Array | None = None
    h0: Array | None = None
    c0: Array | None = None
    lengths: Array | Sequence[int] | None = None
    resets: Array | None = None
    recurrent_dropout_mask: Array | None = None
    zoneout_mask: Array | None = None
    reverse: bool = False
    checkpoint_every: int | None = None
    training: bool = True


class RecurrentOptions(TypedDict, total=False):
    """Options of every recurrent operation; P is H, or the projection's.

    lengths: [B] valid steps of each row, in any order, zero allowed. y is zero past them, the last state is
        the last valid one, and nothing is computed on padding.
    resets: bool [B, T]; True zeroes the state (of an LSTM, both) before that step.
    reverse: run from each row's last valid step to its first; y[:, t] is still the output at time t.
    recurrent_dropout_mask: [B, P] or [B, T, P], a factor of h_{t-1} in the product W_hh h_{t-1}.
    zoneout_mask: [B, P] or [B, T, P], bool or in [0, 1]: h_t = m h_{t-1} + (1 - m) h_t.
    checkpoint_every: k keeps every k-th state only; backward recomputes the others.
    training: False keeps nothing: saved is None.
    """

    lengths: Array | Sequence[int] | None
    resets: Array | None
    reverse: bool
    recurrent_dropout_mask: Array | None
    zoneout_mask: Array | None
    checkpoint_every: int | None
    training: bool


with_recurrent_options = takes(RecurrentOptions, RecurrentCall._field_defaults)


class RecurrentResults(NamedTuple):
    """y[B,T,P], zero past a row's end; the last valid states; what backward needs, None in inference."""

    y: Array
    h_n: Array
    c_n: Array | None
    saved: Saved | None

    @property
    def state(self) -> tuple[Array, ...]:
        """(h_n,), or (h_n, c_n) where the cell has both."""
        return (self.h_n,) if self.c_n is None else (self.h_n, self.c_n)


class RecurrentGrads(NamedTuple):
    """Gradients in the order of the forward's arguments; None where an argument was None."""

    dx: Any  # None where it was not asked for
    dw_ih: Array
    dw_hh: Array
    db_ih: Array | None
    db_hh: Array | None
    dh0: Array
    dc0: Array | None
    dw_peephole: Array | None
    dw_proj: Array | None

    @property
    def dstate(self) -> tuple[Array, ...]:
        """(dh0,), or (dh0, dc0) where the cell has both."""
        return (self.dh0,) if self.dc0 is None else (self.dh0, self.dc0)


ACCUMULATED = ("dw_ih", "dw_hh", "db_ih", "db_hh", "dw_peephole", "dw_proj")


_NAMES = {
    "recurrent_arguments": RecurrentCall._fields,
    "recurrent_results": RecurrentResults._fields,
    "recurrent_accumulated": ACCUMULATED,
    "recurrent_gradients": RecurrentGrads._fields,
}
_forward = checked_names(_core.recurrent_forward, **_NAMES)
_forward_all = checked_names(_core.recurrent_forward_all, **_NAMES)
_backward_all = checked_names(_core.recurrent_backward_all, **_NAMES)


def cells() -> list[str]:
    """Names of the cells that `recurrent_forward` knows.

    Example:
        >>> from weftnn import ops
        >>> "gru" in ops.cells()
        True
    """
    return _core.recurrent_cells()


def recurrent_forward(call: RecurrentCall) -> RecurrentResults:
    """Run a cell over a batch of sequences: (y[B,T,P], h_n[B,P], c_n[B,H] or None, saved).

    Raises:
        ValueError: a shape or value does not fit, or the cell has no use for what it was given.
        TypeError: an array has another dtype than `x`, which is float32 or float64.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> x, w = np.ones((1, 3, 2)), np.eye(2)
        >>> y, h_n, _, saved = ops.recurrent_forward(ops.RecurrentCall("rnn", "rnn_relu", x, w, w))
        >>> h_n
        array([[3., 3.]])
    """
    return RecurrentResults._make(_forward(_checked(call)))


def recurrent_forward_all(calls: Sequence[RecurrentCall]) -> list[RecurrentResults]:
    """Several calls of `recurrent_forward` at the same time, on several threads.

    All are of one cell and dtype, and none depends on another: both directions of a layer, say. Results are
    those of one call after the other.

    Raises:
        ValueError, TypeError: as in `recurrent_forward`, before anything has run; or cells that differ.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> x, w = np.ones((1, 3, 2)), np.eye(2)
        >>> call = ops.RecurrentCall("rnn", "rnn_relu", x, w, w)
        >>> forwards, backwards = ops.recurrent_forward_all([call, call._replace(reverse=True)])
        >>> backwards.y[0, :, 0]
        array([3., 2., 1.])
    """
    given = [_checked(call) for call in calls]
    return [RecurrentResults._make(results) for results in _forward_all(given)]


def _checked(call: RecurrentCall) -> RecurrentCall:
    """The call as _core takes it; what only Python can check is checked here."""
    lengths, resets, zoneout_mask = call.lengths, call.resets, call.zoneout_mask
    if call.checkpoint_every is not None:
        every = check_count(f"{call.operation}_forward", "checkpoint_every", call.checkpoint_every)
        call = call._replace(checkpoint_every=min(every, 2**63 - 1))  # beyond any number of steps
    if lengths is None and resets is None and zoneout_mask is None:
        return call
    if isinstance(call.x, np.ndarray) and call.x.ndim == 3:  # else x is what will be refused
        where, (rows, steps) = f"{call.operation}_forward", call.x.shape[:2]
        lengths = None if lengths is None else check_lengths(where, lengths, rows, steps)
        resets = None if resets is None else check_resets(where, resets, rows, steps)
    if isinstance(zoneout_mask, np.ndarray) and zoneout_mask.dtype == np.bool_:
        zoneout_mask = zoneout_mask.astype(getattr(call.x, "dtype", np.float64))
    return call._replace(lengths=lengths, resets=resets, zoneout_mask=zoneout_mask)


def recurrent_backward(
    operation: str,
    saved: Saved | None,
    dy: Array | None = None,
    dh_n: Array | None = None,
    dc_n: Array | None = None,
    accumulate: Sequence[Array | None] = (),
    need_dx: bool = True,
) -> RecurrentGrads:
    """Gradients of `recurrent_forward`, given dL/dy, dL/dh_n and dL/dc_n (None means zero).

    `accumulate` holds arrays to add the gradients of (w_ih, w_hh, b_ih, b_hh, w_peephole, w_proj) to, or
    Nones. `need_dx=False` skips dx.

    Raises:
        ValueError, TypeError: as in `recurrent_forward`; or `saved` is another operation's.
    """
    kept, *rest = _backward_call(operation, saved, dy, dh_n, dc_n, accumulate, need_dx)
    return RecurrentGrads._make(kept.backward(*rest))


def recurrent_backward_all(calls: Sequence[Mapping[str, Any]]) -> list[RecurrentGrads]:
    """Several calls of `recurrent_backward`, given as arguments by name, at the same time on several threads.

    All are of one cell and dtype. Calls that accumulate into the same array run one after the other.

    Raises:
        ValueError, TypeError: as in `recurrent_backward`, before anything has run; or cells that differ.
    """
    given = [_backward_call(**call) for call in calls]
    written = [id(array) for call in given for array in call[-1] if array is not None]
    if len(set(written)) < len(written):
        return [RecurrentGrads._make(kept.backward(*rest)) for kept, *rest in given]
    return [RecurrentGrads._make(grads) for grads in _backward_all(given)]


def _backward_call(
    operation: str,
    saved: Saved | None,
    dy: Array | None = None,
    dh_n: Array | None = None,
    dc_n: Array | None = None,
    accumulate: Sequence[Array | None] = (),
    need_dx: bool = True,
) -> tuple[Any, ...]:
    """A call's arguments as _core takes them, `saved` first."""
    if saved is None:
        raise ValueError(f"{operation}_backward: saved is None; call {operation}_forward with training=True")
    if not isinstance(saved, _core.RecurrentSaved) or saved.operation != operation:
        expected = f"{operation}_backward: saved must be what {operation}_forward returned"
        if not isinstance(saved, _core.RecurrentSaved):
            raise TypeError(f"{expected}, got {type(saved).__name__}")
        raise ValueError(f"{expected}, got {saved.operation}_forward's")
    return saved, dy, dh_n, dc_n, bool(need_dx), tuple(accumulate)
