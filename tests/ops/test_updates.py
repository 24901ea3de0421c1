"""The optimizers' small tools: the norm of many gradients, scaling in place. Updates: test_reference.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import weftnn.ops

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])


@DTYPES
def test_grad_norm_of_any_shapes(dtype: Any) -> None:
    arrays = [np.full((2, 3), 2.0, dtype), np.zeros((0, 4), dtype), np.ones((), dtype)]
    assert weftnn.ops.grad_norm(arrays) == 5.0
    assert weftnn.ops.grad_norm([]) == 0.0


def test_grad_norm_does_not_overflow_early() -> None:
    """Squares are summed in double: float32 gradients up to 1e38 have a norm."""
    big = np.full(100, 1e30, np.float32)
    assert abs(weftnn.ops.grad_norm([big]) / 1e31 - 1) < 1e-6


@pytest.mark.parametrize("size", [1e200, 1.7e308, 1e-200, 5e-324])
def test_grad_norm_of_squares_beyond_float64(size: float) -> None:
    assert weftnn.ops.grad_norm([np.array([size])]) == size
    assert weftnn.ops.grad_norm([np.array([0.3 * size, 0.0]), np.array([[-0.4 * size]])]) == pytest.approx(
        0.5 * size, rel=1e-15, abs=5e-324
    )
    assert weftnn.ops.grad_norm([np.array([size]), np.zeros((0, 3)), np.zeros(2, np.float32)]) == size
    assert np.isinf(weftnn.ops.grad_norm([np.full(4, 1e308), np.full(4, 1e308)]))
    for bad in (np.nan, np.inf, -np.inf):
        expected = np.abs(bad)
        np.testing.assert_equal(weftnn.ops.grad_norm([np.array([size]), np.array([bad])]), expected)
    assert np.isnan(weftnn.ops.grad_norm([np.array([np.inf]), np.array([size, np.nan])]))


def test_grad_norm_shows_what_is_not_finite() -> None:
    assert np.isnan(weftnn.ops.grad_norm([np.array([1.0, np.nan])]))
    assert np.isinf(weftnn.ops.grad_norm([np.array([1.0, np.inf])]))


@DTYPES
def test_scale_in_place(dtype: Any) -> None:
    array = np.arange(5003, dtype=dtype)
    expected = array * dtype(0.3)
    weftnn.ops.scale_(array, 0.3)
    np.testing.assert_array_equal(array, expected)


@DTYPES
@pytest.mark.parametrize(
    ("value", "factor"), [(3e38, 1e-41), (3e38, 1e-60), (1e-30, 1e60), (2.0, 0.0), (1e-44, 1e40)]
)
def test_scale_by_a_factor_that_float32_does_not_hold(value: float, factor: float, dtype: Any) -> None:
    array = np.full(1003, value, dtype)
    strided = np.full((1003, 2), value, dtype)[:, 0]
    expected = (array.astype(np.float64) * factor).astype(dtype)
    weftnn.ops.scale_(array, factor)
    weftnn.ops.scale_(strided, factor)
    np.testing.assert_array_equal(array, expected)
    np.testing.assert_array_equal(strided, expected)


def test_scale_refuses() -> None:
    frozen = np.ones(3)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match=r"^scale_: array must .*writeable"):
        weftnn.ops.scale_(frozen, 2.0)
    with pytest.raises(TypeError, match=r"^scale_: array must .*got int64"):
        weftnn.ops.scale_(np.ones(3, np.int64), 2.0)
