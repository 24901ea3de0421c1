"""Schedules of the learning rate."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from weftnn import optim


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
