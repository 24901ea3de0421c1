"""Windows: short pieces of a long series or text, each a sequence of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from weftnn.arguments import check_choice, check_count
from weftnn.data.array_dataset import what_objects_are
from weftnn.data.batch import Array, Batch
from weftnn.data.order import epoch_order
from weftnn.data.tokens import Text, token_ids
from weftnn.ops.arrays import refuse_masked


class Windows:
    """Windows of `length` steps over a series, and what comes `horizon` steps later as the target.

        x = series[i : i + length]
        y = targets[i + horizon : i + length + horizon]           target="every": one target at every step
        y = targets[i + length : i + length + horizon]            target="after": the next `horizon` values

    series: float[N] or float[N,I] (x is [B,length,I]); or a text, str, bytes or int[N] (x is [B,length]).
    targets: [N] or [N,O]; the series itself unless given. With targets and target="every", horizon may be 0.
    stride: steps from one window's start to the next. The order depends on (seed, epoch) alone.
    Raises ValueError where the series is shorter than one window and its target.

    >>> windows = Windows(np.arange(6.0), length=3, target="after", horizon=2, shuffle=False)
    >>> batch = next(windows.batches(0))
    >>> batch.x[..., 0].tolist(), batch.y[..., 0].tolist()
    ([[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]], [[3.0, 4.0], [4.0, 5.0]])
    """

    def __init__(
        self,
        series: Text,
        length: int,
        *,
        horizon: int = 1,
        target: str = "every",
        targets: Any = None,
        stride: int = 1,
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        self._series = _steps("series", series)
        self._targets = self._series if targets is None else _steps("targets", targets)
        self.length = length = check_count("Windows", "length", length)
        self.target = check_choice("Windows", "target", target, ("every", "after"))
        least = 0 if targets is not None and target == "every" else 1
        self.horizon = check_count("Windows", "horizon", horizon, low=least)
        stride = check_count("Windows", "stride", stride)
        self.batch_size = check_count("Windows", "batch_size", batch_size)
        self.seed = check_count("Windows", "seed", seed, low=0)
        self.shuffle = shuffle
        if len(self._targets) != len(self._series):
            raise ValueError(
                f"Windows: targets must have N = {len(self._series)} steps like series, "
                f"got {len(self._targets)}"
            )
        last = len(self._series) - length - self.horizon
        if last < 0:
            raise ValueError(
                f"Windows: series must hold at least length + horizon = {length + self.horizon} steps, "
                f"got {len(self._series)}"
            )
        self.starts: Array = np.arange(0, last + 1, stride)

    def __len__(self) -> int:
        return -(-len(self.starts) // self.batch_size)

    def batches(self, epoch: int = 0) -> Iterator[Batch]:
        """The batches of an epoch."""
        starts = self.starts
        if self.shuffle:
            starts = starts[epoch_order(len(starts), self.seed, epoch)]
        inside = np.arange(self.length)
        ahead = inside + self.horizon if self.target == "every" else self.length + np.arange(self.horizon)
        for first in range(0, len(starts), self.batch_size):
            begin = starts[first : first + self.batch_size, None]
            yield Batch(self._series[begin + inside], self._targets[begin + ahead])


def _steps(name: str, values: Any) -> Array:
    """[N] of ids, or [N,F] of numbers: a float series without a feature axis gets one."""
    refuse_masked("Windows", name, values)
    if isinstance(values, (list, tuple)) or hasattr(values, "__array__"):  # a table, by its rows
        values = np.asarray(values)
    if not isinstance(values, np.ndarray) or (values.ndim == 1 and values.dtype.kind in "iu"):
        return token_ids("Windows", values)
    if values.dtype.kind not in "fiu" or values.ndim not in (1, 2):
        raise TypeError(
            f"Windows: {name} must be numbers [N] or [N,F], or a text, got {values.dtype} {values.shape}"
            f"{what_objects_are(values)}"
        )
    return values[:, None] if values.ndim == 1 else values
