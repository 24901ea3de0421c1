"""Sizes, inputs and closeness for the tests of attention layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from weftnn import nn

B, T, E, N = 2, 9, 12, 4
FLOATS = [np.float32, np.float64]
# Scores and products are summed in other orders for one query than for many: some roundings of order 1.
TOLERANCE = {np.float32: 2e-6, np.float64: 4e-15}
POSITIONS = {
    "none": lambda dtype: None,
    "rotary": lambda dtype: nn.RotaryPositions(2),
    "rotary, interleaved": lambda dtype: nn.RotaryPositions(2, interleaved=True),
    "alibi": lambda dtype: nn.ALiBi(N),
    "relative": lambda dtype: nn.RelativePositions(N, 8, 6, dtype=dtype, rng=0),
}


def normal(*shape: int, dtype: Any = np.float64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def near(a: np.ndarray, b: np.ndarray, dtype: Any, factor: float = 1) -> None:
    np.testing.assert_allclose(a, b, rtol=0, atol=factor * TOLERANCE[dtype] * max(1, abs(b).max()))


def stack(dtype: Any, **options: Any) -> nn.TransformerEncoder:
    layers = [
        nn.TransformerEncoderLayer(
            E, N, 16, activation="swiglu", norm_first=True, causal=True, dtype=dtype, rng=i, **options
        )
        for i in range(2)
    ]
    return nn.TransformerEncoder(layers, nn.LayerNorm(E, dtype=dtype))


dtypes = pytest.mark.parametrize("dtype", FLOATS)
positions = pytest.mark.parametrize("place", POSITIONS.values(), ids=POSITIONS)
