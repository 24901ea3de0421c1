"""Text as numbers: a text's bytes, or ids that someone else made."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from weftnn.data.batch import Array
from weftnn.ops.arrays import refuse_masked

Text: TypeAlias = str | bytes | bytearray | memoryview | Array


def token_ids(where: str, text: Any) -> Array:
    """ids[N]: the bytes of a text (a str's in UTF-8) as uint8, or an integer array as it is; copies nothing
    else.

    Raises TypeError for what is neither, ValueError for an array that is not one-dimensional and for an empty
    text.

    >>> token_ids("TextStream", "weft").tolist()
    [119, 101, 102, 116]
    """
    refuse_masked(where, "text", text)
    if isinstance(text, str):
        text = text.encode()
    if isinstance(text, (bytes, bytearray, memoryview)):
        text = np.frombuffer(text, dtype=np.uint8)
    if hasattr(text, "__array__"):  # a column of a table, an array of another library
        text = np.asarray(text)
    if not isinstance(text, np.ndarray) or text.dtype.kind not in "iu":
        kind = f"an array of {text.dtype}" if isinstance(text, np.ndarray) else type(text).__name__
        raise TypeError(f"{where}: text must be str, bytes or an integer array, got {kind}")
    if text.ndim != 1:
        raise ValueError(f"{where}: text must be [N], got shape {text.shape}")
    if not text.size:
        raise ValueError(f"{where}: text must not be empty")
    return text
