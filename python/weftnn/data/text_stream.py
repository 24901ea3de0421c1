"""TextStream: a long text read as parallel streams whose state carries over from batch to batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from weftnn.arguments import check_count
from weftnn.data.batch import Array, Batch
from weftnn.data.tokens import Text, token_ids
from weftnn.ops.arrays import refuse_masked


class TextStream:
    """Cuts a text into `batch_size` parallel streams, `sequence_length` ids a batch; targets are the next
    ids.

        x[b, t] = text[b L + t]
        y[b, t] = text[b L + t + 1]        L = (N - 1) // batch_size

    Each batch continues the one before it; the last of an epoch may be shorter. Batches are views of the
    text.

    text: str or bytes (read as bytes), or ids int[N].
    starts: positions where a document begins; the state starts afresh there (`resets`).
    seed: with a seed each epoch begins at another of the text's first `sequence_length` positions, so that
        every epoch cuts it elsewhere; None reads the same batches in every epoch.
    Raises ValueError where the text is too short for one step of every stream.

    >>> stream = TextStream("abcdefg", batch_size=2, sequence_length=2)
    >>> [(batch.x.tolist(), batch.continues) for batch in stream.batches(0)]
    [([[97, 98], [100, 101]], False), ([[99], [102]], True)]
    """

    def __init__(
        self,
        text: Text,
        batch_size: int = 32,
        sequence_length: int = 128,
        *,
        starts: ArrayLike | None = None,
        seed: int | None = None,
    ) -> None:
        ids = token_ids("TextStream", text)
        self.batch_size = batch_size = check_count("TextStream", "batch_size", batch_size)
        sequence_length = check_count("TextStream", "sequence_length", sequence_length)
        self.sequence_length = sequence_length
        self.seed = None if seed is None else check_count("TextStream", "seed", seed, low=0)
        self._places = 1 if seed is None else sequence_length
        self.stream_length = (len(ids) - self._places) // batch_size
        if self.stream_length < 1:
            raise ValueError(
                f"TextStream: text must hold at least {batch_size + self._places} ids, batch_size + "
                f"{'1' if seed is None else 'sequence_length'}, got {len(ids)}"
            )
        self._ids = ids
        self._resets = None if starts is None else _marks(starts, len(ids))

    def __len__(self) -> int:
        return -(-self.stream_length // self.sequence_length)

    def batches(self, epoch: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, in the order of the text."""
        first = 0
        if self.seed is not None:
            first = int(np.random.default_rng([self.seed, epoch]).integers(self._places))
        x, y = self._streams(self._ids, first), self._streams(self._ids, first + 1)
        resets = None if self._resets is None else self._streams(self._resets, first)
        for start in range(0, self.stream_length, self.sequence_length):
            cut = np.s_[:, start : start + self.sequence_length]
            yield Batch(x[cut], y[cut], resets=None if resets is None else resets[cut], continues=start > 0)

    def _streams(self, ids: Array, first: int) -> Array:
        end = first + self.batch_size * self.stream_length
        return ids[first:end].reshape(self.batch_size, self.stream_length)


def _marks(starts: ArrayLike, size: int) -> Array:
    refuse_masked("TextStream", "starts", starts)
    positions = np.asarray(starts)
    if positions.ndim != 1 or (positions.size and positions.dtype.kind not in "iu"):
        raise TypeError(f"TextStream: starts must be integers [K], got {positions.dtype} {positions.shape}")
    if positions.size and (positions.min() < 0 or positions.max() >= size):
        raise ValueError(
            f"TextStream: starts must lie in 0..{size - 1}, got {positions.min()}..{positions.max()}"
        )
    marks = np.zeros(size, dtype=np.bool_)
    marks[positions.astype(np.intp)] = True
    return marks
