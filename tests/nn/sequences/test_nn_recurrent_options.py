"""Recurrent layers: what is drawn at random, names of weights, wrong arguments."""

from __future__ import annotations

import numpy as np
import pytest

from nn_cases import B, H, I, T
from nn_kinds import flat
from recurrent_layers import CELLS, LAYERS, copy_weights, each_cell, inputs, make, rounding
from weftnn import nn

ALL = 1 - 1e-9  # as a probability: none of the few units here is spared


# ---- what is drawn at random ----


@each_cell
def test_dropout_is_between_the_layers_and_only_in_training(cell):
    plain, dropping = make(cell, num_layers=2), make(cell, num_layers=2, dropout=ALL)
    x = inputs()
    np.testing.assert_array_equal(plain.predict(x)[0], dropping.predict(x)[0])
    (y, last), _ = dropping(x)
    for part, plain_part in zip(flat(last), flat(plain.predict(x)[1]), strict=True):
        np.testing.assert_array_equal(
            part[0], plain_part[0]
        )  # nothing is dropped in or before the first layer
    upper = copy_weights(plain, LAYERS[cell](H, H, dtype=np.float64), "_l1")
    np.testing.assert_array_equal(y, upper.predict(np.zeros((B, T, H)))[0])


def test_recurrent_dropout_of_everything_cuts_the_recurrence():
    layer, x = make("rnn", recurrent_dropout=ALL), inputs()
    (y, _), _ = layer(x)
    bias = layer.bias_ih_l0.data + layer.bias_hh_l0.data
    np.testing.assert_allclose(y, np.tanh(x @ layer.weight_ih_l0.data.T + bias), **rounding())


@each_cell
def test_zoneout_keeps_units_as_they_were(cell):
    layer, x = make(cell, zoneout=0.5), inputs(4, 50)
    (y, _), _ = layer(x)
    stayed = (y[:, 1:] == y[:, :-1]).mean()
    assert 0.4 < stayed < 0.6
    frozen = make(cell, zoneout=ALL)
    assert (frozen(x)[0][0] == 0).all()
    assert (abs(frozen.predict(x)[0]) < 1e-7).all()
    one = x[:, :1]
    np.testing.assert_allclose(layer.predict(one)[0], 0.5 * make(cell).predict(one)[0], **rounding())


def test_masks_are_new_in_each_call_and_follow_the_seed():
    x = inputs()

    def two_calls() -> tuple[np.ndarray, np.ndarray]:
        layer = make("gru", num_layers=2, dropout=0.5, recurrent_dropout=0.5, zoneout=0.5)
        return layer(x)[0][0], layer(x)[0][0]

    first, second = two_calls()
    again, _ = two_calls()
    assert (first != second).any()
    np.testing.assert_array_equal(first, again)


# ---- weights and names ----


def test_names_are_pytorchs():
    layer = nn.LSTM(2, 3, num_layers=2, bidirectional=True, proj_size=1)
    names = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"]
    suffixes = ["_l0", "_l0_reverse", "_l1", "_l1_reverse"]
    assert list(layer.state_dict()) == [name + suffix for suffix in suffixes for name in names]
    assert layer.weight_ih_l1_reverse.shape == (12, 2)
    assert layer.weight_hh_l0.shape == (12, 1)
    assert layer.weight_hr_l0.shape == (1, 3)


def test_a_weight_can_be_tied_by_its_name():
    layer = make("gru", bidirectional=True)
    layer.weight_hh_l0_reverse = layer.weight_hh_l0
    layer.weight_hh_l0.data[...] = 0
    assert (layer.state_dict()["weight_hh_l0_reverse"] == 0).all()
    assert len(layer.parameters()) == 7
    with pytest.raises(AttributeError, match="GRU has no attribute 'weight_hh_l1'"):
        _ = layer.weight_hh_l1


def test_the_forget_gate_starts_open():
    def forget_gate(**options) -> np.ndarray:
        layer = nn.LSTM(2, 3, rng=0, **options)
        gates = (layer.bias_ih_l0.data + layer.bias_hh_l0.data).reshape(-1, 3)
        return -gates[0] if options.get("coupled") else gates[1]

    assert (forget_gate() == 1).all()
    assert (forget_gate(forget_bias=2.5) == 2.5).all()
    assert (forget_gate(coupled=True) == 1).all()
    assert (abs(forget_gate(forget_bias=None)) < 2 / 3**0.5).all()


# ---- arguments ----


@each_cell
@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((np.zeros((2, 5)),), {}, ValueError, r"x must be \(B, T, I\) with I = 2, got \(2, 5\)"),
        ((np.zeros((3, 5, 4)),), {}, ValueError, r"x must be \(B, T, I\) with I = 2, got \(3, 5, 4\)"),
        ((np.zeros((3, 5, 2), np.float32),), {}, TypeError, "float32"),
        ((np.zeros((3, 5, 2), int),), {}, TypeError, "int64"),
        (("text",), {}, (ValueError, TypeError), "x must be"),
        ((inputs(), np.zeros((2, 3, 3, 3))), {}, (ValueError, TypeError), "state.* must"),
        ((inputs(), 3), {}, (ValueError, TypeError), "state.* must"),
        ((inputs(),), {"lengths": [1, 2]}, ValueError, "lengths"),
        ((inputs(),), {"lengths": [1, 2, T + 1]}, ValueError, "lengths"),
        ((inputs(),), {"lengths": [1, 2, -1]}, ValueError, "lengths"),
        ((inputs(),), {"lengths": [1.0, 2.0, 3.5]}, TypeError, "lengths"),
        ((inputs(),), {"resets": np.zeros((B, T + 1), bool)}, ValueError, "resets"),
        ((inputs(),), {"resets": np.zeros((B, T))}, TypeError, "resets"),
    ],
)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_wrong_arguments(cell, bidirectional, arguments, options, error, message):
    layer = make(cell, bidirectional=bidirectional)
    for call in (layer, layer.predict):
        with pytest.raises(error, match=message):
            call(*arguments, **options)


@pytest.mark.parametrize("cell", LAYERS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_size": 0}, "input_size must be an integer >= 1"),
        ({"hidden_size": -1}, "hidden_size must be an integer >= 1"),
        ({"num_layers": 0}, "num_layers must be an integer >= 1"),
        ({"num_layers": 1.5}, "num_layers must be an integer >= 1"),
        ({"dropout": 1.5}, "dropout must be a finite number >= 0 and < 1"),
        ({"zoneout": -0.5}, "zoneout must be a finite number"),
        ({"recurrent_dropout": float("nan")}, "recurrent_dropout must be a finite number"),
        ({"checkpoint_every": 0}, "checkpoint_every must be an integer >= 1"),
        ({"dtype": np.int32}, "int32"),
        ({"dtype": np.float16}, "float16"),
    ],
)
def test_wrong_options(cell, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        LAYERS[cell](**{"input_size": 2, "hidden_size": 3, **options})


def test_wrong_options_of_one_cell():
    with pytest.raises(ValueError, match="nonlinearity must be one of 'tanh', 'relu'"):
        nn.RNN(2, 3, nonlinearity="sin")
    with pytest.raises(ValueError, match="proj_size must be below hidden_size = 3, got 3"):
        nn.LSTM(2, 3, proj_size=3)
    with pytest.raises(ValueError, match="proj_size must be an integer >= 0"):
        nn.LSTM(2, 3, proj_size=-1)


def test_lstm_state_must_be_a_pair():
    layer, x = make("lstm"), inputs()
    h = np.zeros((1, B, H))
    with pytest.raises(ValueError, match="LSTM: state must be a tuple of 2, got ndarray"):
        layer(x, h)
    with pytest.raises(ValueError, match=r"state\[1\] must have shape \(1, 3, 3\), got \(1, 3, 4\)"):
        layer(x, (h, np.zeros((1, B, 4))))
    np.testing.assert_array_equal(layer.predict(x, (None, h))[0], layer.predict(x, (h, h))[0])


@each_cell
def test_wrong_arguments_of_a_cell(cell):
    single = CELLS[cell](I, H, dtype=np.float64)
    with pytest.raises(ValueError, match=r"Cell: x must be \(B, I\) with I = 2, got \(3, 5\)"):
        single(np.zeros((3, 5)))
    with pytest.raises((ValueError, TypeError), match="Cell: state"):
        single(np.zeros((3, I)), np.zeros((3, H + 1)))
    state, backprop = single(np.zeros((3, I)))
    with pytest.raises((ValueError, TypeError), match=r"Cell\.backprop: dstate must"):
        backprop(np.zeros((3, H + 1)))
    dx, _ = backprop(state)
    assert dx.shape == (3, I)
