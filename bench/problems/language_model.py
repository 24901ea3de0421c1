"""A whole step of training a language model: what a user waits for, not one layer of it.

T time, B batch, E embedding, H hidden, L layers, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from problems.draw import GATES, Shapes, uniform, weight_shapes

Array = Any


@dataclass(frozen=True)
class LanguageModel:
    """Embedding, L recurrent layers, linear, cross-entropy, backward, clipping of the norm to 1, AdamW."""

    layer: str
    time: int = 128
    batch: int = 32
    embedding: int = 128
    hidden: int = 256
    layers: int = 2
    vocabulary: int = 256
    learning_rate: float = 1e-3
    dtype: str = "float32"

    sizes: ClassVar[str] = "T,B,I,H"

    def __str__(self) -> str:
        sizes = f"{self.time},{self.batch},{self.embedding},{self.hidden}"
        return f"{self.layer} x {self.layers} language model {sizes} step"

    def arrays(self) -> dict[str, Array]:
        """tokens[B,T+1] and the weights under PyTorch's names: embedding, rnn, head."""
        rng = np.random.default_rng(0)
        V, E, H, bound = self.vocabulary, self.embedding, self.hidden, self.hidden**-0.5
        shapes: Shapes = {"embedding.weight": (V, E)}
        for depth, size in enumerate(self.inputs()):
            own = weight_shapes(self.layer, size, H, f"_l{depth}")
            shapes |= {f"rnn.{name}": shape for name, shape in own.items()}
        shapes |= {"head.weight": (V, H), "head.bias": (V,)}
        tokens = rng.integers(V, size=(self.batch, self.time + 1))
        return uniform(rng, shapes, bound, self.dtype) | {"tokens": tokens}

    def inputs(self) -> list[int]:
        """The input size of every layer."""
        return [self.embedding, *[self.hidden] * (self.layers - 1)]

    def operations(self) -> float:
        """Floating-point operations of the matrix products, forward and backward."""
        widths = sum(GATES[self.layer] * (size + self.hidden) for size in self.inputs()) + self.vocabulary
        return 6.0 * self.time * self.batch * self.hidden * widths

    def bytes(self) -> float:
        """Every layer's input, output and their gradients, and the weights with gradient and two moments."""
        H, V = self.hidden, self.vocabulary
        activations = self.time * self.batch * (sum(size + H for size in self.inputs()) + H + V)
        weights = sum(GATES[self.layer] * H * (size + H + 2) for size in self.inputs())
        weights += V * (self.embedding + H + 1)
        return float((2 * activations + 4 * weights) * np.dtype(self.dtype).itemsize)

    def losses(self, run: Callable[[], None], last: dict[str, Any]) -> dict[str, Array]:
        return losses(run, last)

    def tolerance(self) -> float:
        """Of an array's largest element, as for one layer: the loss averages, so deeper is not worse."""
        return 200 * float(np.finfo(self.dtype).eps)


def losses(run: Callable[[], None], last: dict[str, Any]) -> dict[str, Array]:
    """The loss that the last run left, and that after two more updates: it tells whether the optimizers
    agree, where single weights do not (Adam's first step is the gradient's sign)."""
    first = last["loss"]
    run()
    run()
    return {"loss": np.array(first), "third loss": np.array(last["loss"])}
