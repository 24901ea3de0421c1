"""The contract of every layer: predict gives the same bits, backprop runs once and holds nothing, arguments
stay as they were; the tree of parameters, saving and loading, ties, randomness, the summary."""

from __future__ import annotations

import copy
import gc
import json
import weakref
from typing import Any

import numpy as np
import pytest

from nn_cases import CASES, RECURRENT, STATEFUL, STATELESS, B, Case, I, Identity, T, flat, initial_state, run
from weft import nn

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
drawing_nothing = pytest.mark.parametrize(
    "case", [case for case in CASES if not case.build()[0].random_state()], ids=lambda case: case.name
)
FLOATS = [np.float32, np.float64]


def predicted(layer: nn.Layer, x: np.ndarray, state: Any, options: dict[str, Any]) -> list[np.ndarray]:
    if isinstance(layer, nn.RNNCell | nn.LSTMCell | nn.GRUCell):
        return flat(layer.predict(x, state))
    return flat(layer.predict(x, state, **options)) if layer.stateful else [layer.predict(x)]


# ---- calling ----


@drawing_nothing
@pytest.mark.parametrize("dtype", FLOATS)
def test_predict_gives_the_bits_of_a_call(case: Case, dtype: Any):
    layer, x = case.build(dtype)
    state = initial_state(layer, x, case.options, np.random.default_rng(2))
    outs, _ = run(layer, x, state, case.options)
    for out, prediction in zip(outs, predicted(layer, x, state, case.options), strict=True):
        assert out.dtype == dtype
        np.testing.assert_array_equal(prediction, out)


@each_case
@pytest.mark.parametrize("dtype", FLOATS)
def test_nothing_given_is_written_and_everything_has_its_dtype(case: Case, dtype: Any):
    layer, x = case.build(dtype)
    state = initial_state(layer, x, case.options, np.random.default_rng(2))
    outs, back = run(layer, x, state, case.options)
    given = [x, *flat(state), *(parameter.data for parameter in layer.parameters())]
    douts = [np.random.default_rng(3).normal(size=out.shape).astype(dtype) for out in outs]
    for array in [*given, *douts]:
        array.flags.writeable = False
    run(layer, x, state, case.options)
    predicted(layer, x, state, case.options)
    gradients = back(douts)
    for gradient in gradients:
        assert gradient is None or gradient.dtype == dtype
    for parameter in layer.parameters():
        assert parameter.grad is not None
        assert parameter.grad.dtype == dtype
        assert parameter.grad.shape == parameter.shape


@each_case
def test_backprop_runs_once_and_checks_first(case: Case):
    layer, x = case.build()
    outs, back = run(layer, x, None, case.options)
    wrong_shape = [np.zeros((*out.shape, 2)) for out in outs]
    wrong_dtype = [np.zeros(out.shape, np.float32) for out in outs]
    right = [np.zeros(out.shape) for out in outs]
    with pytest.raises(ValueError, match=rf"{type(layer).__name__}\.backprop: d\w+(\[\d\])* must have shape"):
        back(wrong_shape)
    with pytest.raises(TypeError, match=r"must have dtype float64, got float32"):
        back(wrong_dtype)
    back(right)  # what was refused did not count
    with pytest.raises(RuntimeError, match=rf"{type(layer).__name__}\.backprop: called a second time"):
        back(right)


@each_case
def test_gradients_accumulate(case: Case):
    layer, x = case.build()
    randomness = layer.random_state()
    grads = []
    for _ in range(2):
        layer.load_random_state(randomness)
        outs, back = run(layer, x, None, case.options)
        back([np.ones(out.shape) for out in outs])
        grads.append([parameter.grad.copy() for parameter in layer.parameters()])
    for once, twice in zip(*grads, strict=True):
        np.testing.assert_allclose(twice, 2 * once, rtol=1e-13, atol=1e-13)
    arrays = [parameter.grad for parameter in layer.parameters()]
    layer.zero_grad()
    assert all(parameter.grad is array for parameter, array in zip(layer.parameters(), arrays, strict=True))
    assert all((array == 0).all() for array in arrays)


@each_case
def test_backprop_frees_what_it_held(case: Case):
    """A call may hold its input until backprop has run; after that, and after predict, nobody does."""
    layer, x = case.build()
    call_x, predict_x = x.copy(), x.copy()
    held, never_held = weakref.ref(call_x), weakref.ref(predict_x)
    predicted(layer, predict_x, None, case.options)
    outs, back = run(layer, call_x, None, case.options)
    douts = [np.zeros(out.shape) for out in outs]
    del call_x, predict_x, outs
    back(douts)
    gc.collect()
    assert never_held() is None
    assert held() is None
    with pytest.raises(RuntimeError):
        back(douts)


@pytest.mark.parametrize("case", STATEFUL, ids=lambda case: case.name)
def test_none_is_zero(case: Case):
    """For the state, for dy, and for dstate."""
    layer, x = case.build()
    randomness = layer.random_state()
    zero_state = initial_state(layer, x, case.options, np.random.default_rng(2))
    for array in flat(zero_state):
        array[...] = 0

    def gradients(state: Any, form: str) -> list[np.ndarray]:
        layer.load_random_state(randomness)
        layer.zero_grad()
        (y, last), backprop = layer(x, state, **case.options)
        dstate = copy.deepcopy(last)
        for array in flat(dstate):
            array[...] = 0.3 if form in ("state", "dy = 0") else 0
        dy = np.full_like(y, 0 if form in ("state", "dy = 0") else 0.2)
        given = {
            "dy": (dy, None),
            "dstate = 0": (dy, dstate),
            "state": (None, dstate),
            "dy = 0": (dy, dstate),
        }
        dx, dinitial = backprop(*given[form])
        return [
            y,
            *([] if dx is None else [dx]),
            *flat(dinitial),
            *(p.gradient().copy() for p in layer.parameters()),
        ]

    for short, long in [("dy", "dstate = 0"), ("state", "dy = 0")]:
        for a, b in zip(gradients(None, short), gradients(zero_state, long), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("case", STATEFUL, ids=lambda case: case.name)
def test_no_gradient_at_all(case: Case):
    layer, x = case.build()
    (_, last), backprop = layer(x, **case.options)
    dx, dstate = backprop()
    assert dx is None or (dx == 0).all()
    assert all((array == 0).all() for array in flat(dstate))
    assert len(flat(dstate)) == len(flat(last))
    assert all((parameter.gradient() == 0).all() for parameter in layer.parameters())


# ---- combinators ----


def test_a_pass_through_branch_keeps_its_gradient():
    """x + x through layers whose dx is dy itself: the sum is a new array, dy stays as it was."""
    x, dy = np.arange(3.0), np.array([1.0, 10.0, 100.0])
    for layer, factor in [
        (nn.Residual(Identity()), 2),
        (nn.Residual(nn.Residual(Identity())), 3),
        (nn.Sequential(nn.Residual(Identity()), nn.Residual(nn.Sequential())), 4),
    ]:
        kept = dy.copy()
        y, backprop = layer(x)
        np.testing.assert_array_equal(y, factor * x)
        np.testing.assert_array_equal(backprop(dy), factor * kept)
        np.testing.assert_array_equal(dy, kept)
        np.testing.assert_array_equal(x, np.arange(3.0))


def test_residual_keeps_the_padding_out():
    layer, x = nn.Residual(nn.GRU(I, I, dtype=np.float64)), np.ones((B, T, I))
    x[1, 2:] = np.nan
    (y, _), backprop = layer(x, lengths=[T, 2, 0])
    assert np.isfinite(y).all()
    assert (y[1, 2:] == 0).all()
    assert (y[2] == 0).all()
    np.testing.assert_array_equal(y, layer.predict(x, lengths=[T, 2, 0])[0])
    dx, _ = backprop(np.ones_like(y))
    assert (dx[1, 2:] == 0).all()
    assert all(np.isfinite(parameter.grad).all() for parameter in layer.parameters())


def test_residual_needs_one_shape():
    with pytest.raises(
        ValueError, match=r"Residual: the layer's result must be shaped like x, \(4, 2\), got \(4, 3\)"
    ):
        nn.Residual(nn.Linear(2, 3))(np.zeros((4, 2), np.float32))


def test_sequential_is_its_layers():
    first, second = nn.Linear(2, 3), nn.Tanh()
    model = nn.Sequential(first, second)
    assert (len(model), model[0], model[-1]) == (2, first, second)
    assert model.children() == [first, second]
    assert list(model.state_dict()) == ["0.weight", "0.bias"]
    assert not model.stateful
    assert nn.Sequential(model, nn.GRU(3, 3)).stateful


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: nn.Sequential(nn.GRUCell(2, 3)),
            TypeError,
            "Sequential: GRUCell makes a single step, use GRU",
        ),
        (
            lambda: nn.Residual(nn.LSTMCell(2, 3)),
            TypeError,
            "Residual: LSTMCell makes a single step, use LSTM",
        ),
        (lambda: nn.Sequential(np.tanh), TypeError, "Sequential: expected a Layer, got <ufunc 'tanh'>"),
        (lambda: nn.Sequential([nn.Tanh()]), TypeError, "Sequential: expected a Layer"),
        (
            lambda: nn.Bidirectional(nn.GRU(2, 3), nn.Linear(2, 3)),
            TypeError,
            "expected a stateful layer, got Linear",
        ),
    ],
)
def test_combinators_refuse_what_they_cannot_call(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("method", ["__call__", "predict"])
def test_states_of_combinators(method):
    x = np.zeros((B, T, I), np.float32)
    plain = nn.Sequential(nn.Linear(I, I))
    deep = nn.Sequential(nn.GRU(I, I), nn.GRU(I, I))
    both = nn.Bidirectional(nn.GRU(I, I), nn.GRU(I, I))
    for layer in (plain, nn.Residual(plain)):
        for given in ({"state": ()}, {"lengths": [1, 2, 3]}, {"resets": np.zeros((B, T), bool)}):
            with pytest.raises(TypeError, match="need a stateful layer"):
                getattr(layer, method)(x, **given)
    h = np.zeros((1, B, I), np.float32)
    for layer in (deep, both):
        for state in (h, (h,), (h, h, h)):
            with pytest.raises(ValueError, match="state must be None or a tuple of 2"):
                getattr(layer, method)(x, state)
        with pytest.raises(ValueError, match="GRU: state must have shape"):
            getattr(layer, method)(x, (h, h[:, :1]))
        getattr(layer, method)(x, (None, h))


# ---- arguments of the simple layers ----


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Linear(0, 3), ValueError, "Linear: in_features must be an integer >= 1, got 0"),
        (lambda: nn.Linear(3, 2.5), TypeError, "Linear: out_features must be an integer >= 1, got 2.5"),
        (
            lambda: nn.Linear(3, 2, dtype=np.int64),
            TypeError,
            "Parameter: data must be float32 or float64, got int64",
        ),
        (
            lambda: nn.Linear(3, 2)(np.zeros((4, 2), np.float32)),
            ValueError,
            r"Linear: x must be \(\.\.\., 3\), got \(4, 2\)",
        ),
        (lambda: nn.Linear(3, 2)(np.zeros((4, 3))), TypeError, "linear_forward: weight|linear_forward: x"),
        (lambda: nn.Embedding(5, 2, padding_idx=5), ValueError, "padding_idx must be within 5 rows, got 5"),
        (lambda: nn.Embedding(5, 2)(np.array([0, 5])), ValueError, "embedding_forward: indices"),
        (lambda: nn.Embedding(5, 2)(np.array([-1])), ValueError, "embedding_forward: indices"),
        (lambda: nn.Embedding(5, 2)(np.array([1.0])), TypeError, "embedding_forward: indices"),
        (lambda: nn.LayerNorm(4, eps=-1), ValueError, "LayerNorm: eps must be a finite number >= 0, got -1"),
        (
            lambda: nn.LayerNorm(4)(np.zeros((2, 3), np.float32)),
            ValueError,
            r"LayerNorm: x must be \(\.\.\., 4\)",
        ),
        (lambda: nn.LayerNorm(4)(np.float32(1)), ValueError, r"LayerNorm: x must be \(\.\.\., 4\), got \(\)"),
        (lambda: nn.Dropout(1.5), ValueError, "Dropout: p must be a finite number >= 0 and < 1, got 1.5"),
        (lambda: nn.GELU("sigmoid"), ValueError, "GELU: approximate must be one of 'none', 'tanh'"),
        (lambda: nn.ReLU()(np.zeros(3, int)), TypeError, "relu_forward: x"),
    ],
)
def test_wrong_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_embedding_takes_any_integers_and_keeps_its_padding_row():
    layer = nn.Embedding(200, 3, padding_idx=-1, rng=0)
    assert (layer.weight.data[199] == 0).all()
    for dtype in (np.uint8, np.int8, np.int32, np.uint64):
        np.testing.assert_array_equal(layer.predict(np.array([[1, 7]], dtype)), layer.weight.data[[[1, 7]]])
    y, backprop = layer(np.array([199, 1]))
    backprop(np.ones_like(y))
    assert (layer.weight.grad[199] == 0).all()
    assert (layer.weight.grad[1] == 1).all()


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
    with pytest.raises(AttributeError):
        parameter.data = source
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
