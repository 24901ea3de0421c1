"""TransformerLayer: sublayers, each a function f with a residual connection, normalized before or after.

    norm_first=True     y = x + dropout(f(norm(x)))     dx = dy + norm'(f'(dropout'(dy)))
    norm_first=False    y = norm(x + dropout(f(x)))     dx = ds + f'(dropout'(ds))     ds = norm'(dy)

After: Vaswani et al., "Attention is all you need", 2017; before: Xiong et al., "On layer normalization in the
transformer architecture", 2020
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from weftnn.nn.dense.layer_norm import LayerNorm
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.layer import Layer
from weftnn.nn.parameter import Array, Parameter
from weftnn.nn.pointwise.dropout import Dropout
from weftnn.nn.transformer.feed_forward import FeedForward

# f: z to (f(z), back), where back gives dz, or (dz, the gradients of whatever else f reads)
Function: TypeAlias = Callable[[Array], tuple[Array, Callable[[Array], Any]]]


class TransformerLayer(Layer):
    """Base of the encoder's layer and the decoder's."""

    norm_first: bool
    feed_forward: FeedForward

    def sublayer(
        self, x: Array, function: Function, norm: LayerNorm, dropout: Dropout
    ) -> tuple[Array, Callable[[Array], list[Array]]]:
        """(y, back): back(dy) gives dx, then the gradients of whatever else the function reads.

        The function's result must be a new array, which nothing else reads: it is added to.
        """
        if self.norm_first:
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
                dtotal += dx
                return [dtotal, *others]

        return y, backprop

    def predict_sublayer(self, x: Array, function: Callable[[Array], Array], norm: LayerNorm) -> Array:
        """The same without dropout and without backprop."""
        y = function(norm.predict(x) if self.norm_first else x)
        y += x
        return y if self.norm_first else norm.predict(y)

    def sublayer_graph(self, writer: GraphWriter, layer: Layer, norm: LayerNorm) -> Node:
        """The same as nodes of a model file."""
        inner = writer.sequence(norm, layer) if self.norm_first else writer.layer(layer)
        residual = writer.node("residual", layer=inner)
        return residual if self.norm_first else writer.sequence(residual, norm)

    def named_members(self) -> Iterator[tuple[str, Parameter | Layer]]:
        """linear1 and linear2 have PyTorch's names, without a "feed_forward" before them."""
        for name, member in super().named_members():
            yield from self.feed_forward.named_members() if member is self.feed_forward else [(name, member)]


def _listed(gradients: Any) -> list[Array]:
    return list(gradients) if isinstance(gradients, tuple) else [gradients]
