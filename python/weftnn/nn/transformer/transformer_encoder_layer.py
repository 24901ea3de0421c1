"""TransformerEncoderLayer: self-attention and a position-wise feed-forward network.

    norm_first=True                      norm_first=False
    h = x + attention(norm1(x))          h = norm1(x + attention(x))
    y = h + feed_forward(norm2(h))       y = norm2(h + feed_forward(h))

Backward: the two sublayers', last to first (transformer_layer.py).    x, y[B,T,E]  E = d_model
Vaswani et al., "Attention is all you need", 2017
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from weftnn.nn.attention.key_value_cache import KeyValueCache
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


class TransformerEncoderLayer(TransformerLayer):
    """Self-attention and a position-wise feed-forward network, each with a residual connection and layer
    normalization. With causal=True it is a layer of a language model.

        y, backprop = layer(x)      dx = backprop(dy)           with bias=...: dx, dbias = backprop(dy)
        y = layer.predict(x)        y = layer.predict(x, cache=cache)

    The constructor's arguments and the parameters' names are PyTorch's; activation is FeedForward's, and
    num_kv_heads, causal, window and positions are MultiheadAttention's, as are a call's mask, bias and
    lengths (y is zero past a row's end). predict(x, cache=layer.make_cache()) goes on after the steps in the
    cache. Raises ValueError and TypeError for sizes and arrays that do not fit.

    >>> layer = TransformerEncoderLayer(8, 2, 16, norm_first=True, causal=True)
    >>> y, backprop = layer(np.ones((3, 5, 8), np.float32))
    >>> cache = layer.make_cache()
    >>> layer.predict(np.ones((3, 4, 8), np.float32), cache=cache).shape
    (3, 4, 8)
    >>> layer.predict(np.ones((3, 1, 8), np.float32), cache=cache).shape
    (3, 1, 8)
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
        causal: bool = False,
        window: tuple[int, int] | None = None,
        positions: AttentionPositions | None = None,
        dtype: npt.DTypeLike = np.float32,
        rng: Seed = None,
    ) -> None:
        rng = np.random.default_rng(rng)
        self.self_attn = MultiheadAttention(
            d_model,
            nhead,
            dropout,
            bias,
            num_kv_heads=num_kv_heads,
            causal=causal,
            window=window,
            positions=positions,
            dtype=dtype,
            rng=rng,
        )
        self.feed_forward = FeedForward(
            d_model, dim_feedforward, dropout, activation, bias, dtype=dtype, rng=rng
        )
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.dropout1, self.dropout2 = Dropout(dropout, rng=rng), Dropout(dropout, rng=rng)
        self.norm_first = norm_first

    @property
    def reads(self) -> str:
        return self.self_attn.reads

    def __call__(
        self,
        x: Array,
        *,
        mask: Array | None = None,
        bias: Array | None = None,
        lengths: npt.ArrayLike | None = None,
    ) -> tuple[Array, Backprop]:
        check_array(self, "x", x, ("B", "T", "E"), self.self_attn.embed_dim, self.self_attn.dtype)
        lengths = lengths_of(self, x, lengths)

        def attend(z: Array) -> tuple[Array, Backprop]:
            return self.self_attn(z, mask=mask, bias=bias, kv_lengths=lengths)

        x = without_padding(x, lengths)
        h, back_attend = self.sublayer(x, attend, self.norm1, self.dropout1)
        y, back_feed = self.sublayer(h, self.feed_forward, self.norm2, self.dropout2)
        y = without_padding(y, lengths)

        def backprop(dy: Array) -> Any:
            (dh,) = back_feed(without_padding(dy, lengths))
            dx, *dbias = back_attend(dh)
            return (dx, *dbias) if dbias else dx

        return y, Backprop(self, backprop, y)

    def predict(
        self,
        x: Array,
        *,
        mask: Array | None = None,
        bias: Array | None = None,
        lengths: npt.ArrayLike | None = None,
        cache: KeyValueCache | None = None,
    ) -> Array:
        check_array(self, "x", x, ("B", "T", "E"), self.self_attn.embed_dim, self.self_attn.dtype)
        lengths = lengths_of(self, x, lengths)

        def attend(z: Array) -> Array:
            y: Array = self.self_attn.predict(z, mask=mask, bias=bias, kv_lengths=lengths, cache=cache)
            return y

        x = without_padding(x, lengths)
        h = self.predict_sublayer(x, attend, self.norm1)
        y = self.predict_sublayer(h, self.feed_forward.predict, self.norm2)
        return without_padding(y, lengths)

    def graph(self, writer: GraphWriter) -> Node:
        attend = self.sublayer_graph(writer, self.self_attn, self.norm1)
        return writer.sequence(attend, self.sublayer_graph(writer, self.feed_forward, self.norm2))

    def make_cache(self, capacity: int = 64, *, fixed: bool = False) -> KeyValueCache:
        """An empty cache for predict."""
        return KeyValueCache(capacity, fixed=fixed)

    def __repr__(self) -> str:
        attention = self.self_attn
        causal = ", causal=True" if attention.causal else ""
        return f"TransformerEncoderLayer({attention.embed_dim}, {attention.num_heads}{causal})"
