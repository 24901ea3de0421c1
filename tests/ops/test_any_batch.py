"""A row's results, and the gradient of its input, are the same bits alone and in a batch of any size.

Gradients of weights are sums over the batch, and dropout counts the elements of the whole batch: they are
left out. Ops with every option, at odd sizes: test_determinism.py.
"""

from __future__ import annotations

import numpy as np
import pytest

import weftnn
import weftnn.config
from kinds import assert_same_bits
from row_layers import LAYERS, results
from weftnn import nn

MOST = 40
EVERY_ISA = pytest.mark.parametrize("isa", weftnn.config.available_isas())


@EVERY_ISA
@pytest.mark.parametrize("size", [8, 64, 256])
@pytest.mark.parametrize("name", LAYERS)
def test_a_row_does_not_see_its_batch(isa: str, name: str, size: int) -> None:
    rng = np.random.default_rng(0)
    layer = LAYERS[name](size, {"dtype": np.float32, "rng": rng})
    # Of attention, few queries and many take different ways.
    for steps in (1, 9) if "attention" in name else (3,):
        x, dy = (rng.normal(size=(MOST, steps, size)).astype(np.float32) for _ in range(2))
        with weftnn.config.use_isa(isa):
            expected = results(layer, x, dy)
            assert_same_bits(expected, {"y": expected["predicted"]}, "in training")
            for rows in range(1, MOST):
                chosen = rng.permutation(MOST)[:rows]
                weftnn.set_num_threads(1 + rows % 2)
                some = results(layer, x[chosen], dy[chosen])
                assert_same_bits(
                    some, {key: whole[chosen] for key, whole in expected.items()}, f"{rows} rows"
                )


@EVERY_ISA
@pytest.mark.parametrize("name", LAYERS)
def test_in_float64(isa: str, name: str) -> None:
    rng = np.random.default_rng(0)
    layer = LAYERS[name](24, {"dtype": np.float64, "rng": rng})
    for steps in (3, 150) if "attention" in name else (3,):  # long enough to be divided into tasks
        x, dy = (rng.normal(size=(MOST, steps, 24)) for _ in range(2))
        with weftnn.config.use_isa(isa):
            expected = results(layer, x, dy)
            for rows in (1, 2, 3, 5, 8, 13, 16, 21, 32, 39):
                weftnn.set_num_threads(1 + rows % 2)
                some = results(layer, x[-rows:], dy[-rows:])
                assert_same_bits(
                    some, {key: whole[-rows:] for key, whole in expected.items()}, f"{rows} rows"
                )


@EVERY_ISA
def test_of_a_model_of_native_code(isa: str) -> None:
    rng = np.random.default_rng(0)
    block = nn.TransformerEncoderLayer(24, 3, 96, 0.0, causal=True, rng=rng)
    layer = nn.Sequential(nn.Linear(5, 24, rng=rng), block, nn.GRU(24, 24, rng=rng), nn.LayerNorm(24))
    x = rng.normal(size=(MOST, 7, 5)).astype(np.float32)
    with weftnn.config.use_isa(isa):
        model = weftnn.Model(layer)
        expected = model.run(x)
        for rows in (1, 2, 3, 5, 8, 13, 16, 21, 32, 39):
            np.testing.assert_array_equal(model.run(x[-rows:]), expected[-rows:], f"{rows} rows")
