"""Files that are no safetensors files, each in its own way."""

from __future__ import annotations

import json


def header(value: object, data: bytes = b"", size: int | None = None) -> bytes:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return (len(text) if size is None else size).to_bytes(8, "little") + text + data


def entry(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


EMPTY = b'{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'

HOSTILE = {
    "empty": b"",
    "seven bytes": b"\0" * 7,
    "no header": header(b""),
    "not JSON": header(b"weft"),
    "not UTF-8": header(b'{"\xff": 1}'),
    "a list": header([]),
    "deep": header(b'{"a":' * 100_000),
    "header beyond the file": header({}, size=1000),
    "header of 2^63 bytes": header({}, size=2**63),
    "header of 2^64 - 1 bytes": header({}, size=2**64 - 1),
    "data cut": header({"a": entry()}, bytes(7)),
    "data left over": header({"a": entry()}, bytes(9)),
    "size overflows": header({"a": entry(shape=(2**62, 4))}, bytes(8)),
    "size wraps to 8": header({"a": entry(shape=(2**63 + 1, 2))}, bytes(8)),
    "size of 4 TB": header({"a": entry(shape=(2**40,), offsets=(0, 2**42))}, bytes(8)),
    "negative size": header({"a": entry(shape=(-2,))}, bytes(8)),
    "fractional size": header({"a": entry(shape=(2.5,))}, bytes(8)),
    "65 axes": header({"a": entry(shape=(2, *[1] * 64))}, bytes(8)),
    "negative offset": header({"a": entry(offsets=(-8, 0))}, bytes(8)),
    "offsets turned round": header({"a": entry(offsets=(8, 0))}, bytes(8)),
    "offsets beyond the file": header({"a": entry(offsets=(2**40, 2**40 + 8))}, bytes(8)),
    "overlap": header({"a": entry(), "b": entry()}, bytes(8)),
    "hole": header({"a": entry(), "b": entry(offsets=(16, 24))}, bytes(24)),
    "unknown dtype": header({"a": entry("F13")}, bytes(8)),
    "a dtype that NumPy lacks": header({"a": entry("BF16", (4,))}, bytes(8)),
    "another such": header({"a": entry("F8_E4M3", (8,))}, bytes(8)),
    "a name twice": header(b'{"a":%b,"a":%b}' % (EMPTY, EMPTY)),
    "more tensors than any model has": header(
        b"{%b}" % b",".join(b'"%d":%b' % (i, EMPTY) for i in range(2**17 + 1))
    ),
    "a size cut into a million": header({"a": entry(shape=[9] * 1_000_000)}, bytes(8)),
    "a long name": header({"a" * 500_000: entry("F13")}, bytes(8)),
    "a long dtype": header({"a": entry("F13" * 500_000)}, bytes(8)),
    "no shape": header({"a": {"dtype": "F32", "data_offsets": [0, 8]}}, bytes(8)),
    "metadata of numbers": header({"__metadata__": {"a": 1}}),
    "a pickle": b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x8c\x06system\x93\x94.",
}
