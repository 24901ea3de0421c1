"""RaggedBatches: sequences of different lengths, batched by similar length so that little is padding.

Padding comes last in a row, and is never read: recurrent layers stop at each row's own length, attention does
not look beyond it, the loss gives it no weight. docs/ragged.md shows what to do with padding on the left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from weftnn.arguments import check_choice, check_count
from weftnn.data.batch import Array, Batch
from weftnn.data.order import epoch_order
from weftnn.ops.arrays import refuse_masked


class RaggedBatches:
    """Batches of sequences x_i[T_i] (ids) or x_i[T_i,I], zero-padded behind to the longest, with lengths.

    targets, by `per`:
        "step"      y_i[T_i,...], one at every step: y[B,T,...], no weight on padding;
        "last"      y_i[...], one a sequence, for a model that answers at every step: y[B,T,...] with weight 1
                    at the last valid step alone;
        "sequence"  y_i[...], one a sequence, for a model with one answer a row: y[B,...].
    shuffle: each epoch, sequences are drawn in a random order, sorted by length within pools of `pool`
        batches, and the batches shuffled, by (seed, epoch) alone; False sorts all by length.
    Raises ValueError where sequences and targets do not fit together.

    >>> sequences, targets = [np.ones((3, 2)), np.ones((1, 2))], [[7, 8, 9], [5]]
    >>> data = RaggedBatches(sequences, targets, batch_size=2, shuffle=False)
    >>> batch = next(data.batches(0))
    >>> batch.x.shape, batch.lengths.tolist(), batch.y.tolist()
    ((2, 3, 2), [1, 3], [[5, 0, 0], [7, 8, 9]])
    """

    def __init__(
        self,
        sequences: Sequence[Any],
        targets: Sequence[Any],
        batch_size: int = 32,
        *,
        per: str = "step",
        shuffle: bool = True,
        seed: int = 0,
        pool: int = 32,
    ) -> None:
        self.batch_size = check_count("RaggedBatches", "batch_size", batch_size)
        self.per = check_choice("RaggedBatches", "per", per, ("step", "last", "sequence"))
        self.seed = check_count("RaggedBatches", "seed", seed, low=0)
        self.pool = check_count("RaggedBatches", "pool", pool)
        self.shuffle = shuffle
        for name, given in (("sequences", sequences), ("targets", targets)):
            if hasattr(given, "iloc") and getattr(given, "ndim", 1) > 1:  # whose items would be its columns
                raise TypeError(
                    f"RaggedBatches: {name} must be a list, one item a sequence, got {type(given).__name__}"
                )
            for number, array in enumerate(given):
                refuse_masked("RaggedBatches", f"{name}[{number}]", array)
        self._sequences = [np.asarray(sequence) for sequence in sequences]
        self._targets = [np.asarray(target) for target in targets]
        if not self._sequences or len(self._sequences) != len(self._targets):
            raise ValueError(
                "RaggedBatches: sequences and targets must be equally many and at least one, "
                f"got {len(self._sequences)} and {len(self._targets)}"
            )
        _check_alike("sequences", self._sequences, 1)
        _check_alike("targets", self._targets, 1 if per == "step" else 0)
        self.lengths: Array = np.array([len(sequence) for sequence in self._sequences])
        for number, (length, target) in enumerate(zip(self.lengths, self._targets, strict=True)):
            if per == "step" and len(target) != length:
                raise ValueError(
                    f"RaggedBatches: targets[{number}] must have T = {length} steps like its sequence, "
                    f"got {len(target)}"
                )
            if per == "last" and not length:
                raise ValueError(f"RaggedBatches: sequences[{number}] is empty and has no last step")

    def __len__(self) -> int:
        return -(-len(self._sequences) // self.batch_size)

    def batches(self, epoch: int = 0) -> Iterator[Batch]:
        """The batches of an epoch."""
        for rows in self._groups(epoch):
            lengths = self.lengths[rows]
            steps = max(1, int(lengths.max()))
            x = _padded([self._sequences[row] for row in rows], steps)
            targets = [self._targets[row] for row in rows]
            if self.per == "step":
                yield Batch(x, _padded(targets, steps), lengths)
            elif self.per == "sequence":
                yield Batch(x, np.stack(targets), lengths)
            else:
                y = np.zeros((len(rows), steps, *targets[0].shape), dtype=targets[0].dtype)
                weight = np.zeros(y.shape[:2], dtype=np.bool_)
                y[np.arange(len(rows)), lengths - 1] = targets
                weight[np.arange(len(rows)), lengths - 1] = True
                yield Batch(x, y, lengths, weight=weight)

    def _groups(self, epoch: int) -> list[Array]:
        """The rows of each batch."""
        count, size = len(self._sequences), self.batch_size
        if not self.shuffle:
            order = np.argsort(self.lengths, kind="stable")
            return [order[first : first + size] for first in range(0, count, size)]
        order = epoch_order(count, self.seed, epoch)
        groups = []
        for first in range(0, count, self.pool * size):
            pool = order[first : first + self.pool * size]
            pool = pool[np.argsort(self.lengths[pool], kind="stable")]
            groups += [pool[start : start + size] for start in range(0, len(pool), size)]
        return [groups[index] for index in epoch_order(len(groups), self.seed + 1, epoch)]


def _check_alike(name: str, arrays: list[Array], axis: int) -> None:
    """Refuses arrays that differ in dtype, or in shape behind the time axis."""
    like = arrays[0]
    for number, array in enumerate(arrays):
        if array.ndim < axis or array.dtype.kind not in "fiub":
            raise TypeError(
                f"RaggedBatches: {name}[{number}] must be an array of numbers with at least {axis} axes, "
                f"got {array.dtype} {array.shape}"
            )
        if array.shape[axis:] != like.shape[axis:] or array.dtype != like.dtype:
            raise ValueError(
                f"RaggedBatches: {name} must be alike but for their lengths: {name}[0] is "
                f"{like.dtype} {like.shape}, {name}[{number}] is {array.dtype} {array.shape}"
            )


def _padded(arrays: list[Array], steps: int) -> Array:
    padded = np.zeros((len(arrays), steps, *arrays[0].shape[1:]), dtype=arrays[0].dtype)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return padded
