"""Optimizers against plain NumPy formulas and PyTorch; penalties, tied weights, state, bad arguments."""

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


# ---- clipping --------------------------------------------------------------------------------------------


def parameters_with(*grads: np.ndarray) -> list[nn.Parameter]:
    parameters = []
    for grad in grads:
        parameter = nn.Parameter(np.zeros_like(grad))
        parameter.grad = grad.copy()
        parameters.append(parameter)
    return parameters


def test_clip_by_norm() -> None:
    grads = [np.full((3, 4), 2.0), np.full(5, -1.0)]
    norm = np.sqrt(sum((grad**2).sum() for grad in grads))
    parameters = parameters_with(*grads)
    assert optim.clip_grad_norm(parameters, 1.5) == pytest.approx(norm, rel=1e-15)
    for parameter, grad in zip(parameters, grads, strict=True):
        np.testing.assert_allclose(parameter.grad, grad * 1.5 / (norm + 1e-6), rtol=1e-14)
    parameters = parameters_with(*grads)
    optim.clip_grad_norm(parameters, norm + 1)
    assert all((p.grad == grad).all() for p, grad in zip(parameters, grads, strict=True))


def test_clip_by_norm_counts_a_tied_parameter_once() -> None:
    (parameter,) = parameters_with(np.array([3.0, 4.0]))
    assert optim.clip_grad_norm([parameter, parameter], 10.0) == pytest.approx(5.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_clip_leaves_a_gradient_that_is_not_finite(bad: float) -> None:
    (parameter,) = parameters_with(np.array([1.0, bad]))
    assert not np.isfinite(optim.clip_grad_norm([parameter], 0.5))
    assert parameter.grad[0] == 1.0


def test_clip_by_value() -> None:
    (parameter,) = parameters_with(np.array([-3.0, 0.2, 7.0], np.float32))
    optim.clip_grad_value([parameter], 0.5)
    assert parameter.grad.tolist() == [-0.5, np.float32(0.2), 0.5]


@pytest.mark.parametrize(
    ("grad", "max_norm"),
    [
        (np.full(10**4, 3e38, np.float32), 1e-3),
        (np.full(10**6, 3e38, np.float32), 1e-6),
        (np.full(10, 3e38, np.float32), 1e-30),
        (np.full(4, 1e200), 1.0),
        (np.full(4, 8e307), 1e-5),
        (np.full(4, 1e306), 1e-10),
        (np.array([3e200, 4.0, 1e-200]), 1e-150),
    ],
    ids=lambda value: f"{np.max(value):g} {np.asarray(value).dtype}",
)
def test_clip_of_huge_gradients(grad: np.ndarray, max_norm: float) -> None:
    """The factor may be below what the dtype, or float64, holds; the clipped gradient is not."""
    parts = grad.astype(np.float64) / grad.max()
    (parameter,) = parameters_with(grad)
    norm = optim.clip_grad_norm([parameter], max_norm)
    assert norm == pytest.approx(float(np.linalg.norm(parts) * grad.max().astype(np.float64)), rel=1e-7)
    expected = parts / np.linalg.norm(parts) * max_norm
    np.testing.assert_allclose(parameter.grad, expected, rtol=4 * np.finfo(grad.dtype).eps, atol=1e-300)


def test_clip_by_a_value_that_the_dtype_does_not_hold() -> None:
    (parameter,) = parameters_with(np.array([-3e38, 0.2], np.float32))
    optim.clip_grad_value([parameter], 1e300)
    assert parameter.grad.tolist() == np.array([-3e38, 0.2], np.float32).tolist()


def test_clip_refuses_bad_bounds() -> None:
    with pytest.raises(ValueError, match="clip_grad_norm: max_norm must be a finite number > 0, got 0"):
        optim.clip_grad_norm([], 0)
    with pytest.raises(ValueError, match="clip_grad_value: clip_value must be a finite number > 0, got -1"):
        optim.clip_grad_value([], -1)


# ---- schedules -------------------------------------------------------------------------------------------


def test_constant_and_step() -> None:
    assert [optim.ConstantLR()(step, 0.3) for step in (0, 7)] == [0.3, 0.3]
    schedule = optim.StepLR(step_size=3, gamma=0.5)
    np.testing.assert_allclose([schedule(step, 1.0) for step in range(7)], [1, 1, 1, 0.5, 0.5, 0.5, 0.25])


def test_cosine_with_warmup() -> None:
    schedule = optim.CosineLR(total_steps=110, warmup_steps=10, min_lr=0.1)
    rates = [schedule(step, 1.0) for step in range(130)]
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10)
    np.testing.assert_allclose(rates[10:110], 0.1 + 0.45 * (1 + np.cos(np.pi * np.arange(100) / 100)))
    assert rates[110:] == [0.1] * 20
    assert rates[9:] == sorted(rates[9:], reverse=True)


def test_plateau_steps_down_rests_and_ends_at_min_lr() -> None:
    schedule = optim.PlateauLR(factor=0.1, patience=1, cooldown=1, min_lr=0.005)
    rates = []
    for loss in (1.0, 0.5, 0.5, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6):
        schedule.observe(loss)
        rates.append(schedule(0, 1.0))
    np.testing.assert_allclose(rates, [1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.005])


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@pytest.mark.parametrize(
    "values",
    [
        [np.nan, 1.0, 0.5, 0.25, 0.1, 0.05],
        [np.inf, 1.0, 0.5, 0.25],
        [1.0, np.nan, 0.5, np.nan, 0.25],
        [np.inf, np.nan, np.float32(0.5), 0.25],
    ],
    ids=str,
)
def test_plateau_takes_neither_nan_nor_infinity_for_the_end(
    values: list[float], threshold_mode: str, mode: str
) -> None:
    schedule = optim.PlateauLR(factor=0.5, patience=1, mode=mode, threshold_mode=threshold_mode)
    sign = 1 if mode == "min" else -1
    for value in values:
        schedule.observe(sign * value)
    assert schedule.best == sign * values[-1] and schedule(0, 1.0) == 1.0
    json.dumps(schedule.state_dict())


def test_plateau_of_nothing_but_nan_reduces_the_rate() -> None:
    schedule = optim.PlateauLR(factor=0.5, patience=1)
    for _ in range(2):
        schedule.observe(float("nan"))
    assert schedule.best is None and schedule(0, 1.0) == 0.5
    schedule.load_state_dict(schedule.state_dict() | {"best": float("nan")})
    assert schedule.best is None


@pytest.mark.compare
def test_schedules_against_torch() -> None:
    torch = pytest.importorskip("torch")
    schedules = torch.optim.lr_scheduler
    losses = np.random.default_rng(0).normal(size=60).cumsum() * 0.1 + 3

    def theirs(make: Callable[[Any], Any], observe: bool = False) -> list[float]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
        scheduler = make(optimizer)
        rates = []
        for loss in losses:
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step(*([loss] if observe else []))
        return rates

    step = optim.StepLR(7, 0.5)
    np.testing.assert_allclose(
        [step(n, 0.3) for n in range(60)], theirs(lambda o: schedules.StepLR(o, 7, 0.5)), rtol=1e-12
    )
    cosine = optim.CosineLR(total_steps=60, min_lr=0.01)
    np.testing.assert_allclose(
        [cosine(n, 0.3) for n in range(60)],
        theirs(lambda o: schedules.CosineAnnealingLR(o, 60, eta_min=0.01)),
        rtol=1e-10,
    )
    for mode in ("rel", "abs"):
        for direction in ("min", "max"):
            options = {"factor": 0.5, "patience": 2, "cooldown": 3, "threshold_mode": mode, "min_lr": 0.02}
            plateau = optim.PlateauLR(**options, mode=direction)
            ours = []
            for loss in losses:
                ours.append(plateau(0, 0.3))
                plateau.observe(loss)
            expected = theirs(
                lambda o, m=direction, k=options: schedules.ReduceLROnPlateau(o, mode=m, **k), observe=True
            )
            np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_plateau_state() -> None:
    a, b = optim.PlateauLR(patience=1), optim.PlateauLR(patience=1)
    for loss in (1.0, 1.0):
        a.observe(loss)
    b.load_state_dict(json.loads(json.dumps(a.state_dict())))
    for schedule in (a, b):
        schedule.observe(1.0)
    assert a(0, 1.0) == b(0, 1.0) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.StepLR(0), "StepLR: step_size must be an integer >= 1, got 0"),
        (lambda: optim.CosineLR(10, 11), "CosineLR: warmup_steps must be <= total_steps = 10, got 11"),
        (lambda: optim.CosineLR(10, min_lr=-1), "CosineLR: min_lr must be"),
        (
            lambda: optim.PlateauLR(factor=1.0),
            "PlateauLR: factor must be a finite number > 0 and < 1, got 1.0",
        ),
        (lambda: optim.PlateauLR(mode="low"), "PlateauLR: mode must be one of 'min', 'max', got 'low'"),
    ],
)
def test_schedules_refuse(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
