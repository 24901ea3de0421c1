"""Sizes, inputs and layers for the tests of recurrent layers."""

from __future__ import annotations

import numpy as np
import pytest

from nn_cases import B, H, I, T
from weftnn import nn

LAYERS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
CELLS = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}


def rounding(dtype: type = np.float64) -> dict[str, float]:
    """Two orders of the same few sums differ by some units in the last place of values about 1."""
    return {"rtol": 0, "atol": 100 * np.finfo(dtype).eps}


def make(cell: str, **options) -> nn.Layer:
    return LAYERS[cell](I, H, dtype=np.float64, rng=5, **options)


def inputs(batch: int = B, time: int = T, size: int = I) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(batch, time, size))


each_cell = pytest.mark.parametrize("cell", LAYERS)


def copy_weights(source: nn.Layer, target: nn.Layer, suffix: str, target_suffix: str = "_l0") -> nn.Layer:
    """The weights of one direction of one layer."""
    for name, parameter in source.named_parameters():
        if name.endswith(suffix) and (suffix.endswith("reverse") or not name.endswith("reverse")):
            getattr(target, name.removesuffix(suffix) + target_suffix).data[...] = parameter.data
    return target
