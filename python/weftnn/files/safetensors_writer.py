"""Writes `.safetensors` files: a crash leaves the old one as it was. The format: safetensors_reader.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from weftnn.files.replacing import PathLike, replace_file
from weftnn.files.safetensors_reader import DTYPES, LARGEST_HEADER, MOST_TENSORS, Array

_CODES = {dtype: code for code, dtype in DTYPES.items()}


def write_safetensors(
    path: PathLike, tensors: Mapping[str, npt.ArrayLike], metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays and strings, by name, to a `.safetensors` file that replaces the old one in one move.

    The same input gives the same bytes, and the arrays go to the file without a copy. (The safetensors
    package writes non-contiguous arrays wrongly, and returns before its bytes are on the disk.)

    Raises TypeError for a dtype the format lacks and for metadata that is not str -> str, ValueError for
    names that the format cannot hold, OSError when the disk is full. The old file is then unchanged.

    >>> import pathlib, tempfile
    >>> from weftnn.files import read_safetensors
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.safetensors"
    >>> write_safetensors(path, {"weight": np.ones((2, 3), np.float32)}, {"epoch": "7"})
    >>> tensors, metadata = read_safetensors(path)
    >>> tensors["weight"].shape, metadata
    ((2, 3), {'epoch': '7'})
    """
    pieces = safetensors_pieces(tensors, metadata)
    with replace_file(path) as file:
        for piece in pieces:
            file.write(piece)


def safetensors_pieces(
    tensors: Mapping[str, npt.ArrayLike], metadata: Mapping[str, str] | None = None
) -> list[bytes | memoryview]:
    """The same file in memory, in pieces that look into the arrays: nothing large is copied."""
    metadata = dict(metadata or {})
    for item in metadata.items():
        if not all(isinstance(text, str) for text in item):
            raise TypeError(f"write_safetensors: metadata must map str to str, got {item!r}")
    arrays = {name: _stored(name, tensor) for name, tensor in tensors.items()}
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    end = 0
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))  # widest first: all are aligned
    for name in order:
        array = arrays[name]
        start, end = end, end + array.nbytes
        header[name] = {"dtype": _CODES[array.dtype], "shape": array.shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    if len(arrays) > MOST_TENSORS or len(text) > LARGEST_HEADER:  # no reader would take it
        raise ValueError(
            f"write_safetensors: there may be at most {MOST_TENSORS} tensors, and {LARGEST_HEADER} bytes of "
            f"names and metadata, got {len(arrays)} and {len(text)}"
        )
    head = len(text).to_bytes(8, "little") + text
    return [head, *(arrays[name].reshape(-1).view(np.uint8).data for name in order)]


def _stored(name: str, tensor: npt.ArrayLike) -> Array:
    """The array as the format wants it: in C order, little endian."""
    if not isinstance(name, str) or name == "__metadata__":
        raise ValueError(f"write_safetensors: names must be str, and not '__metadata__', got {name!r}")
    array = np.asarray(tensor)
    little = array.dtype.newbyteorder("<")
    if little not in _CODES:
        supported = ", ".join(str(dtype) for dtype in _CODES)
        raise TypeError(f"write_safetensors: {name!r} has dtype {array.dtype}, expected one of {supported}")
    return np.asarray(array, dtype=little, order="C")
