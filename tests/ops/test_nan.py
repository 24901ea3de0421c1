"""NaN and infinity that are really in the data show in the result, in their own row and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import weftnn.ops
from cases import CELLS, recurrent_case
from kinds import Size

ACTIVATIONS = ("relu", "gelu", "silu", "sigmoid", "tanh")
DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])


@DTYPES
@pytest.mark.parametrize("op", ACTIVATIONS)
def test_activations(op: str, dtype: Any) -> None:
    """Also in the rest of a vector: 37 elements are two full ones and some on every instruction set."""
    forward, backward = (getattr(weftnn.ops, f"{op}_{way}") for way in ("forward", "backward"))
    x = np.linspace(-3, 3, 37).astype(dtype)
    clean, saved = forward(x)
    clean_dx = backward(saved, np.ones_like(x))
    for place in (0, 20, 36):
        dirty = x.copy()
        dirty[place] = np.nan
        y, saved = forward(dirty)
        dx = backward(saved, np.ones_like(x))
        others = np.arange(37) != place
        assert np.isnan(y[place])
        np.testing.assert_array_equal(y[others], clean[others])
        np.testing.assert_array_equal(dx[others], clean_dx[others])


@DTYPES
@pytest.mark.parametrize("op", ACTIVATIONS)
def test_activations_of_huge_numbers(op: str, dtype: Any) -> None:
    """The limits and their slopes, not NaN. (silu and gelu of -infinity itself are NaN, as PyTorch's.)"""
    x = np.array([-1e30, -1e4, 1e4, 1e30], dtype)
    y, saved = getattr(weftnn.ops, f"{op}_forward")(x)
    low, high = {"tanh": (-1, 1), "sigmoid": (0, 1)}.get(op, (0, x[2:]))
    np.testing.assert_array_equal(y[:2], low)
    np.testing.assert_array_equal(y[2:], high)
    dx = getattr(weftnn.ops, f"{op}_backward")(saved, np.ones_like(x))
    np.testing.assert_array_equal(dx, [0, 0, 0, 0] if op in ("tanh", "sigmoid") else [0, 0, 1, 1])


@pytest.mark.parametrize("poison", [np.nan, np.inf], ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_rows_are_apart(cell: str, poison: float) -> None:
    """NaN in one row at one step: its later outputs are NaN; earlier ones and other rows keep their bits."""
    case = recurrent_case(cell, "plain")
    inputs = case.inputs(Size(time=6, batch=19, input=5, hidden=21, projection=7), np.float32)
    clean = case.run(inputs)
    inputs["x"] = inputs["x"].copy()
    inputs["x"][7, 3] = poison
    inputs["x"][7, 3, 1:] = np.nan  # infinity alone may saturate a gate and go unseen
    outputs, saved = case.forward(inputs)
    grads = case.backward(saved, case.douts(outputs))
    assert np.isnan(outputs[0][7, 3:]).all()
    np.testing.assert_array_equal(outputs[0][7, :3], clean["y"][7, :3])
    others = np.arange(19) != 7
    for name, out in zip(case.outputs, outputs, strict=True):
        np.testing.assert_array_equal(out[others], clean[name][others], err_msg=name)
    for name in ("x", "h0"):
        np.testing.assert_array_equal(grads[name][others], clean[f"d{name}"][others], err_msg=f"d{name}")
    assert np.isnan(
        grads["w_ih"]
    ).any()  # a sum over all rows: the loss of this batch is NaN, and so it should be


@DTYPES
def test_cross_entropy(dtype: Any) -> None:
    logits = np.random.default_rng(0).normal(size=(4, 37)).astype(dtype)
    targets = np.array([0, 1, 2, 3])
    clean, _ = weftnn.ops.softmax_cross_entropy_forward(logits, targets, reduction="none")
    for place in (0, 20, 36):
        dirty = logits.copy()
        dirty[2, place] = np.nan
        loss, saved = weftnn.ops.softmax_cross_entropy_forward(dirty, targets, reduction="none")
        assert np.isnan(loss[2])
        np.testing.assert_array_equal(loss[[0, 1, 3]], clean[[0, 1, 3]])
        gradient = weftnn.ops.softmax_cross_entropy_backward(saved, np.ones(4, dtype))
        assert np.isnan(gradient[2]).all()
        assert np.isfinite(gradient[[0, 1, 3]]).all()


@DTYPES
def test_cross_entropy_of_impossible_classes(dtype: Any) -> None:
    """A logit of -inf is a class that cannot be: no gradient, and the loss as if it were not there."""
    logits = np.array([[1.0, 2.0, -np.inf, 3.0], [1e4, -1e4, -np.inf, 0.0]], dtype)
    targets = np.array([1, 1])
    loss, saved = weftnn.ops.softmax_cross_entropy_forward(logits, targets, reduction="none")
    without, _ = weftnn.ops.softmax_cross_entropy_forward(
        logits[:, [0, 1, 3]].copy(), targets, reduction="none"
    )
    np.testing.assert_allclose(loss, without, rtol=4 * np.finfo(dtype).eps)
    gradient = weftnn.ops.softmax_cross_entropy_backward(saved, np.ones(2, dtype))
    assert (abs(gradient[:, 2]) <= np.finfo(dtype).tiny).all()  # the kernels' exp ends at the smallest number
    assert np.isfinite(gradient).all()


@DTYPES
def test_dropout_drops_nan_too(dtype: Any) -> None:
    x = np.full(1000, np.nan, dtype)
    y, _ = weftnn.ops.dropout_forward(x, 0.5, seed=0)
    kept = weftnn.ops.dropout_forward(np.ones(1000, dtype), 0.5, seed=0)[0] != 0
    assert np.isnan(y[kept]).all()
    np.testing.assert_array_equal(y[~kept], 0)
