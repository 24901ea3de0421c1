"""Calls side by side give what they give one by one, to the bit, for any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import weftnn
from kinds import assert_same_bits
from weftnn import ops


def calls(
    count: int, batch: int, time: int = 60, hidden: int = 131, dtype: Any = np.float32
) -> list[ops.RecurrentCall]:
    """Large enough that each is worth a thread."""
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> Any:
        return rng.normal(size=shape).astype(dtype) / 8

    return [
        ops.RecurrentCall(
            "lstm",
            "lstm",
            draw(batch, time, 40),
            draw(4 * hidden, 40),
            draw(4 * hidden, hidden),
            draw(4 * hidden),
            c0=draw(batch, hidden),
            lengths=rng.integers(0, time + 1, batch),
            reverse=bool(k % 2),
            checkpoint_every=7 if k == 2 else None,
        )
        for k in range(count)
    ]


def flat(results: list[Any]) -> dict[str, Any]:
    return {
        f"{field} of call {k}": array
        for k, result in enumerate(results)
        for field, array in result._asdict().items()
        if isinstance(array, np.ndarray)
    }


def run(given: list[ops.RecurrentCall], dys: list[Any], together: bool) -> dict[str, Any]:
    outs = ops.recurrent_forward_all(given) if together else [ops.recurrent_forward(call) for call in given]
    backs = [
        {"operation": "lstm", "saved": out.saved, "dy": dy, "dc_n": out.c_n}
        for out, dy in zip(outs, dys, strict=True)
    ]
    if together:
        grads = ops.recurrent_backward_all(backs)
    else:
        grads = [ops.recurrent_backward(**back) for back in backs]
    return flat(outs) | flat(grads)


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
@pytest.mark.parametrize(("count", "batch"), [(1, 3), (2, 1), (2, 20), (3, 4), (10, 2)])
def test_same_bits(count: int, batch: int, threads: int) -> None:
    given = calls(count, batch)
    dys = [np.cos(np.arange(batch * 60 * 131, dtype=np.float32)).reshape(batch, 60, 131)] * count
    weftnn.set_num_threads(1)
    expected = run(given, dys, together=False)
    weftnn.set_num_threads(threads)
    assert_same_bits(run(given, dys, together=True), expected, f"{threads} threads")


def test_gradients_added_to_one_array_are_all_there() -> None:
    first, second = calls(2, batch=2, dtype=np.float64)
    given = [first, second._replace(w_hh=first.w_hh)]
    outs = ops.recurrent_forward_all(given)
    backs: list[dict[str, Any]] = [
        {"operation": "lstm", "saved": out.saved, "dy": np.ones_like(out.y)} for out in outs
    ]
    apart = [ops.recurrent_backward(**back).dw_hh for back in backs]
    shared = np.zeros_like(first.w_hh)
    ops.recurrent_backward_all([{**back, "accumulate": (None, shared)} for back in backs])
    np.testing.assert_allclose(shared, apart[0] + apart[1], rtol=1e-12, atol=1e-15)


def test_none_at_all() -> None:
    assert ops.recurrent_forward_all([]) == []
    assert ops.recurrent_backward_all([]) == []


def test_calls_that_do_not_go_together() -> None:
    first, second = calls(2, batch=2)
    with pytest.raises(ValueError, match=r"all calls must be of one cell, got lstm and gru"):
        gru = second._replace(operation="gru", cell="gru", b_ih=None, c0=None)
        gru = gru._replace(w_ih=first.w_ih[: 3 * 131], w_hh=first.w_hh[: 3 * 131])
        ops.recurrent_forward_all([first, gru])
    with pytest.raises(TypeError, match=r"lstm_forward: x must"):
        ops.recurrent_forward_all([first, calls(2, batch=2, dtype=np.float64)[1]])
    with pytest.raises(ValueError, match=r"lstm_forward: w_hh must be \(4H, H\) = \(524, 131\)"):
        ops.recurrent_forward_all([first, second._replace(w_hh=second.w_hh[:, :5])])
