"""Every layer's gradients (input, states, each parameter) by central differences, at PyTorch's tolerances."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck import ATOL, EPS, RTOL
from nn_cases import CASES
from nn_kinds import Case, flat, initial_state, run
from weftnn import nn


def differences(function, array: np.ndarray) -> np.ndarray:
    """d(function)/d(array), moving the array in place."""
    gradient = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + EPS
        above = function()
        array[index] = kept - EPS
        below = function()
        array[index] = kept
        gradient[index] = (above - below) / (2 * EPS)
    return gradient


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_gradients(case: Case) -> None:
    layer, x = case.build()
    rng = np.random.default_rng(11)
    state = initial_state(layer, x, case.options, rng)
    randomness = layer.random_state()

    def outputs():
        layer.load_random_state(randomness)  # the same masks every time
        return run(layer, x, state, case.options)

    outs, back = outputs()
    douts = [rng.normal(0, 1, out.shape) for out in outs]
    kept = [dout.copy() for dout in douts]
    dx, *dstate = back(douts)
    for dout, before in zip(douts, kept, strict=True):
        np.testing.assert_array_equal(dout, before)

    def loss() -> float:
        return sum((out * dout).sum() for out, dout in zip(outputs()[0], douts, strict=True))

    if x.dtype.kind == "f":
        np.testing.assert_allclose(dx, differences(loss, x), RTOL, ATOL, err_msg="dx")
    else:
        assert dx is None
    assert len(dstate) == len(flat(state))
    for index, (initial, gradient) in enumerate(zip(flat(state), dstate, strict=True)):
        np.testing.assert_allclose(gradient, differences(loss, initial), RTOL, ATOL, err_msg=f"state {index}")
    for name, parameter in layer.named_parameters():
        expected = differences(loss, parameter.data)
        if isinstance(layer, nn.Embedding) and layer.padding_idx is not None:
            expected[layer.padding_idx] = 0
        np.testing.assert_allclose(parameter.grad, expected, RTOL, ATOL, err_msg=name)


def test_every_layer_is_in_the_table() -> None:
    tested = {type(inner) for case in CASES for _, inner in case.build()[0].named_layers()}
    exported = {
        value for value in vars(nn).values() if isinstance(value, type) and issubclass(value, nn.Layer)
    }
    assert exported - {nn.Layer, nn.AttentionPositions} <= tested
