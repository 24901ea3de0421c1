"""DotAttention: score(query_t, key_s) = scale query_t · key_s. It has no weights.

Backward: dquery_t = scale sum over s of dscore_ts key_s, dkey_s likewise (ops.sdpa_backward).
Luong, Pham and Manning, "Effective approaches to attention-based neural machine translation", 2015
"""

from __future__ import annotations

from weftnn.arguments import check_number
from weftnn.nn.attention.memory_attention import Arguments, Back, MemoryAttention
from weftnn.nn.parameter import Array, Seed


class DotAttention(MemoryAttention):
    """Attention whose scores are products of query and key.

        score_ts = scale query_t · key_s
        y_t      = sum over s of softmax(score_t)_s value_s

        y, backprop = attention(query, memory)           dquery, dmemory = backprop(dy)
        y, backprop = attention(query, key, value)       dquery, dkey, dvalue = backprop(dy)
        y, backprop = attention(x)                       dx = backprop(dy)

    query[B, T, D], memory or key[B, S, D], value[B, S, E], y[B, T, E]; masks, lengths and weights of a call
    are those of weftnn.nn.memory_attention. scale is 1 as in the source; None is 1 / sqrt(D). dropout is the
    probability to drop a weight; with causal, no step reads a later one.
    Raises ValueError and TypeError for arrays that do not fit.

    >>> import numpy as np
    >>> query, memory = np.ones((2, 5, 8), np.float32), np.ones((2, 7, 8), np.float32)
    >>> (y, weights), backprop = DotAttention()(query, memory, kv_lengths=[7, 4], need_weights=True)
    >>> y.shape, weights[1, 0]
    ((2, 5, 8), array([0.25, 0.25, 0.25, 0.25, 0.  , 0.  , 0.  ], dtype=float32))
    >>> dquery, dmemory = backprop(np.ones_like(y))
    """

    def __init__(
        self, scale: float | None = 1.0, dropout: float = 0.0, *, causal: bool = False, rng: Seed = None
    ) -> None:
        super().__init__(dropout, causal, rng)
        self.scale = None if scale is None else check_number("DotAttention", "scale", scale)

    def compare(self, query: Array, key: Array) -> tuple[Arguments, Back]:
        arguments = {"q": query[:, None], "k": key[:, None], "scale": self.scale}
        return arguments, lambda grads: (grads.dq[:, 0], grads.dk[:, 0])

    def __repr__(self) -> str:
        return f"DotAttention({'' if self.scale == 1 else f'scale={self.scale}'})"
