"""Philox 4x32-10 in integers, Python's or NumPy's.

Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

Array = Any

WORD = 0xFFFFFFFF


def philox_4x32_10(counter: tuple[Any, ...], key: tuple[int, int]) -> tuple[Any, ...]:
    """The four 32-bit words that belong to a counter under a key; the known answers are Random123's.

    >>> [f"{word:08x}" for word in philox_4x32_10((0, 0, 0, 0), (0, 0))]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    >>> pi = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0)
    >>> [f"{word:08x}" for word in philox_4x32_10(*pi)]
    ['d16cfe09', '94fdcceb', '5001e420', '24126ea1']
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        low = 0xD2511F53 * c0
        high = 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (high >> 32) ^ c1 ^ k0, high & WORD, (low >> 32) ^ c3 ^ k1, low & WORD
        k0, k1 = (k0 + 0x9E3779B9) & WORD, (k1 + 0xBB67AE85) & WORD
    return c0, c1, c2, c3


@cache
def keep(size: int, p: float, seed: int, offset: int = 0) -> Array:
    """bool[size]: element e stays if word e % 4 of counter (e // 4, offset) under key seed is >= p 2^32."""
    blocks = np.arange((size + 3) // 4, dtype=np.uint64)
    counter = (blocks & WORD, blocks >> 32, offset & WORD, offset >> 32)
    words = philox_4x32_10(counter, (seed & WORD, seed >> 32))
    return np.stack(np.broadcast_arrays(*words), -1).ravel()[:size] >= p * 2**32


def dropout(x: Array, p: float, *, seed: int, offset: int = 0) -> Array:
    return x * keep(x.size, p, seed, offset).reshape(x.shape) / (1 - p)
