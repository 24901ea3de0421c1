"""The frequencies of sinusoidal and rotary positions: base^(-2i/size) radians a step for the i-th pair."""

from __future__ import annotations

import numpy as np

from weftnn.nn.parameter import Array


def frequencies(base: float, size: int) -> Array:
    """Those of `size` features, in float64: by C's pow, to the bit what the native library computes. NumPy's
    own, on wide vectors, may differ in the last place.

    >>> frequencies(100.0, 4)
    array([1. , 0.1])
    """
    return np.array([float(base) ** (-i / size) for i in range(0, size, 2)])
