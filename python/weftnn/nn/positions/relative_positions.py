"""RelativePositions: y[n, t, s] = score[n, t, s] + W[bucket(s - t), n], a learned bias for each distance.

Small distances have a bucket each. Larger ones share buckets whose ranges grow with the logarithm up to
max_distance; all distances beyond share one. Of R buckets, the first half is for d <= 0 and the second for
d > 0, or all are for d <= 0.

Backward:  dscore = dy,  dW[b, n] += sum of dy[n, t, s] where bucket(s - t) = b.
B batch, N heads, T time of the query, S of the keys      scores, y[B,N,T,S]  W[R,N]
Raffel et al., "Exploring the limits of transfer learning with a unified text-to-text transformer" (T5), 2020
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from weftnn.arguments import check_count
from weftnn.nn import init
from weftnn.nn.backprop import Backprop
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.parameter import Array, Parameter, Seed
from weftnn.nn.positions.attention_positions import AttentionPositions, BiasBackprop, check_scores
from weftnn.nn.positions.steps import steps_from


class RelativePositions(AttentionPositions):
    """Learned biases by distance: MultiheadAttention(..., positions=RelativePositions(num_heads)).

    weight[num_buckets, num_heads], at first N(0, 0.02^2). One object may serve several layers: they share its
    weight. bidirectional=False has no buckets for later keys, which causal attention never reads.
    As a layer: scores, y[B,N,T,S]; offset: the position of the first query among the keys, an int, or [B].
    Raises ValueError for another number of heads, and unless half of a side's buckets is below max_distance.

    >>> RelativePositions(2, 8, 20).buckets(np.array([-30, -5, -2, -1, 0, 1, 2, 5, 30]))
    array([3, 2, 2, 1, 0, 5, 6, 6, 7])
    """

    def __init__(
        self,
        num_heads: int,
        num_buckets: int = 32,
        max_distance: int = 128,
        bidirectional: bool = True,
        *,
        dtype: npt.DTypeLike = np.float32,
        rng: Seed = None,
    ) -> None:
        name = "RelativePositions"
        self.num_heads = num_heads = check_count(name, "num_heads", num_heads)
        num_buckets = check_count(name, "num_buckets", num_buckets, low=4 if bidirectional else 2)
        self.num_buckets = num_buckets
        self.bidirectional = bidirectional
        self._side = num_buckets // 2 if bidirectional else num_buckets  # buckets for one direction
        self.max_distance = check_count(name, "max_distance", max_distance, low=self._side // 2 + 1)
        self.weight = Parameter(init.normal((num_buckets, num_heads), 0.02, dtype=dtype, rng=rng))

    def __call__(self, scores: Array, offset: int | Array = 0) -> tuple[Array, Backprop]:
        bias, back = self._bias(scores, offset)
        y = scores + bias

        def backprop(dy: Array) -> Array:
            back(dy if bias.ndim == 4 else dy.sum(axis=0))
            return dy

        return y, Backprop(self, backprop, y)

    def predict(self, scores: Array, offset: int | Array = 0) -> Array:
        y: Array = scores + self._bias(scores, offset)[0]
        return y

    def check_fits(self, num_heads: int, head_size: int) -> None:
        if num_heads != self.num_heads:
            raise ValueError(f"RelativePositions: num_heads must be {num_heads}, got {self.num_heads}")

    def score_bias(
        self, time: int, keys: int, offset: int | Array, causal: bool, dtype: Any
    ) -> tuple[Array, BiasBackprop]:
        """W[bucket, n] as [N,T,S], or for an offset[B] [B,N,T,S]."""
        return self._of_steps(steps_from(self, offset, time), keys)

    def _of_steps(self, steps: Array, keys: int) -> tuple[Array, BiasBackprop]:
        buckets = self.buckets(np.arange(keys) - steps[..., None])
        bias: Array = np.take(self.weight.data.T, buckets, axis=1)
        bias = bias if bias.ndim == 3 else bias.swapaxes(0, 1)

        def back(dbias: Array) -> None:
            places, gradient = buckets.ravel(), self.weight.gradient()
            for head, of_head in enumerate(np.moveaxis(dbias, -3, 0)):
                gradient[:, head] += np.bincount(places, of_head.ravel(), self.num_buckets)

        return bias, back

    def buckets(self, distance: Array) -> Array:
        """The bucket of each distance s - t: small ones apart, larger ones by their logarithm."""
        far, exact = np.abs(distance if self.bidirectional else np.minimum(distance, 0)), self._side // 2
        share = np.log(np.maximum(far, exact) / exact) / np.log(self.max_distance / exact)
        logarithm = exact + (share * (self._side - exact)).astype(np.int64)
        bucket: Array = np.where(far < exact, far, np.minimum(logarithm, self._side - 1))
        return bucket + self._side * (distance > 0) if self.bidirectional else bucket

    def graph(self, writer: GraphWriter) -> Node:
        options = {"max_distance": self.max_distance, "bidirectional": self.bidirectional}
        return writer.entries(kind="relative", weight=self.weight, **options)

    def _bias(self, scores: Array, offset: int | Array) -> tuple[Array, BiasBackprop]:
        check_scores(self, scores, self.num_heads, self.weight.dtype)
        steps = steps_from(self, offset, scores.shape[2], len(scores))
        return self._of_steps(steps, scores.shape[3])

    def __repr__(self) -> str:
        return f"RelativePositions({self.num_heads}, {self.num_buckets}, {self.max_distance})"
