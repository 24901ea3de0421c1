"""TransformerEncoder: y = norm(layer_n(... layer_1(x))). Backward: the layers' backprops, last to first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from weft.nn.backprop import Backprop
from weft.nn.key_value_cache import KeyValueCache
from weft.nn.layer import Layer
from weft.nn.layer_norm import LayerNorm
from weft.nn.parameter import Array
from weft.nn.rows import without_padding
from weft.nn.transformer_encoder_layer import TransformerEncoderLayer

Inner = TypeVar("Inner", bound=Layer)


class TransformerEncoder(Layer):
    """TransformerEncoderLayers one after the other; x, y[B,T,E].

    layers: the layers themselves, each with weights of its own (where PyTorch would copy one layer).
    norm: a LayerNorm for the result, as layers with norm_first=True need; None: none.

    A call's mask, bias and lengths go to every layer; backprop then gives dx, or (dx, dbias), dbias the sum.
    predict(x, cache=encoder.make_cache()) goes on after the steps in the caches, one a layer.
    Parameters are "layers.0.self_attn.in_proj_weight", ..., "norm.weight", as PyTorch's.

    >>> layers = [TransformerEncoderLayer(8, 2, 16, norm_first=True) for _ in range(2)]
    >>> encoder = TransformerEncoder(layers, LayerNorm(8))
    >>> y, backprop = encoder(np.ones((2, 5, 8), np.float32), lengths=[5, 2])
    >>> y.shape, bool((y[1, 2:] == 0).all())
    ((2, 5, 8), True)
    """

    def __init__(self, layers: Sequence[TransformerEncoderLayer], norm: LayerNorm | None = None) -> None:
        self.layers = checked_layers(self, layers, TransformerEncoderLayer)
        self.norm = norm

    def __call__(
        self,
        x: Array,
        *,
        mask: Array | None = None,
        bias: Array | None = None,
        lengths: npt.ArrayLike | None = None,
    ) -> tuple[Array, Backprop]:
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
        caches = check_caches(self, cache, len(self.layers))
        for layer, layer_cache in zip(self.layers, caches, strict=True):
            x = layer.predict(x, mask=mask, bias=bias, lengths=lengths, cache=layer_cache)
        return without_padding(x if self.norm is None else self.norm.predict(x), lengths)

    def make_cache(self, capacity: int = 64, *, fixed: bool = False) -> list[KeyValueCache]:
        """Empty caches for predict, one a layer."""
        return [layer.make_cache(capacity, fixed=fixed) for layer in self.layers]

    def __repr__(self) -> str:
        return f"TransformerEncoder({self.layers!r}, {self.norm!r})"


def checked_layers(layer: Layer, layers: Any, kind: type[Inner]) -> list[Inner]:
    """The layers of a stack, in a list of its own."""
    if not isinstance(layers, list | tuple) or not all(isinstance(inner, kind) for inner in layers):
        raise TypeError(f"{type(layer).__name__}: layers must be a list of {kind.__name__}, got {layers!r}")
    return list(layers)


def check_caches(layer: Layer, cache: list[Any] | None, count: int) -> list[Any]:
    """The caches, one a layer, or Nones."""
    if cache is not None and len(cache) != count:
        raise ValueError(
            f"{type(layer).__name__}: cache must be {count} caches, one a layer, got {len(cache)}"
        )
    return [None] * count if cache is None else cache
