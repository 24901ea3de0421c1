"""Shapes, lengths, resets and options drawn at random: weft is the references, whatever comes together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import weftnn
import weftnn.config
import weftnn.ops
from cases import CELLS, POINTWISE, recurrent_case, zoneout
from gradcheck import relative_error
from kinds import OpCase, Size
from oracle import TOLERANCE, check_along_directions

SIZES = st.builds(
    Size,
    time=st.integers(0, 9),
    batch=st.integers(0, 7),
    input=st.integers(1, 9),
    hidden=st.integers(1, 19),
    projection=st.integers(1, 9),
)


@st.composite
def recurrent_calls(draw: st.DrawFn) -> tuple[OpCase, dict[str, Any]]:
    """A cell with any of the arguments that it may have."""
    case = recurrent_case(draw(st.sampled_from(list(CELLS))), "plain")
    size = draw(SIZES)
    inputs = case.inputs(size, seed=draw(st.integers(0, 2**32 - 1)))
    for name in ("b_ih", "b_hh", "h0", "c0"):
        if name in inputs and draw(st.booleans()):
            del inputs[name]
    B, T, S = size.batch, size.time, inputs["w_hh"].shape[1]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    optional = {
        "lengths": st.lists(st.integers(0, T), min_size=B, max_size=B).map(lambda n: np.array(n, np.int64)),
        "resets": st.floats(0, 1).map(lambda p: rng.random((B, T)) < p),
        "reverse": st.booleans(),
        "recurrent_dropout_mask": st.sampled_from([(B, S), (B, T, S)]).map(
            lambda s: 2.0 * (rng.random(s) < 0.5)
        ),
        "zoneout_mask": st.booleans().map(
            lambda hard: zoneout(rng, Size(T, B, 1, S), binary=hard)["zoneout_mask"]
        ),
        "checkpoint_every": st.integers(1, T + 2),
    }
    for name, values in optional.items():
        if draw(st.booleans()):
            inputs[name] = draw(values)
    return case, inputs


@settings(max_examples=150)
@given(recurrent_calls(), st.integers(1, 3), st.sampled_from(weftnn.config.available_isas()))
def test_recurrent(call: tuple[OpCase, dict[str, Any]], threads: int, isa: str) -> None:
    weftnn.set_num_threads(threads)
    with weftnn.config.use_isa(isa):
        check_along_directions(*call)


@settings(max_examples=150)
@given(st.sampled_from(POINTWISE), SIZES, st.integers(0, 2**32 - 1))
def test_pointwise(case: OpCase, size: Size, seed: int) -> None:
    check_along_directions(case, case.inputs(size, seed=seed))


@settings(max_examples=100)
@given(
    st.sampled_from(list(CELLS)),
    st.lists(st.lists(st.integers(1, 4), max_size=4), min_size=1, max_size=5),
    st.booleans(),
)
@example("gru", [[2], [], [1, 1, 3]], True)
def test_documents_in_a_row(cell: str, rows: list[list[int]], reverse: bool) -> None:
    """Rows of several documents, kept apart by resets, are the documents alone, one to a row, by lengths."""
    case = recurrent_case(cell, "bare")
    lengths = np.array([sum(row) for row in rows])
    inputs = case.inputs(Size(time=max(1, lengths.max()), batch=len(rows)))
    documents = [(b, sum(row[:d]), n) for b, row in enumerate(rows) for d, n in enumerate(row)]
    resets = np.zeros(inputs["x"].shape[:2], bool)
    alone = np.zeros((len(documents), max(1, lengths.max()), inputs["x"].shape[2]))
    for index, (b, start, n) in enumerate(documents):
        resets[b, start + n - 1 if reverse else start] = True
        alone[index, :n] = inputs["x"][b, start : start + n]
    joined = case.run(inputs | {"lengths": lengths, "resets": resets, "reverse": reverse})
    ends = np.array([n for _, _, n in documents], np.int64)
    apart, saved = case.forward(inputs | {"x": alone, "lengths": ends, "reverse": reverse})
    dy = case.douts([joined[name] for name in case.outputs])[0]
    dy_alone = np.zeros_like(apart[0])
    for index, (b, start, n) in enumerate(documents):
        np.testing.assert_array_equal(joined["y"][b, start : start + n], apart[0][index, :n])
        dy_alone[index, :n] = dy[b, start : start + n]
    only_dy = [None] * (len(case.outputs) - 1)
    dx = case.backward(saved, [dy_alone, *only_dy])["x"]
    _, saved = case.forward(inputs | {"lengths": lengths, "resets": resets, "reverse": reverse})
    dx_joined = case.backward(saved, [dy, *only_dy])["x"]
    for index, (b, start, n) in enumerate(documents):
        np.testing.assert_array_equal(dx_joined[b, start : start + n], dx[index, :n])


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 5), max_size=4).map(tuple),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.floats(0, 1),
)
def test_dropout(shape: tuple[int, ...], seed: int, offset: int, p: float) -> None:
    """Any shape, any seed; backward uses the forward's mask, which depends on element and seeds alone."""
    x = np.random.default_rng(0).normal(size=shape)
    y, saved = weftnn.ops.dropout_forward(x, p, seed=seed, offset=offset)
    ones, _ = weftnn.ops.dropout_forward(np.ones(shape), p, seed=seed, offset=offset)
    np.testing.assert_array_equal(y, x * ones)
    np.testing.assert_array_equal(weftnn.ops.dropout_backward(saved, x), x * ones)
    if p in (0.0, 1.0):
        np.testing.assert_array_equal(ones, 1.0 - p)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_keeps_its_share(p: float) -> None:
    """Of 10^6 elements a share 1 - p lives, within 5 standard deviations, and calls are independent."""
    ones = np.ones(10**6, np.float32)
    first, second = (weftnn.ops.dropout_forward(ones, p, seed=3, offset=n)[0] > 0 for n in (0, 1))
    deviation = np.sqrt(p * (1 - p) / 10**6)
    assert abs(first.mean() - (1 - p)) < 5 * deviation
    both = (1 - p) ** 2
    assert abs((first & second).mean() - both) < 5 * np.sqrt(both * (1 - both) / 10**6)


@settings(max_examples=60)
@given(st.lists(st.integers(0, 40), max_size=5), st.integers(0, 2**32 - 1))
def test_grad_norm(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    for dtype in TOLERANCE:
        arrays = [rng.normal(size=n).astype(dtype) for n in sizes]
        exact = np.sqrt(sum(float((a.astype(np.float64) ** 2).sum()) for a in arrays))
        assert relative_error(weftnn.ops.grad_norm(arrays), exact) <= 1e-13
