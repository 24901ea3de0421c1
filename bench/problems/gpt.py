"""A whole step of training a decoder-only transformer.

T time, B batch, E hidden size, N heads, L layers, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from problems.draw import Shapes, uniform
from problems.language_model import losses

Array = Any


@dataclass(frozen=True)
class GPT:
    """Embedding, learned positions, L pre-norm layers with GELU, linear, cross-entropy, backward, clipping of
    the norm to 1, AdamW."""

    time: int = 256
    batch: int = 16
    hidden: int = 256
    heads: int = 4
    layers: int = 4
    vocabulary: int = 256
    learning_rate: float = 1e-3
    dtype: str = "float32"

    sizes: ClassVar[str] = "T,B,E"

    def __str__(self) -> str:
        return f"GPT x {self.layers}, {self.heads} heads {self.time},{self.batch},{self.hidden} step"

    def arrays(self) -> dict[str, Array]:
        """tokens[B,T+1] and the weights under PyTorch's names: embedding, positions, encoder, head."""
        rng = np.random.default_rng(0)
        V, E = self.vocabulary, self.hidden
        shapes: Shapes = {"embedding.weight": (V, E), "positions.weight": (self.time, E)}
        for depth in range(self.layers):
            shapes |= {f"encoder.layers.{depth}.{name}": shape for name, shape in layer_shapes(E).items()}
        shapes |= {"encoder.norm.weight": (E,), "encoder.norm.bias": (E,)}
        shapes |= {"head.weight": (V, E), "head.bias": (V,)}
        arrays = uniform(rng, shapes, E**-0.5, self.dtype)
        for name, array in arrays.items():
            if "norm" in name and name.endswith("weight"):
                array += 1
        return arrays | {"tokens": rng.integers(V, size=(self.batch, self.time + 1))}

    def operations(self) -> float:
        """Floating-point operations of the matrix products, forward and backward; of attention, those that
        causal attention needs."""
        E, L = self.hidden, self.layers
        dense = 2.0 * (12 * L * E * E + E * self.vocabulary)
        attention = 4.0 * L * E * (self.time + 1) / 2
        return 3 * self.batch * self.time * (dense + attention)

    def bytes(self) -> float:
        """What a layer keeps (2 norms, q, k, v, what attention read, 2 sums, 4 + 4 fed forward) and its
        gradients, and the weights with gradient and two moments."""
        E, L, V = self.hidden, self.layers, self.vocabulary
        activations = self.time * self.batch * ((2 + 16 * L) * E + V)
        weights = 12 * L * E * E + (2 * V + self.time) * E
        return float((2 * activations + 4 * weights) * np.dtype(self.dtype).itemsize)

    def losses(self, run: Callable[[], None], last: dict[str, Any]) -> dict[str, Array]:
        return losses(run, last)

    def tolerance(self) -> float:
        """Of an array's largest element; sums over B T = 4096 steps in another order, through L layers."""
        return 1000 * float(np.finfo(self.dtype).eps)


def layer_shapes(E: int) -> Shapes:
    """Of a TransformerEncoderLayer's weights."""
    return {
        "self_attn.in_proj_weight": (3 * E, E),
        "self_attn.in_proj_bias": (3 * E,),
        "self_attn.out_proj.weight": (E, E),
        "self_attn.out_proj.bias": (E,),
        "linear1.weight": (4 * E, E),
        "linear1.bias": (4 * E,),
        "linear2.weight": (E, 4 * E),
        "linear2.bias": (E,),
        "norm1.weight": (E,),
        "norm1.bias": (E,),
        "norm2.weight": (E,),
        "norm2.bias": (E,),
    }
