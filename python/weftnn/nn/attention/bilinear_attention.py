"""BilinearAttention: score(query_t, key_s) = (W query_t) · key_s, the "general" score of its source.

Backward, with q = W query:

    dq_t   = sum over s of dscore_ts key_s
    dquery = dq W
    dW    += sum over t of dq_t query_tᵀ
W[key_size, query_size]. Luong, Pham and Manning, "Effective approaches to attention-based neural machine
translation", 2015
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from weftnn.arguments import check_count
from weftnn.nn.attention.memory_attention import Arguments, Back, MemoryAttention
from weftnn.nn.dense.linear import Linear
from weftnn.nn.parameter import Array, Seed


class BilinearAttention(MemoryAttention):
    """Attention whose scores are products of query and key through a matrix.

        score_ts = (W query_t) · key_s
        y_t      = sum over s of softmax(score_t)_s value_s

        y, backprop = attention(query, memory)           dquery, dmemory = backprop(dy)
        y, backprop = attention(query, key, value)       dquery, dkey, dvalue = backprop(dy)
        y, backprop = attention(x)                       dx = backprop(dy)

    query[B, T, query_size], memory or key[B, S, key_size], value[B, S, E], y[B, T, E]; masks, lengths and
    weights of a call are those of weftnn.nn.memory_attention. W is query_proj.weight[key_size, query_size].
    dropout is the probability to drop a weight of the softmax; with causal, no step reads a later one.
    Raises ValueError and TypeError for sizes and arrays that do not fit.

    >>> attention = BilinearAttention(query_size=4, key_size=8)
    >>> y, backprop = attention(np.ones((2, 5, 4), np.float32), np.ones((2, 7, 8), np.float32))
    >>> dquery, dmemory = backprop(np.ones_like(y))
    >>> y.shape, attention.query_proj.weight.grad.shape
    ((2, 5, 8), (8, 4))
    """

    query_proj: Linear

    def __init__(
        self,
        query_size: int,
        key_size: int,
        dropout: float = 0.0,
        *,
        causal: bool = False,
        dtype: npt.DTypeLike = np.float32,
        rng: Seed = None,
    ) -> None:
        query_size = check_count("BilinearAttention", "query_size", query_size)
        key_size = check_count("BilinearAttention", "key_size", key_size)
        rng = np.random.default_rng(rng)
        super().__init__(dropout, causal, rng)
        self.query_proj = Linear(query_size, key_size, bias=False, dtype=dtype, rng=rng)
        self.query_size, self.key_size = query_size, key_size

    def compare(self, query: Array, key: Array) -> tuple[Arguments, Back]:
        q, back_query = self.query_proj(query)
        arguments = {"q": q[:, None], "k": key[:, None], "scale": 1.0}
        return arguments, lambda grads: (back_query(grads.dq[:, 0]), grads.dk[:, 0])

    def __repr__(self) -> str:
        return f"BilinearAttention({self.query_size}, {self.key_size})"
