"""Sequences of several lengths in one array[B, T, ...]: which steps are valid, rows read from the end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from weft.nn.parameter import Array


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
    if np.shape(lengths) != x.shape[:1]:
        raise ValueError(
            f"without_padding: lengths must be (B,) = {x.shape[:1]}, got shape {np.shape(lengths)}"
        )
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


def resets_backwards(resets: npt.ArrayLike | None, lengths: npt.ArrayLike | None = None) -> Array | None:
    """The resets[B, T] for reading from the end: where a sequence starts at t, another one ends at t - 1.

    So a row of several sequences is, in both directions, the same as these sequences in rows of their own.

    >>> resets_backwards(np.array([[True, False, True, False]])).astype(int)
    array([[0, 1, 0, 0]])
    """
    if resets is None:
        return None
    resets = np.asarray(resets)
    shifted = np.zeros_like(resets)
    shifted[:, :-1] = resets[:, 1:]
    if lengths is not None:
        shifted[:, :-1] *= valid_steps(lengths, resets.shape[1])[:, 1:]
    return shifted
