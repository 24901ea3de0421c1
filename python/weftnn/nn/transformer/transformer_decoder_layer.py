"""TransformerDecoderLayer: self-attention, attention to a memory, a position-wise feed-forward network.

    norm_first=True                          norm_first=False
    g = x + attention(norm1(x))              g = norm1(x + attention(x))
    h = g + attention(norm2(g), memory)      h = norm2(g + attention(g, memory))
    y = h + ff(norm3(h))                     y = norm3(h + ff(h))

Backward: the three sublayers', last to first (transformer_layer.py).
B batch, T time, S time of the memory, E = d_model    x, y[B,T,E]  memory[B,S,E]
Vaswani et al., "Attention is all you need", 2017
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from weftnn.nn.attention.key_value_cache import KeyValueCache, unchanged_if_refused
from weftnn.nn.attention.multihead_attention import MultiheadAttention
from weftnn.nn.backprop import Backprop
from weftnn.nn.dense.layer_norm import LayerNorm
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.inputs import check_array
from weftnn.nn.layer import Layer
from weftnn.nn.parameter import Array, Seed
from weftnn.nn.pointwise.dropout import Dropout
from weftnn.nn.positions.attention_positions import AttentionPositions
from weftnn.nn.rows import lengths_of, without_padding
from weftnn.nn.transformer.feed_forward import FeedForward
from weftnn.nn.transformer.transformer_layer import TransformerLayer


class DecoderCache(NamedTuple):
    """The keys and values that a decoder's layer keeps from step to step."""

    steps: KeyValueCache  # of its own steps: grows
    memory: KeyValueCache  # of the memory: filled by the first call


class TransformerDecoderLayer(TransformerLayer):
    """Self-attention, attention to a memory, and a position-wise feed-forward network, each with a residual
    connection and layer normalization.

        y, backprop = layer(x, memory)      dx, dmemory = backprop(dy)
        y = layer.predict(x, memory)        y = layer.predict(x, memory, cache=cache)

    The constructor's arguments and the parameters' names are PyTorch's; activation is FeedForward's, and
    num_kv_heads, causal, window and positions are MultiheadAttention's. No step reads a later one, unless
    causal=False says so (PyTorch wants a mask at every call).
    A call's mask is that of the steps, memory_mask[..., T, S] that of the memory; lengths[B] are the valid
    steps of x (y is zero past a row's end), memory_lengths[B] those of the memory.
    predict(..., cache=layer.make_cache()) goes on after the steps in the cache; the memory's keys and values
    are computed at the first call, and kept. Raises ValueError and TypeError for what does not fit.

    >>> layer = TransformerDecoderLayer(8, 2, 16)
    >>> y, backprop = layer(np.ones((3, 5, 8), np.float32), np.ones((3, 7, 8), np.float32))
    >>> dx, dmemory = backprop(np.ones_like(y))
    >>> dx.shape, dmemory.shape
    ((3, 5, 8), (3, 7, 8))
    """

    takes_lengths = True

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Layer = "relu",
        layer_norm_eps: float = 1e-5,
        *,
        norm_first: bool = False,
        bias: bool = True,
        num_kv_heads: int | None = None,
        causal: bool = True,
        window: tuple[int, int] | None = None,
        positions: AttentionPositions | None = None,
        dtype: npt.DTypeLike = np.float32,
        rng: Seed = None,
    ) -> None:
        rng = np.random.default_rng(rng)

        def attention(**options: Any) -> MultiheadAttention:
            options |= {"num_kv_heads": num_kv_heads, "dtype": dtype, "rng": rng}
            return MultiheadAttention(d_model, nhead, dropout, bias, **options)

        self.self_attn = attention(causal=causal, window=window, positions=positions)
        self.multihead_attn = attention()
        self.feed_forward = FeedForward(
            d_model, dim_feedforward, dropout, activation, bias, dtype=dtype, rng=rng
        )
        self.norm1, self.norm2, self.norm3 = [
            LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype) for _ in range(3)
        ]
        self.dropout1, self.dropout2, self.dropout3 = [Dropout(dropout, rng=rng) for _ in range(3)]
        self.norm_first = norm_first

    @property
    def reads(self) -> str:
        return self.self_attn.reads

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
        self._check(x, memory)
        lengths = lengths_of(self, x, lengths)
        memory_lengths = lengths_of(self, memory, memory_lengths, "memory_lengths", of="memory")

        def attend(z: Array) -> tuple[Array, Backprop]:
            return self.self_attn(z, mask=mask, kv_lengths=lengths)

        def recall(z: Array) -> tuple[Array, Backprop]:
            return self.multihead_attn(z, memory, mask=memory_mask, kv_lengths=memory_lengths)

        x = without_padding(x, lengths)
        g, back_attend = self.sublayer(x, attend, self.norm1, self.dropout1)
        h, back_recall = self.sublayer(g, recall, self.norm2, self.dropout2)
        y, back_feed = self.sublayer(h, self.feed_forward, self.norm3, self.dropout3)
        y = without_padding(y, lengths)

        def backprop(dy: Array) -> tuple[Array, Array]:
            (dh,) = back_feed(without_padding(dy, lengths))
            dg, dmemory = back_recall(dh)
            (dx,) = back_attend(dg)
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
        cache: DecoderCache | None = None,
    ) -> Array:
        if cache is not None and not isinstance(cache, DecoderCache):
            expected = "a DecoderCache (layer.make_cache())"
            raise TypeError(f"TransformerDecoderLayer: cache must be {expected}, got {type(cache).__name__}")
        self._check(x, memory)
        lengths = lengths_of(self, x, lengths)
        memory_lengths = lengths_of(self, memory, memory_lengths, "memory_lengths", of="memory")

        def attend(z: Array) -> Array:
            own = None if cache is None else cache.steps
            y: Array = self.self_attn.predict(z, mask=mask, kv_lengths=lengths, cache=own)
            return y

        def recall(z: Array) -> Array:
            kept = None if cache is None else cache.memory
            options: dict[str, Any] = {"mask": memory_mask, "kv_lengths": memory_lengths, "cache": kept}
            y: Array = self.multihead_attn.predict(z, memory, **options)
            return y

        with unchanged_if_refused(cache or ()):
            x = without_padding(x, lengths)
            g = self.predict_sublayer(x, attend, self.norm1)
            h = self.predict_sublayer(g, recall, self.norm2)
            y = self.predict_sublayer(h, self.feed_forward.predict, self.norm3)
            return without_padding(y, lengths)

    def _check(self, x: Array, memory: Array) -> None:
        size, dtype = self.self_attn.embed_dim, self.self_attn.dtype
        check_array(self, "x", x, ("B", "T", "E"), size, dtype)
        check_array(self, "memory", memory, ("B", "S", "E"), size, dtype)

    def graph(self, writer: GraphWriter) -> Node:
        raise writer.obstacle(self, "it reads a memory beside its steps")

    def make_cache(self, capacity: int = 64, *, fixed: bool = False) -> DecoderCache:
        """An empty cache for predict; the capacity is that for steps."""
        return DecoderCache(KeyValueCache(capacity, fixed=fixed), KeyValueCache())

    def __repr__(self) -> str:
        return f"TransformerDecoderLayer({self.self_attn.embed_dim}, {self.self_attn.num_heads})"
