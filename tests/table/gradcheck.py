"""Three ways to a gradient that share nothing with a backward kernel.

All differentiate L = sum of <dout, out> over the outputs; function: inputs by name to outputs in order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Array = Any
Function = Callable[[Mapping[str, Any]], Sequence[Array]]

# PyTorch's gradcheck: central differences of float64 with eps 1e-6 leave about 1e-16 / 1e-6 = 1e-10 of
# rounding and eps^2 = 1e-12 of truncation, so a right gradient passes with room and a wrong one does not.
EPS, ATOL, RTOL = 1e-6, 1e-5, 1e-3

# Any step so small that its square is nothing: the complex step has no cancellation to fear.
IMAGINARY = 1e-30


def loss(outputs: Sequence[Array], douts: Sequence[Array]) -> Any:
    return sum((out * dout).sum() for out, dout in zip(outputs, douts, strict=True) if dout is not None)


def finite_difference(
    function: Function, inputs: Mapping[str, Any], name: str, douts: Sequence[Array]
) -> Array:
    """dL/d(inputs[name]) by central differences, one element at a time; inputs[name] is float64."""
    gradient = np.zeros_like(inputs[name])
    for index in np.ndindex(gradient.shape):
        ends = []
        for step in (EPS, -EPS):
            moved = inputs[name].copy()
            moved[index] += step
            ends.append(loss(function({**inputs, name: moved}), douts))
        gradient[index] = (ends[0] - ends[1]) / (2 * EPS)
    return gradient


def directional(
    function: Function, inputs: Mapping[str, Any], directions: Mapping[str, Array], douts: Sequence[Array]
) -> float:
    """The derivative of L along directions, by one complex step: exact to rounding."""
    moved = {name: inputs[name] + 1j * IMAGINARY * v for name, v in directions.items()}
    return float(np.imag(loss(function({**inputs, **moved}), douts)) / IMAGINARY)


def complex_step(function: Function, inputs: Mapping[str, Any], name: str, douts: Sequence[Array]) -> Array:
    """dL/d(inputs[name]), one element at a time, each by a complex step."""
    gradient = np.zeros_like(inputs[name])
    for index in np.ndindex(gradient.shape):
        direction = np.zeros_like(inputs[name])
        direction[index] = 1.0
        gradient[index] = directional(function, inputs, {name: direction}, douts)
    return gradient


def relative_error(actual: Array, expected: Array, terms: float = 0.0) -> float:
    """The largest error as a fraction of the largest value; 0 for empty arrays, inf where there is a NaN.

    Sums that cancel to nothing keep the rounding of their terms: there, it is a fraction of the terms' size.
    """
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    if actual.shape != expected.shape:
        raise AssertionError(f"shape {actual.shape}, expected {expected.shape}")
    if actual.size == 0:
        return 0.0
    if not np.isfinite(actual).all():
        return np.inf
    largest = np.abs(expected).max()
    error = np.abs(actual - expected).max()
    largest = largest if largest > 1e-12 * terms else terms
    return float(error / largest) if largest > 0 else float(error)
