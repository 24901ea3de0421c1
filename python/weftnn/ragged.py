"""Checks of what makes a batch ragged: lengths[B], the valid steps of each row, and resets[B,T], where
another sequence starts inside a row. All layers and ops check them here, so that their errors agree.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt


def check_lengths(
    where: str, lengths: Any, rows: int, steps: int, *, name: str = "lengths", axis: str = "T"
) -> npt.NDArray[np.int64]:
    """A copy of the lengths as int64[B]: the caller may use its own array again.

    Raises ValueError unless there is one for each row, in 0..steps; TypeError for what is not of integers,
    such as floats (whole ones too), bools, and lengths that are masked.

    >>> check_lengths("LSTM", [3, 0], rows=2, steps=3)
    array([3, 0])
    >>> check_lengths("LSTM", [3, 4], rows=2, steps=3)
    Traceback (most recent call last):
    ValueError: LSTM: lengths must be in 0..T = 0..3, got lengths[1] = 4
    """
    array = _integers(where, name, lengths)
    if array.shape != (rows,):
        raise ValueError(f"{where}: {name} must be (B,) = ({rows},), got shape {array.shape}")
    outside = np.flatnonzero((array < 0) | (array > steps))
    if outside.size:
        row = outside[0]
        raise ValueError(
            f"{where}: {name} must be in 0..{axis} = 0..{steps}, got {name}[{row}] = {array[row]!s:.40}"
        )
    return array.astype(np.int64)


def check_resets(where: str, resets: Any, rows: int, steps: int) -> npt.NDArray[np.bool_]:
    """The resets as bool[B,T]. Raises ValueError for another shape, TypeError for another dtype.

    >>> check_resets("LSTM", np.zeros((2, 3), bool), rows=2, steps=4)
    Traceback (most recent call last):
    ValueError: LSTM: resets must be (B, T) = (2, 4), got shape (2, 3)
    """
    _refuse_masked(where, "resets", resets)
    try:
        array = np.asarray(resets)
    except ValueError:  # rows of several lengths
        raise TypeError(f"{where}: resets must have dtype bool, got {resets!r:.80}") from None
    if array.dtype != np.bool_:
        raise TypeError(f"{where}: resets must have dtype bool, got {array.dtype}")
    if array.shape != (rows, steps):
        raise ValueError(f"{where}: resets must be (B, T) = ({rows}, {steps}), got shape {array.shape}")
    return array


def _integers(where: str, name: str, values: Any) -> npt.NDArray[Any]:
    """An array of integers; of objects where they come one by one, so that none is rounded or wraps."""
    _refuse_masked(where, name, values)
    array = values if isinstance(values, np.ndarray) else None
    if isinstance(values, list | tuple) or (array is not None and array.dtype == object and array.ndim == 1):
        try:
            if any(isinstance(value, bool) for value in values):
                raise TypeError
            return np.array([operator.index(value) for value in values], object)
        except TypeError:
            raise TypeError(f"{where}: {name} must be integers, got {values!r:.80}") from None
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{where}: {name} must be integers, got {array.dtype}")
    return array


def _refuse_masked(where: str, name: str, values: Any) -> None:
    if isinstance(values, np.ma.MaskedArray) and values.mask.any():
        raise TypeError(
            f"{where}: {name} must not have masked elements, got {int(values.mask.sum())} of them"
        )
