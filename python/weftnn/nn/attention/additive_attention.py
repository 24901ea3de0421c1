"""AdditiveAttention: score(query_t, key_s) = w · tanh(W query_t + b + U key_s).

Backward: the scores are a bias of ops.sdpa_forward, whose dbias is their gradient, which
ops.additive_scores_backward takes on to w and to the two projections.
W[units, query_size]  U[units, key_size]  w[units]  b[units]. Bahdanau, Cho and Bengio, "Neural machine
translation by jointly learning to align and translate", 2014
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from weftnn import ops
from weftnn.arguments import check_count
from weftnn.nn import init
from weftnn.nn.attention.memory_attention import Arguments, Back, MemoryAttention
from weftnn.nn.dense.linear import Linear
from weftnn.nn.parameter import Array, Parameter, Seed


class AdditiveAttention(MemoryAttention):
    """Attention whose scores a small network computes.

        score_ts = w · tanh(W query_t + b + U key_s)
        y_t      = sum over s of softmax(score_t)_s value_s

        y, backprop = attention(query, memory)           dquery, dmemory = backprop(dy)
        y, backprop = attention(query, key, value)       dquery, dkey, dvalue = backprop(dy)
        y, backprop = attention(x)                       dx = backprop(dy)

    query[B, T, query_size], memory or key[B, S, key_size], value[B, S, E], y[B, T, E]; masks, lengths and
    weights of a call are those of weftnn.nn.memory_attention. Parameters: query_proj.weight W and .bias b,
    key_proj.weight U, weight w[units], which starts uniform within 1/sqrt(units). dropout is the probability
    to drop a weight of the softmax. With causal, no step reads a later one.
    Raises ValueError and TypeError for sizes and arrays that do not fit.

    >>> attention = AdditiveAttention(query_size=4, key_size=8, units=16)
    >>> y, backprop = attention(np.ones((2, 5, 4), np.float32), np.ones((2, 7, 8), np.float32))
    >>> dquery, dmemory = backprop(np.ones_like(y))
    >>> y.shape, dquery.shape, dmemory.shape
    ((2, 5, 8), (2, 5, 4), (2, 7, 8))
    """

    query_proj: Linear

    def __init__(
        self,
        query_size: int,
        key_size: int,
        units: int,
        dropout: float = 0.0,
        *,
        bias: bool = True,
        causal: bool = False,
        dtype: npt.DTypeLike = np.float32,
        rng: Seed = None,
    ) -> None:
        query_size = check_count("AdditiveAttention", "query_size", query_size)
        key_size = check_count("AdditiveAttention", "key_size", key_size)
        units = check_count("AdditiveAttention", "units", units)
        rng = np.random.default_rng(rng)
        super().__init__(dropout, causal, rng)
        self.query_proj = Linear(query_size, units, bias, dtype=dtype, rng=rng)
        self.key_proj = Linear(key_size, units, bias=False, dtype=dtype, rng=rng)
        self.weight = Parameter(init.uniform((units,), units**-0.5, dtype=dtype, rng=rng))
        self.query_size, self.key_size, self.units = query_size, key_size, units

    def compare(self, query: Array, key: Array) -> tuple[Arguments, Back]:
        q, back_query = self.query_proj(query)
        k, back_key = self.key_proj(key)
        scores, saved = ops.additive_scores_forward(q, k, self.weight.data)
        # Queries and keys of no features, whose products are zero: the scores are the bias alone.
        arguments = {"q": q[:, None, :, :0], "k": k[:, None, :, :0], "scale": 1.0, "bias": scores[:, None]}

        def back(grads: ops.SDPAGrads) -> tuple[Array, Array]:
            assert grads.dbias is not None
            into = ops.AdditiveScoresGrads(None, None, self.weight.gradient())
            dq, dk, _ = ops.additive_scores_backward(saved, grads.dbias[:, 0], accumulate=into)
            return back_query(dq), back_key(dk)

        return arguments, back

    def __repr__(self) -> str:
        return f"AdditiveAttention({self.query_size}, {self.key_size}, {self.units})"
