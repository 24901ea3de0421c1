"""What a row of the table should give, computed once from the reference and kept for every ISA and dtype."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from gradcheck import complex_step, directional, relative_error
from kinds import OpCase, Size, as_dtype

Array = Any

# Per dtype, how far a result may be from the exact one, as a fraction of its largest element: 4500 eps of
# float64 and 17 eps of float32. Errors of T = 64 steps stay below; a term missing anywhere is far above.
TOLERANCE = {np.float64: 1e-12, np.float32: 2e-6}


@dataclass(frozen=True)
class Oracle:
    inputs: Mapping[str, Any]
    outputs: tuple[Array, ...]
    douts: tuple[Array, ...]
    grads: Mapping[str, Array]


@cache
def oracle(case: OpCase, size: Size) -> Oracle:
    """Outputs, and every element of every gradient by a complex step: for small sizes."""
    inputs = case.inputs(size)
    outputs = case.expected(inputs)
    douts = case.douts(outputs)
    grads = {name: complex_step(case.expected, inputs, name, douts) for name in case.learnable(inputs)}
    return Oracle(inputs, outputs, douts, grads)


def check(case: OpCase, size: Size, dtype: Any) -> None:
    """Outputs and gradients of weft in dtype against the oracle."""
    truth = oracle(case, size)
    outputs, saved = case.forward(as_dtype(truth.inputs, dtype))
    for name, out, expected in zip(case.outputs, outputs, truth.outputs, strict=True):
        assert out.dtype == dtype or out.ndim == 0, f"{name} is {out.dtype}"  # a loss is a Python float
        assert relative_error(out, expected) <= TOLERANCE[dtype], name
    grads = case.backward(saved, [dout.astype(dtype) for dout in truth.douts])
    for name, expected in truth.grads.items():
        assert grads[name].dtype == dtype, f"d{name} is {grads[name].dtype}"
        assert relative_error(grads[name], expected) <= TOLERANCE[dtype], f"d{name}"


def check_along_directions(case: OpCase, inputs: Mapping[str, Any], directions: int = 1) -> None:
    """Like check in both dtypes, for sizes where a complex step per element would take too long.

    The error e of a gradient g along a random normal direction v is <e, v>, about |e|, held against |g|.
    """
    expected = case.expected(inputs)
    douts = case.douts(expected)
    # Differences that cancel to nothing (the norm of one feature, p - q of one class) keep the rounding of
    # their terms, which are of the size of dy.
    terms = case.op in ("layer_norm", "softmax_cross_entropy")
    cancelled = float(sum(np.linalg.norm(dout) for dout in douts)) if terms else 0.0
    rng = np.random.default_rng(11)
    slopes = []
    for name in case.learnable(inputs) * directions:
        v = rng.normal(size=inputs[name].shape)
        slopes.append((name, v, directional(case.expected, inputs, {name: v}, douts)))
    for dtype, tolerance in TOLERANCE.items():
        outputs, saved = case.forward(as_dtype(inputs, dtype))
        for name, out, right in zip(case.outputs, outputs, expected, strict=True):
            assert relative_error(out, right) <= tolerance, (name, dtype)
        grads = case.backward(saved, [dout.astype(dtype) for dout in douts])
        for name, v, slope in slopes:
            grad = grads[name].astype(np.float64)
            assert np.isfinite(grad).all(), f"d{name}"
            error = abs(slope - (grad * v).sum())
            size = max(float(np.linalg.norm(grad)), cancelled) or 1.0
            assert error <= 3 * tolerance * size, (f"d{name}", dtype)  # 3 sigma of <e, v>
