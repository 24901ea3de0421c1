"""TransformerStack: layers one after the other, an optional last normalization, a cache for each layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from weftnn.nn.dense.layer_norm import LayerNorm
from weftnn.nn.layer import Layer
from weftnn.nn.sequences import widest
from weftnn.nn.transformer.transformer_layer import TransformerLayer


class TransformerStack(Layer):
    """Base of TransformerEncoder and TransformerDecoder: what they are made of."""

    kind: type[TransformerLayer]  # of the layers
    takes_lengths = True

    def __init__(self, layers: Sequence[Any], norm: LayerNorm | None = None) -> None:
        if not isinstance(layers, list | tuple) or not all(isinstance(layer, self.kind) for layer in layers):
            raise TypeError(
                f"{type(self).__name__}: layers must be a list of {self.kind.__name__}, got {layers!r}"
            )
        if norm is not None and not isinstance(norm, Layer):
            raise TypeError(f"{type(self).__name__}: norm must be a LayerNorm or None, got {norm!r:.80}")
        self.layers: list[Any] = list(layers)
        self.norm = norm

    @property
    def reads(self) -> str | None:
        return widest(self.layers)

    def make_cache(self, capacity: int = 64, *, fixed: bool = False) -> list[Any]:
        """Empty caches for predict, one a layer; the capacity is that for steps."""
        return [layer.make_cache(capacity, fixed=fixed) for layer in self.layers]

    def with_caches(self, cache: list[Any] | None) -> Iterator[tuple[Any, Any]]:
        """(layer, its cache), or (layer, None)."""
        expected = f"{len(self.layers)} caches, one a layer"
        if cache is not None and not isinstance(cache, list | tuple):
            raise TypeError(f"{type(self).__name__}: cache must be {expected}, got {type(cache).__name__}")
        if cache is not None and len(cache) != len(self.layers):
            raise ValueError(f"{type(self).__name__}: cache must be {expected}, got {len(cache)}")
        return zip(self.layers, cache or [None] * len(self.layers), strict=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.layers!r}, {self.norm!r})"
