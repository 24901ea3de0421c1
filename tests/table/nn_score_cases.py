"""The table of layers, part three: attention by other scores, over one memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nn_kinds import Case, Read
from weftnn import nn

B, T, S, Q, K = 3, 5, 4, 2, 3
LENGTHS, KV_LENGTHS = [4, 0, 5], [4, 2, 0]
SOME = np.random.default_rng(5).random((B, T, S)) < 0.6  # some rows of it may be empty
ADDED = np.random.default_rng(6).normal(size=(T, S))

Make = Callable[[Any], nn.Layer]


def additive(query_size: int, key_size: int, **options: Any) -> Make:
    return lambda dtype: nn.AdditiveAttention(query_size, key_size, 4, dtype=dtype, rng=1, **options)


def bilinear(query_size: int, key_size: int, **options: Any) -> Make:
    return lambda dtype: nn.BilinearAttention(query_size, key_size, dtype=dtype, rng=1, **options)


def dot(query_size: int, key_size: int, **options: Any) -> Make:
    return lambda dtype: nn.DotAttention(rng=1, **options)


def cases(name: str, make: Callable[..., Make], query_size: int) -> list[Case]:
    """Every way to call one kind of attention."""
    other, own = make(query_size, K), make(K, K)
    query, memory = (B, T, query_size), {"memory": Read((B, S, K))}
    ragged = {"lengths": LENGTHS, "kv_lengths": KV_LENGTHS}
    return [
        Case(f"{name} attention", other, query, memory),
        Case(f"{name} attention, values", other, query, memory | {"value": Read((B, S, 5))}),
        Case(f"{name} attention, itself", own, (B, T, K)),
        Case(f"{name} attention, itself, ragged", own, (B, T, K), {"lengths": LENGTHS}),
        Case(f"{name} attention, causal", make(K, K, causal=True), (B, T, K)),
        Case(f"{name} attention, ragged", other, query, memory | ragged),
        Case(f"{name} attention, mask", other, query, memory | {"mask": SOME} | ragged),
        Case(f"{name} attention, added mask", other, query, memory | {"mask": ADDED}),
        Case(f"{name} attention, dropout", make(query_size, K, dropout=0.4), query, memory),
        Case(f"{name} attention, one step", other, (B, 1, query_size), memory),
    ]


SCORES = [
    *cases("additive", additive, Q),
    Case("additive attention, no bias", additive(Q, K, bias=False), (B, T, Q), {"memory": Read((B, S, K))}),
    *cases("bilinear", bilinear, Q),
    *cases("dot", dot, K),
    Case("dot attention, scale", dot(K, K, scale=0.3), (B, T, K)),
    Case("dot attention, usual scale", dot(K, K, scale=None), (B, T, K)),
]
