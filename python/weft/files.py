"""Files that survive: safetensors written so that a crash costs nothing, read as if hostile.

The format: 8 bytes with the header's length (little endian), the header (JSON: name -> dtype, shape, offsets;
and "__metadata__", str -> str), then the arrays' bytes, nothing between them.
https://github.com/huggingface/safetensors
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from weft.replace_file import PathLike, replace_file

__all__ = ["Array", "PathLike", "read_safetensors", "replace_file", "safetensors_pieces", "write_safetensors"]

Array: TypeAlias = npt.NDArray[Any]

_DTYPES = {
    np.dtype(kind): code
    for code, kind in {
        "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "u2", "I16": "i2", "U32": "u4", "I32": "i4", "U64": "u8",
        "I64": "i8", "F16": "f2", "F32": "f4", "F64": "f8", "C64": "c8",
    }.items()
}  # fmt: skip


def write_safetensors(
    path: PathLike, tensors: Mapping[str, npt.ArrayLike], metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays and strings, by name, to a `.safetensors` file that replaces the old one in one move.

    The same input gives the same bytes, and the arrays go to the file without a copy. (The safetensors
    package writes non-contiguous arrays wrongly, and returns before its bytes are on the disk.)

    Raises TypeError for a dtype the format lacks and for metadata that is not str -> str, ValueError for
    names that the format cannot hold, OSError when the disk is full. The old file survives them all.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "model.safetensors"
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
        header[name] = {"dtype": _DTYPES[array.dtype], "shape": array.shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    head = len(text).to_bytes(8, "little") + text
    return [head, *(arrays[name].reshape(-1).view(np.uint8).data for name in order)]


def _stored(name: str, tensor: npt.ArrayLike) -> Array:
    """The array as the format wants it: in C order, little endian."""
    if not isinstance(name, str) or name == "__metadata__":
        raise ValueError(f"write_safetensors: names must be str, and not '__metadata__', got {name!r}")
    array = np.asarray(tensor)
    little = array.dtype.newbyteorder("<")
    if little not in _DTYPES:
        supported = ", ".join(str(dtype) for dtype in _DTYPES)
        raise TypeError(f"write_safetensors: {name!r} has dtype {array.dtype}, expected one of {supported}")
    return np.asarray(array, dtype=little, order="C")


def read_safetensors(path: PathLike) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays and the metadata of a `.safetensors` file: (name -> array, str -> str).

    No size in the file is believed before it is checked against the file's own: memory is bounded by what is
    on disk.

    Raises ValueError that names the file and what is wrong if it is truncated, malformed, not a regular file
    or holds a dtype that NumPy lacks; OSError (FileNotFoundError, ...) if it cannot be read.
    """
    from safetensors import SafetensorError, safe_open  # here, so that `import weft` does not load it

    path = Path(path)
    if path.exists() and not path.is_file():  # a pipe would wait for ever, a device might never end
        raise ValueError(f"read_safetensors: {path} is not a regular file")
    try:
        with safe_open(str(path), framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not iterable itself
            metadata = dict(file.metadata() or {})
    except (
        SafetensorError,
        ValueError,
        TypeError,
        AttributeError,
    ) as error:  # as the package's decoders raise them
        raise ValueError(
            f"read_safetensors: {path} is not a whole and valid .safetensors file: {error}"
        ) from error
    for name, array in arrays.items():
        if array.dtype not in _DTYPES:  # a package that adds types to NumPy may be there
            raise ValueError(
                f"read_safetensors: {path} is not a whole and valid .safetensors file of NumPy's types: "
                f"{name!r} has dtype {array.dtype}"
            )
    return arrays, metadata
