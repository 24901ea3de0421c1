"""What a layer is made of: its tree of parameters, ties, saving and loading, randomness, its summary."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest

from nn_cases import CASES, RECURRENT, STATELESS, Identity
from nn_kinds import Case, predicted
from weftnn import nn

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


# ---- parameters ----


def test_parameter():
    source = np.arange(6.0).reshape(2, 3)
    parameter = nn.Parameter(source)
    assert parameter.data is source
    assert (parameter.shape, parameter.dtype, parameter.size, parameter.grad) == ((2, 3), np.float64, 6, None)
    assert parameter.gradient() is parameter.grad
    parameter.grad[...] = 1
    parameter.zero_grad()
    assert (parameter.grad == 0).all()
    for awkward in (source.T, np.frombuffer(bytes(24)), [[1.0, 2.0]]):
        data = nn.Parameter(awkward).data
        assert data.flags.c_contiguous
        assert data.flags.writeable
    for wrong in (np.arange(3), np.zeros(2, np.float16), "text"):
        with pytest.raises(TypeError, match="Parameter: data must be float32 or float64"):
            nn.Parameter(wrong)


class Blocks(nn.Layer):
    """Parameters and layers as attributes, in a list and inside one another."""

    def __init__(self) -> None:
        self.scale = nn.Parameter(np.ones(1))
        self.blocks = [nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 4, bias=False), nn.Tanh())]
        self.nothing = None
        self.number = 3

    def __call__(self, x):
        raise NotImplementedError


def test_the_tree_of_a_layer():
    layer = Blocks()
    names = ["scale", "blocks.0.weight", "blocks.0.bias", "blocks.1.0.weight"]
    assert [name for name, _ in layer.named_parameters()] == names
    assert list(layer.state_dict()) == names
    assert [path for path, _ in layer.named_layers()] == [
        "",
        "blocks.0",
        "blocks.1",
        "blocks.1.0",
        "blocks.1.1",
    ]
    assert layer.parameters()[0] is layer.scale
    assert repr(layer) == "Blocks()"


def test_tied_weights_are_one_parameter_under_two_names():
    encoder, decoder = nn.Embedding(5, 3), nn.Linear(3, 5)
    decoder.weight = encoder.weight
    model = nn.Sequential(encoder, decoder)
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "1.bias"]
    assert list(model.state_dict()) == ["0.weight", "1.weight", "1.bias"]
    y, backprop = model(np.array([1, 2]))
    backprop(np.ones_like(y))
    rows = encoder.weight.grad.copy()
    assert rows.any()
    state = model.state_dict()
    model.load_state_dict(state)
    with pytest.raises(
        ValueError, match=r"1\.weight and 0\.weight are one tied weight, but got different values"
    ):
        model.load_state_dict({**state, "1.weight": state["1.weight"] + 1})
    for missing in ("0.weight", "1.weight"):  # as files have it that keep a tied weight once
        once = {name: array + 1 for name, array in state.items() if name != missing}
        assert model.load_state_dict(once) == ([], [])
        np.testing.assert_array_equal(encoder.weight.data, state["0.weight"] + 1)
    with pytest.raises(ValueError, match=r"load_state_dict: missing 0\.weight$"):
        model.load_state_dict({"1.bias": state["1.bias"]})
    copied = copy.deepcopy(model)
    assert copied[0].weight is copied[1].weight
    assert copied[0].weight is not encoder.weight


@each_case
def test_deepcopy_and_state_dict_bring_the_same_layer_back(case: Case):
    layer, x = case.build()
    twin, copied = case.make(np.float64), copy.deepcopy(layer)
    assert twin.load_state_dict(layer.state_dict()) == ([], [])
    for parameter, other in zip(layer.parameters(), copied.parameters(), strict=True):
        assert parameter is not other
    for a, b, c in zip(
        *(predicted(each, x, None, case.options) for each in (layer, twin, copied)), strict=True
    ):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


def test_state_dict_is_a_copy_and_loading_keeps_the_arrays():
    layer = nn.Linear(2, 3)
    data, state = layer.weight.data, layer.state_dict()
    state["weight"] += 1
    layer.load_state_dict({name: array.astype(np.float64) for name, array in state.items()})
    assert layer.weight.data is data
    assert data.dtype == np.float32
    np.testing.assert_array_equal(data, state["weight"])


def test_load_state_dict_names_everything_that_is_wrong_and_changes_nothing():
    layer = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    before = layer.state_dict()
    state = {**before, "0.weight": np.zeros((3, 3)), "2.weight": np.zeros(1)}
    del state["1.bias"]
    with pytest.raises(
        ValueError,
        match=(
            r"Sequential\.load_state_dict: missing 1\.bias; unexpected 2\.weight; "
            r"0\.weight must have shape \(3, 2\), got \(3, 3\)$"
        ),
    ):
        layer.load_state_dict(state)
    with pytest.raises(ValueError, match="must have shape"):
        layer.load_state_dict(state, strict=False)
    for wrong in (np.full((3, 2), "a"), np.zeros((3, 2), complex), np.full((3, 2), None)):
        with pytest.raises(TypeError, match=r"0\.weight must be of real numbers"):
            layer.load_state_dict({**before, "0.weight": wrong})
    with pytest.raises(TypeError, match=r"0\.weight must be an array, got list"):
        layer.load_state_dict({**before, "0.weight": [[1.0], [1.0, 2.0]]})
    with pytest.raises(TypeError, match=r"mapping must map names to arrays, got NoneType"):
        layer.load_state_dict(None)
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    unmatched = layer.load_state_dict({"0.bias": np.ones(3), "head": np.ones(1)}, strict=False)
    assert unmatched.missing == ["0.weight", "1.weight", "1.bias"]
    assert unmatched.unexpected == ["head"]
    assert (layer[0].bias.data == 1).all()


# ---- randomness ----


def test_random_state_brings_the_masks_back():
    def make(rng: Any) -> nn.Layer:
        return nn.Sequential(nn.Dropout(0.5, rng=rng), nn.GRU(2, 3, num_layers=2, dropout=0.5, rng=rng))

    x = np.ones((4, 5, 2), np.float32)
    model, other = make(1), make(2)
    model(x)
    state = model.random_state()
    assert state == {"0": [model[0].seed, 1], "1": [model[1].seed, 1]}
    (y, _), _ = model(x)
    other.load_state_dict(model.state_dict())
    other.load_random_state(state)
    np.testing.assert_array_equal(other(x)[0][0], y)
    assert (model(x)[0][0] != y).any()
    with pytest.raises(
        ValueError, match=r"load_random_state: state must be of the layers \['0', '1'\], got \['0'\]"
    ):
        model.load_random_state({"0": [1, 2]})


def test_random_state_is_json():
    state = nn.Dropout(0.5).random_state()
    assert json.loads(json.dumps(state)) == state


def test_dropout():
    layer = nn.Dropout(0.25, rng=3)
    x = np.ones((100, 100))
    y, backprop = layer(x)
    assert 0.24 < (y == 0).mean() < 0.26
    assert set(np.unique(y)) == {0, 1 / 0.75}
    np.testing.assert_array_equal(backprop(x), y)
    assert layer.predict(x) is x
    assert (layer(x)[0] != y).any()
    np.testing.assert_array_equal(nn.Dropout(0.25, rng=3)(x)[0], y)
    generator = np.random.default_rng(0)
    assert nn.Dropout(rng=generator).seed != nn.Dropout(rng=generator).seed


# ---- showing ----


def test_summary():
    encoder, decoder = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
    decoder.weight = encoder.weight
    text = nn.Sequential(encoder, nn.Residual(nn.GRU(3, 3, num_layers=2)), nn.Dropout(0.1), decoder).summary()
    lines = text.splitlines()
    assert lines[2].split() == ["0", "Embedding(5,", "3)", "weight", "(5,", "3)", "15", "60"]
    assert any("tied to  0.weight" in line for line in lines)
    assert any("Dropout(0.1)" in line for line in lines)
    assert lines[-1].split() == ["total", "159", "636"]
    assert len(nn.Tanh().summary().splitlines()) == 3


@pytest.mark.parametrize("case", [*STATELESS, *RECURRENT], ids=lambda case: case.name)
def test_repr_is_how_to_make_it(case: Case):
    layer = case.build()[0]
    if any(type(inner) is Identity for _, inner in layer.named_layers()):
        return
    again = eval(repr(layer), vars(nn).copy())
    assert type(again) is type(layer)
    assert repr(again) == repr(layer)


def test_every_layer_of_a_table_row_says_what_it_is():
    assert (
        repr(nn.GRU(2, 3, num_layers=2, bidirectional=True)) == "GRU(2, 3, num_layers=2, bidirectional=True)"
    )
    assert repr(nn.Sequential(nn.Linear(2, 3), nn.ReLU())) == "Sequential(Linear(2, 3), ReLU())"
    assert repr(nn.MSELoss("sum")) == "MSELoss(reduction='sum')"
