"""Scaled dot-product attention of queries over keys and values.

B batch, N heads, T queries, S keys, D size of a head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from problems.draw import normal

Array = Any


@dataclass(frozen=True)
class Attention:
    """Inference is the forward alone; training is forward and backward with dL/dout given, all gradients.

    window: (keys before, keys after) its own position that a query sees.
    """

    batch: int
    heads: int
    queries: int
    size: int
    training: bool = True
    causal: bool = False
    window: tuple[int, int] | None = None
    keys: int | None = None  # None: as many as queries
    dtype: str = "float32"

    sizes: ClassVar[str] = "B,N,T,D"

    def __str__(self) -> str:
        notes = [] if self.dtype == "float32" else [self.dtype]
        notes += [f"over {self.keys} keys"] if self.keys else []
        notes += ["causal"] if self.causal else []
        notes += ["window {},{}".format(*self.window)] if self.window else []
        mode = "train" if self.training else "infer"
        return f"{self.batch},{self.heads},{self.queries},{self.size} {' '.join([*notes, mode])}"

    def arrays(self) -> dict[str, Array]:
        """q and dout [B,N,T,D], k and v [B,N,S,D]."""
        few = (self.batch, self.heads, self.queries, self.size)
        many = (self.batch, self.heads, self.keys or self.queries, self.size)
        rng = np.random.default_rng(0)
        return normal(rng, {"q": few, "k": many, "v": many, "dout": few}, self.dtype)

    def span(self) -> tuple[Array, Array]:
        """Of each query: the first key that it sees, and the one after the last."""
        query, keys = np.arange(self.queries), self.keys or self.queries
        left, right = self.window or (keys + self.queries, keys + self.queries)
        right = min(right, 0) if self.causal else right
        return np.clip(query - left, 0, keys), np.clip(query + right + 1, 0, keys)

    def seen(self) -> Array:
        """bool[T,S]: which keys a query sees."""
        begin, end = self.span()
        key = np.arange(self.keys or self.queries)
        return (key >= begin[:, None]) & (key < end[:, None])

    def operations(self) -> float:
        """Of the products of queries and keys that see each other: two forward; five backward, where the
        scores are computed again, since nobody keeps them."""
        begin, end = self.span()
        pairs = float(self.batch * self.heads * (end - begin).sum())
        return 2.0 * pairs * self.size * (7 if self.training else 2)

    def bytes(self) -> float:
        """q, k, v and out; in training also their gradients."""
        rows = self.batch * self.heads * 2 * (self.queries + (self.keys or self.queries))
        return float(rows * self.size * np.dtype(self.dtype).itemsize * (2 if self.training else 1))

    def argument_bytes(self) -> int:
        """Of q, k, v, out and their gradients: what the caller holds in any case."""
        return int(self.bytes())

    def tolerance(self) -> float:
        """Of an array's largest element: sums of S terms on both sides, after scores that are rounded."""
        return 200 * float(np.finfo(self.dtype).eps)
