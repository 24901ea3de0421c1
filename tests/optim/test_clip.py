"""Clipping of gradients, by norm and by value."""

from __future__ import annotations

import numpy as np
import pytest

from weftnn import nn, optim


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
