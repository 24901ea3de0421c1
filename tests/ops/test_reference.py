"""Outputs and gradients against the plain references, in both dtypes, to a few times rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from attention_cases import ATTENTION, SCORES
from cases import CELLS, OPS, POINTWISE, UPDATES, recurrent_case
from gradcheck import relative_error
from kinds import OpCase, Size, UpdateCase, as_dtype
from oracle import TOLERANCE, check, check_along_directions

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
ODD = (1, 2, 15, 17, 33)  # below, at and just past the widths of vectors and panels


@DTYPES
@pytest.mark.parametrize("case", OPS, ids=str)
def test_every_row(case: OpCase, dtype: Any) -> None:
    check(case, Size(), dtype)


@pytest.mark.parametrize("sequence", ["plain", "everything"])
@pytest.mark.parametrize("cell", CELLS)
def test_64_steps(cell: str, sequence: str) -> None:
    case = recurrent_case(cell, sequence)
    check_along_directions(case, case.inputs(Size(time=64, batch=2, input=5, hidden=19, projection=7)))


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("cell", CELLS)
def test_odd_sizes(cell: str, odd: int) -> None:
    case = recurrent_case(cell, "everything")
    next_odd = ODD[(ODD.index(odd) + 1) % len(ODD)]
    size = Size(time=3, batch=next_odd, input=odd, hidden=odd, projection=next_odd)
    check_along_directions(case, case.inputs(size))


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("case", POINTWISE, ids=str)
def test_odd_sizes_pointwise(case: OpCase, odd: int) -> None:
    size = Size(time=3, batch=2, input=odd, hidden=ODD[-1 - ODD.index(odd)])
    check_along_directions(case, case.inputs(size))


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("case", SCORES + ATTENTION, ids=str)
def test_odd_sizes_attention(case: OpCase, odd: int) -> None:
    """As many queries as features; other numbers of keys and of features of a value."""
    size = Size(time=odd, batch=2, input=ODD[-1 - ODD.index(odd)], hidden=odd)
    check_along_directions(case, case.inputs(size))


@pytest.mark.parametrize("time", [130, 300])
@pytest.mark.parametrize("case", SCORES + ATTENTION, ids=str)
def test_several_blocks_of_attention(case: OpCase, time: int) -> None:
    """More queries and keys than any kernel takes at once."""
    check_along_directions(case, case.inputs(Size(time=time, batch=2, input=24, hidden=40)))


@DTYPES
def test_extreme_preactivations(dtype: Any) -> None:
    """Saturated gates: right values and gradients, no NaN from an exp that overflows."""
    for cell in CELLS:
        case = recurrent_case(cell, "plain")
        inputs = case.inputs(Size(time=3))
        inputs["x"] = np.where(inputs["x"] > 0, 1.0, -1.0) * (30.0 if "relu" in cell else 3000.0)
        with np.errstate(over="ignore"):
            outputs, saved = case.forward(as_dtype(inputs, dtype))
            for out, right in zip(outputs, case.expected(inputs), strict=True):
                assert relative_error(out, right) <= TOLERANCE[dtype]
        for grad in case.backward(saved, case.douts(outputs)).values():
            assert grad is None or np.isfinite(grad).all()


@DTYPES
@pytest.mark.parametrize("shape", [(), (1,), (5, 7), (4099,)], ids=str)
@pytest.mark.parametrize("case", UPDATES, ids=str)
def test_updates(case: UpdateCase, shape: tuple[int, ...], dtype: Any) -> None:
    """Three steps; each starts from weft's own state, so that errors do not add up."""
    rng = np.random.default_rng(3)
    arrays = case.arrays(shape, dtype)
    for step in (1, 2, 3):
        grad = rng.normal(size=shape).astype(dtype)
        expected = case.expected(arrays, grad, step)
        case.update(arrays, grad, step)
        for name, value in arrays.items():
            assert value.dtype == dtype
            assert relative_error(value, expected[name]) <= TOLERANCE[dtype], (step, name)
