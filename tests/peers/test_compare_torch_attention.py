"""sdpa against torch.nn.functional.scaled_dot_product_attention: every option it has, and all gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradcheck import relative_error
from weftnn.ops import sdpa_backward, sdpa_forward

pytestmark = pytest.mark.compare
torch = pytest.importorskip("torch")

Array = Any
# PyTorch rounds too: twice our own bound in float32; in float64 it is the same as against the references.
TOLERANCE = {np.float64: 1e-12, np.float32: 4e-6}
DTYPES = pytest.mark.parametrize("dtype", TOLERANCE, ids=["float64", "float32"])
# B, N, Nk, T, S, D, Dv
SHAPES = {
    "even": (2, 4, 4, 32, 32, 16, 16),
    "odd": (3, 3, 3, 37, 41, 13, 7),
    "grouped": (2, 6, 2, 19, 33, 24, 24),
    "multi-query": (2, 4, 1, 33, 19, 8, 20),
    "few-queries": (5, 2, 2, 2, 300, 64, 64),
    "long": (1, 2, 2, 300, 517, 64, 48),
    "wide": (1, 1, 1, 9, 11, 200, 300),
}


def normal(dtype: Any, *shape: int, seed: int = 0) -> Array:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def bool_mask(*shape: int) -> Array:
    """Every query sees a key: what there is where it sees none, PyTorch's ways disagree about."""
    mask = np.random.default_rng(1).random(shape) < 0.7
    mask[..., 0] = True
    return mask


def compare(shape: tuple[int, ...], dtype: Any, *, attn_mask: Array = None, **options: Any) -> None:
    """A bool attn_mask is our mask, a float one our bias, whose gradient PyTorch knows too."""
    B, N, Nk, T, S, D, Dv = shape
    arrays = [
        normal(dtype, B, N, T, D),
        normal(dtype, B, Nk, S, D, seed=1),
        normal(dtype, B, Nk, S, Dv, seed=2),
    ]
    dout = normal(dtype, B, N, T, Dv, seed=3)
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    learned = attn_mask is not None and attn_mask.dtype != bool
    mask = None if attn_mask is None else torch.tensor(attn_mask, requires_grad=learned)
    right = torch.nn.functional.scaled_dot_product_attention(
        *tensors, attn_mask=mask, enable_gqa=Nk != N, **options
    )
    right.backward(torch.tensor(dout))

    ours = {"bias" if learned else "mask": attn_mask, "causal": options.pop("is_causal", False), **options}
    out, saved = sdpa_forward(*arrays, **ours)
    grads = sdpa_backward(saved, dout)
    expected = {"out": right.detach(), "dq": tensors[0].grad, "dk": tensors[1].grad, "dv": tensors[2].grad}
    if learned:
        expected["dbias"] = mask.grad
    for name, value in expected.items():
        actual = out if name == "out" else getattr(grads, name)
        assert actual.dtype == dtype, name
        assert relative_error(actual, value.numpy()) <= TOLERANCE[dtype], name


@DTYPES
@pytest.mark.parametrize("options", [{}, {"is_causal": True}, {"scale": 0.3}], ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_options(shape: str, options: dict[str, Any], dtype: Any) -> None:
    compare(SHAPES[shape], dtype, **options)


@DTYPES
@pytest.mark.parametrize("axes", ["BNTS", "B11S", "1NTS", "TS", "1S", "BNT1"])
@pytest.mark.parametrize("kind", ["bool", "bias"])
@pytest.mark.parametrize("shape", SHAPES)
def test_masks(shape: str, kind: str, axes: str, dtype: Any) -> None:
    B, N, _, T, S, *_ = SHAPES[shape]
    sizes = tuple({"B": B, "N": N, "T": T, "S": S, "1": 1}[letter] for letter in axes)
    if kind == "bool" and "S" in axes:
        compare(SHAPES[shape], dtype, attn_mask=bool_mask(*sizes))
    elif kind == "bias" and "S" in axes:  # else its gradient is zero, and rounding is all there is to compare
        compare(SHAPES[shape], dtype, attn_mask=normal(dtype, *sizes, seed=4))


@DTYPES
def test_a_query_that_sees_nothing(dtype: Any) -> None:
    """Zeros on both sides, forward and backward."""
    mask = np.ones((5, 7), bool)
    mask[2] = False
    compare((2, 2, 2, 5, 7, 8, 8), dtype, attn_mask=mask)
