"""Options that several functions share: seen, explained and refused as if each had declared them itself."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np
import pytest

from weftnn import nn, ops

LAYERS = (nn.RNN, nn.LSTM, nn.GRU)
OPERATIONS = (ops.rnn_forward, ops.lstm_forward, ops.gru_forward)


@pytest.mark.parametrize("taker", LAYERS + OPERATIONS)
def test_every_option_is_shown_and_explained(taker: Any) -> None:
    parameters = inspect.signature(taker).parameters.values()
    assert not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    assert parameters and inspect.signature(taker).parameters["checkpoint_every"].default is None
    explained = re.findall(r"^ *((?:\w+, )*\w+): ", inspect.getdoc(taker) or "", re.MULTILINE)
    names = {name for group in explained for name in group.split(", ")}
    assert {parameter.name for parameter in parameters} <= names


@pytest.mark.parametrize("taker", LAYERS)
def test_defaults_are_those_shown(taker: Any) -> None:
    parameters = inspect.signature(taker).parameters.values()
    shown = {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}
    one, other = taker(2, 3, **shown | {"rng": 0}), taker(2, 3, rng=0)
    assert vars(one).keys() == vars(other).keys()
    for name, array in one.state_dict().items():
        np.testing.assert_array_equal(array, other.state_dict()[name])


@pytest.mark.parametrize("taker", LAYERS)
def test_another_keyword_is_refused_by_name(taker: Any) -> None:
    message = rf"{taker.__name__}.__init__\(\) got an unexpected keyword argument 'dropuot'"
    with pytest.raises(TypeError, match=message):
        taker(2, 3, dropuot=0.5)


@pytest.mark.parametrize(
    ("taker", "name"),
    [*((taker, "length") for taker in OPERATIONS), (ops.rnn_forward, "c0"), (ops.gru_forward, "operation")],
)
def test_another_keyword_of_an_operation_is_refused_by_name(taker: Any, name: str) -> None:
    message = rf"{taker.__name__}\(\) got an unexpected keyword argument '{name}'"
    with pytest.raises(TypeError, match=message):
        taker(np.ones((1, 2, 3)), np.ones((3, 3)), np.ones((3, 3)), **{name: None})
