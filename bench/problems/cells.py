"""A user's own loop over time: one cell called step after step, then back through the steps.

T time, B batch, I input, H hidden, G gates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from problems.draw import GATES, normal, uniform, weight_shapes

Array = Any


@dataclass(frozen=True)
class Cells:
    """T calls of RNNCell, LSTMCell or GRUCell; backward with dL/dh given at every step, dx included."""

    layer: str
    time: int = 200
    batch: int = 16
    input: int = 64
    hidden: int = 128
    dtype: str = "float32"

    sizes: ClassVar[str] = "T,B,I,H"

    def __str__(self) -> str:
        return f"{self.time} x {self.layer}Cell {self.batch},{self.input},{self.hidden} train"

    def arrays(self) -> dict[str, Array]:
        """x[T,B,I], dh[T,B,H] and the weights under PyTorch's names."""
        rng = np.random.default_rng(0)
        T, B, I, H = self.time, self.batch, self.input, self.hidden
        weights = uniform(rng, weight_shapes(self.layer, I, H, ""), H**-0.5, self.dtype)
        return weights | normal(rng, {"x": (T, B, I), "dh": (T, B, H)}, self.dtype)

    def operations(self) -> float:
        """Floating-point operations of the matrix products, forward and backward."""
        return 6.0 * self.time * self.batch * GATES[self.layer] * self.hidden * (self.input + self.hidden)

    def bytes(self) -> float:
        """x, h, their gradients, and the weights and their gradients once a step."""
        I, H = self.input, self.hidden
        elements = self.time * (self.batch * (I + H) + GATES[self.layer] * H * (I + H + 2))
        return 2.0 * elements * np.dtype(self.dtype).itemsize

    def tolerance(self) -> float:
        """Of an array's largest element, as for a whole layer."""
        return 200 * float(np.finfo(self.dtype).eps)
