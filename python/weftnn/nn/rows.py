"""Sequences of several lengths in one array[B, T, ...]: which steps are valid, rows read from the end."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from weftnn.nn.inputs import check_plain
from weftnn.nn.parameter import Array
from weftnn.ragged import check_lengths, check_resets


def lengths_of(layer: object, x: Any, lengths: Any, name: str = "lengths", of: str = "x") -> Array | None:
    """None, or the lengths of x[B, T, ...] as int64[B], checked in the name of a layer: what the functions
    below take. `of`: what the layer calls x; the time of a memory is S."""
    if lengths is None:
        return None
    where, axis = type(layer).__name__, "S" if name in ("kv_lengths", "memory_lengths") else "T"
    return check_lengths(where, lengths, *_rows_and_steps(where, x, of), name=name, axis=axis)


def resets_of(layer: object, x: Any, resets: Any) -> Array | None:
    """None, or the resets of x[B, T, ...] as bool[B, T], checked in the name of a layer."""
    if resets is None:
        return None
    where = type(layer).__name__
    return check_resets(where, resets, *_rows_and_steps(where, x, "x"))


def _rows_and_steps(where: str, x: Any, name: str) -> tuple[int, int]:
    if not _are_integers(x):
        check_plain(f"{where}: {name}", x)
    shape = np.shape(x)
    if len(shape) < 2:
        raise ValueError(f"{where}: {name} must be (B, T, ...), got {shape}")
    return shape[0], shape[1]


def _are_integers(x: Any) -> bool:
    """Whether it is a list of integers, as an embedding takes."""
    try:
        return isinstance(x, list | tuple) and np.asarray(x).dtype.kind in "iu"
    except ValueError:  # rows of unequal lengths
        return False


def valid_steps(lengths: npt.ArrayLike, time: int) -> Array:
    """bool[B, T]: True up to each row's end.

    >>> valid_steps([2, 0], 3)
    array([[ True,  True, False],
           [False, False, False]])
    """
    return np.arange(time) < np.asarray(lengths)[:, None]


def without_padding(x: Array, lengths: npt.ArrayLike | None) -> Array:
    """x[B, T, ...] with zeros past each row's end, whatever was there; x itself if all steps are valid.

    >>> without_padding(np.array([[1.0, 2.0, np.nan]]), lengths=[2])
    array([[1., 2., 0.]])
    """
    if lengths is None:
        return x
    x = np.asarray(x)
    valid = valid_steps(lengths, x.shape[1]).reshape(*x.shape[:2], *[1] * (x.ndim - 2))
    return np.where(valid, x, x.dtype.type(0))


def reverse_rows(x: Array, lengths: npt.ArrayLike | None = None) -> Array:
    """x[B, T, ...] with the valid steps of each row in reverse, the padding left in place; it undoes itself.

    >>> reverse_rows(np.array([[1, 2, 3], [4, 5, 0]]), lengths=[3, 2])
    array([[3, 2, 1],
           [5, 4, 0]])
    """
    if lengths is None:
        return x[:, ::-1]
    time = np.arange(x.shape[1])
    source = np.where(valid_steps(lengths, x.shape[1]), np.asarray(lengths)[:, None] - 1 - time, time)
    return x[np.arange(len(x))[:, None], source]


def resets_backwards(resets: Array | None, lengths: npt.ArrayLike | None = None) -> Array | None:
    """The resets[B, T] for reading from the end: where a sequence starts at t, another one ends at t - 1.

    So a row of several sequences is, in both directions, the same as these sequences in rows of their own.

    >>> resets_backwards(np.array([[True, False, True, False]])).astype(int)
    array([[0, 1, 0, 0]])
    """
    if resets is None:
        return None
    shifted = np.zeros_like(resets)
    shifted[:, :-1] = resets[:, 1:]
    if lengths is not None:
        shifted[:, :-1] *= valid_steps(lengths, resets.shape[1])[:, 1:]
    return shifted
