"""Data sources: each item where it should be, in an order of (seed, epoch) alone; bad input is refused."""

from __future__ import annotations

from array import array
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


# ---- RaggedBatches ---------------------------------------------------------------------------------------


def ragged(count: int, *, seed: int = 0, least: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    sequences = [rng.normal(size=(length, 3)) for length in rng.integers(least, 20, count)]
    return sequences, [sequence[:, :1] * 2 for sequence in sequences]


@pytest.mark.parametrize("shuffle", [True, False])
def test_ragged_gives_each_step_once(shuffle: bool) -> None:
    sequences, targets = ragged(53)
    source = data.RaggedBatches(sequences, targets, batch_size=8, shuffle=shuffle, pool=3)
    batches = list(source.batches(2))
    assert len(batches) == len(source) == 7
    rows = [
        x[:length].tobytes() for batch in batches for x, length in zip(batch.x, batch.lengths, strict=True)
    ]
    assert sorted(rows) == sorted(sequence.tobytes() for sequence in sequences)
    for batch in batches:
        valid = np.arange(batch.x.shape[1]) < batch.lengths[:, None]
        assert (batch.weight == valid).all() and not batch.x[~valid].any()
        assert (batch.y == 2 * batch.x[..., :1]).all()


def test_ragged_batches_are_of_like_lengths() -> None:
    sequences, targets = ragged(512)
    for shuffle in (True, False):
        source = data.RaggedBatches(sequences, targets, batch_size=16, shuffle=shuffle)
        area = sum(batch.x.shape[0] * batch.x.shape[1] for batch in source.batches())
        assert area < 1.1 * sum(map(len, sequences))


def test_ragged_order_depends_on_seed_and_epoch() -> None:
    sequences, targets = ragged(64)
    source = data.RaggedBatches(sequences, targets, batch_size=4)

    def order(epoch: int) -> bytes:
        return b"".join(batch.lengths.tobytes() for batch in source.batches(epoch))

    assert order(0) == order(0) != order(1)


def test_ragged_one_target_a_sequence() -> None:
    sequences, _ = ragged(9, least=1)
    labels = list(range(9))
    last = next(data.RaggedBatches(sequences, labels, 9, per="last", shuffle=False).batches())
    assert (last.weight.sum(axis=1) == 1).all()
    assert last.weight[np.arange(9), last.lengths - 1].all()
    whole = next(data.RaggedBatches(sequences, labels, 9, per="sequence", shuffle=False).batches())
    assert whole.y.tolist() == last.y[np.arange(9), last.lengths - 1].tolist()
    assert whole.weight is None


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: data.RaggedBatches([], []), ValueError, "equally many and at least one, got 0 and 0"),
        (lambda: data.RaggedBatches([np.ones(2)], [1, 2]), ValueError, "got 1 and 2"),
        (
            lambda: data.RaggedBatches([np.ones((2, 3))], [np.ones(3)]),
            ValueError,
            r"targets\[0\] must have T = 2 steps like its sequence, got 3",
        ),
        (
            lambda: data.RaggedBatches([np.ones((2, 3)), np.ones((2, 4))], [np.ones(2)] * 2),
            ValueError,
            r"sequences\[0\] is float64 \(2, 3\), sequences\[1\] is float64 \(2, 4\)",
        ),
        (
            lambda: data.RaggedBatches([np.ones((0, 3))], [1], per="last"),
            ValueError,
            r"sequences\[0\] is empty and has no last step",
        ),
        (lambda: data.RaggedBatches(["ab"], [1], per="last"), TypeError, r"sequences\[0\] must be an array"),
    ],
)
def test_ragged_refuses(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


# ---- split -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(
    "whole",
    [
        "abcdefghijklmnopqrst",
        b"abcdefghijklmnopqrst",
        bytearray(b"abcdefghijklmnopqrst"),
        memoryview(b"abcdefghijklmnopqrst"),
        list("abcdefghijklmnopqrst"),
        tuple(range(20)),
        array("d", range(20)),
        np.arange(20),
    ],
    ids=lambda whole: type(whole).__name__,
)
def test_split_keeps_kind_and_order(whole: Any, shuffle: bool) -> None:
    parts = data.split(whole, validation=0.25, test=0.1, shuffle=shuffle)
    assert [len(part) for part in parts] == [13, 5, 2]
    assert all(type(part) is type(whole) for part in parts)
    together = list(parts.train) + list(parts.validation) + list(parts.test)
    assert (together == list(whole)) is not shuffle and sorted(together) == sorted(whole)


class Table:
    """As pandas' tables are: `table[...]` looks for columns, `iloc` for rows; NumPy makes an array of it."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows, self.shape, self.ndim, self.iloc = rows, rows.shape, rows.ndim, Rows(rows)

    def __getitem__(self, column: Any) -> Any:
        raise KeyError(column)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.rows


class Rows:
    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows

    def __getitem__(self, which: Any) -> Table:
        return Table(self.rows[which])


@pytest.mark.parametrize("shuffle", [False, True])
def test_split_takes_a_table_by_its_rows(shuffle: bool) -> None:
    rows = np.arange(40.0).reshape(20, 2)
    table, same = data.split(Table(rows), rows, shuffle=shuffle).train
    assert isinstance(table, Table) and (table.rows == same).all() and same.shape == (16, 2)


@pytest.mark.parametrize("shuffle", [False, True])
def test_split_of_pandas(shuffle: bool) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": range(20), "b": range(20)}, index=range(20, 0, -1))
    for whole in (frame, frame["a"]):
        parts = data.split(whole, shuffle=shuffle)
        assert all(type(part) is type(whole) for part in parts)
        together = pandas.concat(list(parts))
        assert together.sort_index(ascending=False).equals(whole) and together.equals(whole) is not shuffle
    parts = data.split(frame, frame["b"])
    batch = next(data.ArrayDataset(parts.train, 4).batches(0))
    assert batch.x.shape == (4, 2) and (batch.x[:, 1] == batch.y).all()


def test_sources_take_tables_of_numbers() -> None:
    table, column = Table(np.arange(40.0).reshape(20, 2)), Table(np.arange(20))
    batch = next(data.ArrayDataset((table, column), 20, shuffle=False).batches(0))
    assert (batch.x == table.rows).all() and (batch.y == column.rows).all()
    batch = next(data.Windows(table, 3, targets=column, shuffle=False).batches(0))
    assert (batch.x[0] == table.rows[:3]).all() and batch.y[0].ravel().tolist() == [1, 2, 3]
    assert next(data.TextStream(column, 2, 4).batches(0)).x.tolist() == [[0, 1, 2, 3], [9, 10, 11, 12]]
    mixed = Table(np.array([[1, "a"], [2, "b"]], dtype=object))
    for make in (lambda: data.ArrayDataset((mixed, mixed)), lambda: data.Windows(mixed, 1)):
        with pytest.raises(
            TypeError, match=r"object.* as columns of different kinds make: convert them to one"
        ):
            make()
    with pytest.raises(
        TypeError, match="RaggedBatches: sequences must be a list, one item a sequence, got Tab"
    ):
        data.RaggedBatches(table, [1, 2])  # type: ignore[arg-type]


def test_split_of_several_stays_together_and_shuffles_by_seed() -> None:
    x, y = np.arange(50.0)[:, None], list(range(50))
    train, validation, test = data.split(x, y, shuffle=True, seed=4)
    for rows, labels in (train, validation, test):
        assert rows[:, 0].tolist() == labels
    assert sorted(train[1] + validation[1] + test[1]) == y
    assert train[1] == data.split(x, y, shuffle=True, seed=4).train[1] != y[:40]
    assert data.split("abcd", validation=0.25, test=0.0, shuffle=True).test == ""


def test_split_refuses() -> None:
    with pytest.raises(ValueError, match=r"split: all data must have the same length, got \[3, 2\]"):
        data.split("abc", "ab")
    with pytest.raises(ValueError, match=r"split: test=0.1 of 3 items is none"):
        data.split("abc", validation=0.4)
    with pytest.raises(ValueError, match="leave nothing of 4 to train on"):
        data.split("abcd", validation=0.5, test=0.5)
    with pytest.raises(ValueError, match=r"validation must be a finite number >= 0 and < 1, got 1\.5"):
        data.split("abcd", validation=1.5)
    for unordered in ({"a": 1}, {1, 2}, 3, iter("abc")):
        with pytest.raises(TypeError, match="split: data must be arrays, tables, lists or texts, got"):
            data.split(unordered)
    with pytest.raises(ValueError, match="must have a first axis to cut, got a single number"):
        data.split(np.float64(3))
