"""Inputs and layers for the tests of ragged batches."""

from __future__ import annotations

from typing import Any

import numpy as np

from weftnn import nn

B, T, E, S = 2, 5, 8, 4
X = np.random.default_rng(0).normal(size=(B, T, E)).astype(np.float32)
MEMORY = np.random.default_rng(1).normal(size=(B, S, E)).astype(np.float32)
TOKENS = np.ones((B, T), np.int64)


def attention(**options: Any) -> nn.MultiheadAttention:
    return nn.MultiheadAttention(E, 2, rng=0, **options)


def encoder(**options: Any) -> nn.TransformerEncoder:
    return nn.TransformerEncoder([nn.TransformerEncoderLayer(E, 2, 8, 0.5, rng=i, **options) for i in (0, 1)])


def decoder() -> nn.TransformerDecoder:
    return nn.TransformerDecoder([nn.TransformerDecoderLayer(E, 2, 8, 0.5, rng=i) for i in (0, 1)])


def held(caches: Any) -> list[Any]:
    """All that caches hold, up to each row's own end."""
    found = []
    for cache in caches:
        found.append(
            (len(cache), cache.capacity, cache.begun, np.asarray(cache.offset).tolist(), cache.nbytes)
        )
        if cache.begun:
            keys, values, lengths = cache.read()
            ends = [keys.shape[2]] * len(keys) if lengths is None else lengths
            found += [part[row, :, :end].tobytes() for part in (keys, values) for row, end in enumerate(ends)]
    return found


STEP = X[:, :1]
LONG = np.ones((B, 20, E), np.float32)
