"""Embedding: y = W[x].

Backward:  dW[x] += dy, except for the row padding_idx.      x[...] integers in 0..V-1  y[..., D]  W[V, D]
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from weftnn import ops
from weftnn.arguments import check_count
from weftnn.nn import init
from weftnn.nn.backprop import Backprop
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.inputs import check_integers
from weftnn.nn.layer import Layer
from weftnn.nn.parameter import Array, Parameter, Seed


class Embedding(Layer):
    """A row of a learned table for each integer: y = W[x].

    x[...] of any integer dtype, y[..., embedding_dim], weight[num_embeddings, embedding_dim].
    The weight starts standard normal, as PyTorch's does; the row padding_idx, if one is named, starts at zero
    and gets no gradient. backprop returns None, since integers have no gradient.
    Raises ValueError for an integer outside the table, TypeError for other numbers.

    >>> y, backprop = Embedding(256, 16)(np.frombuffer(b"weft", np.uint8))
    >>> y.shape
    (4, 16)
    """

    reads = "step"

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        dtype: npt.DTypeLike = np.float32,
        rng: Seed = None,
    ) -> None:
        self.num_embeddings = num_embeddings = check_count("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = embedding_dim = check_count("Embedding", "embedding_dim", embedding_dim)
        if padding_idx is not None:
            padding_idx = check_count("Embedding", "padding_idx", padding_idx, low=-num_embeddings)
            if padding_idx >= num_embeddings:
                raise ValueError(
                    f"Embedding: padding_idx must be within {num_embeddings} rows, got {padding_idx}"
                )
        self.padding_idx = padding_idx
        self.weight = Parameter(init.normal((num_embeddings, embedding_dim), 1.0, dtype=dtype, rng=rng))
        if padding_idx is not None:
            self.weight.data[padding_idx] = 0

    def __call__(self, x: Array) -> tuple[Array, Backprop]:
        check_integers(self, "x", x)
        y, saved = ops.embedding_forward(x, self.weight.data, padding_idx=self.padding_idx)

        def backprop(dy: Array) -> None:
            ops.embedding_backward(saved, dy, accumulate=ops.EmbeddingGrads(self.weight.gradient()))

        return y, Backprop(self, backprop, y)

    def predict(self, x: Array) -> Array:
        check_integers(self, "x", x)
        return ops.embedding_forward(x, self.weight.data, padding_idx=self.padding_idx)[0]

    def graph(self, writer: GraphWriter) -> Node:
        return writer.node("embedding", weight=self.weight)

    def __repr__(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"Embedding({self.num_embeddings}, {self.embedding_dim}{padding})"
