"""Positions keep their laws: distances alone count, slopes and buckets are those of the papers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from attention_layers import B, E, N, T, dtypes, near, normal, positions
from weftnn import nn


@dtypes
@positions
def test_only_distances_count(place, dtype):
    """Rotary positions and ALiBi see how far steps are apart: a later start gives the same."""
    layer = nn.MultiheadAttention(
        E, N, causal=True, window=(3, 0), positions=place(dtype), dtype=dtype, rng=0
    )
    x = normal(1, T, E, dtype=dtype)
    later = layer.predict(np.concatenate([normal(1, 20, E, dtype=dtype), x], axis=1))[:, -4:]
    near(later, layer.predict(x)[:, -4:], dtype, 8)


def test_alibi_slopes_are_those_of_the_paper():
    np.testing.assert_array_equal(nn.ALiBi(8).slopes, [2.0**-i for i in range(1, 9)])
    np.testing.assert_allclose(nn.ALiBi(12).slopes[8:], [2 ** -(i / 2) for i in (1, 3, 5, 7)])
    assert nn.ALiBi(1).slopes == 2.0**-8


def test_alibi_never_grows_with_the_batch_nor_causal_with_time():
    assert nn.ALiBi(4).bias(5, 7).shape == (4, 5, 7)
    assert nn.ALiBi(4).bias(5, 7, offset=np.array([0, 3, 9])).shape == (3, 4, 5, 7)
    assert nn.ALiBi(4).causal_bias(7).shape == (4, 1, 7)


def test_alibi_causal_is_the_general_one_with_a_mask():
    x = normal(B, T, E)
    general, causal = (
        nn.MultiheadAttention(E, N, causal=c, positions=nn.ALiBi(N), dtype=np.float64, rng=0) for c in (0, 1)
    )
    mask = np.tril(np.ones((T, T), bool))
    near(causal.predict(x), general.predict(x, mask=mask), np.float64, 4)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_relative_buckets_are_those_of_the_paper(bidirectional):
    def bucket(distance: int) -> int:
        """T5's, one number at a time."""
        first, side = (16 if bidirectional and distance > 0 else 0), 16 if bidirectional else 32
        far = abs(distance) if bidirectional else max(-distance, 0)
        if far < side // 2:
            return first + far
        grown = math.log(far / (side // 2)) / math.log(128 / (side // 2)) * (side - side // 2)
        return first + min(side // 2 + int(grown), side - 1)

    distances = np.arange(-300, 300)
    buckets = nn.RelativePositions(1, bidirectional=bidirectional).buckets(distances)
    np.testing.assert_array_equal(buckets, [bucket(int(distance)) for distance in distances])


def test_sinusoidal_positions_are_those_of_the_paper():
    places, features = np.arange(40)[:, None], np.arange(6)
    angle = places / 10000 ** (features // 2 * 2 / 6)
    expected = np.where(features % 2, np.cos(angle), np.sin(angle))
    layer = nn.SinusoidalPositions(6)
    for dtype in (np.float64, np.float32, np.float64):
        y = layer.predict(np.zeros((1, 30, 6), dtype), offset=10)
        np.testing.assert_allclose(y[0], expected[10:].astype(dtype), rtol=0, atol=1e-15)
