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


STACKS = {
    "linear": lambda: nn.Sequential(linear(), nn.Tanh(), linear()),
    "nothing": lambda: nn.Sequential(),
    "encoder": lambda: nn.Sequential(linear(), encoder(), linear()),
    "encoder first": lambda: nn.Sequential(encoder(), nn.LayerNorm(E, dtype=np.float64)),
    "recurrent and encoder": lambda: nn.Sequential(linear(), recurrent(), encoder(), linear()),
    "nested": lambda: nn.Sequential(nn.Sequential(linear(), nn.Sequential(encoder())), recurrent()),
    "residual": lambda: nn.Sequential(nn.Residual(nn.Sequential(linear(), self_attention())), linear()),
    "residuals": lambda: nn.Residual(
        nn.Sequential(nn.Residual(linear()), recurrent(), nn.Residual(encoder()))
    ),
    "both ways": lambda: nn.Bidirectional(
        nn.Sequential(recurrent(), encoder()), nn.Sequential(linear(), recurrent(), linear())
    ),
    "dot attention": lambda: nn.Sequential(linear(), nn.DotAttention(), linear()),
    "places": lambda: nn.Sequential(nn.SinusoidalPositions(E), self_attention(), linear()),
}


def only_y(result: Any) -> np.ndarray:
    while isinstance(result, tuple):
        result = result[0]
    return result
