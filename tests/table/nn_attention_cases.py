"""The table of layers, part two: attention, what is built of it, and positions."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn_kinds import Case, Read
from weftnn import nn

B, T, S, E, N = 3, 5, 4, 6, 3
X, MEMORY = (B, T, E), Read((B, S, E))
LENGTHS = [4, 0, 5]
SOME = np.random.default_rng(5).random((B, 1, T, T)) < 0.6  # some rows of it may be empty
PART = np.arange(S) < 2
RAGGED: dict[str, Any] = {"lengths": LENGTHS, "memory_lengths": [4, 2, 0]}
ADDED = np.random.default_rng(6).normal(size=(T, T))


def attention(**options: Any) -> Any:
    return lambda dtype: nn.MultiheadAttention(E, N, dtype=dtype, rng=1, **options)


def relative(dtype: Any) -> nn.Layer:
    return nn.RelativePositions(N, 6, 4, dtype=dtype, rng=1)


def shared_positions(dtype: Any) -> nn.Layer:
    layers = [encoder_layer(positions=place)(dtype) for place in [relative(dtype)] * 2]
    return nn.TransformerEncoder(layers)


def encoder_layer(**options: Any) -> Any:
    return lambda dtype: nn.TransformerEncoderLayer(
        E, N, 4, **{"dropout": 0.0, **options}, dtype=dtype, rng=1
    )


def encoder(norm: bool) -> Any:
    def make(dtype: Any) -> nn.Layer:
        layers = [
            nn.TransformerEncoderLayer(E, N, 4, 0.0, norm_first=norm, dtype=dtype, rng=i) for i in range(2)
        ]
        return nn.TransformerEncoder(layers, nn.LayerNorm(E, dtype=dtype) if norm else None)

    return make


def decoder_layer(**options: Any) -> Any:
    return lambda dtype: nn.TransformerDecoderLayer(
        E, N, 4, **{"dropout": 0.0, **options}, dtype=dtype, rng=1
    )


def decoder(norm: bool) -> Any:
    def make(dtype: Any) -> nn.Layer:
        layers = [
            nn.TransformerDecoderLayer(E, N, 4, 0.0, norm_first=norm, dtype=dtype, rng=i) for i in range(2)
        ]
        return nn.TransformerDecoder(layers, nn.LayerNorm(E, dtype=dtype) if norm else None)

    return make


ATTENTION = [
    Case("attention", attention(), X),
    Case("attention, no bias", attention(bias=False), X),
    Case("attention, causal", attention(causal=True), X),
    Case("attention, window", attention(window=(1, 2)), X),
    Case("attention, groups", lambda d: nn.MultiheadAttention(8, 4, num_kv_heads=2, dtype=d), (B, T, 8)),
    Case("attention, dropout", attention(dropout=0.4), X),
    Case("attention, ragged", attention(), X, {"lengths": LENGTHS}),
    Case("attention, ragged keys", attention(causal=True), X, {"kv_lengths": LENGTHS}),
    Case("attention, mask", attention(), X, {"mask": SOME}),
    Case("attention, added mask", attention(), X, {"mask": ADDED}),
    Case("attention, bias", attention(dropout=0.3), X, {"bias": Read((N, 1, T)), "mask": SOME}),
    Case("attention, memory", attention(), X, {"key": MEMORY}),
    Case(
        "attention, memory, ragged",
        attention(),
        X,
        {"key": MEMORY, "lengths": LENGTHS, "kv_lengths": [4, 2, 0]},
    ),
    Case("attention, memory, bias", attention(), X, {"key": MEMORY, "bias": Read((T, S))}),
    Case("attention, key and value", attention(), X, {"key": MEMORY, "value": MEMORY}),
    Case(
        "attention, other sizes",
        attention(kdim=2, vdim=5),
        X,
        {"key": Read((B, S, 2)), "value": Read((B, S, 5))},
    ),
    Case("attention, other sizes of memory", attention(kdim=2, vdim=2), X, {"key": Read((B, S, 2))}),
    Case("attention, one step", attention(causal=True), (B, 1, E)),
    Case("attention, rotary", attention(positions=nn.RotaryPositions(2)), X, {"lengths": LENGTHS}),
    Case(
        "attention, rotary, groups, bias",
        lambda d: nn.MultiheadAttention(
            8, 2, num_kv_heads=1, positions=nn.RotaryPositions(4, interleaved=True), dtype=d
        ),
        (B, T, 8),
        {"bias": Read((T, T))},
    ),
    Case("attention, alibi", attention(positions=nn.ALiBi(N)), X, {"mask": ADDED, "bias": Read((T, T))}),
    Case("attention, alibi, causal", attention(positions=nn.ALiBi(N), causal=True), X, {"mask": SOME}),
    Case(
        "attention, relative positions",
        lambda d: nn.MultiheadAttention(
            E, N, positions=relative(d), causal=True, dropout=0.2, dtype=d, rng=1
        ),
        X,
        {"lengths": LENGTHS},
    ),
    Case(
        "attention, relative positions, bias",
        lambda d: nn.MultiheadAttention(E, N, positions=relative(d), dtype=d, rng=1),
        X,
        {"bias": Read((B, 1, T, 1)), "mask": SOME},
    ),
    Case("encoder layers, relative positions of both", shared_positions, X),
    Case("feed forward", lambda d: nn.FeedForward(E, 4, 0.0, dtype=d, rng=1), X),
    Case("feed forward, swiglu", lambda d: nn.FeedForward(E, 4, 0.3, "swiglu", dtype=d, rng=1), X),
    Case("feed forward, silu", lambda d: nn.FeedForward(E, 4, 0.3, "silu", False, dtype=d, rng=1), X),
    Case("feed forward, a layer", lambda d: nn.FeedForward(E, 4, 0.0, nn.GELU("tanh"), dtype=d, rng=1), X),
    Case("swiglu", lambda d: nn.SwiGLU(), X),
    Case("encoder layer", encoder_layer(), X),
    Case("encoder layer, norm first", encoder_layer(norm_first=True, activation="gelu", causal=True), X),
    Case("encoder layer, no bias", encoder_layer(bias=False), X, {"mask": SOME}),
    Case("encoder layer, dropout", encoder_layer(dropout=0.3, norm_first=True), X),
    Case("encoder layer, ragged", encoder_layer(), X, {"lengths": LENGTHS}),
    Case(
        "encoder layer, bias", encoder_layer(norm_first=True), X, {"bias": Read((T, T)), "lengths": LENGTHS}
    ),
    Case("encoder", encoder(False), X),
    Case("encoder, norm first", encoder(True), X, {"bias": Read((B, N, 1, T)), "lengths": LENGTHS}),
    Case("decoder layer", decoder_layer(), X, {"memory": MEMORY}),
    Case(
        "decoder layer, norm first", decoder_layer(norm_first=True, activation="gelu"), X, {"memory": MEMORY}
    ),
    Case("decoder layer, mask", decoder_layer(causal=False), X, {"memory": MEMORY, "mask": SOME}),
    Case(
        "decoder layer, memory's mask", decoder_layer(bias=False), X, {"memory": MEMORY, "memory_mask": PART}
    ),
    Case("decoder layer, dropout", decoder_layer(dropout=0.3), X, {"memory": MEMORY}),
    Case("decoder layer, ragged", decoder_layer(), X, {"memory": MEMORY, **RAGGED}),
    Case("decoder", decoder(False), X, {"memory": MEMORY}),
    Case("decoder, norm first", decoder(True), X, {"memory": MEMORY, **RAGGED}),
    Case("transformer", lambda d: nn.Transformer(E, N, 2, 1, 4, 0.0, dtype=d, rng=1), X, {"x": MEMORY}),
    Case(
        "transformer, ragged",
        lambda d: nn.Transformer(E, N, 1, 2, 4, 0.2, norm_first=True, dtype=d, rng=1),
        X,
        {"x": MEMORY, "lengths": LENGTHS, "x_lengths": [4, 2, 0]},
    ),
    Case("rotary positions", lambda d: nn.RotaryPositions(4), (2, N, T, 4), {"offset": 3}),
    Case(
        "rotary positions, interleaved, ragged",
        lambda d: nn.RotaryPositions(4, interleaved=True),
        (2, N, T, 7),
        {"offset": np.array([0, 4])},
    ),
    Case("alibi", lambda d: nn.ALiBi(N), (2, N, T, S), {"offset": 1}),
    Case("alibi, ragged", lambda d: nn.ALiBi(2), (2, 2, T, S), {"offset": np.array([0, 4])}),
    Case("relative positions", relative, (2, N, T, S), {"offset": 1}),
    Case("relative positions, ragged", relative, (2, N, T, S), {"offset": np.array([0, 4])}),
    Case(
        "relative positions, one way",
        lambda d: nn.RelativePositions(N, 4, 3, False, dtype=d, rng=1),
        (2, N, T, S),
    ),
    Case("sinusoidal positions", lambda d: nn.SinusoidalPositions(E), X, {"offset": 3}),
    Case("sinusoidal positions, odd", lambda d: nn.SinusoidalPositions(5), (B, T, 5)),
    Case("learned positions", lambda d: nn.LearnedPositions(9, E, dtype=d, rng=1), X, {"offset": 4}),
    Case(
        "learned positions, ragged",
        lambda d: nn.LearnedPositions(9, E, dtype=d, rng=1),
        X,
        {"offset": np.array([0, 4, 1])},
    ),
]
