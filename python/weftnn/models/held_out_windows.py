"""HeldOutWindows: a text cut into windows of at most `context` bytes, so that each byte is scored once.

Windows overlap: of one that is not the first, only what it adds is scored, and there as context_window.py
says what a byte is predicted from: C // 2 to C bytes, once there are so many.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from weftnn.arguments import check_count
from weftnn.data import Batch
from weftnn.models.context_window import stride, window_start

__all__ = ["HeldOutWindows"]


class HeldOutWindows:
    """A text to validate on, as a data source: x[B,T], its next bytes y[B,T], weight[B,T] 0 or 1.

    ids: int[N], N >= 2. context: the longest T. batch_size: windows per batch, which changes no result.
    Raises ValueError for a text of less than two bytes.

    >>> windows = HeldOutWindows(np.arange(8, dtype=np.uint8), context=4)
    >>> batch = next(windows.batches())
    >>> batch.x.tolist()
    [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 6]]
    >>> [y[weight > 0].tolist() for y, weight in zip(batch.y, batch.weight)]
    [[1, 2, 3, 4], [5, 6], [7]]
    """

    def __init__(
        self,
        ids: npt.NDArray[np.integer],
        *,
        context: int,
        batch_size: int = 16,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        if ids.ndim != 1 or ids.size < 2:
            raise ValueError(f"HeldOutWindows: ids must be [N] with N >= 2, got shape {ids.shape}")
        self.ids = ids
        self.context = context = check_count("HeldOutWindows", "context", context)
        self.batch_size = check_count("HeldOutWindows", "batch_size", batch_size)
        self.dtype = dtype
        self.targets = ids.size - 1
        self.starts = np.arange(0, window_start(self.targets, context) + 1, stride(context))

    def __len__(self) -> int:
        return -(-len(self.starts) // self.batch_size)

    def batches(self, epoch: int = 0) -> Iterator[Batch]:
        """The batches, always the same."""
        inside = np.arange(min(self.context, self.targets))
        for first in range(0, len(self.starts), self.batch_size):
            start = self.starts[first : first + self.batch_size, None]
            places = start + inside
            scored_before = np.where(start > 0, start + self.context - stride(self.context), 0)
            weight = (places >= scored_before) & (places < self.targets)
            places = np.minimum(places, self.targets - 1)  # past the end, where nothing is scored
            yield Batch(self.ids[places], self.ids[places + 1], weight=weight.astype(self.dtype))
