"""Inputs and layers for the tests of sequences."""

from __future__ import annotations

from typing import Any

import numpy as np

from weftnn import nn

B, T, E = 3, 6, 4
LENGTHS = np.array([4, 0, 6])
FLOATS = np.random.default_rng(0).normal(size=(B, T, E))
RESETS = np.zeros((B, T), bool)
RESETS[0, 2] = RESETS[2, 3] = True


def self_attention(dtype: Any = np.float64, **options: Any) -> nn.MultiheadAttention:
    return nn.MultiheadAttention(E, 2, dtype=dtype, rng=1, **options)


def encoder(dtype: Any = np.float64) -> nn.TransformerEncoder:
    return nn.TransformerEncoder(
        [nn.TransformerEncoderLayer(E, 2, 8, 0.0, dtype=dtype, rng=i) for i in (1, 2)]
    )


def recurrent(dtype: Any = np.float64, **options: Any) -> nn.GRU:
    return nn.GRU(E, E, dtype=dtype, rng=1, **options)


def linear(dtype: Any = np.float64) -> nn.Linear:
    return nn.Linear(E, E, dtype=dtype, rng=3)


class Silent(nn.Layer):
    """A layer of one's own that says nothing of itself."""

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, nn.Backprop]:
        return x, nn.Backprop(self, lambda dy: dy, x)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return x
