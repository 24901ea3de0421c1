"""The positions of the steps of x[B, T, ...], if they go on after others."""

from __future__ import annotations

from typing import Any

import numpy as np

from weftnn.nn.parameter import Array
from weftnn.ops.arrays import refuse_masked

_FARTHEST = 2**53  # beyond it float64, in which angles are computed, skips places


def steps_from(layer: object, offset: Any, time: int, batch: int | None = None) -> Array:
    """The positions offset, ..., offset + T - 1: [T], or for an offset[B] [B, T]. int64, negative ones too.

    Raises TypeError for an offset of other numbers, ValueError for one of another shape or beyond 2^53.

    >>> from weftnn.nn import ALiBi
    >>> steps_from(ALiBi(2), 5, 3)
    array([5, 6, 7])
    >>> steps_from(ALiBi(2), np.array([5, 0], np.uint8), 3, batch=2)
    array([[5, 6, 7],
           [0, 1, 2]])
    """
    if type(offset) is int and -_FARTHEST <= offset <= _FARTHEST - time:  # as nearly always, and quick
        return np.arange(offset, offset + time)
    where = f"{type(layer).__name__}: offset must be an integer, or integers (B,)"
    try:
        offsets = np.asarray(offset)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{where}, got {type(offset).__name__}") from error
    whole = offsets.dtype.kind in "iu" or (isinstance(offset, int) and not isinstance(offset, bool))
    refuse_masked(type(layer).__name__, "offset", offset)
    if not whole:
        arrays = type(offset) is np.ndarray or isinstance(offset, np.generic)
        kind = offsets.dtype if arrays else type(offset).__name__
        raise TypeError(f"{where}, got {kind}")
    if offsets.ndim > 1 or (offsets.ndim and batch is not None and len(offsets) != batch):
        expected = where if batch is None else f"{where} = ({batch},)"
        raise ValueError(f"{expected}, got shape {offsets.shape}")
    if offsets.size and not -_FARTHEST <= int(offsets.min()) <= int(offsets.max()) <= _FARTHEST - time:
        raise ValueError(f"{where}, and places within 2^53, got {offset}")
    places: Array = offsets.astype(np.int64)[..., None] + np.arange(time)
    return places
