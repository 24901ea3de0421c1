"""Batches of sequences of several lengths."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from weftnn import data


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
