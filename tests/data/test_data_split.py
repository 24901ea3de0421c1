"""Splitting into parts, of arrays, sequences and tables."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import pytest

from weftnn import data


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
