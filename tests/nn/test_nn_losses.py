"""Losses: values by a line of NumPy each, slopes by finite differences, weights, reductions, extremes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradcheck import ATOL, EPS, RTOL
from loss_cases import CLASSES, LOG_SHARES, LOSSES, SHARES, WEIGHT, P, T, log_softmax
from weftnn import nn

each_loss = pytest.mark.parametrize("name", LOSSES)


def reduced(values, counted, reduction):
    if reduction == "none":
        return values * counted
    total = (values * counted).sum()
    return total / np.broadcast_to(counted, values.shape).sum() if reduction == "mean" else total


def weights(name, weight):
    """How much each element of the loss counts, shaped to broadcast to it."""
    counted = np.ones((4, 3)) if weight is None else weight
    return counted * (CLASSES != -100) if name.startswith("cross") else counted[..., None]


@each_loss
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
def test_value_and_gradient(name, reduction, weight):
    make, target, values = LOSSES[name]
    loss_fn = make(reduction=reduction)
    loss, backprop = loss_fn(P, target, weight)
    expected = reduced(values(P, target), weights(name, weight), reduction)
    np.testing.assert_allclose(loss, expected, rtol=1e-12)
    np.testing.assert_array_equal(loss_fn.predict(P, target, weight), loss)
    assert type(loss) is float or reduction == "none"

    dloss = 0.7 if reduction != "none" else np.random.default_rng(1).normal(size=np.shape(loss))
    gradient = backprop(dloss)
    assert gradient.dtype == np.float64
    moved = P.copy()
    for index in list(np.ndindex(P.shape))[::3]:
        ends = []
        for step in (EPS, -EPS):
            moved[index] = P[index] + step
            ends.append((loss_fn.predict(moved, target, weight) * np.asarray(dloss)).sum())
        moved[index] = P[index]
        assert gradient[index] == pytest.approx((ends[0] - ends[1]) / (2 * EPS), rel=RTOL, abs=ATOL)


@each_loss
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_nothing_under_a_zero_weight_is_looked_at(name, reduction):
    make, target, _ = LOSSES[name]
    loss_fn = make(reduction=reduction)
    weight = np.ones((4, 3))
    weight[1] = 0
    spoilt = P.copy()
    spoilt[1] = np.nan
    spoilt_target = target.copy()
    if target.dtype.kind == "f":
        spoilt_target[1] = np.inf
    loss, backprop = loss_fn(P, target, weight)
    spoilt_loss, spoilt_backprop = loss_fn(spoilt, spoilt_target, weight)
    np.testing.assert_array_equal(spoilt_loss, loss)
    dloss = 1.0 if reduction != "none" else np.ones(np.shape(loss))
    gradient = spoilt_backprop(dloss)
    np.testing.assert_array_equal(gradient, backprop(dloss))
    assert (gradient[1] == 0).all()


@each_loss
def test_nothing_counts_nothing_costs(name):
    make, target, _ = LOSSES[name]
    loss, backprop = make()(P, target, np.zeros((4, 3)))
    assert loss == 0
    assert (backprop() == 0).all()
    empty, backprop = make()(P[:0], target[:0])
    assert empty == 0
    assert backprop().shape == (0, 3, 5)


@each_loss
def test_float32_stays_float32(name):
    make, target, values = LOSSES[name]
    target = target.astype(np.float32) if target.dtype.kind == "f" else target
    loss, backprop = make()(P.astype(np.float32), target, WEIGHT)
    assert type(loss) is float
    assert backprop().dtype == np.float32
    expected = reduced(values(P, LOSSES[name][1]), weights(name, WEIGHT), "mean")
    assert loss == pytest.approx(expected, rel=3e-6)  # 30 roundings of float32


def test_weights_of_each_element_or_of_leading_axes():
    loss = nn.MSELoss(reduction="none")
    full = np.broadcast_to(WEIGHT[..., None], P.shape)
    np.testing.assert_array_equal(loss.predict(P, T, full), loss.predict(P, T, WEIGHT))
    np.testing.assert_array_equal(
        loss.predict(P, T, WEIGHT[:, 0]), loss.predict(P, T, full[:, :1, :1] + 0 * P)
    )
    assert nn.MSELoss().predict(P, T, np.full((4, 3, 5), 7.0)) == pytest.approx(nn.MSELoss().predict(P, T))
    mask = np.arange(3) < np.array([3, 0, 1, 2])[:, None]
    kept = ((P - T) ** 2)[mask]
    assert nn.MSELoss().predict(P, T, mask) == pytest.approx(kept.mean())


@each_loss
def test_weights_of_rows(name):
    """[B] holds for all of a row, where a square batch might read it as of the steps too."""
    make, target, _ = LOSSES[name]
    p, t = P[:3], target[:3]
    rows = np.array([1.0, 0.0, 2.5])
    spread = np.repeat(rows, 3).reshape(3, 3)
    for reduction in ("mean", "sum", "none"):
        loss, backprop = make(reduction=reduction)(p, t, rows)
        expected, expected_backprop = make(reduction=reduction)(p, t, spread)
        np.testing.assert_array_equal(loss, expected)
        dloss = 1.0 if reduction != "none" else np.ones_like(loss)
        np.testing.assert_array_equal(backprop(dloss), expected_backprop(dloss))
    with pytest.raises(ValueError, match=r"weight must be a number or of shape \(3,\) or \(3, 3\)"):
        make()(p, t, np.ones((3, 1)))
    with pytest.raises(TypeError, match="weight must be numbers"):
        make()(p, t, np.array([1j, 2, 3]))


def test_batchmean_is_the_divergence():
    divergence = (SHARES * (LOG_SHARES - log_softmax(P))).sum()
    assert nn.KLDivLoss(reduction="batchmean").predict(log_softmax(P), SHARES) == pytest.approx(
        divergence / 4
    )
    with pytest.raises(ValueError, match="MSELoss: reduction must be one of 'mean', 'sum', 'none'"):
        nn.MSELoss("batchmean")


def test_extremes_stay_finite():
    huge = np.array([-1e4, -800.0, 0.0, 800.0, 1e4])
    for target in (np.zeros(5), np.ones(5)):
        loss, backprop = nn.BCEWithLogitsLoss(reduction="none")(huge, target)
        np.testing.assert_allclose(
            loss, np.where(target == 1, -huge, huge).clip(0) + (huge == 0) * math.log(2)
        )
        assert np.isfinite(backprop(np.ones(5))).all()
    certain = np.array([[0.0, -1e30], [0.0, 0.0]])
    assert nn.KLDivLoss(reduction="none").predict(certain, np.array([[1.0, 0.0]] * 2)).tolist() == [
        [0, 0],
        [0, 0],
    ]
    loss, backprop = nn.CrossEntropyLoss()(np.array([[1e4, 0.0], [-1e4, 0.0]]), np.array([0, 1]))
    assert loss == 0
    assert (abs(backprop()) < 1e-300).all()


def test_backprop_runs_once():
    for make, target, _ in LOSSES.values():
        _, backprop = make()(P, target)
        with pytest.raises(ValueError, match=r"dloss must have shape \(\), got \(2,\)"):
            backprop(np.ones(2))
        backprop()
        with pytest.raises(RuntimeError, match=r"Loss\.backprop: called a second time"):
            backprop()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: nn.MSELoss()(P, T[0]),
            ValueError,
            r"MSELoss: target must have shape \(4, 3, 5\), got \(3, 5\)",
        ),
        (lambda: nn.MSELoss()(P, T.astype(np.float32)), TypeError, "MSELoss: target must have dtype float64"),
        (lambda: nn.MSELoss()(P, T.tolist()), TypeError, "MSELoss: target must be a NumPy array"),
        (
            lambda: nn.MSELoss()(P.tolist(), T),
            TypeError,
            "MSELoss: prediction must be a float32 or float64 array, got list",
        ),
        (lambda: nn.MSELoss()(P.astype(int), T), TypeError, "got int64"),
        (
            lambda: nn.L1Loss()(P, T, np.ones(3)),
            ValueError,
            r"L1Loss: weight must .* \(4, 3, 5\), got \(3,\)",
        ),
        (
            lambda: nn.L1Loss()(np.ones(()), np.ones(()), np.ones(3)),
            ValueError,
            r"L1Loss: weight must be a number, got \(3,\)",
        ),
        (lambda: nn.CrossEntropyLoss()(P, np.full((4, 3), 5)), ValueError, "target"),
        (lambda: nn.CrossEntropyLoss()(P, np.full((4, 3), -1)), ValueError, "target"),
        (lambda: nn.CrossEntropyLoss()(P, CLASSES[:3]), ValueError, "target"),
        (lambda: nn.CrossEntropyLoss()(P, T[..., 0]), TypeError, "target"),
        (lambda: nn.CrossEntropyLoss()(P, CLASSES, np.ones((4, 2))), ValueError, "weight"),
        (
            lambda: nn.CrossEntropyLoss(label_smoothing=2),
            ValueError,
            "label_smoothing must be a finite number",
        ),
        (lambda: nn.CrossEntropyLoss(ignore_index=1.5), TypeError, "ignore_index must be an integer"),
        (lambda: nn.HuberLoss(0), ValueError, "delta must be a finite number > 0, got 0"),
        (lambda: nn.BCEWithLogitsLoss(-1), ValueError, "pos_weight must be finite numbers >= 0"),
        (lambda: nn.KLDivLoss(reduction="total"), ValueError, "reduction must be one of"),
    ],
)
def test_wrong_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
