"""The order of an epoch: a permutation that depends on the seed and the epoch alone."""

from __future__ import annotations

import numpy as np

from weftnn.data.batch import Array


def epoch_order(size: int, seed: int, epoch: int) -> Array:
    """A permutation of 0..size-1, the same for the same seed and epoch.

    >>> sorted(epoch_order(4, seed=0, epoch=1).tolist())
    [0, 1, 2, 3]
    """
    return np.random.default_rng([seed, epoch]).permutation(size)
