"""GPT: a decoder-only transformer, which predicts each byte of a text from those before it in a window.

    h_0      = dropout(embedding(x) + position)
    h_l      = layer_l(h_{l-1})                     l = 1 ... L, causal, norm first
    logits_t = W norm(h_L)_t + b
    p(x_{t+1} | x_1 ... x_t) = softmax(logits_t)

B batch, T time, at most C = context, V = 256 bytes, E hidden size, L layers.     x[B,T] int -> logits[B,T,V]
Positions are learned vectors as above, or part of the attention: rotary (the default), or ALiBi.

Source: Radford et al., "Language models are unsupervised multitask learners" (GPT-2), 2019. Initial weights
are N(0, 1/E), divided by sqrt(2 L) where a residual connection adds the product, as there. The N(0, 0.02^2)
of GPT-2 is for widths of about 1000; narrow models learn much more slowly from it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from weftnn import nn
from weftnn.arguments import check_choice, check_count, check_number
from weftnn.models.byte_model import VOCABULARY, ByteModel, Reader, check_shape, check_table
from weftnn.models.context_window import ContextReader
from weftnn.nn import init
from weftnn.nn.attention.key_value_cache import KeyValueCache
from weftnn.nn.backprop import Backprop
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.inputs import check_integers
from weftnn.nn.parameter import Array, Seed

__all__ = ["GPT", "POSITIONS"]

POSITIONS = ("learned", "rotary", "alibi")
_WIDER = 4  # the feed-forward part, in hidden sizes


class GPT(ByteModel):
    """p(next byte | the bytes before it in the window): embedding, positions, transformer, linear.

    x[B,T] of any integer type, values 0 to 255, T <= context, gives logits[B,T,256]. It has no state: every
    row is a window of its own. `predict(x, cache=model.make_cache())` goes on after the bytes in the cache,
    up to `context` of them; `generate` and `bits_per_byte` read longer texts, as context_window.py says.
    `tie_weights` uses one matrix for the embedding and the output. Raises ValueError or TypeError for
    settings that make no model, and for an x that does not fit.

    >>> model = GPT(hidden_size=16, num_layers=2, num_heads=2, context=32, rng=0)
    >>> model.predict(np.frombuffer(b"weft", np.uint8)[None]).shape
    (1, 4, 256)
    """

    reads = "past"

    def __init__(
        self,
        *,
        hidden_size: int = 128,
        num_layers: int = 4,
        num_heads: int = 4,
        context: int = 64,
        positions: str = "rotary",
        dropout: float = 0.0,
        tie_weights: bool = False,
        dtype: npt.DTypeLike = np.float32,
        rng: Seed = None,
    ) -> None:
        hidden_size = check_count("GPT", "hidden_size", hidden_size)
        num_layers = check_count("GPT", "num_layers", num_layers)
        num_heads = check_count("GPT", "num_heads", num_heads)
        context = check_count("GPT", "context", context)
        check_choice("GPT", "positions", positions, POSITIONS)
        dropout = check_number("GPT", "dropout", dropout, low=0, below=1)
        if hidden_size % num_heads:
            raise ValueError(f"GPT: num_heads must divide hidden_size = {hidden_size}, got {num_heads}")
        if positions == "rotary" and hidden_size // num_heads % 2:
            raise ValueError(
                "GPT: hidden_size / num_heads must be even for rotary positions, "
                f"got {hidden_size} / {num_heads}"
            )
        self.config: dict[str, Any] = {
            "hidden_size": hidden_size,
            "num_layers": num_layers,
            "num_heads": num_heads,
            "context": context,
            "positions": positions,
            "dropout": dropout,
            "tie_weights": bool(tie_weights),
            "dtype": np.dtype(dtype).name,
        }
        self.context = context
        generator = np.random.default_rng(rng)
        made: dict[str, Any] = {"dtype": dtype, "rng": generator}
        self.embedding = nn.Embedding(VOCABULARY, hidden_size, **made)
        self.positions = nn.LearnedPositions(context, hidden_size, **made) if positions == "learned" else None
        self.dropout = nn.Dropout(dropout, rng=generator)
        layers = [
            nn.TransformerEncoderLayer(
                hidden_size,
                num_heads,
                _WIDER * hidden_size,
                dropout,
                "gelu",
                norm_first=True,
                causal=True,
                positions=_within_attention(positions, hidden_size, num_heads),
                **made,
            )
            for _ in range(num_layers)
        ]
        self.encoder = nn.TransformerEncoder(layers, nn.LayerNorm(hidden_size, dtype=dtype))
        self.head = nn.Linear(hidden_size, VOCABULARY, **made)
        if tie_weights:
            self.embedding.weight = self.head.weight
        self._initialise(generator)

    def __call__(self, x: Array) -> tuple[Array, Backprop]:
        self._check(x, 0)
        h, back_embedding = self.embedding(x)
        if self.positions is not None:
            h, back_positions = self.positions(h)
        h, back_dropout = self.dropout(h)
        h, back_encoder = self.encoder(h)
        logits, back_head = self.head(h)

        def backprop(dlogits: Array) -> None:
            dh = back_dropout(back_encoder(back_head(dlogits)))
            if self.positions is not None:
                dh = back_positions(dh)
            back_embedding(dh)

        return logits, Backprop(self, backprop, logits)

    def predict(self, x: Array, *, cache: list[KeyValueCache] | None = None) -> Array:
        offset = len(cache[0]) if cache else 0
        self._check(x, offset)
        h = self.embedding.predict(x)
        if self.positions is not None:
            h = self.positions.predict(h, offset)
        logits: Array = self.head.predict(self.encoder.predict(h, cache=cache))
        return logits

    def graph(self, writer: GraphWriter) -> Node:
        positions = [] if self.positions is None else [self.positions]
        return writer.sequence(self.embedding, *positions, self.encoder, self.head)

    def make_cache(self) -> list[KeyValueCache]:
        """Empty caches for predict, one a layer."""
        return self.encoder.make_cache(min(self.context, 64))

    def reader(self) -> Reader:
        return ContextReader(self)

    @classmethod
    def check_config(cls, config: dict[str, Any], tensors: dict[str, Array]) -> None:
        check_choice("config", "positions", config["positions"], POSITIONS)
        check_choice("config", "dtype", config["dtype"], ("float32", "float64"))
        for name in ("hidden_size", "num_layers", "num_heads", "context"):
            check_count("config", name, config[name])
        if not isinstance(config["tie_weights"], bool):
            raise TypeError(f"config: tie_weights must be true or false, got {config['tie_weights']!r}")
        hidden = config["hidden_size"]
        check_table(tensors, config, hidden)
        if config["positions"] == "learned":
            check_shape(tensors, "positions.weight", (config["context"], hidden))
        for layer in range(config["num_layers"]):
            check_shape(tensors, f"encoder.layers.{layer}.linear1.weight", (_WIDER * hidden, hidden))

    def _check(self, x: Array, offset: int) -> None:
        check_integers(self, "x", x)
        if np.ndim(x) != 2 or offset + np.shape(x)[1] > self.context:
            before = f" with {offset} bytes before it" if offset else ""
            raise ValueError(
                f"GPT: x must be (B, T), with all bytes of a window at most context = {self.context}, "
                f"got {np.shape(x)}{before}"
            )

    def _initialise(self, rng: np.random.Generator) -> None:
        hidden = self.config["hidden_size"]
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                parameter.data[...] = 0
            elif len(parameter.shape) == 2:
                ends = name.endswith(("out_proj.weight", "linear2.weight"))
                spread = 1 / math.sqrt(hidden * (2 * len(self.encoder.layers) if ends else 1))
                parameter.data[...] = init.normal(parameter.shape, spread, dtype=np.float64, rng=rng)


def _within_attention(
    positions: str, hidden_size: int, num_heads: int
) -> nn.RotaryPositions | nn.ALiBi | None:
    if positions == "rotary":
        return nn.RotaryPositions(hidden_size // num_heads)
    return nn.ALiBi(num_heads) if positions == "alibi" else None
