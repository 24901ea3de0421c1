"""Attention layers refuse wrong arguments."""

from __future__ import annotations

import numpy as np
import pytest

from attention_layers import B, E, N, T, stack
from weftnn import nn

X = np.zeros((B, T, E), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.MultiheadAttention(12, 5), ValueError, "num_heads must divide embed_dim = 12, got 5"),
        (
            lambda: nn.MultiheadAttention(12, 4, num_kv_heads=3),
            ValueError,
            "num_kv_heads must divide num_heads = 4, got 3",
        ),
        (
            lambda: nn.MultiheadAttention(12, 0),
            ValueError,
            "MultiheadAttention: num_heads must be an integer >=",
        ),
        (
            lambda: nn.MultiheadAttention(12, 4, 1.0),
            ValueError,
            "dropout must be a finite number >= 0 and < 1",
        ),
        (
            lambda: nn.MultiheadAttention(E, N)(X[0]),
            ValueError,
            r"MultiheadAttention: x must be \(B, T, E\) with E = 12, got \(9, 12\)",
        ),
        (
            lambda: nn.MultiheadAttention(E, N, kdim=5)(X),
            ValueError,
            r"key must be \(B, S, kdim\) with kdim = 5, got \(2, 9, 12\)",
        ),
        (
            lambda: nn.MultiheadAttention(E, N).predict(X, X, X[:, 1:]),
            ValueError,
            r"must agree in B, key and value in S, got \(2, 9, 12\), \(2, 9, 12\) and \(2, 8, 12\)",
        ),
        (
            lambda: nn.MultiheadAttention(E, N)(X.astype("f8")),
            TypeError,
            "Attention: x must have dtype float32",
        ),
        (
            lambda: nn.MultiheadAttention(E, N)(X, mask=np.ones((3, 3), bool)),
            ValueError,
            "sdpa_forward: mask",
        ),
        (
            lambda: nn.MultiheadAttention(E, N).predict(X, cache=nn.KeyValueCache()),
            ValueError,
            "cache needs causal=True",
        ),
        (
            lambda: nn.MultiheadAttention(E, N, causal=True).predict(X, X, cache=nn.KeyValueCache()),
            ValueError,
            "cache of a memory must not be with causal=True",
        ),
        (
            lambda: nn.MultiheadAttention(E, N, positions=nn.RotaryPositions(4)),
            ValueError,
            "RotaryPositions: dim must be at most the D = 3 features of a head, got 4",
        ),
        (
            lambda: nn.MultiheadAttention(E, N, positions="rotary"),
            TypeError,
            "positions must be RotaryPositions, ALiBi or RelativePositions, got 'rotary'",
        ),
        (
            lambda: nn.MultiheadAttention(E, N, window=(1,)),
            ValueError,
            r"MultiheadAttention: window must be \(left, right\), got \(1,\)",
        ),
        (
            lambda: nn.TransformerEncoder([], E),
            TypeError,
            "TransformerEncoder: norm must be a LayerNorm or None, got 12",
        ),
        (
            lambda: nn.MultiheadAttention(E, N, positions=nn.ALiBi(8)),
            ValueError,
            "ALiBi: num_heads must be 4, got 8",
        ),
        (
            lambda: nn.MultiheadAttention(E, N, positions=nn.RelativePositions(8)),
            ValueError,
            "RelativePositions: num_heads must be 4, got 8",
        ),
        (
            lambda: nn.RelativePositions(4, 32, 8),
            ValueError,
            "RelativePositions: max_distance must be an integer >= 9, got 8",
        ),
        (lambda: nn.RelativePositions(4)(X), ValueError, r"RelativePositions: scores must be \(B, N, T, S\)"),
        (
            lambda: nn.MultiheadAttention(E, N, positions=nn.ALiBi(4))(X, X),
            ValueError,
            r"ALiBi\(4\) is for one sequence",
        ),
        (lambda: nn.RotaryPositions(3), ValueError, "RotaryPositions: dim must be even, got 3"),
        (
            lambda: nn.RotaryPositions(4)(X),
            ValueError,
            r"RotaryPositions: x must be \(B, N, T, D\), got \(2, 9, 12\)",
        ),
        (lambda: nn.ALiBi(4)(X), ValueError, r"ALiBi: scores must be \(B, N, T, S\), got \(2, 9, 12\)"),
        (
            lambda: nn.LearnedPositions(10, E)(X, offset=2),
            ValueError,
            "offset . T must be at most max_len = 10, got offset 2 and T = 9",
        ),
        (
            lambda: nn.LearnedPositions(10, 4)(X),
            ValueError,
            r"LearnedPositions: x must be .* with E = 4",
        ),
        (
            lambda: nn.SinusoidalPositions(4)(X),
            ValueError,
            r"SinusoidalPositions: x must be .* E = 4",
        ),
        (lambda: nn.KeyValueCache(0), ValueError, "KeyValueCache: capacity must be an integer >= 1, got 0"),
        (lambda: nn.KeyValueCache().read(), RuntimeError, "append must come before read"),
        (
            lambda: stack(np.float32).predict(X, cache=[nn.KeyValueCache()]),
            ValueError,
            "TransformerEncoder: cache must be 2 caches, one a layer, got 1",
        ),
        (
            lambda: nn.TransformerEncoderLayer(E, N, activation="tanh"),
            ValueError,
            "FeedForward: activation must be one of 'relu', 'gelu', 'silu', 'swiglu', got 'tanh'",
        ),
        (
            lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(E, N), 6),
            TypeError,
            "TransformerEncoder: layers must be a list of TransformerEncoderLayer, got Transf",
        ),
        (
            lambda: nn.TransformerDecoder([nn.TransformerEncoderLayer(E, N)]),
            TypeError,
            "TransformerDecoder: layers must be a list of TransformerDecoderLayer",
        ),
        (
            lambda: nn.LearnedPositions(10, E)(X.astype("f8")),
            TypeError,
            "LearnedPositions: x must have dtype float32, got float64",
        ),
        (
            lambda: nn.SinusoidalPositions(E)(X.astype(int)),
            TypeError,
            "SinusoidalPositions: x must have dtype float32 or float64, got int64",
        ),
        (
            lambda: nn.MultiheadAttention(E, N)(X, lengths=[1]),
            ValueError,
            r"lengths must be \(B,\) = \(2,\), got shape \(1,\)",
        ),
        (lambda: nn.SwiGLU()(X[..., :3]), ValueError, "swiglu_forward: x must be"),
    ],
)
def test_wrong_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_cache_refuses_what_does_not_go_on():
    layer = nn.MultiheadAttention(E, N, causal=True)
    cache = nn.KeyValueCache()
    layer.predict(X, cache=cache)
    with pytest.raises(ValueError, match="lengths must come with the first steps, got them after 9"):
        layer.predict(X, lengths=[1, 2], cache=cache)
    with pytest.raises(ValueError, match=r"k must go on as \(B, N, T, D\) = \(2, 4, T, 3\) of float32"):
        layer.predict(X[:1], cache=cache)
