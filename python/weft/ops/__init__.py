"""Pure functions on NumPy arrays, forward and backward: weft's kernels."""

from weft.ops.gru import GRUGrads, gru_backward, gru_forward
from weft.ops.lstm import LSTMGrads, lstm_backward, lstm_forward
from weft.ops.recurrent import cells, recurrent_backward, recurrent_forward
from weft.ops.rnn import RNNGrads, rnn_backward, rnn_forward

__all__ = [
    "GRUGrads",
    "LSTMGrads",
    "RNNGrads",
    "cells",
    "gru_backward",
    "gru_forward",
    "lstm_backward",
    "lstm_forward",
    "recurrent_backward",
    "recurrent_forward",
    "rnn_backward",
    "rnn_forward",
]
