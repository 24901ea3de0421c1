"""Random arrays to measure with, and the shapes of a recurrent layer's weights."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any
Shapes = dict[str, tuple[int, ...]]
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}


def weight_shapes(layer: str, I: int, H: int, suffix: str = "_l0") -> Shapes:
    """The parameters of one layer of I inputs and H units, as PyTorch names them."""
    rows = GATES[layer] * H
    shapes: Shapes = {"weight_ih": (rows, I), "weight_hh": (rows, H), "bias_ih": (rows,), "bias_hh": (rows,)}
    return {name + suffix: shape for name, shape in shapes.items()}


def uniform(rng: np.random.Generator, shapes: Shapes, bound: float, dtype: str) -> dict[str, Array]:
    """Of every name an array within -bound and bound."""
    return {name: rng.uniform(-bound, bound, shape).astype(dtype) for name, shape in shapes.items()}


def normal(rng: np.random.Generator, shapes: Shapes, dtype: Any) -> dict[str, Array]:
    """Of every name an array of mean 0 and variance 1, without a copy in another type on the way."""
    return {name: rng.standard_normal(shape, dtype) for name, shape in shapes.items()}
