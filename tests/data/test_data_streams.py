"""Batches from text and arrays: Batch, TextStream, Windows, ArrayDataset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weftnn import data

# ---- Batch -----------------------------------------------------------------------------------------------


def test_batch_makes_weights_from_lengths() -> None:
    batch = data.Batch(np.zeros((3, 4, 2)), np.zeros((3, 4)), lengths=np.array([4, 0, 2]))
    assert batch.weight.tolist() == [[1, 1, 1, 1], [0, 0, 0, 0], [1, 1, 0, 0]]
    assert batch.tokens == 6
    whole_row = data.Batch(np.zeros((3, 4, 2)), np.zeros(3), lengths=np.array([4, 0, 2]))
    assert whole_row.weight is None


@pytest.mark.parametrize("outputs", [(), (2,)])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_batch_weights_count_nothing_past_the_lengths(axes: int, outputs: tuple[int, ...]) -> None:
    """Whatever the weights there are: of rows, which have none of their own there, or NaN."""
    y, lengths = np.zeros((3, 4, *outputs)), np.array([4, 0, 2])
    weight = np.arange(1.0, 1 + np.prod(y.shape[:axes])).reshape(y.shape[:axes])
    given = weight.copy()
    if axes > 1:
        given[2, 2:] = np.nan
    batch = data.Batch(np.zeros((3, 4, 2)), y, lengths=lengths, weight=given)
    valid = (np.arange(4) < lengths[:, None]).reshape(3, 4, *[1] * len(outputs))
    expected = np.where(valid, weight.reshape(*weight.shape, *[1] * (y.ndim - weight.ndim)), 0)
    shape = batch.weight.shape + (1,) * (y.ndim - batch.weight.ndim)
    np.testing.assert_array_equal(np.broadcast_to(batch.weight.reshape(shape), y.shape), expected + 0 * y)


@pytest.mark.parametrize(
    ("x", "tokens"),
    [
        (np.zeros((3, 4, 2)), 12),
        (np.zeros((3, 4), np.uint8), 12),
        (np.zeros((3, 4)), 3),
        (np.zeros(3, np.int64), 3),
    ],
)
def test_batch_counts_tokens(x: np.ndarray, tokens: int) -> None:
    assert data.Batch(x, np.zeros(3)).tokens == tokens


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"y": np.zeros(3)}, ValueError, "y must have B = 2 rows like x, got 3"),
        ({"x": [1, 2]}, TypeError, "x must be an array"),
        ({"lengths": np.array([1.0, 2.0])}, TypeError, "Batch: lengths must be integers, got float64"),
        ({"lengths": np.array([1, 6])}, ValueError, r"lengths must be in 0..T = 0..5, got lengths\[1\] = 6"),
        ({"lengths": np.array([-1, 2])}, ValueError, r"got lengths\[0\] = -1"),
        ({"lengths": np.array([1])}, ValueError, r"lengths must be \(B,\) = \(2,\), got shape \(1,\)"),
        ({"resets": np.zeros((2, 5))}, TypeError, "resets must have dtype bool, got float64"),
        ({"resets": np.zeros((2, 4), bool)}, ValueError, r"resets must be \(B, T\) = \(2, 5\)"),
        (
            {"x": np.zeros(2), "lengths": [1, 1]},
            ValueError,
            r"x must be \(B, T, ...\) where lengths or resets",
        ),
        (
            {"weight": [1.0, 2.0]},
            TypeError,
            "weight must be an array of numbers, got list",
        ),
        ({"weight": np.array(["a", "b"])}, TypeError, "weight must be numbers, got <U1"),
        (
            {"weight": np.zeros((2, 4))},
            ValueError,
            r"weight must be a number or of shape \(2,\) or \(2, 5\), got \(2, 4\)",
        ),
    ],
)
def test_batch_refuses(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        data.Batch(**({"x": np.zeros((2, 5, 3)), "y": np.zeros((2, 5))} | arguments))


# ---- TextStream ------------------------------------------------------------------------------------------


@given(
    size=st.integers(2, 200),
    batch_size=st.integers(1, 7),
    sequence_length=st.integers(1, 50),
    seed=st.none() | st.integers(0, 9),
    epoch=st.integers(0, 3),
)
def test_stream_reads_the_text_in_order(
    size: int, batch_size: int, sequence_length: int, seed: int | None, epoch: int
) -> None:
    text = np.arange(size)
    if size < batch_size + (1 if seed is None else sequence_length):
        with pytest.raises(ValueError, match="TextStream: text must hold at least"):
            data.TextStream(text, batch_size, sequence_length, seed=seed)
        return
    stream = data.TextStream(text, batch_size, sequence_length, seed=seed)
    batches = list(stream.batches(epoch))
    assert len(batches) == len(stream)
    assert [batch.continues for batch in batches] == [False] + [True] * (len(batches) - 1)
    x = np.concatenate([batch.x for batch in batches], axis=1)
    y = np.concatenate([batch.y for batch in batches], axis=1)
    assert (y == x + 1).all()
    assert all(batch.x.shape[1] == sequence_length for batch in batches[:-1])
    first = x[0, 0]
    assert (x.ravel() == np.arange(first, first + x.size)).all()  # every stream goes on where the last ends
    assert first < (1 if seed is None else sequence_length)
    assert x.size + batch_size + sequence_length > size - 1  # hardly anything is left out


def test_stream_shifts_with_the_epoch_by_seed() -> None:
    stream = data.TextStream(np.arange(1000), 4, 64, seed=3)
    firsts = [next(stream.batches(epoch)).x[0, 0] for epoch in range(8)]
    assert len(set(firsts)) > 3
    again = data.TextStream(np.arange(1000), 4, 64, seed=3)
    assert firsts == [next(again.batches(epoch)).x[0, 0] for epoch in range(8)]


def test_stream_takes_text_of_any_kind_as_views() -> None:
    ids = np.arange(20, dtype=np.int16)
    assert np.shares_memory(next(data.TextStream(ids, 2, 4).batches()).x, ids)
    for text in ("wéft", "wéft".encode(), bytearray("wéft".encode()), memoryview("wéft".encode())):
        batch = next(data.TextStream(text, 1, 9).batches())
        assert bytes(batch.x[0]) + bytes(batch.y[0, -1:]) == "wéft".encode()


def test_stream_marks_where_documents_start() -> None:
    stream = data.TextStream(np.arange(13), batch_size=2, sequence_length=4, starts=[0, 5, 9])
    resets = np.concatenate([batch.resets for batch in stream.batches()], axis=1)
    assert np.flatnonzero(resets.ravel()).tolist() == [0, 5, 9]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: data.TextStream(""), ValueError, "TextStream: text must not be empty"),
        (lambda: data.TextStream("abc", 3), ValueError, "text must hold at least 4 ids, batch_size.*got 3"),
        (lambda: data.TextStream(np.zeros(9)), TypeError, "str, bytes or an integer array, got .*float64"),
        (
            lambda: data.TextStream(np.zeros((9, 2), int)),
            ValueError,
            r"text must be \[N\], got shape \(9, 2\)",
        ),
        (lambda: data.TextStream(17), TypeError, "text must be str, bytes or an integer array, got int"),
        (lambda: data.TextStream("abcdef", 0), ValueError, "batch_size must be an integer >= 1, got 0"),
        (lambda: data.TextStream("abcdef", 2, 2.5), TypeError, "sequence_length must be an integer"),
        (lambda: data.TextStream("abcdef", 2, starts=[6]), ValueError, r"starts must lie in 0..5, got 6..6"),
    ],
)
def test_stream_refuses(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


# ---- Windows ---------------------------------------------------------------------------------------------


@given(
    size=st.integers(1, 60),
    length=st.integers(1, 8),
    horizon=st.integers(1, 5),
    stride=st.integers(1, 4),
    target=st.sampled_from(["every", "after"]),
)
def test_windows(size: int, length: int, horizon: int, stride: int, target: str) -> None:
    options = {"horizon": horizon, "stride": stride, "target": target, "batch_size": 4, "shuffle": False}
    if size < length + horizon:
        with pytest.raises(ValueError, match="Windows: series must hold at least length"):
            data.Windows(np.arange(size * 1.0), length, **options)
        return
    windows = data.Windows(np.arange(size * 1.0), length, **options)
    batches = list(windows.batches())
    assert len(batches) == len(windows)
    x = np.concatenate([batch.x for batch in batches])[..., 0]
    y = np.concatenate([batch.y for batch in batches])[..., 0]
    starts = np.arange(0, size - length - horizon + 1, stride)
    assert (x == starts[:, None] + np.arange(length)).all()
    ahead = np.arange(length) + horizon if target == "every" else length + np.arange(horizon)
    assert (y == starts[:, None] + ahead).all()


def test_windows_of_text_and_of_other_targets() -> None:
    batch = next(data.Windows("abcdef", 3, shuffle=False).batches())
    assert [bytes(row) for row in batch.x] == [b"abc", b"bcd", b"cde"]
    assert [bytes(row) for row in batch.y] == [b"bcd", b"cde", b"def"]
    series, labels = np.random.default_rng(0).normal(size=(9, 2)), np.arange(9.0)
    batch = next(data.Windows(series, 4, targets=labels, horizon=0, shuffle=False).batches())
    assert batch.x.shape == (6, 4, 2) and (batch.x[2] == series[2:6]).all()
    assert batch.y[2, :, 0].tolist() == [2, 3, 4, 5]
    assert batch.x.flags.c_contiguous


def test_windows_refuse() -> None:
    with pytest.raises(ValueError, match="Windows: targets must have N = 5 steps like series, got 4"):
        data.Windows(np.arange(5.0), 2, targets=np.arange(4.0))
    with pytest.raises(ValueError, match="Windows: horizon must be an integer >= 1, got 0"):
        data.Windows(np.arange(5.0), 2, horizon=0)
    with pytest.raises(TypeError, match="Windows: series must be numbers"):
        data.Windows(np.zeros((2, 3, 4)), 2)


# ---- ArrayDataset ----------------------------------------------------------------------------------------


@given(
    rows=st.integers(1, 40), batch_size=st.integers(1, 9), drop_last=st.booleans(), epoch=st.integers(0, 2)
)
def test_array_dataset_gives_each_row_once(rows: int, batch_size: int, drop_last: bool, epoch: int) -> None:
    arrays = (np.arange(rows * 2.0).reshape(rows, 2), np.arange(rows))
    if drop_last and rows < batch_size:
        with pytest.raises(ValueError, match="ArrayDataset: x must hold at least one batch"):
            data.ArrayDataset(arrays, batch_size, drop_last=True)
        return
    source = data.ArrayDataset(arrays, batch_size, drop_last=drop_last, seed=1)
    batches = list(source.batches(epoch))
    assert len(batches) == len(source)
    y = np.concatenate([batch.y for batch in batches])
    assert len(set(y.tolist())) == len(y) == (rows - rows % batch_size if drop_last else rows)
    assert all((batch.x[:, 0] == 2.0 * batch.y).all() for batch in batches)


def test_orders_depend_on_seed_and_epoch_alone() -> None:
    arrays = (np.zeros((64, 1)), np.arange(64))

    def order(seed: int, epoch: int) -> list[int]:
        return next(data.ArrayDataset(arrays, 64, seed=seed).batches(epoch)).y.tolist()

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1) != order(1, 0)


def test_array_dataset_in_order_is_views_and_keeps_lengths() -> None:
    x = np.zeros((5, 4, 2))
    lengths = np.array([4, 3, 2, 1, 0])
    source = data.ArrayDataset((x, np.zeros((5, 4))), 2, shuffle=False, lengths=lengths)
    batches = list(source.batches())
    assert np.shares_memory(batches[0].x, x)
    assert batches[1].lengths.tolist() == [2, 1] and batches[1].weight.sum() == 3


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: data.ArrayDataset(np.zeros((4, 2))), TypeError, r"must be a pair \(x, y\), got ndarray"),
        (lambda: data.ArrayDataset((np.zeros((4, 2)), np.zeros(3))), ValueError, "same number of rows N"),
        (lambda: data.ArrayDataset((np.zeros((0, 2)), np.zeros(0))), ValueError, "one batch of rows, got 0"),
        (
            lambda: data.ArrayDataset((np.zeros((2, 3, 1)), np.zeros(2)), lengths=[4, 1]),
            ValueError,
            "lengths must be in 0..T = 0..3",
        ),
    ],
)
def test_array_dataset_refuses(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
