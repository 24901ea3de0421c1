"""How much of the held-out text a run is scored on, so that scoring costs little beside training.

while training   its beginning: 100,000 bytes, or 25,000 with a gpt, which reads them twice, in windows
                 that overlap
at the end       as many bytes as a tenth of those trained on, and no fewer than while training
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from weftnn.models import GPT, ByteModel, bits_per_byte

__all__ = ["final_bytes", "final_score", "is_validated", "validated_bytes"]

_VALIDATED = 100_000
_VALIDATED_BY_GPT = 25_000
_SHARE_OF_TRAINING = 10
_EXACT_BYTES = 200_000  # up to this size text is read as one stream; more takes several, for speed
_STREAMS = 16


def validated_bytes(model: ByteModel) -> int:
    """The most bytes that each validation reads."""
    return _VALIDATED_BY_GPT if isinstance(model, GPT) else _VALIDATED


def final_bytes(model: ByteModel, held_out: npt.NDArray[np.uint8], trained_on: int) -> int:
    """How many bytes of held_out[N] the final score is of. trained_on: bytes read in training.

    >>> from weftnn.models import LanguageModel
    >>> held_out = np.zeros(1_000_000, np.uint8)
    >>> final_bytes(LanguageModel(hidden_size=8), held_out, trained_on=3_000_000)
    300000
    """
    return min(held_out.size, max(validated_bytes(model), trained_on // _SHARE_OF_TRAINING))


def is_validated(model: ByteModel, scored: int) -> bool:
    """Whether validation has read as many in the same way; of a recurrent model it reads several streams."""
    return isinstance(model, GPT) and scored <= _VALIDATED_BY_GPT


def final_score(model: ByteModel, ids: npt.NDArray[np.uint8], *, progress: bool) -> float:
    """Bits per byte of ids[N]."""
    streams = 1 if ids.size <= _EXACT_BYTES else _STREAMS
    return bits_per_byte(model, ids, streams=streams, progress=progress and "scoring held-out text")
