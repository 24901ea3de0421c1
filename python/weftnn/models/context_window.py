"""Context windows: what a model that reads at most `context` bytes at once reads of a longer text.

The byte with n bytes before it is predicted from those of them at s(n) and after:

    s(n) = 0 for n <= C, else the least multiple of C - C // 2 with n - s(n) <= C           C = context

So the window stays where it is while bytes are read one by one, each at the cost of one. When it is full it
moves on by half, and the other half is read again: on average that doubles the cost of a byte, and no more.
A byte has C // 2 bytes to C bytes before it, once there are so many. Sampling and evaluation both read so.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from weftnn.nn.attention.key_value_cache import KeyValueCache
from weftnn.nn.dense.embedding import Embedding
from weftnn.nn.parameter import Array


class WindowModel(Protocol):
    """A model that sees at most `context` bytes at once, and goes on after those in its cache."""

    context: int
    embedding: Embedding

    def make_cache(self) -> list[KeyValueCache]: ...
    def predict(self, x: Array, *, cache: list[KeyValueCache] | None = None) -> Array: ...


def stride(context: int) -> int:
    """How far a full window moves on."""
    return context - context // 2


def window_start(before: int, context: int) -> int:
    """s(n): where the window begins that predicts a byte with so many bytes before it.

    >>> [window_start(before, context=4) for before in (1, 4, 5, 6, 7)]
    [0, 0, 2, 2, 4]
    """
    return -(-max(0, before - context) // stride(context)) * stride(context)


class ContextReader:
    """Reads a text piece by piece, ids[B,T], and gives logits[B,256] of what comes next.

    >>> from weftnn.models import GPT
    >>> model = GPT(hidden_size=8, num_layers=1, num_heads=2, context=4, rng=0)
    >>> read = ContextReader(model)
    >>> read(np.array([[1, 2, 3]])).shape, read(np.array([[4]])).shape
    ((1, 256), (1, 256))
    """

    def __init__(self, model: WindowModel) -> None:
        self.model = model
        self.cache = model.make_cache()
        self.begin = 0  # of the window, in the text
        self.count = 0  # bytes of the text read so far
        self.pieces: list[Array] = []  # of the window

    def __call__(self, ids: Array) -> Array:
        count, pieces = self.count + ids.shape[1], [*self.pieces, ids]
        begin = window_start(count, self.model.context)
        if begin > self.begin:  # the window moves on: what stays in it stands elsewhere now, and is read anew
            self.model.embedding.predict(ids)  # raises for what are no bytes, before anything is forgotten
            ids = np.concatenate(pieces, axis=1)[:, begin - self.begin :]
            pieces = [ids]
            for layer_cache in self.cache:
                layer_cache.truncate(0)
        logits = self.model.predict(ids, cache=self.cache)[:, -1]
        self.begin, self.count, self.pieces = begin, count, pieces
        return logits
