"""What the table's rows of sdpa do not show: weights and logsumexp, layouts, decoding, accuracy at length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import reference_attention
import weftnn
import weftnn.config
from attention_cases import ATTENTION
from gradcheck import relative_error
from kinds import OpCase, Size, as_dtype, assert_same_bits
from oracle import TOLERANCE
from weftnn.ops import SDPAGrads, sdpa_backward, sdpa_forward

Array = Any
DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
WIDE = Size(time=70, batch=2, input=19, hidden=33)


def normal(*shape: int, dtype: Any = np.float64, seed: int = 0) -> Array:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


# ---- what may be asked for besides out ---------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("size", [Size(), WIDE], ids=["small", "wide"])
@pytest.mark.parametrize("case", ATTENTION, ids=str)
def test_weights_and_logsumexp(case: OpCase, size: Size, dtype: Any) -> None:
    """They are those of the reference, alone and together, and out is the same bits with and without them."""
    inputs = case.inputs(size)
    right, right_weights, right_logsumexp = case.reference(**inputs, everything=True)
    inputs = as_dtype(inputs, dtype)
    out, _ = sdpa_forward(**inputs)
    assert relative_error(out, right) <= TOLERANCE[dtype]
    again, _, weights, logsumexp = sdpa_forward(**inputs, return_weights=True, return_logsumexp=True)
    np.testing.assert_array_equal(again, out)
    assert weights.dtype == logsumexp.dtype == dtype
    assert relative_error(weights, right_weights) <= TOLERANCE[dtype]
    empty = np.isneginf(right_logsumexp)
    np.testing.assert_array_equal(np.isneginf(logsumexp), empty)
    assert relative_error(logsumexp[~empty], right_logsumexp[~empty]) <= TOLERANCE[dtype]
    assert not weights[empty].any()
    assert not out[empty].any()

    again, _, mean = sdpa_forward(**inputs, return_weights="mean")
    np.testing.assert_array_equal(again, out)
    assert mean.dtype == dtype
    assert relative_error(mean, right_weights.mean(axis=1)) <= TOLERANCE[dtype]
    again, _, alone = sdpa_forward(**inputs, return_logsumexp=True)
    np.testing.assert_array_equal(again, out)
    np.testing.assert_array_equal(alone, logsumexp)


@pytest.mark.parametrize("case", ATTENTION, ids=str)
def test_asking_for_weights_changes_no_gradient(case: OpCase) -> None:
    inputs = case.inputs(WIDE)
    outputs, saved = case.forward(inputs)
    expected = case.backward(saved, case.douts(outputs))
    _, saved, *_ = sdpa_forward(**inputs, return_weights="mean", return_logsumexp=True)
    assert_same_bits(case.backward(saved, case.douts(outputs)), expected)


@pytest.mark.parametrize("case", ATTENTION, ids=str)
def test_inference_saves_nothing(case: OpCase) -> None:
    inputs = case.inputs(WIDE)
    (out,), _ = case.forward(inputs)
    again, saved = sdpa_forward(**inputs, training=False)
    assert saved is None
    np.testing.assert_array_equal(again, out)


def test_dbias_on_request() -> None:
    """Without it the rest is the same, to the bit; without a bias there is none."""
    q, bias = normal(2, 2, 9, 5), normal(9, 9)
    _, saved = sdpa_forward(q, q, q, bias=bias)
    whole, without = sdpa_backward(saved, q), sdpa_backward(saved, q, need_dbias=False)
    assert without.dbias is None
    for name in ("dq", "dk", "dv"):
        np.testing.assert_array_equal(getattr(without, name), getattr(whole, name))
    _, saved = sdpa_forward(q, q, q)
    assert sdpa_backward(saved, q).dbias is None


@DTYPES
def test_gradients_into_given_arrays(dtype: Any) -> None:
    """Views of one array, as the projection of q, k and v at once wants them: the same bits, all written."""
    q, k, v, dout = (normal(2, 37, 4, 24, dtype=dtype, seed=n).swapaxes(1, 2) for n in range(4))
    k, v = k[:, :2], v[:, :2]
    _, saved = sdpa_forward(q, k, v, causal=True)
    expected = sdpa_backward(saved, dout)
    together = np.full((2, 37, 8, 24), np.nan, dtype)
    dq, dk, dv = (together[:, :, part].swapaxes(1, 2) for part in (slice(0, 4), slice(4, 6), slice(6, 8)))
    grads = sdpa_backward(saved, dout, out=SDPAGrads(dq, dk, dv, None))
    for given, returned, right in zip((dq, dk, dv), grads[:3], expected[:3], strict=True):
        assert np.shares_memory(returned, given)
        np.testing.assert_array_equal(given, right)
    assert np.isfinite(together).all()


def test_given_arrays_are_checked() -> None:
    q = normal(2, 2, 9, 8)
    _, saved = sdpa_forward(q, q, q)
    right = SDPAGrads(*(np.zeros_like(q) for _ in range(3)), None)
    frozen = np.zeros_like(q)
    frozen.flags.writeable = False
    for wrong, error in (
        (np.zeros((2, 2, 8, 8)), ValueError),
        (np.zeros_like(q, np.float32), TypeError),
        (np.zeros((2, 2, 9, 16))[..., ::2], ValueError),  # writing to a copy would be lost
        (frozen, ValueError),
        (q.tolist(), TypeError),
    ):
        for name in ("dq", "dk", "dv"):
            with pytest.raises(error, match=rf"^sdpa_backward: (out\.)?{name} must "):
                sdpa_backward(saved, q, out=right._replace(**{name: wrong}))


# ---- other ways to say the same ----------------------------------------------------------------------------


@DTYPES
def test_heads_inside(dtype: Any) -> None:
    """[B, T, N, D] with its axes swapped, as a projection leaves it, gives the bits of [B, N, T, D], laid out
    alike: joining the heads again is no copy."""
    q, k, v, dout = (normal(3, 37, 4, 24, dtype=dtype, seed=n).swapaxes(1, 2) for n in range(4))
    out, saved = sdpa_forward(q, k, v)
    grads = sdpa_backward(saved, dout)
    apart = [np.ascontiguousarray(x) for x in (q, k, v, dout)]
    expected, saved = sdpa_forward(*apart[:3])
    np.testing.assert_array_equal(out, expected)
    for result in (out, *grads[:3]):
        assert np.shares_memory(result, result.swapaxes(1, 2).reshape(3, 37, 4 * 24))
    for actual, right in zip(grads[:3], sdpa_backward(saved, apart[3])[:3], strict=True):
        np.testing.assert_array_equal(actual, right)


@DTYPES
def test_one_projection_of_all_three(dtype: Any) -> None:
    """q, k and v as slices of one [B, T, 3, N, D]."""
    projected = normal(2, 21, 3, 2, 16, dtype=dtype)
    q, k, v = (projected[:, :, i].swapaxes(1, 2) for i in range(3))
    out, _ = sdpa_forward(q, k, v, causal=True)
    expected, _ = sdpa_forward(*(np.ascontiguousarray(x) for x in (q, k, v)), causal=True)
    np.testing.assert_array_equal(out, expected)


@DTYPES
@pytest.mark.parametrize("options", [{}, {"softcap": 3.0}, {"window": (9, -1)}], ids=str)
def test_decoding_is_the_whole_sequence(options: dict[str, Any], dtype: Any) -> None:
    """Queries that come one at a time, or in pieces, over the keys so far: bottom_right is that case."""
    q, k, v = (normal(2, 4, 67, 24, dtype=dtype, seed=n) for n in range(3))
    k, v = k[:, :2], v[:, :2]
    whole, _ = sdpa_forward(q, k, v, causal=True, **options)
    for begin, end in [(0, 1), (5, 6), (66, 67), (0, 30), (30, 67)]:
        piece, _ = sdpa_forward(
            q[:, :, begin:end], k[:, :, :end], v[:, :, :end], causal="bottom_right", **options
        )
        assert relative_error(piece, whole[:, :, begin:end]) <= TOLERANCE[dtype]
        cache, _ = sdpa_forward(  # keys in a buffer of which a part is filled
            q[:, :, begin:end], k, v, kv_lengths=np.array([end, end]), causal="bottom_right", **options
        )
        assert relative_error(cache, whole[:, :, begin:end]) <= TOLERANCE[dtype]


def test_masks_say_what_options_say() -> None:
    """causal, window and kv_lengths, each as a boolean and as a float mask."""
    q, k, v, dout = (normal(3, 2, 45, 16, seed=n) for n in range(4))
    lengths = np.array([45, 0, 17])
    for options in (
        {"causal": True},
        {"causal": "bottom_right", "kv_lengths": lengths},
        {"window": (7, 3)},
        {"window": (-1, 0), "causal": True, "kv_lengths": lengths},
    ):
        out, saved = sdpa_forward(q, k, v, **options)
        grads = sdpa_backward(saved, dout)
        seen = reference_attention.attended((3, 2, 45, 45), **options)
        for mask in (seen, np.where(seen, 0.0, -np.inf)):
            other, saved = sdpa_forward(q, k, v, mask=mask)
            assert relative_error(other, out) <= 1e-14
            for actual, right in zip(sdpa_backward(saved, dout)[:3], grads[:3], strict=True):
                assert relative_error(actual, right) <= 1e-14


def test_a_row_does_not_see_the_others() -> None:
    """A batch row's results, and its gradients, are the same bits alone and among others."""
    for case in ATTENTION:
        inputs = case.inputs(WIDE, np.float32)
        if {"mask", "bias", "dropout"} & inputs.keys():
            continue  # dropout counts elements of the whole batch
        whole = case.run(inputs)
        dout = case.douts([whole["out"]])[0]
        alone = {
            name: value[:1] if isinstance(value, np.ndarray) else value for name, value in inputs.items()
        }
        assert_same_bits(case.run(alone, [dout[:1]]), {name: value[:1] for name, value in whole.items()})


def test_lengths_may_be_reused() -> None:
    """A cache that writes its new lengths into the array does not disturb a backward to come."""
    q, lengths = normal(2, 2, 9, 8), np.array([9, 4])
    _, saved = sdpa_forward(q, q, q, kv_lengths=lengths)
    expected = sdpa_backward(saved, q)
    lengths[:] = 1
    for actual, right in zip(sdpa_backward(saved, q)[:3], expected[:3], strict=True):
        np.testing.assert_array_equal(actual, right)


@pytest.mark.parametrize("case", ATTENTION, ids=str)
def test_backward_after_the_isa_changed(case: OpCase) -> None:
    inputs = case.inputs(WIDE)
    isas = weftnn.config.available_isas()
    for first, second in [(isas[0], isas[-1]), (isas[-1], isas[0])]:
        with weftnn.config.use_isa(first):
            outputs, saved = case.forward(inputs)
            expected = case.backward(saved, case.douts(outputs))
        with weftnn.config.use_isa(second):
            for name, grad in case.backward(saved, case.douts(outputs)).items():
                if grad is not None:
                    assert relative_error(grad, expected[name], 1.0) <= 1e-12, f"d{name}"


# ---- numbers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1, 30], ids=["flat", "sharp"])
@pytest.mark.parametrize("options", [{}, {"causal": True}, {"window": (256, 0)}], ids=str)
@pytest.mark.parametrize("length", [512, 4096])
def test_accuracy_at_length(length: int, options: dict[str, Any], scale: float) -> None:
    """float32 against float64: sums of thousands of terms stay within some ten roundings of each term.

    Sharp: scores of a hundred, whose own rounding is the result's before anything is summed.
    """
    q, k, v, dout = (normal(1, 1, length, 64, seed=n).astype(np.float32) for n in range(4))
    q *= scale
    results = []
    for dtype in (np.float32, np.float64):
        out, saved = sdpa_forward(*(x.astype(dtype) for x in (q, k, v)), **options)
        results.append((out, *sdpa_backward(saved, dout.astype(dtype))[:3]))
    bounds = (3e-6, 1e-5, 1e-5, 1e-5) if scale == 1 else (3e-5, 3e-5, 3e-5, 3e-5)
    for name, actual, right, bound in zip(("out", "dq", "dk", "dv"), *results, bounds, strict=True):
        assert relative_error(actual, right) <= bound, name


@DTYPES
@pytest.mark.parametrize("size", [1e2, 1e4], ids=str)
def test_large_scores(size: float, dtype: Any) -> None:
    """No exponential overflows or loses the largest: the softmax of huge scores is their maximum."""
    q, k, v = (normal(1, 2, 33, 16, dtype=dtype, seed=n) for n in range(3))
    q = (q * size).astype(dtype)
    out, saved = sdpa_forward(q, k, v)
    right = reference_attention.sdpa(*(x.astype(np.float64) for x in (q, k, v)))
    # A score of size s is rounded by s eps before the exponential.
    assert relative_error(out, right) <= 16 * size * np.finfo(dtype).eps
    for grad in sdpa_backward(saved, v)[:3]:
        assert np.isfinite(grad).all()


@DTYPES
@pytest.mark.parametrize("causal", [False, True], ids=["full", "causal"])
def test_dropout_keeps_its_share(causal: bool, dtype: Any) -> None:
    """Weights that live are divided by 1 - p, about a share 1 - p does, and other offsets draw others."""
    q, v = np.zeros((2, 3, 100, 4), dtype), np.ones((2, 3, 100, 4), dtype)
    options: dict[str, Any] = {"dropout": 0.3, "seed": 5, "causal": causal, "return_weights": True}
    kept = []
    for offset in (0, 1):
        weights = sdpa_forward(q, q, v, offset=offset, **options)[2]
        whole = sdpa_forward(q, q, v, causal=causal, return_weights=True)[2]
        alive = weights[whole > 0] > 0
        assert abs(alive.mean() - 0.7) < 5 * np.sqrt(0.21 / alive.size)
        np.testing.assert_allclose(weights[weights > 0], (whole / 0.7)[weights > 0], rtol=1e-6)
        kept.append(alive)
    assert abs((kept[0] & kept[1]).mean() - 0.49) < 5 * np.sqrt(0.25 / alive.size)
