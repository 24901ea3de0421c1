"""One recurrent layer over a batch of sequences.

T time, B batch, I input, H hidden, G gates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from problems.draw import GATES, normal, uniform, weight_shapes

Array = Any


@dataclass(frozen=True)
class Recurrent:
    """Inference is the layer's forward; training is forward and backward with dL/dy given, dx included."""

    layer: str
    time: int
    batch: int
    input: int
    hidden: int
    training: bool = True
    dtype: str = "float32"
    ragged: bool = False  # lengths uniform in 10-100 % of T
    checkpoint_every: int | None = None

    sizes: ClassVar[str] = "T,B,I,H"

    def __str__(self) -> str:
        notes = [] if self.dtype == "float32" else [self.dtype]
        notes += ["ragged"] if self.ragged else []
        mode = "train" if self.training else "infer"
        return f"{self.layer} {self.time},{self.batch},{self.input},{self.hidden} {' '.join([*notes, mode])}"

    def lengths(self) -> Array | None:
        if not self.ragged:
            return None
        return np.random.default_rng(1).integers(self.time // 10, self.time + 1, self.batch)

    def steps(self) -> int:
        """Valid steps of all rows together."""
        return self.time * self.batch if (lengths := self.lengths()) is None else int(lengths.sum())

    def arrays(self) -> dict[str, Array]:
        """x[B,T,I], dy[B,T,H] and the weights under PyTorch's names. dy is zero where a row has ended."""
        rng = np.random.default_rng(0)
        T, B, I, H = self.time, self.batch, self.input, self.hidden
        arrays = uniform(rng, weight_shapes(self.layer, I, H), H**-0.5, self.dtype)
        arrays |= normal(rng, {"x": (B, T, I), "dy": (B, T, H)}, self.dtype)
        if self.ragged:
            arrays["dy"] *= self.valid()
        return arrays

    def valid(self) -> Array:
        """[B,T,1]: whether the row still runs."""
        lengths = np.full(self.batch, self.time) if (given := self.lengths()) is None else given
        return np.arange(self.time)[:, None] < lengths[:, None, None]

    def operations(self) -> float:
        """Floating-point operations of the matrix products, as one multiply and one add each."""
        forward = 2.0 * self.steps() * GATES[self.layer] * self.hidden * (self.input + self.hidden)
        return 3 * forward if self.training else forward

    def bytes(self) -> float:
        """That must move at least, if all but arguments and results stayed in the caches: x, y and weights;
        in training also their gradients."""
        I, H = self.input, self.hidden
        elements = self.steps() * (I + H) + GATES[self.layer] * H * (I + H + 2)
        return float(elements * np.dtype(self.dtype).itemsize * (2 if self.training else 1))

    def argument_bytes(self) -> int:
        """Of x, y and their gradients: what the caller holds in any case."""
        elements = self.time * self.batch * (self.input + self.hidden) * (2 if self.training else 1)
        return elements * np.dtype(self.dtype).itemsize

    def tolerance(self) -> float:
        """Of an array's largest element. Both sides round: sums of T B terms, T steps one after another."""
        return 200 * float(np.finfo(self.dtype).eps)
