"""TransformerDecoder: y = norm(layer_n(... layer_1(x, m), m)), m the memory. Backward: last to first."""

from __future__ import annotations

from itertools import chain

import numpy as np
import numpy.typing as npt

from weftnn.nn.attention.key_value_cache import unchanged_if_refused
from weftnn.nn.backprop import Backprop
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.inputs import check_array
from weftnn.nn.parameter import Array
from weftnn.nn.rows import lengths_of, without_padding
from weftnn.nn.transformer.transformer_decoder_layer import DecoderCache, TransformerDecoderLayer
from weftnn.nn.transformer.transformer_stack import TransformerStack


class TransformerDecoder(TransformerStack):
    """TransformerDecoderLayers one after the other, all with one memory; x, y[B,T,E], memory[B,S,E].

    layers: the layers themselves, each with weights of its own (where PyTorch would copy one layer).
    norm: a LayerNorm for the result, as layers with norm_first=True need; None: none.

    A call's other arguments go to every layer. backprop gives dx and dmemory, the sum over layers.
    predict(x, memory, cache=decoder.make_cache()) goes on after the steps in the caches, one a layer.
    Parameters are "layers.0.self_attn.in_proj_weight", ..., "norm.weight", as PyTorch's.

    >>> decoder = TransformerDecoder([TransformerDecoderLayer(8, 2, 16) for _ in range(2)])
    >>> memory, cache = np.ones((3, 7, 8), np.float32), decoder.make_cache()
    >>> for _ in range(5):
    ...     y = decoder.predict(np.ones((3, 1, 8), np.float32), memory, cache=cache)
    >>> len(cache[0].steps), len(cache[0].memory)
    (5, 7)
    """

    kind = TransformerDecoderLayer

    def __call__(
        self,
        x: Array,
        memory: Array,
        *,
        mask: Array | None = None,
        memory_mask: Array | None = None,
        lengths: npt.ArrayLike | None = None,
        memory_lengths: npt.ArrayLike | None = None,
    ) -> tuple[Array, Backprop]:
        check_array(self, "x", x, ("B", "T", "E"))
        check_array(self, "memory", memory, ("B", "S", "E"))
        lengths = lengths_of(self, x, lengths)
        memory_lengths = lengths_of(self, memory, memory_lengths, "memory_lengths", of="memory")
        y = x
        steps = []
        for layer in self.layers:
            y, back = layer(
                y,
                memory,
                mask=mask,
                memory_mask=memory_mask,
                lengths=lengths,
                memory_lengths=memory_lengths,
            )
            steps.append(back)
        if self.norm is not None:
            y, back_norm = self.norm(y)
        y = without_padding(y, lengths)
        like_memory = memory.shape, memory.dtype

        def backprop(dy: Array) -> tuple[Array, Array]:
            dx, dmemory = without_padding(dy, lengths), np.zeros(*like_memory)
            if self.norm is not None:
                dx = back_norm(dx)
            while steps:  # popped: a layer's memory goes free as soon as it has been used
                dx, dmemory_of_layer = steps.pop()(dx)
                dmemory += dmemory_of_layer
            return dx, dmemory

        return y, Backprop(self, backprop, y)

    def predict(
        self,
        x: Array,
        memory: Array,
        *,
        mask: Array | None = None,
        memory_mask: Array | None = None,
        lengths: npt.ArrayLike | None = None,
        memory_lengths: npt.ArrayLike | None = None,
        cache: list[DecoderCache] | None = None,
    ) -> Array:
        check_array(self, "x", x, ("B", "T", "E"))
        check_array(self, "memory", memory, ("B", "S", "E"))
        lengths = lengths_of(self, x, lengths)
        memory_lengths = lengths_of(self, memory, memory_lengths, "memory_lengths", of="memory")
        layers = self.with_caches(cache)
        with unchanged_if_refused(chain.from_iterable(cache or ())):
            for layer, layer_cache in layers:
                x = layer.predict(
                    x,
                    memory,
                    mask=mask,
                    memory_mask=memory_mask,
                    lengths=lengths,
                    memory_lengths=memory_lengths,
                    cache=layer_cache,
                )
            return without_padding(x if self.norm is None else self.norm.predict(x), lengths)

    def graph(self, writer: GraphWriter) -> Node:
        raise writer.obstacle(self, "it reads a memory beside its steps")
