"""The safetensors files that weft writes and reads: round trips, bad arguments, hostile files."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from folders import POSIX, leftovers
from hostile_files import HOSTILE
from weftnn.files import read_safetensors, write_safetensors

DTYPES = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "c8"]
PACKAGE_KNOWS_COMPLEX = tuple(map(int, safetensors.__version__.split(".")[:2])) >= (0, 7)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


# ---- round trips ----


@settings(deadline=None, max_examples=60)
@given(
    tensors=st.dictionaries(
        st.text().filter(lambda name: name != "__metadata__"),
        st.sampled_from(DTYPES).flatmap(
            lambda dtype: hnp.arrays(np.dtype(dtype), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0))
        ),
        max_size=5,
    ),
    metadata=st.dictionaries(st.text(), st.text()),
)
def test_round_trip(tmp_path_factory, tensors, metadata):
    path = tmp_path_factory.mktemp("round") / "a.safetensors"
    write_safetensors(path, tensors, metadata)
    ours, our_metadata = read_safetensors(path)
    assert our_metadata == metadata
    both = [ours]
    if PACKAGE_KNOWS_COMPLEX or all(array.dtype.kind != "c" for array in tensors.values()):
        both.append(safetensors.numpy.load_file(path))
    for read in both:
        assert read.keys() == tensors.keys()
        assert all(same(read[name], array) for name, array in tensors.items())


def test_reads_what_the_package_writes(tmp_path):
    tensors = {"b": np.arange(6.0).reshape(2, 3), "a": np.array([True]), "empty": np.zeros((0, 3), np.int8)}
    safetensors.numpy.save_file(tensors, tmp_path / "a", metadata={"k": "v"})
    ours, metadata = read_safetensors(tmp_path / "a")
    assert metadata == {"k": "v"}
    assert ours.keys() == tensors.keys()
    assert all(same(ours[name], tensors[name]) for name in tensors)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24.0).reshape(2, 3, 4).T,
        np.arange(24.0)[::-2],
        np.broadcast_to(np.float32(3), (2, 3)),
        np.arange(4, dtype=">f8"),
        np.float64(7),
    ],
    ids=["transposed", "strided", "broadcast", "big endian", "scalar"],
)
def test_any_layout_is_written_right(tmp_path, array):
    write_safetensors(tmp_path / "a", {"x": array})
    back = read_safetensors(tmp_path / "a")[0]["x"]
    np.testing.assert_array_equal(back, array)
    assert back.shape == np.shape(array)


def test_same_input_same_bytes_and_aligned(tmp_path):
    tensors = {"z": np.ones(3, np.int8), "a": np.ones(2, np.float32), "m": np.ones(1)}
    write_safetensors(tmp_path / "1", tensors, {"b": "1", "a": "2"})
    write_safetensors(tmp_path / "2", dict(reversed(tensors.items())), {"b": "1", "a": "2"})
    content = (tmp_path / "1").read_bytes()
    assert content == (tmp_path / "2").read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    assert size % 8 == 0
    for name, array in tensors.items():
        assert header[name]["data_offsets"][0] % array.itemsize == 0


# ---- arguments ----


@pytest.mark.parametrize(
    ("tensors", "metadata", "error", "message"),
    [
        ({"x": np.array(["a"])}, None, TypeError, "'x' has dtype <U1"),
        ({"x": np.array([None])}, None, TypeError, "'x' has dtype object"),
        ({"x": np.zeros(1, np.complex128)}, None, TypeError, "complex128"),
        ({"__metadata__": np.zeros(1)}, None, ValueError, "__metadata__"),
        ({3: np.zeros(1)}, None, ValueError, "got 3"),
        ({"\ud800": np.zeros(1)}, None, ValueError, "surrogates"),
        ({}, {"epoch": 3}, TypeError, "epoch"),
        ({}, {"k": "\ud800"}, ValueError, "surrogates"),
    ],
)
def test_refused_before_anything_is_written(tmp_path, tensors, metadata, error, message):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(error, match=message):
        write_safetensors(path, tensors, metadata)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("bound", "value"), [("MOST_TENSORS", 2), ("LARGEST_HEADER", 100)])
def test_what_no_reader_takes_is_not_written(tmp_path, monkeypatch, bound, value):
    write_safetensors(tmp_path / "a", {str(i): np.zeros(0) for i in range(3)})
    for module in ("safetensors_writer", "safetensors_reader"):
        monkeypatch.setattr(f"weftnn.files.{module}.{bound}", value)
    with pytest.raises(ValueError, match="is not a whole and valid"):
        read_safetensors(tmp_path / "a")
    with pytest.raises(ValueError, match=r"there may be at most .*, got 3 and 1\d\d"):
        write_safetensors(tmp_path / "b", {str(i): np.zeros(0) for i in range(3)})
    assert not (tmp_path / "b").exists()


def test_a_folder_in_the_way(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        write_safetensors(tmp_path / "a", {})
    with pytest.raises(FileNotFoundError):
        write_safetensors(tmp_path / "none" / "a", {})
    assert leftovers(tmp_path) == []


# ---- hostile files ----


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file(tmp_path, name):
    path = tmp_path / "evil.safetensors"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(ValueError, match=r"evil\.safetensors is not a whole and valid") as error:
        read_safetensors(path)
    assert len(str(error.value)) < 1000


def test_every_truncation(tmp_path):
    whole = tmp_path / "whole"
    write_safetensors(whole, {"a": np.ones((2, 3), np.float32), "b": np.arange(3)}, {"k": "v"})
    content = whole.read_bytes()
    cut = tmp_path / "cut"
    for size in range(len(content)):
        cut.write_bytes(content[:size])
        with pytest.raises(ValueError, match="cut"):
            read_safetensors(cut)


@POSIX
def test_a_wrong_header_is_refused_before_the_arrays_are_read(tmp_path):
    """Of a sparse file of 64 GB."""
    path = tmp_path / "a"
    write_safetensors(path, {"a": np.ones(3)})
    os.truncate(path, 2**36)
    with pytest.raises(ValueError, match="its arrays are 24 bytes, but 6871947"):
        read_safetensors(path)


@pytest.mark.parametrize("size", [0, 7, 8, 40, 2000, 400_000])
def test_a_file_that_is_cut_short_while_it_is_read(tmp_path, monkeypatch, size):
    """By another process, between the check of its size and the last byte: an error, and no signal."""
    path = tmp_path / "a"
    write_safetensors(path, {"a": np.ones(100_000), "b": np.ones(3, np.int8)})

    def cut(*args: object) -> None:
        os.truncate(path, size)

    monkeypatch.setattr("weftnn.files.safetensors_reader._check_layout", cut)
    with pytest.raises(ValueError, match="cut short while it was read"):
        read_safetensors(path)


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_any_corruption_is_an_error_or_an_array(tmp_path_factory, data):
    """A flipped byte gives other values, or a ValueError; never a crash, never an array beyond the file."""
    path = tmp_path_factory.mktemp("flip") / "a"
    write_safetensors(path, {"a": np.ones((2, 3), np.float32), "b": np.arange(3)}, {"k": "v"})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        tensors, _ = read_safetensors(path)
    except ValueError:
        return
    assert sum(array.nbytes for array in tensors.values()) <= len(content)


def test_bytes_that_are_no_bools_are_read_as_bools(tmp_path):
    write_safetensors(tmp_path / "a", {"x": np.array([0, 1, 2, 255], np.uint8).view(np.bool_)})
    assert read_safetensors(tmp_path / "a")[0]["x"].tobytes() == bytes([0, 1, 1, 1])


def test_not_a_regular_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_safetensors(tmp_path / "none")
    with pytest.raises(ValueError, match="not a regular file"):
        read_safetensors(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ValueError, match="not a regular file"):
            read_safetensors(tmp_path / "pipe")
