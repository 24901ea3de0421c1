"""The contract of every layer: predict gives the same bits, backprop runs once and holds nothing, arguments
stay as they were, None is zero; what combinators and the simple layers refuse."""

from __future__ import annotations

import copy
import gc
import weakref
from typing import Any

import numpy as np
import pytest

from nn_cases import CASES, STATEFUL, B, I, Identity, T
from nn_kinds import Case, flat, initial_state, predicted, run
from weftnn import nn

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def draws(case: Case) -> bool:
    layer, x = case.build()
    before = layer.random_state()
    run(layer, x, None, case.options)
    return layer.random_state() != before


drawing_nothing = pytest.mark.parametrize(
    "case", [case for case in CASES if not draws(case)], ids=lambda case: case.name
)
FLOATS = [np.float32, np.float64]


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
        with pytest.raises(TypeError, match="state needs a stateful layer"):
            getattr(layer, method)(x, ())
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
        (lambda: nn.Linear(3, 2)(np.zeros((4, 3))), TypeError, "Linear: x must have dtype float32"),
        (lambda: nn.Embedding(5, 2, padding_idx=5), ValueError, "padding_idx must be within 5 rows, got 5"),
        (lambda: nn.Embedding(5, 2)(np.array([0, 5])), ValueError, "embedding_forward: indices"),
        (lambda: nn.Embedding(5, 2)(np.array([-1])), ValueError, "embedding_forward: indices"),
        (lambda: nn.Embedding(5, 2)(np.array([1.0])), TypeError, "Embedding: x must be of integers"),
        (lambda: nn.LayerNorm(4, eps=-1), ValueError, "LayerNorm: eps must be a finite number >= 0, got -1"),
        (
            lambda: nn.LayerNorm(4)(np.zeros((2, 3), np.float32)),
            ValueError,
            r"LayerNorm: x must be \(\.\.\., 4\)",
        ),
        (
            lambda: nn.LayerNorm(4)(np.array(1, "f4")),
            ValueError,
            r"x must be \(\.\.\., 4\), got \(\)",
        ),
        (lambda: nn.Dropout(1.5), ValueError, "Dropout: p must be a finite number >= 0 and <= 1, got 1.5"),
        (lambda: nn.GELU("sigmoid"), ValueError, "GELU: approximate must be one of 'none', 'tanh'"),
        (lambda: nn.ReLU()(np.zeros(3, int)), TypeError, "ReLU: x must have dtype float32 or float64"),
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


def test_a_result_is_an_array_or_a_tuple_of_them():
    with pytest.raises(TypeError, match=r"Backprop: y must be an array or a tuple of arrays, got list"):
        nn.Backprop(nn.Tanh(), lambda dy: dy, [1.0])
