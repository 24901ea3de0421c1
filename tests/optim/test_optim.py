"""Optimizers against their formulas, PyTorch and their own state."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import reference_updates as reference
from weftnn import nn, optim

STEPS = 5
SHAPES = [(7, 3), (5,), ()]


def adam_options(**options: Any) -> dict[str, Any]:
    beta1, beta2 = options.pop("betas", (0.9, 0.999))
    options.pop("amsgrad", None)
    return options | {"beta1": beta1, "beta2": beta2}


# (class, its arguments, reference function, the reference's arguments, its arrays in the reference's order)
CASES: dict[str, tuple[type[optim.Optimizer], dict[str, Any], Callable[..., Any], list[str]]] = {
    "sgd": (optim.SGD, {"lr": 0.1}, reference.sgd, []),
    "sgd-decay": (optim.SGD, {"lr": 0.1, "weight_decay": 0.02}, reference.sgd, []),
    "sgd-momentum": (optim.SGD, {"lr": 0.1, "momentum": 0.9}, reference.sgd, ["velocity"]),
    "sgd-nesterov": (
        optim.SGD,
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        reference.sgd,
        ["velocity"],
    ),
    "sgd-dampening": (optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}, reference.sgd, ["velocity"]),
    "adam": (optim.Adam, {"lr": 0.01}, reference.adam, ["m", "v"]),
    "adam-decay": (
        optim.Adam,
        {"lr": 0.01, "betas": (0.8, 0.95), "weight_decay": 0.1, "eps": 1e-6},
        reference.adam,
        ["m", "v"],
    ),
    "adam-amsgrad": (optim.Adam, {"lr": 0.01, "amsgrad": True}, reference.adam, ["m", "v", "max_v"]),
    "adamw": (optim.AdamW, {"lr": 0.01, "weight_decay": 0.1}, reference.adam, ["m", "v"]),
    "rmsprop": (optim.RMSprop, {"lr": 0.01, "weight_decay": 0.1}, reference.rmsprop, ["square_avg"]),
    "rmsprop-centered": (
        optim.RMSprop,
        {"lr": 0.01, "alpha": 0.9, "centered": True, "momentum": 0.8},
        reference.rmsprop,
        ["square_avg", "momentum_buffer", "grad_avg"],
    ),
    "adagrad": (optim.Adagrad, {"lr": 0.1}, reference.adagrad, ["state_sum"]),
    "adagrad-decay": (
        optim.Adagrad,
        {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5},
        reference.adagrad,
        ["state_sum"],
    ),
}


def gradients(step: int, dtype: Any) -> list[np.ndarray]:
    rng = np.random.default_rng(step)
    return [np.asarray(rng.normal(size=shape), dtype) for shape in SHAPES]


def start(dtype: Any) -> list[np.ndarray]:
    rng = np.random.default_rng(99)
    return [np.asarray(rng.normal(size=shape), dtype) for shape in SHAPES]


def run(make: Callable[..., optim.Optimizer], options: dict[str, Any], dtype: Any) -> list[np.ndarray]:
    parameters = [nn.Parameter(data.copy()) for data in start(dtype)]
    optimizer = make(parameters, **options)
    for step in range(STEPS):
        for parameter, grad in zip(parameters, gradients(step, dtype), strict=True):
            parameter.grad = grad.copy()
        optimizer.step()
    return [parameter.data for parameter in parameters]


def run_reference(case: str, dtype: Any) -> list[np.ndarray]:
    make, options, formula, slots = CASES[case]
    options = dict(options)
    initial = options.pop("initial_accumulator_value", 0.0)
    options.pop("centered", None)
    dampening = options.pop("dampening", None)
    if formula is reference.adam:
        options = adam_options(**options) | {"decoupled": make is optim.AdamW}
    results = []
    for index, data in enumerate(start(dtype)):
        state = {slot: np.full_like(data, initial) for slot in slots}
        for step in range(STEPS):
            if formula in (reference.adam, reference.adagrad):
                options["step"] = step + 1
            if dampening is not None:
                options["dampening"] = dampening if step else 0.0  # PyTorch starts from v = g
            new = formula(data, gradients(step, dtype)[index], **state, **options)
            data, state = new["param"], {slot: new[slot] for slot in slots}
        results.append(data)
    return results


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", CASES)
def test_against_formula(case: str, dtype: Any) -> None:
    make, options, *_ = CASES[case]
    tolerance = 64 * np.finfo(dtype).eps  # a dozen roundings a step, five steps
    for got, expected in zip(run(make, options, dtype), run_reference(case, dtype), strict=True):
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


# A parameter's gradient comes from this step on: the second's is None at first, as of a head trained later.
FIRST_GRADIENT = [0, 2, 0]


def run_late(make: Callable[..., Any], options: dict[str, Any], steps: int = STEPS) -> Any:
    parameters = [nn.Parameter(data.copy()) for data in start(np.float64)]
    optimizer = make(parameters, **options)
    for step in range(steps):
        for parameter, grad, first in zip(
            parameters, gradients(step, np.float64), FIRST_GRADIENT, strict=True
        ):
            parameter.grad = grad.copy() if step >= first else None
        optimizer.step()
    return optimizer


@pytest.mark.parametrize("case", CASES)
def test_each_parameter_counts_its_own_updates(case: str) -> None:
    """One that is trained later moves as in an optimizer of its own."""
    make, options, *_ = CASES[case]
    together = run_late(make, options)
    assert together.steps == STEPS and together.updates == [STEPS - first for first in FIRST_GRADIENT]
    for index, first in enumerate(FIRST_GRADIENT):
        alone = nn.Parameter(start(np.float64)[index].copy())
        optimizer = make([alone], **options)
        for step in range(first, STEPS):
            alone.grad = gradients(step, np.float64)[index].copy()
            optimizer.step()
        assert alone.data.tobytes() == together.parameters[index].data.tobytes()


@pytest.mark.compare
@pytest.mark.parametrize("late", [False, True], ids=["together", "late"])
@pytest.mark.parametrize("case", CASES)
def test_against_torch(case: str, late: bool) -> None:
    torch = pytest.importorskip("torch")
    make, options, *_ = CASES[case]

    def torch_optimizer(parameters: list[nn.Parameter], **options: Any) -> Any:
        twins = [torch.nn.Parameter(torch.from_numpy(parameter.data)) for parameter in parameters]
        inner = getattr(torch.optim, make.__name__)(twins, **options)

        class Twin:
            def step(self) -> None:
                for twin, parameter in zip(twins, parameters, strict=True):
                    grad = parameter.grad
                    twin.grad = None if grad is None else torch.from_numpy(np.asarray(grad))
                inner.step()

            @property
            def parameters(self) -> list[nn.Parameter]:
                return parameters

        return Twin()

    def results(make: Callable[..., Any]) -> list[np.ndarray]:
        if not late:
            return run(make, options, np.float64)
        return [parameter.data for parameter in run_late(make, options).parameters]

    for got, want in zip(results(make), results(torch_optimizer), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-14)


@pytest.mark.compare
def test_defaults_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    for make in (optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad):
        theirs = getattr(torch.optim, make.__name__)([torch.nn.Parameter(torch.zeros(1))]).defaults
        ours = make([nn.Parameter(np.zeros(1))])
        for name in ("lr", "momentum", "dampening", "weight_decay", "eps", "alpha", "lr_decay"):
            if name in theirs:
                assert getattr(ours, name) == theirs[name], (make, name)


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad])
def test_penalties_are_part_of_the_gradient(make: type[optim.Optimizer]) -> None:
    data = np.array([2.0, -3.0, 0.0])
    grad = np.array([0.1, 0.2, 0.3])
    with_penalty, by_hand = nn.Parameter(data.copy()), nn.Parameter(data.copy())
    with_penalty.grad = grad.copy()
    by_hand.grad = grad + 0.5 * np.sign(data) + 0.25 * data
    make([with_penalty], lr=0.1, l1=0.5, l2=0.25).step()
    make([by_hand], lr=0.1).step()
    np.testing.assert_allclose(with_penalty.data, by_hand.data, rtol=1e-15)


def test_l2_is_weight_decay_where_that_is_coupled() -> None:
    a, b = nn.Parameter(np.ones(3)), nn.Parameter(np.ones(3))
    a.grad, b.grad = np.full(3, 0.5), np.full(3, 0.5)
    optim.Adam([a], l2=0.1).step()
    optim.Adam([b], weight_decay=0.1).step()
    np.testing.assert_allclose(a.data, b.data, rtol=1e-15)


def test_tied_parameter_moves_once_and_none_gradient_is_left_alone() -> None:
    tied, untouched = nn.Parameter(np.ones(2)), nn.Parameter(np.ones(2))
    tied.grad = np.ones(2)
    optimizer = optim.SGD([tied, untouched, tied], lr=0.5)
    optimizer.step()
    assert len(optimizer.parameters) == 2
    assert tied.data.tolist() == [0.5, 0.5] and untouched.data.tolist() == [1, 1]
    optimizer.zero_grad()
    assert not tied.grad.any()


@pytest.mark.parametrize("case", CASES)
def test_state_goes_on_to_the_same_bits(case: str) -> None:
    make, options, *_ = CASES[case]

    def steps(optimizer: optim.Optimizer, first: int, last: int) -> None:
        for step in range(first, last):
            for parameter, grad in zip(optimizer.parameters, gradients(step, np.float32), strict=True):
                parameter.grad = grad.copy()
            optimizer.step()

    whole = make([nn.Parameter(data.copy()) for data in start(np.float32)], **options)
    steps(whole, 0, 6)
    first = make([nn.Parameter(data.copy()) for data in start(np.float32)], **options)
    steps(first, 0, 3)
    second = make([nn.Parameter(parameter.data.copy()) for parameter in first.parameters], **options)
    second.lr = 123.0
    second.load_state_dict(*first.state_dict())
    steps(second, 3, 6)
    for a, b in zip(whole.parameters, second.parameters, strict=True):
        assert a.data.tobytes() == b.data.tobytes()


@pytest.mark.parametrize("case", CASES)
def test_state_keeps_the_count_of_each_parameter(case: str) -> None:
    make, options, *_ = CASES[case]
    whole, first = run_late(make, options, 5), run_late(make, options, 3)
    second = make([nn.Parameter(parameter.data.copy()) for parameter in first.parameters], **options)
    arrays, scalars = first.state_dict()
    second.load_state_dict(arrays, json.loads(json.dumps(scalars)))
    assert (second.steps, second.updates) == (3, [3, 1, 3])
    for step in (3, 4):
        for parameter, grad in zip(second.parameters, gradients(step, np.float64), strict=True):
            parameter.grad = grad.copy()
        second.step()
    for a, b in zip(whole.parameters, second.parameters, strict=True):
        assert a.data.tobytes() == b.data.tobytes()


def test_a_state_from_before_parameters_were_counted_goes_on_from_the_common_count() -> None:
    optimizer = optim.Adam([nn.Parameter(np.ones(3)), nn.Parameter(np.ones(2))])
    arrays, scalars = optimizer.state_dict()
    del scalars["updates"]
    optimizer.load_state_dict(arrays, scalars | {"steps": 7})
    assert (optimizer.steps, optimizer.updates) == (7, [7, 7])


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"steps": -1}, ValueError, r"Adam: state: steps must be an integer >= 0, got -1"),
        ({"steps": 1.5}, TypeError, r"steps must be an integer >= 0, got 1.5"),
        ({"steps": 2**70}, ValueError, r"below 2\*\*62"),
        ({"steps": "1"}, TypeError, r"steps must be an integer"),
        ({"lr": "fast"}, TypeError, r"Adam: state: lr must be a finite number >= 0, got 'fast'"),
        ({"lr": float("nan")}, ValueError, r"lr must be a finite number"),
        ({"updates": [1]}, ValueError, r"updates must be 2 counts, got \[1\]"),
        ({"updates": [0, -1]}, ValueError, r"updates\[1\] must be an integer >= 0, got -1"),
        ({"updates": [0, 2]}, ValueError, r"updates must be at most steps, .* got 2 and 1"),
        ({"updates": "11"}, ValueError, r"updates must be 2 counts, got '11'"),
    ],
)
def test_wrong_counts_and_rates_change_nothing(
    wrong: dict[str, Any], error: type[Exception], message: str
) -> None:
    optimizer = optim.Adam([nn.Parameter(np.ones(3)), nn.Parameter(np.ones(2))], lr=0.1)
    arrays, scalars = optimizer.state_dict()
    ones = {name: np.ones_like(array) for name, array in arrays.items()}
    with pytest.raises(error, match=message):
        optimizer.load_state_dict(ones, scalars | {"steps": 1, "updates": [1, 1]} | wrong)
    after, numbers = optimizer.state_dict()
    assert numbers == scalars and not any(array.any() for array in after.values())


def test_state_of_something_else_is_refused_whole() -> None:
    adam = optim.Adam([nn.Parameter(np.ones(3))])
    before = adam.state_dict()
    arrays, scalars = before
    with pytest.raises(ValueError, match=r"Adam: the state is of another optimizer, SGD"):
        adam.load_state_dict(*optim.SGD([nn.Parameter(np.ones(3))]).state_dict())
    with pytest.raises(ValueError, match=r"Adam: state 0\.m must be \(3,\) float64, got \(4,\) float64"):
        adam.load_state_dict({"0.m": np.ones(4), "0.v": np.ones(3)}, scalars)
    with pytest.raises(ValueError, match=r"lacks \['0\.v'\]"):
        adam.load_state_dict({"0.m": np.ones(3)}, scalars)
    for name, array in adam.state_dict()[0].items():
        assert (array == arrays[name]).all()


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (optim.SGD, {"lr": -1}, r"SGD: lr must be a finite number >= 0, got -1"),
        (optim.SGD, {"lr": float("nan")}, r"SGD: lr must be a finite number >= 0, got nan"),
        (optim.SGD, {"nesterov": True}, r"SGD: nesterov needs momentum > 0"),
        (optim.Adam, {"betas": (1.0, 0.9)}, r"Adam: beta1 must be a finite number >= 0 and < 1, got 1.0"),
        (optim.Adam, {"betas": 0.9}, r"Adam: betas must be two numbers"),
        (optim.AdamW, {"weight_decay": -0.1}, r"AdamW: weight_decay must be"),
        (optim.AdamW, {"l1": -0.1}, r"AdamW: l1 must be"),
        (optim.RMSprop, {"alpha": -0.1}, r"RMSprop: alpha must be"),
        (optim.Adagrad, {"eps": -0.1}, r"Adagrad: eps must be"),
    ],
)
def test_bad_numbers(make: type[optim.Optimizer], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make([nn.Parameter(np.ones(1))], **options)


def test_bad_parameters() -> None:
    with pytest.raises(TypeError, match="SGD: parameters must be those of a layer"):
        optim.SGD([np.ones(3)])
    with pytest.raises(ValueError, match="SGD: parameters must hold at least one"):
        optim.SGD([])
    with pytest.raises(TypeError, match="SGD: lr must be a finite number"):
        optim.SGD([nn.Parameter(np.ones(1))], lr="fast")  # type: ignore[arg-type]
