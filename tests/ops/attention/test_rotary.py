"""Rotary positions in place: what ops.rotary writes to `out` is what it would return."""

from __future__ import annotations

import numpy as np
import pytest

from weftnn import ops


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("pairs", [1, 20, 70, 75])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_in_place(interleaved, pairs, dtype):
    """q in the middle of [q; k; v], forward and backward; its neighbours keep their bits."""
    rng = np.random.default_rng(0)
    qkv = rng.normal(size=(2, 5, 3, 4, 150)).astype(dtype)
    angle = rng.normal(size=(5, pairs))
    tables = np.cos(angle).astype(dtype), np.sin(angle).astype(dtype)
    before = qkv.copy()
    q = qkv[:, :, 1].swapaxes(1, 2)
    expected, saved = ops.rotary_forward(q, *tables, interleaved=interleaved)
    np.testing.assert_array_equal(qkv, before)
    y, saved = ops.rotary_forward(q, *tables, interleaved=interleaved, out=q)
    assert y is q
    np.testing.assert_array_equal(q, expected)
    np.testing.assert_array_equal(np.delete(qkv, 1, axis=2), np.delete(before, 1, axis=2))
    np.testing.assert_array_equal(q[..., 2 * pairs :], before[:, :, 1].swapaxes(1, 2)[..., 2 * pairs :])
    again = ops.rotary_backward(saved, expected)
    assert ops.rotary_backward(saved, q, out=q) is q
    np.testing.assert_array_equal(q, again)
    np.testing.assert_allclose(q, before[:, :, 1].swapaxes(1, 2), rtol=0, atol=16 * np.finfo(dtype).eps)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x, c: ops.rotary_forward(x[0], c, c), ValueError, r"x must be \(B, N, T, D\)"),
        (lambda x, c: ops.rotary_forward(x, c[0], c), ValueError, r"cos must be \(T, P\)"),
        (
            lambda x, c: ops.rotary_forward(x, c[:2], c),
            ValueError,
            r"cos must be \(B, T, P\), or \(1, T, P\)",
        ),
        (lambda x, c: ops.rotary_forward(x, c, c[:, :1]), ValueError, r"sin must be cos's \(B, T, P\)"),
        (lambda x, c: ops.rotary_forward(x[..., :3], c, c), ValueError, "2 P at most D = 3, got P = 2"),
        (lambda x, c: ops.rotary_forward(x, c.astype("f4"), c), TypeError, "cos must have dtype float64"),
        (lambda x, c: ops.rotary_forward(x, c, c, out=x[:1]), ValueError, r"rotary_forward: out must be"),
        (
            lambda x, c: ops.rotary_forward(x, c, c, out=np.repeat(x, 2, -1)[..., ::2]),
            ValueError,
            "out must be",
        ),
        (lambda x, c: ops.rotary_backward(ops.rotary_forward(x, c, c)[1], x[:1]), ValueError, "dy must be"),
        (
            lambda x, c: ops.rotary_backward(ops.rotary_forward(x, c, c)[1], x.astype("f4")),
            TypeError,
            "rotary_backward: dy must have dtype float64, got float32",
        ),
        (lambda x, c: ops.swiglu_forward(x[..., :3]), ValueError, "swiglu_forward: x must be"),
        (lambda x, c: ops.swiglu_forward(c.astype(int)), TypeError, "swiglu_forward: x must be a float32 or"),
        (
            lambda x, c: ops.swiglu_backward(ops.swiglu_forward(x)[1], x),
            ValueError,
            "swiglu_backward: dy must",
        ),
    ],
)
def test_wrong_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call(np.ones((2, 2, 3, 4)), np.ones((3, 2)))
