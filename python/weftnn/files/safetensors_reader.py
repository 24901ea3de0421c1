"""Reads `.safetensors` files as if they were hostile: whatever their bytes, they give arrays or an error.

The format: 8 bytes with the header's length (little endian), the header (JSON: name -> dtype, shape, offsets;
and "__metadata__", str -> str), then the arrays' bytes, nothing between them.

Read, not mapped as the safetensors package does it: another process that cuts a mapped file short kills
whoever looks at it. cpp/src/files/safetensors.cpp has the same rules; it takes no file that is refused here.
https://github.com/huggingface/safetensors
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections import Counter
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt

from weftnn.files.replacing import PathLike
from weftnn.shortened import shortened

Array: TypeAlias = npt.NDArray[Any]

DTYPES = {
    code: np.dtype(kind).newbyteorder("<")
    for code, kind in {
        "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "u2", "I16": "i2", "U32": "u4", "I32": "i4", "U64": "u8",
        "I64": "i8", "F16": "f2", "F32": "f4", "F64": "f8", "C64": "c8",
    }.items()
}  # fmt: skip
LARGEST_HEADER = 100_000_000  # bytes, as the package has it
_MOST_AXES = 64  # as NumPy has it
MOST_TENSORS = 1 << 17  # a header of nothing but empty ones would hold millions


class _Tensor(NamedTuple):
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int  # of its bytes, counted from the end of the header
    end: int


def read_safetensors(path: PathLike) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays and the metadata of a `.safetensors` file: (name -> array, str -> str).

    No size in the file is believed before it is checked against the file's own, and nothing but the header is
    read before all of them are: memory is bounded by what is on disk. A header has at most 100 MB and 131,072
    arrays.

    Raises ValueError that names the file and what is wrong if it is truncated (while it is read, too),
    malformed, not a regular file or holds a dtype that NumPy lacks; OSError (FileNotFoundError, ...) if it
    cannot be read.

    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "empty.safetensors")
    >>> with open(path, "wb") as file:
    ...     written = file.write((2).to_bytes(8, "little") + b"{}")
    >>> read_safetensors(path)
    ({}, {})
    """
    with _open(path) as file:
        try:
            tensors, metadata, size = _read_header(file, os.fstat(file.fileno()).st_size)
            _check_layout(tensors, size)
            arrays = {tensor.name: _read_array(file, tensor) for tensor in tensors}
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"read_safetensors: {path} is not a whole and valid .safetensors file: {error}"
            ) from error
    return arrays, metadata


def _open(path: PathLike) -> BinaryIO:
    """Opens a regular file: a device might never end, and a pipe would wait, were it not for O_NONBLOCK."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError(f"read_safetensors: {path} is not a regular file")
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def _read_header(file: BinaryIO, size: int) -> tuple[list[_Tensor], dict[str, str], int]:
    """What the header says, and how many bytes of arrays lie behind it."""
    if size < 8:
        raise ValueError(f"it is too short, {size} bytes")
    length = int.from_bytes(_exactly(file, 8), "little")
    if length > LARGEST_HEADER or length > size - 8:
        raise ValueError(f"its header would be {length} bytes, in a file of {size}")
    text = _exactly(file, length)
    if not text.startswith(b"{"):
        raise ValueError("its header does not begin with {")
    # Before millions of them become objects, each several times as large as it is here.
    if text.count(b'"data_offsets"') > MOST_TENSORS:
        _refuse_number()
    header = json.loads(text.decode(), object_pairs_hook=_members)
    metadata = header.pop("__metadata__", {})
    if not _is_mapping(metadata) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError(f"__metadata__ must map strings to strings, got {_excerpt(metadata)}")
    if len(header) > MOST_TENSORS:
        _refuse_number()
    return [_tensor(name, entry) for name, entry in header.items()], metadata, size - 8 - length


def _refuse_number() -> NoReturn:
    raise ValueError(f"it has more than {MOST_TENSORS} arrays")


def _exactly(file: BinaryIO, size: int) -> bytes:
    found = file.read(size)
    if len(found) < size:
        raise ValueError("it was cut short while it was read")
    return found


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, no name of which comes twice: which one counts would be anybody's guess."""
    members = dict(pairs)
    if len(members) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"two entries are called {_excerpt(twice)}")
    return members


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _tensor(name: str, entry: Any) -> _Tensor:
    """An entry of the header, if it makes sense by itself."""
    where = f"array {_excerpt(name)}"
    if not _is_mapping(entry):
        raise ValueError(f"{where} must be an object, got {_excerpt(entry)}")
    code, sizes, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(code, str) or code not in DTYPES:
        raise ValueError(f"{where}: dtype must be one of {', '.join(DTYPES)}, got {_excerpt(code)}")
    # The product of a million sizes would take an hour.
    if not _are_sizes(sizes) or len(sizes) > _MOST_AXES:
        raise ValueError(
            f"{where}: shape must be a list of at most {_MOST_AXES} sizes, got {_excerpt(sizes)}"
        )
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise ValueError(f"{where}: data_offsets must be [begin, end], got {_excerpt(offsets)}")
    dtype, (begin, end) = DTYPES[code], offsets
    if math.prod(sizes) * dtype.itemsize != end - begin:
        raise ValueError(
            f"{where}: data_offsets must hold {_excerpt(sizes)} of {code}, got {_excerpt(offsets)}"
        )
    return _Tensor(name, dtype, tuple(sizes), begin, end)


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(size) is int and size >= 0 for size in value)


def _check_layout(tensors: list[_Tensor], size: int) -> None:
    """Arrays lie one behind the other, in the file and so in the list, and fill `size` bytes."""
    tensors.sort(key=lambda tensor: (tensor.begin, tensor.end))
    end = 0
    for tensor in tensors:
        if tensor.begin != end:
            wrong = "overlaps another" if tensor.begin < end else "has a hole before it"
            raise ValueError(f"array {_excerpt(tensor.name)} {wrong}")
        end = tensor.end
    if end != size:
        raise ValueError(f"its arrays are {_excerpt(end)} bytes, but {size} lie behind the header")


def _read_array(file: BinaryIO, tensor: _Tensor) -> Array:
    try:
        array = np.empty(tensor.shape, tensor.dtype)
    except ValueError as error:  # more axes than NumPy has, or sizes beyond counting beside one of zero
        raise ValueError(f"array {_excerpt(tensor.name)}: {error}") from None
    content = array.reshape(-1).view(np.uint8)
    if file.readinto(content.data) < content.size:  # type: ignore[attr-defined]
        raise ValueError("it was cut short while it was read")
    # A byte that is neither 0 nor 1 is no bool to those who compute with it.
    return array if tensor.dtype != np.bool_ else array.view(np.uint8) != 0


def _excerpt(value: Any) -> str:
    return shortened(repr(value), 60)
