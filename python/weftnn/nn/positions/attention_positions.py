"""AttentionPositions: what tells the steps of attention(x) where they stand, inside of the attention.

    q, k = turn(q), turn(k)          score = q kᵀ / sqrt(D) + score_bias          either, both or none

RotaryPositions turn, ALiBi and RelativePositions add. Positions that are added to x itself come before, as
layers: SinusoidalPositions, LearnedPositions.
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
    """Base of what MultiheadAttention takes as `positions`: it calls these three, which do nothing here.

    offset: how many steps came before x, an int, or [B] where the rows of a cache differ.
    """

    reads = "place"

    def check_fits(self, num_heads: int, head_size: int) -> None:
        """Raises ValueError where it is not for heads so many and so large."""

    def turn_in_place(self, x: Array, offset: int | Array) -> Callable[[Array], Any] | None:
        """Overwrites x[B,N,T,D], queries or keys; the way back overwrites its gradient."""
        return None

    # Its `graph` gives the entry `positions` of attention's node.

    def score_bias(
        self, time: int, keys: int, offset: int | Array, causal: bool, dtype: Any
    ) -> tuple[Array | None, BiasBackprop | None]:
        """(bias, back): bias broadcasts to [B,N,T,S]; back(dbias) adds to the gradients of what it learns.

        Query t stands at key offset + t. With causal, bias need only be right for earlier keys.
        """
        return None, None
