"""Layer normalization of rows that are hard to take a mean and a variance of, against exact arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import weftnn
import weftnn.config
from weftnn import nn
from weftnn.ops import layer_norm_backward, layer_norm_forward

Array = Any
Rng = np.random.Generator
EVERY_ISA = pytest.mark.parametrize("isa", weftnn.config.available_isas())
DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])


UNIT = 2**1074  # of the smallest float64: times this, every number is an integer


def about_the_mean(x: Array) -> list[int]:
    """x - mean(x) times len(x) UNIT, exactly."""
    whole = [n * (UNIT // d) for n, d in (float(value).as_integer_ratio() for value in x)]
    return [len(whole) * number - sum(whole) for number in whole]


def exact(x: Array, dy: Array, eps: float) -> tuple[Array, Array, float]:
    """xhat and dx of one row, and the size of what is subtracted in dx: no mean is rounded."""
    differences, unit = about_the_mean(x), len(x) * UNIT
    largest = max(map(abs, differences)) or unit
    d = np.array([difference / largest for difference in differences])
    over, under = eps.as_integer_ratio()
    deviation = math.sqrt(math.fsum(d**2) / len(d) + over * unit**2 / (under * largest**2))  # over `largest`
    xhat = d / deviation
    centred = np.array([difference / unit for difference in about_the_mean(dy)])
    slopes = (centred - xhat * math.fsum(centred * xhat) / len(d)) / deviation
    ratios = [float(slope).as_integer_ratio() for slope in (*slopes, np.abs(centred).max() / deviation)]
    *dx, subtracted = (n * unit / (d * largest) for n, d in ratios)
    return xhat, np.array(dx), subtracted


def around(centre: float, spread: float) -> Callable[[Rng, int, Any], Array]:
    return lambda rng, size, dtype: centre + spread * rng.normal(size=size)


def ends(rng: Rng, size: int, dtype: Any) -> Array:
    """The largest numbers there are, of either sign."""
    return np.where(np.arange(size) % 3 == 0, 1, -1) * float(np.finfo(dtype).max)


def last_digit(rng: Rng, size: int, dtype: Any) -> Array:
    """One number, and the next: their mean lies between them."""
    return np.where(rng.random(size) < 0.4, dtype(1e4), np.nextafter(dtype(1e4), dtype(2e4)))


def outlier(where: int, centre: float) -> Callable[[Rng, int, Any], Array]:
    def row(rng: Rng, size: int, dtype: Any) -> Array:
        x = centre + rng.normal(size=size)
        x[where] += 1e4
        return x

    return row


ROWS: dict[str, tuple[Callable[[Rng, int, Any], Array], float]] = {  # and eps
    "ordinary": (around(0.3, 1.0), 1e-5),
    "large-mean": (around(1e6, 1.0), 1e-5),
    "large-negative-mean": (around(-1e6, 1.0), 1e-5),
    "mean-and-little-else": (around(1e4, 1e-2), 1e-5),
    "steps": (lambda rng, size, dtype: 1e4 + np.arange(size) * 1e-3, 1e-5),
    "last-digit": (last_digit, 1e-12),
    "first-is-far": (outlier(0, 0.0), 1e-5),
    "last-is-far-about-1e5": (outlier(-1, 1e5), 1e-5),
    "1e30": (around(0.0, 1e30), 1e-5),
    "1e30-and-mean": (around(1e32, 1e30), 1e-5),
    "ends": (ends, 1e-5),
    "large-for-float64": (lambda rng, size, dtype: np.finfo(dtype).max / 16 * rng.uniform(size=size), 1e-5),
    "small": (around(0.0, 1e-12), 1e-5),
    "small-no-eps": (around(1e-25, 1e-26), 0.0),
    "tiny-no-eps": (lambda rng, size, dtype: np.finfo(dtype).tiny * 1e3 * rng.normal(size=size), 0.0),
}


@DTYPES
@pytest.mark.parametrize("size", [2, 7, 16, 48, 67, 768])
@pytest.mark.parametrize("name", ROWS)
def test_hard_rows(name: str, size: int, dtype: Any) -> None:
    """Within some ten roundings of the row's largest result, wherever the row lies."""
    make, eps = ROWS[name]
    rng = np.random.default_rng(size)
    x = np.stack([make(rng, size, dtype) for _ in range(3)]).astype(dtype)
    dy = (1e3 + rng.normal(size=x.shape)).astype(dtype)  # whose mean is large as well
    assert np.isfinite(x).all()
    right = [exact(*row, eps) for row in zip(x, dy, strict=True)]
    # Sums of D terms, and dx a difference of three of them: 16 and 64 roundings.
    rounding = np.finfo(dtype).eps * max(1, math.log2(size) / 4)
    vanishing = 4 * float(np.finfo(dtype).smallest_subnormal)
    for isa in weftnn.config.available_isas():
        with weftnn.config.use_isa(isa):
            y, saved = layer_norm_forward(x, eps=eps)
            dx = layer_norm_backward(saved, dy).dx
        assert dx is not None
        for row, (xhat, slope, subtracted) in enumerate(right):
            assert np.abs(y[row] - xhat).max() <= 16 * rounding * np.abs(xhat).max(), isa
            assert np.abs(dx[row] - slope).max() <= 64 * rounding * subtracted + vanishing, isa


@EVERY_ISA
@DTYPES
@pytest.mark.parametrize("size", [1, 2, 3, 7, 33, 768])
@pytest.mark.parametrize("eps", [1e-5, 0.0])
def test_a_constant_row_is_the_bias(isa: str, size: int, eps: float, dtype: Any) -> None:
    """To the bit, whatever the constant is, and its gradient is finite."""
    limits = np.finfo(dtype)
    values = [0, 0.1, 1e6, 1000.1, -14.62, 1e30, 1e-30, limits.max, limits.min, limits.tiny, limits.max / 3]
    x = np.repeat(np.array(values, dtype)[:, None], size, 1)
    weight, bias = (np.linspace(1, 2, size).astype(dtype) for _ in range(2))
    with weftnn.config.use_isa(isa):
        y, saved = layer_norm_forward(x, weight, bias, eps=eps)
        grads = layer_norm_backward(saved, np.ones_like(x))
    np.testing.assert_array_equal(y, np.broadcast_to(bias, x.shape))
    np.testing.assert_array_equal(grads.dweight, 0)
    if eps:
        assert np.isfinite(grads.dx).all()


@EVERY_ISA
@DTYPES
def test_what_is_not_finite_stays_so(isa: str, dtype: Any) -> None:
    """A row with NaN or infinity gives NaN; the rows beside it do not see it."""
    x = np.random.default_rng(0).normal(size=(4, 19)).astype(dtype)
    with weftnn.config.use_isa(isa):
        expected = layer_norm_forward(x)[0]
        x[1, 3], x[2, 18] = np.nan, np.inf
        y = layer_norm_forward(x)[0]
    assert np.isnan(y[1:3]).all()
    np.testing.assert_array_equal(y[[0, 3]], expected[[0, 3]])


@EVERY_ISA
@pytest.mark.parametrize("size", [7, 48])
def test_a_step_is_a_row(isa: str, size: int) -> None:
    """A stream's steps are the bits of predict, of hard rows too."""
    rng = np.random.default_rng(0)
    layer = nn.LayerNorm(size)
    x = np.stack([make(rng, size, np.float32) for make, eps in ROWS.values() if eps == 1e-5])
    x = x.astype(np.float32)
    with weftnn.config.use_isa(isa):
        stream = weftnn.Stream(layer)
        steps = np.stack([stream.step(row) for row in x])
        np.testing.assert_array_equal(steps, layer.predict(x))
        np.testing.assert_array_equal(weftnn.Model(layer).run(x[None])[0], layer.predict(x))
