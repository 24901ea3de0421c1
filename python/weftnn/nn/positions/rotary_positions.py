"""RotaryPositions: pairs of features are rotated by an angle that grows with the step.

    y_a = x_a cos(t f_i) - x_b sin(t f_i)
    y_b = x_b cos(t f_i) + x_a sin(t f_i)        f_i = base^(-2i/dim)

Backward rotates by the opposite angle. The product of a rotated query and a rotated key depends on the
distance between them, not on their positions. Pair i is (a, b) = (i, i + dim/2), or interleaved
(2i, 2i + 1), of the first dim features.
x, y[B,N,T,D]: B batch, N heads, T time, D features, dim <= D.
Su et al., "RoFormer: enhanced transformer with rotary position embedding", 2021
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from weftnn import ops
from weftnn.arguments import check_count, check_number
from weftnn.nn.backprop import Backprop
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.inputs import check_array
from weftnn.nn.parameter import Array
from weftnn.nn.positions.attention_positions import AttentionPositions
from weftnn.nn.positions.frequencies import frequencies
from weftnn.nn.positions.place_table import PlaceTable
from weftnn.nn.positions.steps import steps_from


class RotaryPositions(AttentionPositions):
    """Rotates queries and keys by their positions: MultiheadAttention(..., positions=RotaryPositions(dim)).

    dim: how many features of a head are rotated, an even number, at most D.
    interleaved: pairs are neighbours (RoFormer, GPT-J); else they are dim/2 apart (GPT-NeoX, LLaMA).

    As a layer: x, y[B,N,T,D]; offset: the position of the first step, an int, or [B] where rows differ.
    There is no largest position. Negative positions, as left padding has, rotate the other way.
    Raises ValueError for an odd dim, and ValueError or TypeError for an x or an offset that does not fit.

    >>> x = np.array([[[[1.0, 0.0], [1.0, 0.0]]]])
    >>> RotaryPositions(2).predict(x, offset=1).round(2)
    array([[[[ 0.54,  0.84],
             [-0.42,  0.91]]]])
    """

    def __init__(self, dim: int, base: float = 10000.0, *, interleaved: bool = False) -> None:
        self.dim = dim = check_count("RotaryPositions", "dim", dim, low=2)
        if dim % 2:
            raise ValueError(f"RotaryPositions: dim must be even, got {dim}")
        self.base = check_number("RotaryPositions", "base", base, above=0)
        self.interleaved = interleaved
        self._frequencies = frequencies(self.base, dim)
        self._table = PlaceTable(self._turns, dim)

    def __call__(self, x: Array, offset: int | Array = 0) -> tuple[Array, Backprop]:
        y, saved = self._turn(x, offset)
        return y, Backprop(self, lambda dy: ops.rotary_backward(saved, dy), y)

    def predict(self, x: Array, offset: int | Array = 0) -> Array:
        return self._turn(x, offset)[0]

    def check_fits(self, num_heads: int, head_size: int) -> None:
        if self.dim > head_size:
            raise ValueError(
                f"RotaryPositions: dim must be at most the D = {head_size} features of a head, got {self.dim}"
            )

    def turn_in_place(self, x: Array, offset: int | Array) -> Callable[[Array], Any]:
        saved = self._turn(x, offset, out=x)[1]
        return lambda dx: ops.rotary_backward(saved, dx, out=dx)

    def graph(self, writer: GraphWriter) -> Node:
        return writer.entries(kind="rotary", dim=self.dim, base=self.base, interleaved=self.interleaved)

    def _turn(self, x: Array, offset: int | Array, out: Array | None = None) -> tuple[Array, Any]:
        check_array(self, "x", x, ("B", "N", "T", "D"))
        if x.shape[-1] < self.dim:
            raise ValueError(f"RotaryPositions: x must be (B, N, T, D) with D >= {self.dim}, got {x.shape}")
        turns = self._table.at(steps_from(self, offset, x.shape[2], len(x)), x.dtype)
        cos, sin = turns[..., : self.dim // 2], turns[..., self.dim // 2 :]
        return ops.rotary_forward(x, cos, sin, interleaved=self.interleaved, out=out)

    def _turns(self, places: Array) -> Array:
        """cos and sin[..., dim] of the angles at places[...], in float64: float32 would miss far places."""
        angle = places[..., None] * self._frequencies
        return np.concatenate([np.cos(angle), np.sin(angle)], axis=-1)

    def __repr__(self) -> str:
        return f"RotaryPositions({self.dim}{', interleaved=True' if self.interleaved else ''})"
