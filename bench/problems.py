"""What is measured: the table of rows. A new row is a line in ROWS.

A new kind of problem is a dataclass beside Recurrent, with the same methods.

T time, B batch, I input, H hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}


@dataclass(frozen=True)
class Recurrent:
    """One layer: inference is its forward; training is forward and backward with dL/dy given, dx included."""

    layer: str
    time: int
    batch: int
    input: int
    hidden: int
    training: bool = True
    dtype: str = "float32"
    ragged: bool = False  # lengths uniform in 10-100 % of T

    def __str__(self) -> str:
        notes = [] if self.dtype == "float32" else [self.dtype]
        notes += ["ragged"] if self.ragged else []
        mode = "train" if self.training else "infer"
        return f"{self.layer} {self.time},{self.batch},{self.input},{self.hidden} {' '.join([*notes, mode])}"

    def lengths(self) -> Array | None:
        if not self.ragged:
            return None
        return np.random.default_rng(1).integers(self.time // 10, self.time + 1, self.batch)

    def arrays(self) -> dict[str, Array]:
        """x[B,T,I], dy[B,T,H] and the weights under PyTorch's names."""
        rng = np.random.default_rng(0)
        T, B, I, H, G = self.time, self.batch, self.input, self.hidden, GATES[self.layer]
        shapes: dict[str, tuple[int, ...]] = {"weight_ih_l0": (G * H, I), "weight_hh_l0": (G * H, H)}
        shapes |= {"bias_ih_l0": (G * H,), "bias_hh_l0": (G * H,)}
        arrays = {name: rng.uniform(-(H**-0.5), H**-0.5, shape) for name, shape in shapes.items()}
        arrays |= {"x": rng.normal(size=(B, T, I)), "dy": rng.normal(size=(B, T, H))}
        return {name: array.astype(self.dtype) for name, array in arrays.items()}

    def operations(self) -> float:
        """Floating-point operations of the matrix products, as one multiply and one add each."""
        steps = self.time * self.batch if (lengths := self.lengths()) is None else int(lengths.sum())
        forward = 2.0 * steps * GATES[self.layer] * self.hidden * (self.input + self.hidden)
        return 3 * forward if self.training else forward

    def tolerance(self) -> float:
        """Of an array's largest element. Both sides round: sums of T B terms, T steps one after another."""
        return 200 * float(np.finfo(self.dtype).eps)


SHAPES = ((128, 32, 128, 256), (100, 64, 512, 512), (256, 128, 64, 128), (1000, 1, 64, 64))
LAYERS = ("RNN", "LSTM", "GRU")

# name of a group: (case, threads) ...
ROWS: dict[str, list[tuple[Recurrent, int]]] = {
    "main": [
        (Recurrent(layer, *shape, training=training), threads)
        for training in (True, False)
        for shape, threads in [*((shape, 1) for shape in SHAPES), (SHAPES[-1], 2)]
        for layer in LAYERS
    ],
    "float64": [(Recurrent(layer, *SHAPES[0], dtype="float64"), 1) for layer in LAYERS],
    "ragged": [(Recurrent(layer, 500, 64, 128, 256, ragged=True), 1) for layer in ("LSTM", "GRU")],
}
