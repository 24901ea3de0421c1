"""The optimizers' small tools: the norm of many gradients, scaling in place. Updates: test_reference.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import weft.ops

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])


@DTYPES
def test_grad_norm_of_any_shapes(dtype: Any) -> None:
    arrays = [np.full((2, 3), 2.0, dtype), np.zeros((0, 4), dtype), np.ones((), dtype)]
    assert weft.ops.grad_norm(arrays) == 5.0
    assert weft.ops.grad_norm([]) == 0.0


def test_grad_norm_does_not_overflow_early() -> None:
    """Squares are summed in double: float32 gradients up to 1e38 have a norm."""
    big = np.full(100, 1e30, np.float32)
    assert abs(weft.ops.grad_norm([big]) / 1e31 - 1) < 1e-6


def test_grad_norm_shows_what_is_not_finite() -> None:
    assert np.isnan(weft.ops.grad_norm([np.array([1.0, np.nan])]))
    assert np.isinf(weft.ops.grad_norm([np.array([1.0, np.inf])]))


@DTYPES
def test_scale_in_place(dtype: Any) -> None:
    array = np.arange(5003, dtype=dtype)
    expected = array * dtype(0.3)
    weft.ops.scale_(array, 0.3)
    np.testing.assert_array_equal(array, expected)


def test_scale_refuses() -> None:
    frozen = np.ones(3)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match=r"^scale_: array must .*writeable"):
        weft.ops.scale_(frozen, 2.0)
    with pytest.raises(TypeError, match=r"^scale_: array must .*got int64"):
        weft.ops.scale_(np.ones(3, np.int64), 2.0)
