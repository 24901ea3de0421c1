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
