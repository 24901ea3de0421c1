"""Losses where arithmetic by the textbook formula fails: tails, huge and infinite numbers, weights of 0.

The expected values come from the same definitions in `np.longdouble` or by hand, in forms that do not cancel.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from weftnn import nn

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
FAR = np.array([0.0, 1e-3, 1.0, 5.0, 10.0, 15.0, 20.0, 30.0, 36.0, 40.0, 60.0, 85.0])


def assert_exact(got: Any, expected: Any, dtype: Any, roundings: float = 4) -> None:
    """Within a few roundings of each element, however small it is."""
    np.testing.assert_allclose(got, np.asarray(expected, np.float64), rtol=roundings * np.finfo(dtype).eps)


@DTYPES
@pytest.mark.parametrize("target", [0.0, 1.0])
def test_binary_cross_entropy_keeps_the_digits_of_its_tails(target: float, dtype: Any) -> None:
    p = np.concatenate([-FAR, FAR]).astype(dtype)
    t = np.full_like(p, target)
    signed = (p if target == 0 else -p).astype(np.longdouble)  # the loss is log(1 + exp(signed))
    loss, backprop = nn.BCEWithLogitsLoss(reduction="none")(p, t)
    assert_exact(loss, np.maximum(signed, 0) + np.log1p(np.exp(-abs(signed))), dtype)
    slope = np.exp(np.minimum(signed, 0)) / (1 + np.exp(-abs(signed)))
    assert_exact(backprop(np.ones_like(p)), slope if target == 0 else -slope, dtype)
    for index, value in enumerate(p):
        alone = nn.BCEWithLogitsLoss().predict(p[index : index + 1], t[index : index + 1])
        assert alone == pytest.approx(float(np.logaddexp(0, signed[index])), rel=1e-13), value


@DTYPES
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("classes", [2, 3, 40])
def test_cross_entropy_keeps_the_digits_of_its_tails(classes: int, smoothing: float, dtype: Any) -> None:
    logits = np.random.default_rng(0).normal(0, 1e-2, (2 * len(FAR), classes))
    logits[np.arange(len(logits)), 1] += np.concatenate([-FAR, FAR])
    logits = logits.astype(dtype)
    targets = np.ones(len(logits), int)
    loss, backprop = nn.CrossEntropyLoss(label_smoothing=smoothing, reduction="none")(logits, targets)
    z = logits.astype(np.longdouble)
    gap = np.delete(z, 1, axis=1) - z[:, 1:2]  # of the other classes to the target
    others = np.exp(gap).sum(axis=1)
    log_total = np.where(others < 1, np.log1p(others), np.log(others) + np.log1p(1 / others))
    expected = log_total - smoothing * gap.sum(axis=1) / classes
    # float32 rounds z - max and its exponential: as many epsilons as the exponent is large
    assert_exact(loss, expected, dtype, 200)
    p = np.exp(z - z[:, 1:2]) / (1 + others[:, None])
    p[:, 1] = -others / (1 + others)  # p - 1
    gradient = backprop(np.ones(len(logits), dtype))
    if smoothing == 0:
        assert_exact(gradient, p, dtype, 200)
    q = np.full(classes, smoothing / classes)
    q[1] -= smoothing
    np.testing.assert_allclose(gradient, (p - q).astype(np.float64), atol=8 * np.finfo(dtype).eps)


@DTYPES
def test_divergence_of_distributions_that_are_nearly_the_same(dtype: Any) -> None:
    """log t - p: what is left are the digits that p was rounded to."""
    t = np.random.default_rng(1).dirichlet(np.ones(7), 5).astype(dtype)
    p = np.log(t)
    t64, p64 = t.astype(np.longdouble), p.astype(np.longdouble)
    expected = (t64 * (np.log(t64) - p64)).astype(np.float64)
    loss = nn.KLDivLoss(reduction="none").predict(p, t)
    np.testing.assert_allclose(loss, expected, rtol=1e-5, atol=4 * np.finfo(np.float64).eps)


LARGE = {np.float32: 2e38, np.float64: 1.2e308}
SMALL = {np.float32: 1e-30, np.float64: 1e-200}


@DTYPES
def test_means_overflow_only_where_they_are_too_large(dtype: Any) -> None:
    """The difference, or its square, is beyond the type; the weighted mean is not."""
    huge = LARGE[dtype]
    p, t = np.array([huge, 1.0], dtype), np.array([-huge, 1.0], dtype)
    weight = np.array([1.0, 7.0])
    if np.finfo(np.longdouble).maxexp == np.finfo(np.float64).maxexp and dtype == np.float64:
        pytest.skip("this machine has no type wider than float64")
    exact = dtype(huge) / 4.0 if dtype == np.float64 else float(dtype(huge)) / 4
    loss, backprop = nn.L1Loss()(p, t, weight)
    assert loss == pytest.approx(exact)
    np.testing.assert_allclose(backprop(), [1 / 8, 0])
    loss, backprop = nn.HuberLoss(delta=1e-3)(p, t, weight)
    assert loss == pytest.approx(1e-3 * exact)
    np.testing.assert_allclose(backprop(), [1e-3 / 8, 0], rtol=1e-6)
    loss, backprop = nn.MSELoss()(p, t, weight)
    assert loss == (pytest.approx(2 * exact * float(dtype(huge))) if dtype == np.float32 else np.inf)
    np.testing.assert_allclose(backprop(), [dtype(huge) / 2, 0], rtol=1e-6)
    losses = nn.L1Loss("none").predict(p, t, np.array([0.25, 1.0]))
    np.testing.assert_allclose(losses, [dtype(huge) / 2, 0])
    assert nn.L1Loss("none").predict(p, t).tolist() == [np.inf, 0.0]


@DTYPES
def test_means_underflow_only_where_they_are_too_small(dtype: Any) -> None:
    d = dtype(SMALL[dtype])
    loss = nn.MSELoss().predict(np.array([d]), np.zeros(1, dtype))
    assert loss == pytest.approx(float(d) ** 2)


@DTYPES
def test_weights_of_any_size_make_the_same_mean(dtype: Any) -> None:
    """Their sum may be beyond the prediction's type, in which they are given."""
    rng = np.random.default_rng(2)
    p, t = rng.normal(size=(2, 50)).astype(dtype)
    weight = rng.uniform(0.5, 1, 50)
    logits, classes = rng.normal(size=(50, 3)).astype(dtype), rng.integers(0, 3, 50)
    for size in (1e37, 1e-37):
        for loss, given in ((nn.MSELoss(), (p, t)), (nn.CrossEntropyLoss(), (logits, classes))):
            plain, backprop = loss(*given, weight.astype(dtype))
            scaled, scaled_backprop = loss(*given, (weight * size).astype(dtype))
            assert scaled == pytest.approx(plain, rel=1e-5)
            np.testing.assert_allclose(scaled_backprop(), backprop(), rtol=1e-5)


@DTYPES
def test_infinite_logits(dtype: Any) -> None:
    inf = np.inf
    p = np.array([inf, -inf, inf, -inf], dtype)
    t = np.array([1, 0, 0, 1], dtype)
    loss, backprop = nn.BCEWithLogitsLoss(reduction="none")(p, t)
    assert loss.tolist() == [0, 0, inf, inf]
    assert backprop(np.ones(4, dtype)).tolist() == [0, 0, 1, -1]

    logits = np.array([[inf, 0, 1], [0, inf, 1], [0, -inf, 0], [-inf, -inf, 3]], dtype)
    targets = np.array([0, 0, 0, 2])
    loss, backprop = nn.CrossEntropyLoss(reduction="none")(logits, targets)
    np.testing.assert_allclose(loss, [0, inf, math.log(2), 0], rtol=1e-6)
    expected = [[0, 0, 0], [-1, 1, 0], [-0.5, 0, 0.5], [0, 0, 0]]
    np.testing.assert_allclose(backprop(np.ones(4, dtype)), expected, rtol=1e-6)
    assert np.isnan(nn.CrossEntropyLoss().predict(np.array([[inf, inf, 0]], dtype), np.array([0])))


@DTYPES
def test_label_smoothing_of_classes_that_cannot_be(dtype: Any) -> None:
    """A class of no probability costs infinity; its gradient is still -s / V."""
    logits = np.array([[0, -np.inf, 0]], dtype)
    for smoothing in (0.3, 1.0):
        loss, backprop = nn.CrossEntropyLoss(label_smoothing=smoothing)(logits, np.array([0]))
        assert loss == np.inf
        third = smoothing / 3
        np.testing.assert_allclose(
            backprop(), [[0.5 - 1 + smoothing - third, -third, 0.5 - third]], rtol=4e-6, atol=1e-7
        )
    lowest = np.full((1, 1000), np.finfo(dtype).min, dtype)  # what stands for -infinity in many masks
    lowest[0, 0] = 0
    loss = nn.CrossEntropyLoss(label_smoothing=0.1).predict(lowest, np.array([0]))
    assert loss == pytest.approx(0.1 * 0.999 * float(np.finfo(dtype).max), rel=1e-5)
    assert nn.CrossEntropyLoss(label_smoothing=1.0).predict(
        np.array([[3.0, -np.inf]], dtype), np.array([1])
    ) == (np.inf)


@DTYPES
def test_what_has_no_share_costs_nothing_even_of_infinity(dtype: Any) -> None:
    impossible = np.array([0.0, -np.inf], dtype)  # logarithms of (1, 0)
    sure = np.array([1.0, 0.0], dtype)
    assert nn.KLDivLoss(reduction="sum").predict(impossible, sure) == 0
    assert nn.KLDivLoss(log_target=True, reduction="sum").predict(impossible, impossible) == 0
    assert nn.KLDivLoss(reduction="sum").predict(impossible, sure[::-1].copy()) == np.inf
    never = nn.BCEWithLogitsLoss(pos_weight=0.0)
    assert never.predict(np.array([-np.inf], dtype), np.ones(1, dtype)) == 0


@DTYPES
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "make", [nn.MSELoss, nn.L1Loss, nn.HuberLoss, nn.BCEWithLogitsLoss, nn.KLDivLoss, nn.CrossEntropyLoss]
)
def test_a_gradient_of_zero_for_a_loss_is_none_of_its_prediction(make: Any, bad: float, dtype: Any) -> None:
    """Zero times infinity: dloss is 0 where the caller masks."""
    p = np.full((2, 3), 0.3, dtype)
    p[0] = bad
    t: Any = np.zeros((2, 3), dtype) if make is not nn.CrossEntropyLoss else np.zeros(2, int)
    loss, backprop = make(reduction="none")(p, t)
    dloss = np.ones_like(loss)
    dloss[0] = 0
    gradient = backprop(dloss)
    assert (gradient[0] == 0).all() and np.isfinite(gradient).all()
    _, backprop = make(reduction="sum")(p, t)
    assert (backprop(0.0) == 0).all()


@DTYPES
@pytest.mark.parametrize("make", [nn.MSELoss, nn.CrossEntropyLoss])
def test_weights_that_cancel_have_no_mean(make: Any, dtype: Any) -> None:
    p = np.ones((2, 3), dtype)
    t: Any = np.zeros((2, 3), dtype) if make is nn.MSELoss else np.zeros(2, int)
    loss, backprop = make()(p, t, np.array([1, -1]))
    assert loss == 0 and (backprop() == 0).all()


def test_positive_weights_fit_the_last_axis() -> None:
    loss = nn.BCEWithLogitsLoss([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"pos_weight must be a number or \[C\] = \(1,\), .* got \(3,\)"):
        loss(np.zeros((4, 1)), np.zeros((4, 1)))
    with pytest.raises(ValueError, match="finite"):
        nn.BCEWithLogitsLoss(np.inf)
