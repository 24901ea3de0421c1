"""ALiBi: attention with linear biases, y[n, t, s] = score[n, t, s] - m_n |t - s|, one slope m a head.

    m_n = 2^(-8 n/N)        n = 1 ... N

if N is a power of two; else the slopes of the power below N, then every other slope of the power above.

Backward: dscore = dy. It has no parameters and no largest distance.
B batch, N heads, T time of the query, S of the keys      scores, y[B,N,T,S]
Press, Smith and Lewis, "Train short, test long: attention with linear biases enables input length
extrapolation", 2022
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from weftnn.arguments import check_count
from weftnn.nn.backprop import Backprop
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.parameter import Array
from weftnn.nn.positions.attention_positions import AttentionPositions, check_scores
from weftnn.nn.positions.steps import steps_from


class ALiBi(AttentionPositions):
    """Biases that lower scores with distance: MultiheadAttention(..., positions=ALiBi(num_heads)).

    As a layer: scores, y[B,N,T,S]; offset: the position of the first query among the keys, an int, or [B]
    where rows differ. `bias` and `causal_bias` are what is added. Raises ValueError for another number of
    heads.

    >>> ALiBi(2).slopes
    array([0.0625    , 0.00390625])
    >>> ALiBi(2).bias(3, 3)[0] * 16
    array([[-0., -1., -2.],
           [-1., -0., -1.],
           [-2., -1., -0.]])
    """

    def __init__(self, num_heads: int) -> None:
        self.num_heads = num_heads = check_count("ALiBi", "num_heads", num_heads)
        below = 2 ** (num_heads.bit_length() - 1)
        self.slopes: Array = np.concatenate(
            [_slopes(below), _slopes(2 * below)[: 2 * (num_heads - below) : 2]]
        )

    def __call__(self, scores: Array, offset: int | Array = 0) -> tuple[Array, Backprop]:
        y = self.predict(scores, offset)
        return y, Backprop(self, lambda dy: dy, y)

    def predict(self, scores: Array, offset: int | Array = 0) -> Array:
        check_scores(self, scores, self.num_heads, None)
        steps = steps_from(self, offset, scores.shape[2], len(scores))
        y: Array = scores + self._of_steps(steps, scores.shape[3], scores.dtype)
        return y

    def bias(
        self, time: int, keys: int, *, offset: int | Array = 0, dtype: npt.DTypeLike = np.float64
    ) -> Array:
        """-m_n |offset + t - s|: [N,T,S], or for an offset[B] [B,N,T,S]."""
        return self._of_steps(steps_from(self, offset, time), keys, dtype)

    def _of_steps(self, steps: Array, keys: int, dtype: npt.DTypeLike) -> Array:
        distance = np.abs(steps[..., None] - np.arange(keys))
        bias: Array = -self.slopes[:, None, None].astype(dtype) * distance[..., None, :, :].astype(dtype)
        return bias

    def causal_bias(self, keys: int, dtype: npt.DTypeLike = np.float64) -> Array:
        """m_n (s - S + 1)[N,1,S]: over a query's earlier keys it differs from `bias` by a number, so that the
        softmax is the same, and nothing grows with T S. A score rounds at the size of m_n S: in float32, with
        4096 keys and the steepest slope, weights of the first queries are exact to 1e-4."""
        from_end = np.arange(1 - keys, 1, dtype=dtype)
        bias: Array = self.slopes[:, None, None].astype(dtype) * from_end
        return bias

    def check_fits(self, num_heads: int, head_size: int) -> None:
        if num_heads != self.num_heads:
            raise ValueError(f"ALiBi: num_heads must be {num_heads}, got {self.num_heads}")

    def score_bias(
        self, time: int, keys: int, offset: int | Array, causal: bool, dtype: Any
    ) -> tuple[Array, None]:
        if causal:
            return self.causal_bias(keys, dtype), None
        return self.bias(time, keys, offset=offset, dtype=dtype), None

    def graph(self, writer: GraphWriter) -> Node:
        return writer.entries(kind="alibi")

    def __repr__(self) -> str:
        return f"ALiBi({self.num_heads})"


def _slopes(heads: int) -> Array:
    """Of a power of two."""
    return np.array([2.0 ** (-8 * n / heads) for n in range(1, heads + 1)])
