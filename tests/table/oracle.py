"""What a row of the table should give, computed once from the reference and kept for every ISA and dtype."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def terms(case: OpCase, douts: Sequence[Array]) -> float:
    """The size of dy, for ops whose differences may cancel to nothing (the norm of one feature, p - q of one
    class, the gradient of the only score) but for the rounding of terms of that size; else 0."""
    if case.op not in ("layer_norm", "softmax_cross_entropy", "sdpa"):
        return 0.0
    return float(sum(np.linalg.norm(dout) for dout in douts))


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
        assert relative_error(grads[name], expected, terms(case, truth.douts)) <= TOLERANCE[dtype], f"d{name}"


@dataclass(frozen=True)
class Slopes:
    """Outputs, and slopes of the loss along random directions: for sizes with too many elements."""

    case: OpCase
    inputs: Mapping[str, Any]
    outputs: tuple[Array, ...]
    douts: tuple[Array, ...]
    slopes: tuple[tuple[str, Array, float], ...]  # argument, direction, derivative

    @classmethod
    def of(cls, case: OpCase, inputs: Mapping[str, Any]) -> Slopes:
        outputs = case.expected(inputs)
        douts = case.douts(outputs)
        rng = np.random.default_rng(11)
        directions = [(name, rng.normal(size=inputs[name].shape)) for name in case.learnable(inputs)]
        slopes = ((name, v, directional(case.expected, inputs, {name: v}, douts)) for name, v in directions)
        return cls(case, inputs, outputs, douts, tuple(slopes))

    def check(self) -> None:
        """Like the check above, in both dtypes.

        The error e of a gradient g along a random normal direction v is <e, v>, about |e|, held against |g|.
        """
        cancelled = terms(self.case, self.douts)
        for dtype, tolerance in TOLERANCE.items():
            outputs, saved = self.case.forward(as_dtype(self.inputs, dtype))
            for name, out, right in zip(self.case.outputs, outputs, self.outputs, strict=True):
                assert relative_error(out, right) <= tolerance, (name, dtype)
            grads = self.case.backward(saved, [dout.astype(dtype) for dout in self.douts])
            for name, v, slope in self.slopes:
                grad = grads[name].astype(np.float64)
                assert np.isfinite(grad).all(), f"d{name}"
                error = abs(slope - (grad * v).sum())
                size = max(float(np.linalg.norm(grad)), cancelled) or 1.0
                assert error <= 3 * tolerance * size, (f"d{name}", dtype)  # 3 sigma of <e, v>


def check_along_directions(case: OpCase, inputs: Mapping[str, Any]) -> None:
    Slopes.of(case, inputs).check()
