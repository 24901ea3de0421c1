"""ArrayDataset: batches of the rows of arrays that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from weftnn.arguments import check_count
from weftnn.data.batch import Batch
from weftnn.data.order import epoch_order
from weftnn.ops.arrays import refuse_masked
from weftnn.ragged import check_lengths, check_resets


class ArrayDataset:
    """Rows of (x, y) in batches, shuffled anew each epoch.

    arrays: (x[N,...], y[N,...]), NumPy arrays or what it can convert, such as a pandas table of numbers;
        lengths int[N], resets bool[N,T], weight like y or its first axes: as in `Batch`.
    shuffle: False gives the rows in their order, as views. drop_last leaves out an incomplete last batch.
    The order depends on (seed, epoch) alone. Raises ValueError where the numbers of rows differ or none are
    left.

    >>> data = ArrayDataset((np.arange(5.0)[:, None], np.arange(5)), batch_size=2, shuffle=False)
    >>> len(data), [batch.y.tolist() for batch in data.batches(0)]
    (3, [[0, 1], [2, 3], [4]])
    """

    def __init__(
        self,
        arrays: Sequence[Any],
        batch_size: int = 32,
        *,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
        lengths: Any = None,
        resets: Any = None,
        weight: Any = None,
    ) -> None:
        if not isinstance(arrays, Sequence) or len(arrays) != 2:
            raise TypeError(f"ArrayDataset: arrays must be a pair (x, y), got {type(arrays).__name__}")
        self.batch_size = check_count("ArrayDataset", "batch_size", batch_size)
        self.seed = check_count("ArrayDataset", "seed", seed, low=0)
        self.shuffle = shuffle
        given = {"x": arrays[0], "y": arrays[1], "lengths": lengths, "resets": resets, "weight": weight}
        for name, array in given.items():
            refuse_masked("ArrayDataset", name, array)
        x = given["x"] = np.asarray(arrays[0])
        if x.ndim > 1:  # else Batch says that they need time
            if lengths is not None:
                given["lengths"] = check_lengths("ArrayDataset", lengths, *x.shape[:2])
            if resets is not None:
                given["resets"] = check_resets("ArrayDataset", resets, *x.shape[:2])
        self._arrays: dict[str, Any] = {
            name: np.asarray(array) for name, array in given.items() if array is not None
        }
        for name in ("x", "y"):
            if self._arrays[name].dtype.kind not in "fiub":
                raise TypeError(
                    f"ArrayDataset: {name} must be of numbers, got {self._arrays[name].dtype}"
                    f"{what_objects_are(self._arrays[name])}"
                )
        rows = {name: len(array) if array.ndim else 0 for name, array in self._arrays.items()}
        if len(set(rows.values())) != 1:
            raise ValueError(f"ArrayDataset: all arrays must have the same number of rows N, got {rows}")
        self.rows = rows["x"]
        self._used = self.rows - self.rows % self.batch_size if drop_last else self.rows
        if not self._used:
            raise ValueError(f"ArrayDataset: x must hold at least one batch of rows, got {self.rows}")
        Batch(**self._arrays)  # a misfit shows here and not in some later batch

    def __len__(self) -> int:
        return -(-self._used // self.batch_size)

    def batches(self, epoch: int = 0) -> Iterator[Batch]:
        """The batches of an epoch."""
        order = epoch_order(self.rows, self.seed, epoch) if self.shuffle else None
        for start in range(0, self._used, self.batch_size):
            rows: Any = slice(start, min(start + self.batch_size, self._used))
            if order is not None:
                rows = order[rows]
            yield Batch(**{name: array[rows] for name, array in self._arrays.items()})


def what_objects_are(array: Any) -> str:
    """What to say of an array of objects: a table whose columns are of several kinds becomes one."""
    return ", as columns of different kinds make: convert them to one" if array.dtype.kind == "O" else ""
