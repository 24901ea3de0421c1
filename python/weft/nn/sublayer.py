"""Sublayer: what a transformer's layers are made of, a function beside what goes past it, normalised.

    norm_first:  y = x + dropout(f(norm(x)))            dx = dy + norm'(f'(dropout'(dy)))
    else:        y = norm(x + dropout(f(x)))            dx = ds + f'(dropout'(ds)),  ds = norm'(dy)

Vaswani et al. 2017 normalise last; first: Xiong et al., "On layer normalization in the transformer
architecture", 2020
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from weft.nn.dropout import Dropout
from weft.nn.layer_norm import LayerNorm
from weft.nn.parameter import Array

# f: z to (f(z), back), where back gives dz, or (dz, the gradients of whatever else f reads)
Function: TypeAlias = Callable[[Array], tuple[Array, Callable[[Array], Any]]]
SublayerBackprop: TypeAlias = Callable[[Array], list[Array]]


def sublayer(
    x: Array, function: Function, norm: LayerNorm, dropout: Dropout, norm_first: bool
) -> tuple[Array, SublayerBackprop]:
    """(y, back): back(dy) gives dx, then what else the function's way back gives.

    The function's result must be its own new array: it is written.
    """
    if norm_first:
        z, back_norm = norm(x)
        inner, back = function(z)
        y, back_dropout = dropout(inner)
        y += x

        def backprop(dy: Array) -> list[Array]:
            dz, *others = _listed(back(back_dropout(dy)))
            dx: Array = back_norm(dz)
            dx += dy
            return [dx, *others]

    else:
        inner, back = function(x)
        total, back_dropout = dropout(inner)
        total += x
        y, back_norm = norm(total)

        def backprop(dy: Array) -> list[Array]:
            dtotal = back_norm(dy)
            dx, *others = _listed(back(back_dropout(dtotal)))
            return [dtotal + dx, *others]

    return y, backprop


def predict_sublayer(
    x: Array, function: Callable[[Array], Array], norm: LayerNorm, norm_first: bool
) -> Array:
    """The same without dropout and without a way back."""
    y = function(norm.predict(x) if norm_first else x)
    y += x
    return y if norm_first else norm.predict(y)


def _listed(gradients: Any) -> list[Array]:
    return list(gradients) if isinstance(gradients, tuple) else [gradients]
