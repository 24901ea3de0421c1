"""AttentionPositions: how attention(x) learns the positions of its steps.

    q, k  = rotate(q), rotate(k)
    score = q kᵀ / sqrt(D) + score_bias

RotaryPositions rotate queries and keys; ALiBi and RelativePositions add to the scores. Positions that are
added to x itself are layers before the attention: SinusoidalPositions, LearnedPositions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from weftnn.nn.inputs import check_array
from weftnn.nn.layer import Layer
from weftnn.nn.parameter import Array

BiasBackprop: TypeAlias = Callable[[Array], None]


def check_scores(layer: Layer, scores: Array, num_heads: int, dtype: Any) -> None:
    """Refuse what is not scores[B,N,T,S] of N = num_heads."""
    check_array(layer, "scores", scores, ("B", "N", "T", "S"), None, dtype)
    if scores.shape[1] != num_heads:
        raise ValueError(
            f"{type(layer).__name__}: scores must be (B, N, T, S) with N = {num_heads}, got {scores.shape}"
        )


class AttentionPositions(Layer):
    """Base of what MultiheadAttention takes as `positions`: it calls these methods, which do nothing here.

    offset: the position of the first step of x, an int, or [B] where the rows of a cache differ.
    """

    reads = "place"

    def check_fits(self, num_heads: int, head_size: int) -> None:
        """Raises ValueError if it was made for another number or size of heads."""

    def turn_in_place(self, x: Array, offset: int | Array) -> Callable[[Array], Any] | None:
        """Rotates x[B,N,T,D], queries or keys, in place; its backprop overwrites the gradient likewise."""
        return None

    # Its `graph` gives the entry `positions` of attention's node.

    def score_bias(
        self, time: int, keys: int, offset: int | Array, causal: bool, dtype: Any
    ) -> tuple[Array | None, BiasBackprop | None]:
        """(bias, back): bias broadcasts to [B,N,T,S]; back(dbias) adds to the gradients of what it learns.

        Query t is at the position of key offset + t. With causal, bias need only be right for earlier keys.
        """
        return None, None
