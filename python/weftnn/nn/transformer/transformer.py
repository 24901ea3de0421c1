"""Transformer: y = decoder(x, encoder(source)): one sequence into another.

Backward: dx, dmemory = decoder's(dy),  dsource = encoder's(dmemory).
B batch, S time of the source, T time of x, E = d_model    source[B,S,E]  x, y[B,T,E]
Vaswani et al., "Attention is all you need", 2017
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from weftnn.arguments import check_count
from weftnn.nn import init
from weftnn.nn.backprop import Backprop
from weftnn.nn.dense.layer_norm import LayerNorm
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.inputs import check_array
from weftnn.nn.layer import Layer
from weftnn.nn.parameter import Array, Seed
from weftnn.nn.rows import lengths_of
from weftnn.nn.transformer.transformer_decoder import TransformerDecoder
from weftnn.nn.transformer.transformer_decoder_layer import TransformerDecoderLayer
from weftnn.nn.transformer.transformer_encoder import TransformerEncoder
from weftnn.nn.transformer.transformer_encoder_layer import TransformerEncoderLayer


class Transformer(Layer):
    """An encoder reads the source. A decoder reads the encoder's result and its own earlier steps.

        y, backprop = model(source, x)      dsource, dx = backprop(dy)
        y = model.predict(source, x)

    The constructor's arguments, the parameters' names and the first weights (Xavier uniform) are PyTorch's.
    lengths[B] are the valid steps of the source, x_lengths[B] those of x; no step of x reads a later one.
    To decode: memory = model.encoder.predict(source), then model.decoder.predict(step, memory, cache=...).

    >>> model = Transformer(8, 2, 1, 1, 16)
    >>> y, backprop = model(np.ones((3, 7, 8), np.float32), np.ones((3, 5, 8), np.float32))
    >>> dsource, dx = backprop(np.ones_like(y))
    >>> dsource.shape, dx.shape
    ((3, 7, 8), (3, 5, 8))
    """

    reads = "all"
    takes_lengths = True  # those of the source

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Layer = "relu",
        layer_norm_eps: float = 1e-5,
        *,
        norm_first: bool = False,
        bias: bool = True,
        dtype: npt.DTypeLike = np.float32,
        rng: Seed = None,
    ) -> None:
        self.d_model = d_model = check_count("Transformer", "d_model", d_model)
        self.dtype = np.dtype(dtype)
        num_encoder_layers = check_count("Transformer", "num_encoder_layers", num_encoder_layers, low=0)
        num_decoder_layers = check_count("Transformer", "num_decoder_layers", num_decoder_layers, low=0)
        rng = np.random.default_rng(rng)
        sizes = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps)
        options: dict[str, Any] = {"norm_first": norm_first, "bias": bias, "dtype": dtype, "rng": rng}

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)

        self.encoder = TransformerEncoder(
            [TransformerEncoderLayer(*sizes, **options) for _ in range(num_encoder_layers)], norm()
        )
        self.decoder = TransformerDecoder(
            [TransformerDecoderLayer(*sizes, **options) for _ in range(num_decoder_layers)], norm()
        )
        for parameter in self.parameters():
            if len(parameter.shape) > 1:
                parameter.data[...] = init.xavier_uniform(parameter.shape, rng=rng)

    def __call__(
        self,
        source: Array,
        x: Array,
        *,
        lengths: npt.ArrayLike | None = None,
        x_lengths: npt.ArrayLike | None = None,
    ) -> tuple[Array, Backprop]:
        lengths, x_lengths = self._checked(source, lengths, x, x_lengths)
        memory, back_encoder = self.encoder(source, lengths=lengths)
        y, back_decoder = self.decoder(x, memory, lengths=x_lengths, memory_lengths=lengths)

        def backprop(dy: Array) -> tuple[Array, Array]:
            dx, dmemory = back_decoder(dy)
            return back_encoder(dmemory), dx

        return y, Backprop(self, backprop, y)

    def predict(
        self,
        source: Array,
        x: Array,
        *,
        lengths: npt.ArrayLike | None = None,
        x_lengths: npt.ArrayLike | None = None,
    ) -> Array:
        lengths, x_lengths = self._checked(source, lengths, x, x_lengths)
        memory = self.encoder.predict(source, lengths=lengths)
        return self.decoder.predict(x, memory, lengths=x_lengths, memory_lengths=lengths)

    def _checked(
        self, source: Array, lengths: npt.ArrayLike | None, x: Array, x_lengths: npt.ArrayLike | None
    ) -> tuple[Array | None, Array | None]:
        """Both lengths; with the arrays, all is checked before the encoder begins."""
        check_array(self, "source", source, ("B", "S", "E"), self.d_model, self.dtype)
        check_array(self, "x", x, ("B", "T", "E"), self.d_model, self.dtype)
        return (
            lengths_of(self, source, lengths, of="source"),
            lengths_of(self, x, x_lengths, "x_lengths"),
        )

    def graph(self, writer: GraphWriter) -> Node:
        raise writer.obstacle(self, "it reads two sequences")

    def __repr__(self) -> str:
        return f"Transformer({self.encoder!r}, {self.decoder!r})"
