"""Attention whose scores lie far from zero: the softmax sees how they differ, not where they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import weftnn.config
from gradcheck import relative_error
from kinds import assert_same_bits
from oracle import TOLERANCE
from weftnn.ops import sdpa_backward, sdpa_forward

Array = Any
EVERY_ISA = pytest.mark.parametrize("isa", weftnn.config.available_isas())
DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
# Of one query, keys are read where they lie; of many, they are packed, in several blocks.
QUERIES = pytest.mark.parametrize("queries", [1, 5, 150])
SHIFTS = (np.finfo(np.float32).min, -1e30, -1e9, -65504.0, -1e4, 1e4, 1e9, 1e30, np.finfo(np.float32).max)
OPTIONS: list[dict[str, Any]] = [
    {},
    {"softcap": 3.0},
    {"causal": "bottom_right"},
    {"dropout": 0.3, "seed": 5},
    {"kv_lengths": np.array([300, 40])},
]


def normal(*shape: int, dtype: Any, seed: int = 0) -> Array:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def everything(q: Array, k: Array, v: Array, **options: Any) -> dict[str, Array]:
    """All that forward and backward give, by name."""
    out, saved, weights, mean, logsumexp = (
        *sdpa_forward(q, k, v, **options, return_weights=True),
        *sdpa_forward(q, k, v, **options, return_weights="mean", return_logsumexp=True)[2:],
    )
    grads = sdpa_backward(saved, normal(*out.shape, dtype=q.dtype, seed=9))._asdict()
    results = {"out": out, "weights": weights, "mean": mean, "logsumexp": logsumexp, **grads}
    return {name: array for name, array in results.items() if array is not None}


@EVERY_ISA
@DTYPES
@QUERIES
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "plain")
@pytest.mark.parametrize("argument", ["mask", "bias"])
def test_a_shift_of_all_scores_changes_no_bit(
    isa: str, argument: str, options: dict[str, Any], queries: int, dtype: Any
) -> None:
    """A float mask that hides nothing more than anything else, as left padding leaves whole rows."""
    q, k, v = (
        np.zeros((2, 2, queries, 24), dtype),
        *(normal(2, 2, 300, 24, dtype=dtype, seed=n) for n in (1, 2)),
    )
    with weftnn.config.use_isa(isa):
        expected = everything(q, k, v, **options, **{argument: np.zeros((1, 1), dtype)})
        assert np.abs(expected["dk"]).max() == 0 < np.abs(expected["dv"]).max()
        for shift in SHIFTS:
            results = everything(q, k, v, **options, **{argument: np.full((1, 1), shift, dtype)})
            # The gradient of the one number that is added to all scores is a sum that cancels to nothing.
            apart = ("logsumexp", "dbias")
            assert_same_bits(results, {n: a for n, a in expected.items() if n not in apart}, f"{shift:g}")
            far = expected["logsumexp"] + np.asarray(shift, dtype)
            assert relative_error(results["logsumexp"], far) <= TOLERANCE[dtype]
            if "dbias" in results:
                bound = TOLERANCE[dtype] * np.abs(expected["dv"]).sum()
                assert np.abs(results["dbias"]).max() <= bound


@EVERY_ISA
@DTYPES
def test_the_gradient_of_a_bias_far_from_zero(isa: str, dtype: Any) -> None:
    """Of a full bias: scores of 64 times an integer stay exact beside 1e9, and so do their differences."""
    q, v = np.zeros((1, 2, 40, 16), dtype), normal(1, 2, 70, 16, dtype=dtype)
    bias = 64.0 * np.random.default_rng(0).integers(-1, 1, (1, 2, 40, 70)).astype(dtype)
    with weftnn.config.use_isa(isa):
        expected = everything(q, v, v, bias=bias)
        assert np.abs(expected["dbias"]).max() > 1e-3
        for shift in (-1e9, 1e9, -65536.0):
            results = everything(q, v, v, bias=bias + np.asarray(shift, dtype))
            del results["logsumexp"]
            assert_same_bits(results, {name: expected[name] for name in results}, f"{shift:g}")


@EVERY_ISA
@DTYPES
@QUERIES
@pytest.mark.parametrize("size", [1e3, 1e6, 1e9], ids=str)
def test_products_far_from_zero(isa: str, size: float, queries: int, dtype: Any) -> None:
    """Scores whose own rounding is worth many exponents: backward and the weights must see the very scores
    that forward saw. Then the weights of each query sum to 1, and dv over all keys to dout over all queries.
    """
    q, k = (normal(2, 2, n, 24, dtype=dtype, seed=n) for n in (queries, 301))
    # All scores near size, and near minus size: the keys are nearly one direction, and so are the queries.
    k = (1 + 1e-3 * k).astype(dtype)
    for sign in (1, -1):
        far = (sign * size * (1 + 1e-3 * q)).astype(dtype)
        with weftnn.config.use_isa(isa):
            _, saved, weights, logsumexp = sdpa_forward(far, k, k, return_weights=True, return_logsumexp=True)
            dout = normal(*far.shape, dtype=dtype, seed=9)
            grads = sdpa_backward(saved, dout)
        np.testing.assert_allclose(weights.sum(-1), 1, rtol=40 * np.finfo(dtype).eps)
        assert relative_error(grads.dv.sum(2), dout.sum(2)) <= 10 * TOLERANCE[dtype]
        assert np.sign(logsumexp[0, 0, 0]) == sign


@EVERY_ISA
@DTYPES
def test_left_padding_by_the_lowest_number(isa: str, dtype: Any) -> None:
    """A mask of 0 and finfo.min, as is common for left-padded batches: queries that see no key of their own
    attend to all of them alike, the others as under a mask of booleans."""
    q, k, v, dout = (normal(3, 2, 9, 16, dtype=dtype, seed=n) for n in range(4))
    padding = np.array([0, 4, 9])[:, None, None, None]
    key, query = np.arange(9), np.arange(9)[:, None]
    seen = np.broadcast_to((key >= padding) & (key <= query), (3, 1, 9, 9))
    mask = np.where(seen, 0, np.finfo(dtype).min).astype(dtype)
    empty = ~seen.any(-1)  # [3, 1, 9]
    dout[np.broadcast_to(empty, dout.shape[:3])] = 0  # the loss does not see them
    with weftnn.config.use_isa(isa):
        out, saved, weights = sdpa_forward(q, k, v, mask=mask, return_weights=True)
        grads = sdpa_backward(saved, dout)
        right, right_saved = sdpa_forward(q, k, v, mask=seen)
        right_grads = sdpa_backward(right_saved, dout)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=20 * np.finfo(dtype).eps)
    alone = np.broadcast_to(empty, out.shape[:3])
    np.testing.assert_allclose(weights[alone], 1 / 9, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(out[~alone], right[~alone])
    for grad, expected in zip(grads[:3], right_grads[:3], strict=True):
        assert relative_error(grad, expected) <= TOLERANCE[dtype]
