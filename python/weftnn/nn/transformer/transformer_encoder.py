"""TransformerEncoder: y = norm(layer_n(... layer_1(x))). Backward: the layers' backprops, last to first."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from weftnn.nn.attention.key_value_cache import KeyValueCache, unchanged_if_refused
from weftnn.nn.backprop import Backprop
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.inputs import check_array
from weftnn.nn.parameter import Array
from weftnn.nn.rows import lengths_of, without_padding
from weftnn.nn.transformer.transformer_encoder_layer import TransformerEncoderLayer
from weftnn.nn.transformer.transformer_stack import TransformerStack


class TransformerEncoder(TransformerStack):
    """TransformerEncoderLayers one after the other; x, y[B,T,E].

    layers: the layers themselves, each with weights of its own (where PyTorch would copy one layer).
    norm: a LayerNorm for the result, as layers with norm_first=True need; None: none.

    A call's mask, bias and lengths go to every layer; backprop then gives dx, or (dx, dbias), dbias the sum.
    predict(x, cache=encoder.make_cache()) goes on after the steps in the caches, one a layer.
    Parameters are "layers.0.self_attn.in_proj_weight", ..., "norm.weight", as PyTorch's.

    >>> from weftnn.nn import LayerNorm
    >>> layers = [TransformerEncoderLayer(8, 2, 16, norm_first=True) for _ in range(2)]
    >>> encoder = TransformerEncoder(layers, LayerNorm(8))
    >>> y, backprop = encoder(np.ones((2, 5, 8), np.float32), lengths=[5, 2])
    >>> y.shape, bool((y[1, 2:] == 0).all())
    ((2, 5, 8), True)
    """

    kind = TransformerEncoderLayer

    def __call__(
        self,
        x: Array,
        *,
        mask: Array | None = None,
        bias: Array | None = None,
        lengths: npt.ArrayLike | None = None,
    ) -> tuple[Array, Backprop]:
        check_array(self, "x", x, ("B", "T", "E"))
        lengths = lengths_of(self, x, lengths)
        y = x
        steps = []
        for layer in self.layers:
            y, back = layer(y, mask=mask, bias=bias, lengths=lengths)
            steps.append(back)
        if self.norm is not None:
            y, back_norm = self.norm(y)
        y = without_padding(y, lengths)

        def backprop(dy: Array) -> Any:
            dx = without_padding(dy, lengths)
            if self.norm is not None:
                dx = back_norm(dx)
            if bias is None:
                while steps:  # popped: a layer's memory goes free as soon as it has been used
                    dx = steps.pop()(dx)
                return dx
            dbias = np.zeros_like(bias)
            while steps:
                dx, dbias_of_layer = steps.pop()(dx)
                dbias += dbias_of_layer
            return dx, dbias

        return y, Backprop(self, backprop, y)

    def predict(
        self,
        x: Array,
        *,
        mask: Array | None = None,
        bias: Array | None = None,
        lengths: npt.ArrayLike | None = None,
        cache: list[KeyValueCache] | None = None,
    ) -> Array:
        check_array(self, "x", x, ("B", "T", "E"))
        lengths = lengths_of(self, x, lengths)
        layers = self.with_caches(cache)
        with unchanged_if_refused(cache or ()):
            for layer, layer_cache in layers:
                x = layer.predict(x, mask=mask, bias=bias, lengths=lengths, cache=layer_cache)
            return without_padding(x if self.norm is None else self.norm.predict(x), lengths)

    def graph(self, writer: GraphWriter) -> Node:
        return writer.sequence(*self.layers, *([] if self.norm is None else [self.norm]))
