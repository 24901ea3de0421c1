"""Standardizer: what it fits and what it makes of data, also of data that is hard to take a mean of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from weftnn import data

Array = Any
LIMITS = np.finfo(np.float64)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_standardizer(dtype: Any) -> None:
    x = np.random.default_rng(0).normal(3, 5, size=(40, 7, 3)).astype(dtype)
    x[..., 2] = 4.0
    scale = data.Standardizer().fit(x)
    z = scale.transform(x)
    assert z.dtype == dtype
    np.testing.assert_allclose(z.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(z.std(axis=(0, 1)), [1, 1, 0], atol=1e-5)
    np.testing.assert_allclose(scale.inverse(z), x, rtol=1e-5, atol=1e-5)
    other = data.Standardizer()
    other.load_state_dict(scale.state_dict())
    assert (other.transform(x) == z).all()


def test_standardizer_of_ragged_sequences_and_of_a_series() -> None:
    rng = np.random.default_rng(0)
    sequences = [rng.normal(2, 3, (time, 3)) for time in rng.integers(1, 9, 20)]
    scale = data.Standardizer().fit(sequences)
    joined = np.concatenate(sequences)
    np.testing.assert_allclose(scale.mean, joined.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(scale.std, joined.std(axis=0), rtol=1e-12)
    parts = scale.transform(sequences)
    np.testing.assert_allclose(np.concatenate(parts), (joined - scale.mean) / scale.std, rtol=1e-12)
    series = np.arange(10)
    np.testing.assert_allclose(data.Standardizer().fit(series).transform(series).std(), 1)


def test_standardizer_refuses() -> None:
    with pytest.raises(RuntimeError, match=r"Standardizer\.transform: call fit first"):
        data.Standardizer().transform(np.zeros(3))
    with pytest.raises(ValueError, match="must be finite"):
        data.Standardizer().fit(np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match="must not be empty"):
        data.Standardizer().fit(np.zeros((0, 3)))
    with pytest.raises(ValueError, match=r"the last axis must be F = 3, got shape \(2, 4\)"):
        data.Standardizer().fit(np.zeros((5, 3))).transform(np.zeros((2, 4)))


CONSTANTS = [
    14.62,
    0.1,
    -1000.1,
    1e16 + 2,
    3e-300,
    1e300,
    LIMITS.max,
    LIMITS.min,
    LIMITS.smallest_subnormal,
    0.0,
]


@pytest.mark.parametrize("count", [1, 7, 1000])
def test_a_constant_keeps_std_1(count: int) -> None:
    """Whatever its value: its mean is that value to the bit, and it becomes zero."""
    x = np.tile(CONSTANTS, (count, 1))
    for given in (x, [x], [x[:1], x, x[:0]]):
        scale = data.Standardizer().fit(given)
        np.testing.assert_array_equal(scale.std, 1)
        np.testing.assert_array_equal(scale.mean, CONSTANTS)
        np.testing.assert_array_equal(scale.transform(x), 0)
        np.testing.assert_array_equal(scale.inverse(np.zeros_like(x)), x)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64])
def test_a_constant_of_another_type(dtype: Any) -> None:
    x = np.full((1000, 1), 14.62).astype(dtype)
    scale = data.Standardizer().fit(x)
    assert (scale.mean[0], scale.std[0]) == (float(x[0, 0]), 1)
    assert not scale.transform(x).any()


def test_rounding_is_no_change() -> None:
    """0.1 + 0.2 beside 0.3 is a constant; a digit that means something is not."""
    assert data.Standardizer().fit(np.array([0.3, 0.1 + 0.2, 0.3])).std == 1
    real = 1e6 + 1e-6 * np.random.default_rng(0).normal(size=1000)
    np.testing.assert_allclose(data.Standardizer().fit(real).std, (real - 1e6).std(), rtol=1e-12)


@pytest.mark.parametrize("size", [1e-310, 1e-200, 1e200, 1e307], ids=str)
def test_squares_leave_no_range(size: float) -> None:
    ordinary = np.random.default_rng(0).normal(3, 1, 1000)
    right, scale = data.Standardizer().fit(ordinary), data.Standardizer().fit(size * ordinary)
    digits = 1e-12 if size > LIMITS.tiny else 1e-8  # subnormal numbers have fewer
    np.testing.assert_allclose(scale.mean, size * right.mean, rtol=digits)
    np.testing.assert_allclose(scale.std, size * right.std, rtol=digits)
    assert abs(scale.transform(size * ordinary) - right.transform(ordinary)).max() <= 10 * digits


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("ragged", [False, True], ids=["whole", "ragged"])
def test_a_mean_far_above_the_spread(ragged: bool, dtype: Any) -> None:
    """Neither the fit nor the transformation of float32 rounds the mean to the data's dtype."""
    x = (1e6 + np.random.default_rng(0).normal(size=(1000, 1))).astype(dtype)
    scale = data.Standardizer().fit(np.split(x, [100, 101, 700]) if ragged else x)
    differences = [float(value) - 1e6 for value in x[:, 0]]
    mean = math.fsum(differences) / len(x)
    std = math.sqrt(math.fsum((d - mean) ** 2 for d in differences) / len(x))
    np.testing.assert_allclose(scale.mean, 1e6 + mean, rtol=LIMITS.eps)
    np.testing.assert_allclose(scale.std, std, rtol=1e-13)
    z = scale.transform(x)
    assert z.dtype == dtype
    right = (np.array(differences) - mean) / std
    # The mean of float64 itself has digits up to 1e-10.
    np.testing.assert_allclose(z[:, 0], right, atol=3e-10 + 4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(scale.inverse(z), x, rtol=np.finfo(dtype).eps)
