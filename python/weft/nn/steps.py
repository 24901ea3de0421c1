"""Where the steps of x[B, T, ...] stand, if they go on after others."""

from __future__ import annotations

import numpy as np

from weft.nn.parameter import Array


def steps_from(offset: int | Array, time: int) -> Array:
    """The places offset, ..., offset + T - 1: [T], or for an offset[B] [B, T].

    >>> steps_from(5, 3)
    array([5, 6, 7])
    >>> steps_from(np.array([5, 0]), 3)
    array([[5, 6, 7],
           [0, 1, 2]])
    """
    places: Array = np.asarray(offset)[..., None] + np.arange(time)
    return places
