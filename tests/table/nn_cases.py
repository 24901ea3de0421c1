"""The table of layers: every layer, combinator and option that changes a gradient, small for differences.

A row is a way to make the layer in a dtype, and the shape of its input (or, for integers, the input). Options
are what the layer is called with. Attention is in nn_attention_cases.py. test_nn_gradients.py checks a row's
gradients, test_nn_layers.py its contract.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nn_attention_cases import ATTENTION
from nn_kinds import Case
from nn_score_cases import SCORES
from weftnn import nn

B, T, I, H = 3, 5, 2, 3
LENGTHS = [4, 0, 5]
RESETS = np.zeros((B, T), bool)
RESETS[0, 2] = RESETS[2, 0] = RESETS[2, 3] = RESETS[0, 4] = True
RAGGED: dict[str, Any] = {"lengths": LENGTHS}
RESET: dict[str, Any] = {"resets": RESETS}
BOTH: dict[str, Any] = {"lengths": LENGTHS, "resets": RESETS}


def stack(layer: type[nn.Layer], **options: Any) -> Callable[[Any], nn.Layer]:
    return lambda dtype: layer(I, H, dtype=dtype, rng=1, **options)


def tied(dtype: Any) -> nn.Layer:
    encoder, decoder = nn.Embedding(6, H, dtype=dtype, rng=1), nn.Linear(H, 6, dtype=dtype, rng=2)
    decoder.weight = encoder.weight
    return nn.Sequential(encoder, nn.GRU(H, H, dtype=dtype, rng=3), decoder)


def shared(dtype: Any) -> nn.Layer:
    layer = nn.Linear(I, I, dtype=dtype, rng=1)
    return nn.Sequential(layer, nn.Tanh(), layer)


class Identity(nn.Layer):
    """The trap for combinators: y is x itself, and dx is dy itself."""

    reads = "step"

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, nn.Backprop]:
        return x, nn.Backprop(self, lambda dy: dy, x)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return x


STATELESS = [
    Case("linear", lambda d: nn.Linear(I, H, dtype=d, rng=1)),
    Case("linear, no bias", lambda d: nn.Linear(I, H, bias=False, dtype=d, rng=1)),
    Case("linear, one axis", lambda d: nn.Linear(I, H, dtype=d, rng=1), (I,)),
    Case("linear, four axes", lambda d: nn.Linear(I, H, dtype=d, rng=1), (2, 1, 3, I)),
    Case("embedding", lambda d: nn.Embedding(6, H, dtype=d, rng=1), [[0, 5, 5], [2, 0, 1]]),
    Case(
        "embedding, padding",
        lambda d: nn.Embedding(6, H, padding_idx=5, dtype=d, rng=1),
        [[0, 5, 5], [2, 0, 1]],
    ),
    Case("layer norm", lambda d: nn.LayerNorm(4, dtype=d), (B, T, 4)),
    Case("layer norm, no bias", lambda d: nn.LayerNorm(4, bias=False, dtype=d), (B, 4)),
    Case("layer norm, no weights", lambda d: nn.LayerNorm(4, elementwise_affine=False, dtype=d), (B, 4)),
    Case("relu", lambda d: nn.ReLU()),
    Case("gelu", lambda d: nn.GELU()),
    Case("gelu, tanh", lambda d: nn.GELU("tanh")),
    Case("silu", lambda d: nn.SiLU()),
    Case("tanh", lambda d: nn.Tanh()),
    Case("sigmoid", lambda d: nn.Sigmoid()),
    Case("dropout", lambda d: nn.Dropout(0.4, rng=1)),
    Case("dropout 0", lambda d: nn.Dropout(0.0, rng=1)),
    Case(
        "sequential",
        lambda d: nn.Sequential(nn.Linear(I, H, dtype=d, rng=1), nn.Tanh(), nn.Linear(H, 1, dtype=d, rng=2)),
    ),
    Case("sequential, empty", lambda d: nn.Sequential()),
    Case("sequential, one layer twice", shared),
    Case("residual", lambda d: nn.Residual(nn.Linear(I, I, dtype=d, rng=1))),
    Case("residual of the identity", lambda d: nn.Residual(Identity())),
    Case("residual of nothing", lambda d: nn.Residual(nn.Sequential())),
    Case(
        "residuals, nested",
        lambda d: nn.Residual(nn.Sequential(nn.Residual(nn.Tanh()), nn.Residual(Identity()))),
    ),
]

RECURRENT = [
    Case("rnn", stack(nn.RNN)),
    Case("rnn, relu", stack(nn.RNN, nonlinearity="relu")),
    Case("rnn, no bias", stack(nn.RNN, bias=False)),
    Case("rnn, deep, both ways, ragged", stack(nn.RNN, num_layers=2, bidirectional=True), options=RAGGED),
    Case("rnn, both ways, resets", stack(nn.RNN, bidirectional=True), options=BOTH),
    Case("rnn, dropouts", stack(nn.RNN, num_layers=2, dropout=0.3, recurrent_dropout=0.3, zoneout=0.3)),
    Case("lstm", stack(nn.LSTM)),
    Case("lstm, no bias", stack(nn.LSTM, bias=False)),
    Case("lstm, deep", stack(nn.LSTM, num_layers=3), options=RESET),
    Case("lstm, deep, both ways, ragged", stack(nn.LSTM, num_layers=2, bidirectional=True), options=BOTH),
    Case("lstm, projection", stack(nn.LSTM, proj_size=2, num_layers=2, bidirectional=True), options=RAGGED),
    Case("lstm, peephole", stack(nn.LSTM, peephole=True), options=BOTH),
    Case("lstm, coupled", stack(nn.LSTM, coupled=True)),
    Case(
        "lstm, everything",
        stack(nn.LSTM, proj_size=2, peephole=True, coupled=True, bidirectional=True),
        options=BOTH,
    ),
    Case(
        "lstm, dropouts",
        stack(nn.LSTM, num_layers=2, dropout=0.3, recurrent_dropout=0.3, zoneout=0.3, proj_size=2),
    ),
    Case("lstm, checkpoints", stack(nn.LSTM, num_layers=2, checkpoint_every=2), options=BOTH),
    Case("gru", stack(nn.GRU)),
    Case("gru, no bias", stack(nn.GRU, bias=False)),
    Case("gru, reset before", stack(nn.GRU, reset_after=False), options=BOTH),
    Case("gru, deep, both ways, ragged", stack(nn.GRU, num_layers=2, bidirectional=True), options=BOTH),
    Case(
        "gru, dropouts",
        stack(nn.GRU, num_layers=2, bidirectional=True, dropout=0.3, recurrent_dropout=0.3, zoneout=0.3),
    ),
    Case("gru, checkpoints", stack(nn.GRU, bidirectional=True, checkpoint_every=3), options=RAGGED),
    Case("one step", stack(nn.GRU), (B, 1, I)),
    Case("one row", stack(nn.LSTM, bidirectional=True), (1, T, I)),
]

STATEFUL = [
    *RECURRENT,
    Case(
        "sequential of everything",
        lambda d: nn.Sequential(
            nn.Linear(I, H, dtype=d, rng=1),
            nn.GRU(H, H, dtype=d, rng=2),
            nn.LayerNorm(H, dtype=d),
            nn.Dropout(0.3, rng=3),
            nn.Residual(nn.LSTM(H, H, dtype=d, rng=4)),
            nn.SiLU(),
        ),
        options=BOTH,
    ),
    Case(
        "sequential in sequential",
        lambda d: nn.Sequential(nn.Sequential(stack(nn.LSTM)(d)), nn.Tanh(), nn.GRU(H, 2, dtype=d, rng=2)),
    ),
    Case("tied weights", tied, [[0, 5, 5], [2, 0, 1]]),
    Case("residual of a layer", lambda d: nn.Residual(nn.GRU(I, I, dtype=d, rng=1)), options=BOTH),
    Case(
        "residual of a stack",
        lambda d: nn.Residual(nn.Sequential(nn.Residual(nn.RNN(I, I, dtype=d, rng=1)), nn.Tanh())),
    ),
    Case("bidirectional", lambda d: nn.Bidirectional(stack(nn.GRU)(d), stack(nn.LSTM)(d))),
    Case(
        "bidirectional, ragged", lambda d: nn.Bidirectional(stack(nn.LSTM)(d), stack(nn.RNN)(d)), options=BOTH
    ),
    Case(
        "bidirectional of integers",
        lambda d: nn.Bidirectional(
            nn.Sequential(nn.Embedding(6, I, dtype=d, rng=1), stack(nn.GRU)(d)),
            nn.Sequential(nn.Embedding(6, I, dtype=d, rng=2), stack(nn.GRU)(d)),
        ),
        [[0, 5, 5], [2, 0, 1]],
        {"lengths": [2, 3]},
    ),
]

CELLS = [
    Case("rnn cell", stack(nn.RNNCell), (B, I)),
    Case("rnn cell, relu", stack(nn.RNNCell, nonlinearity="relu"), (B, I)),
    Case("lstm cell", stack(nn.LSTMCell), (B, I)),
    Case(
        "lstm cell, everything",
        stack(nn.LSTMCell, proj_size=2, peephole=True, coupled=True, bias=False),
        (B, I),
    ),
    Case("gru cell", stack(nn.GRUCell), (B, I)),
    Case("gru cell, reset before", stack(nn.GRUCell, reset_after=False, bias=False), (B, I)),
]

CASES = [*STATELESS, *STATEFUL, *CELLS, *ATTENTION, *SCORES]
