"""Models of several panels of weights and rows, and a remainder."""

from __future__ import annotations

from weftnn import nn

WIDE: dict[str, tuple[nn.Layer, tuple[int, ...]]] = {  # several panels of weights and rows, and a remainder
    "rnn": (nn.RNN(35, 67, 2, rng=0), (20, 50, 35)),
    "gru": (nn.GRU(35, 67, 2, rng=0), (20, 50, 35)),
    "lstm": (nn.LSTM(35, 67, 2, proj_size=21, peephole=True, rng=0), (20, 50, 35)),
    "both ways": (nn.GRU(35, 67, 2, bidirectional=True, rng=0), (20, 50, 35)),
    "attention": (nn.MultiheadAttention(64, 4, num_kv_heads=2, causal=True, rng=0), (3, 300, 64)),
    "window": (nn.MultiheadAttention(64, 4, causal=True, window=(70, 0), rng=0), (3, 300, 64)),
    "not causal": (nn.MultiheadAttention(64, 4, rng=0), (3, 300, 64)),
}
