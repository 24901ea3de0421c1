"""Layers of H features in and out whose rows do not see each other, and what a row of them gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weftnn import nn

Array = Any


def attention(size: int, made: dict[str, Any], **options: Any) -> nn.MultiheadAttention:
    return nn.MultiheadAttention(size, size // 8, **options, **made)


LAYERS: dict[str, Callable[[int, dict[str, Any]], nn.Layer]] = {  # of H features in and out
    "rnn": lambda size, made: nn.RNN(size, size, **made),
    "gru": lambda size, made: nn.GRU(size, size, **made),
    "gru-of-two-layers": lambda size, made: nn.GRU(size, size, num_layers=2, **made),
    "lstm": lambda size, made: nn.LSTM(size, size, **made),
    "lstm-projection": lambda size, made: nn.LSTM(size, 2 * size, proj_size=size, **made),
    "lstm-both-ways": lambda size, made: nn.LSTM(size, size // 2, bidirectional=True, **made),
    "linear": lambda size, made: nn.Linear(size, size, **made),
    "layer-norm": lambda size, made: nn.LayerNorm(size, dtype=made["dtype"]),
    "attention": attention,
    "attention-causal": lambda size, made: attention(size, made, causal=True),
    "attention-rotary": lambda size, made: attention(size, made, positions=nn.RotaryPositions(8)),
    "encoder-layer": lambda size, made: nn.TransformerEncoderLayer(size, size // 8, size, 0.0, **made),
}


def results(layer: nn.Layer, x: Array, dy: Array) -> dict[str, Array]:
    """y, what predict gives for it, and dx."""
    (y, backprop), predicted = layer(x), layer.predict(x)
    if layer.stateful:
        y, predicted = y[0], predicted[0]
    dx = backprop(dy)
    return {"y": y, "predicted": predicted, "dx": dx[0] if layer.stateful else dx}
