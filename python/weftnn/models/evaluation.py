"""How well a model predicts a text: bits per byte.

    bits per byte = -1/(N-1) * sum over t = 2..N of log2 p(x_t | x_1 ... x_{t-1})

A GPT reads windows (held_out_windows.py). A recurrent model's state is carried from the first byte to the
last: one stream reads the whole text in order. Several streams read equal parts of it side by side, which is
faster; each begins `context` bytes before its part, and those bytes do not count, so every byte but the first
is scored once and the figure hardly changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from weftnn import ops
from weftnn.arguments import check_count
from weftnn.data import Batch
from weftnn.models.byte_model import ByteModel
from weftnn.models.gpt import GPT
from weftnn.models.held_out_windows import HeldOutWindows
from weftnn.train.progress import with_bar
from weftnn.train.tbptt import Unroll

__all__ = ["HeldOutText", "bits_per_byte", "validation_source"]


class HeldOutText:
    """A text to validate on, as a data source: x[B,T], its next bytes y[B,T], weight[B,T] 0 or 1.

    ids: int[N], N >= 2. There are fewer streams than asked for where parts would be too short beside the
    context. Raises ValueError for a text of less than two bytes.

    >>> text = HeldOutText(np.arange(6, dtype=np.uint8), streams=1, sequence_length=4)
    >>> [batch.y[batch.weight > 0].tolist() for batch in text.batches(epoch=0)]
    [[1, 2, 3, 4], [5]]
    """

    def __init__(
        self,
        ids: npt.NDArray[np.integer],
        *,
        streams: int = 16,
        sequence_length: int = 256,
        context: int = 256,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        name = "HeldOutText"
        if ids.ndim != 1 or ids.size < 2:
            raise ValueError(f"{name}: ids must be [N] with N >= 2, got shape {ids.shape}")
        self.sequence_length = check_count(name, "sequence_length", sequence_length)
        context = check_count(name, "context", context, low=0)
        targets = ids.size - 1
        streams = max(1, min(check_count(name, "streams", streams), targets // max(1, 2 * context)))
        part = -(-targets // streams)
        self.rows = -(-targets // part)
        self.targets = targets
        context = context if self.rows > 1 else 0
        self.length: int = part + context
        self.x = np.zeros((self.rows, self.length), dtype=ids.dtype)
        self.y = np.zeros_like(self.x)
        self.weight = np.zeros(self.x.shape, dtype=dtype)
        for row in range(self.rows):
            first, end = row * part, min((row + 1) * part, targets)
            begin = max(0, first - context)
            self.x[row, : end - begin] = ids[begin:end]
            self.y[row, : end - begin] = ids[begin + 1 : end + 1]
            self.weight[row, first - begin : end - begin] = 1

    def __len__(self) -> int:
        return math.ceil(self.length / self.sequence_length)

    def batches(self, epoch: int = 0) -> Iterator[Batch]:
        """The batches, always the same; from the second on, the state carries over."""
        for start in range(0, self.length, self.sequence_length):
            window = np.s_[:, start : start + self.sequence_length]
            yield Batch(self.x[window], self.y[window], weight=self.weight[window], continues=start > 0)


def validation_source(
    model: ByteModel, ids: npt.NDArray[np.integer], *, streams: int = 16
) -> HeldOutText | HeldOutWindows:
    """A text to validate a model on, as a data source that suits it."""
    dtype = model.config["dtype"]
    if isinstance(model, GPT):
        return HeldOutWindows(ids, context=model.context, dtype=dtype)
    return HeldOutText(ids, streams=streams, dtype=dtype)


def bits_per_byte(
    model: ByteModel, ids: npt.NDArray[np.integer], *, streams: int = 1, progress: bool | str = False
) -> float:
    """Mean of -log2 p(byte | those before it) over every byte of ids[N] but the first.

    streams: of a recurrent model; a GPT reads many windows side by side in any case.
    progress: shows a bar in a terminal, where it takes more than a moment; a str is what it says.

    >>> from weftnn.models import LanguageModel
    >>> model = LanguageModel(hidden_size=8, rng=0)
    >>> 7 < bits_per_byte(model, np.frombuffer(b"weft and warp", np.uint8)) < 9
    True
    """
    source = validation_source(model, ids, streams=streams)
    unroll = Unroll(model)
    total = 0.0
    name = progress if isinstance(progress, str) else "scoring text"
    for batch in with_bar(source.batches(), len(source), name, bool(progress)):
        logits = unroll.predict(batch)
        loss, _ = ops.softmax_cross_entropy_forward(logits, batch.y, weight=batch.weight, reduction="none")
        total += float(np.sum(loss, dtype=np.float64))
    return total / source.targets / math.log(2)
