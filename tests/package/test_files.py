"""Files: what is written is read back, by others too; nothing that befalls a save harms the old file."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hostile_files import HOSTILE
from weftnn.files import read_safetensors, replace_file, write_safetensors

DTYPES = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "c8"]
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and limits")
PACKAGE_KNOWS_COMPLEX = tuple(map(int, safetensors.__version__.split(".")[:2])) >= (0, 7)


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith(".tmp")]


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


# ---- crashes ----


def test_replace_file_undoes_a_failed_block(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replace_file(path) as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_the_old_file_survives_a_full_disk(tmp_path, monkeypatch, call):
    path = tmp_path / "a.safetensors"
    write_safetensors(path, {"x": np.zeros(1000)})
    before = path.read_bytes()

    def fail(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if call == "write":
        real_open = open

        def failing_open(*args, **options):
            stream = real_open(*args, **options)
            return FailingAt(stream, budget=4000)

        monkeypatch.setattr("builtins.open", failing_open)
    else:
        monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space left"):
        write_safetensors(path, {"x": np.ones(1000)})
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


class FailingAt:
    """A file that is full after so many bytes."""

    def __init__(self, stream, budget: int) -> None:
        self.stream = stream
        self.budget = budget

    def write(self, data) -> int:
        self.budget -= len(data)
        if self.budget < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.stream.write(data)

    def __getattr__(self, name: str):
        return getattr(self.stream, name)

    def __enter__(self):
        return self

    def __exit__(self, *error) -> None:
        self.stream.close()


LIMITED = """
import resource, signal, sys
import numpy as np
from weftnn.files import write_safetensors
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    write_safetensors(sys.argv[1], {"x": np.ones(100_000)})
except OSError as error:
    sys.exit(f"OSError {error.errno}")
"""


@POSIX
@pytest.mark.parametrize("limit", [0, 50, 4096, 790_000])
def test_the_old_file_survives_the_systems_own_limit(tmp_path, limit):
    path = tmp_path / "a.safetensors"
    write_safetensors(path, {"x": np.zeros(10)})
    before = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", LIMITED, path, str(limit)], capture_output=True, text=True)
    assert done.stderr.strip() == f"OSError {errno.EFBIG}"
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


SAVING = """
import sys
import numpy as np
from weftnn.files import write_safetensors
for round in range(10**9):
    tensors = {"x": np.full(200_000, round), "y": np.full(3, round)}
    write_safetensors(sys.argv[1], tensors, {"round": str(round)})
    print(round, flush=True)
"""


@POSIX
def test_killed_again_and_again_while_saving(tmp_path):
    path = tmp_path / "a.safetensors"
    random = np.random.default_rng(0)
    for _ in range(12):
        child = subprocess.Popen([sys.executable, "-c", SAVING, path], stdout=subprocess.PIPE)
        assert child.stdout is not None
        saved = [int(child.stdout.readline()) for _ in range(2)]  # it does save, however slowly
        time.sleep(random.uniform(0, 0.08))  # somewhere in a later save; where does not matter
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        tensors, metadata = read_safetensors(path)
        round = int(metadata["round"])
        assert round >= saved[-1]
        assert (tensors["x"] == round).all()
        assert (tensors["y"] == round).all()


def test_what_killed_processes_left_is_cleared_away(tmp_path):
    old = tmp_path / ".a.safetensors.0123456789abcdef.tmp"
    recent = tmp_path / ".a.safetensors.fedcba9876543210.tmp"
    others = [
        tmp_path / ".b.safetensors.0123456789abcdef.tmp",
        tmp_path / ".a.safetensors.b.0123456789abcdef.tmp",
        tmp_path / ".a.safetensors.mine.tmp",
    ]
    for path in (old, recent, *others):
        path.write_bytes(b"part")
    for path in (old, *others):
        os.utime(path, (time.time() - 7200,) * 2)
    write_safetensors(tmp_path / "a.safetensors", {})
    assert not old.exists()
    assert recent.exists()  # another process may be at it
    assert all(other.exists() for other in others)


@POSIX
def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "runs").mkdir()
    target = tmp_path / "runs" / "7"
    write_safetensors(target, {"x": np.zeros(1)})
    link = tmp_path / "best"
    link.symlink_to(target)
    write_safetensors(link, {"x": np.ones(1)})
    assert link.is_symlink()
    assert read_safetensors(target)[0]["x"] == 1


@POSIX
def test_a_link_that_leads_nowhere_or_in_a_circle(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_safetensors(tmp_path / "link", {"x": np.ones(1)})
    assert (tmp_path / "link").is_symlink() and read_safetensors(tmp_path / "target")[0]["x"] == 1
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(OSError, match="circle"):
        write_safetensors(tmp_path / "circle", {})
    assert (tmp_path / "circle").is_symlink()


@POSIX
def test_a_pipe_or_a_device_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="is a device or a pipe, not a file"):
        write_safetensors(tmp_path / "pipe", {})
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


@POSIX
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444, 0o755])
def test_a_file_that_is_replaced_keeps_its_mode_and_owner(tmp_path, mode):
    path = tmp_path / "a"
    write_safetensors(path, {})
    path.chmod(mode)
    before = path.stat()
    seen = []
    with replace_file(path) as file:
        seen.append(stat.S_IMODE(os.fstat(file.fileno()).st_mode))
        file.write(b"new")
    after = path.stat()
    assert seen == [mode]  # from the first byte on, nobody else may read a private file
    assert (stat.S_IMODE(after.st_mode), after.st_uid, after.st_gid) == (mode, before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino


@POSIX
@pytest.mark.parametrize(("group_too", "mode"), [(False, 0o660), (True, 0o600)])
def test_an_owner_that_cannot_be_kept_costs_the_rights_of_the_group(tmp_path, monkeypatch, group_too, mode):
    """A group that the new file does not have must not lend its rights to another."""
    path = tmp_path / "a"
    write_safetensors(path, {})
    path.chmod(0o4660)
    original = os.fchown

    def refusing(file: int, owner: int, group: int) -> None:
        if owner != -1 or group_too:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        original(file, owner, group)

    monkeypatch.setattr(os, "fchown", refusing)
    write_safetensors(path, {})
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("name", ["a" * 255, "a" * 232, "a" * 234, "\u017e" * 127, "\U0001f9f5" * 63 + "abc"])
def test_names_up_to_the_systems_limit(tmp_path, name):
    path = tmp_path / name
    for value in range(2):
        write_safetensors(path, {"x": np.full(1, value)})
        assert read_safetensors(path)[0]["x"] == value
    with pytest.raises(OSError) as caught:
        write_safetensors(tmp_path / (name + "b" * 255), {})
    assert caught.value.errno == errno.ENAMETOOLONG
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_was_left_of_a_long_name_is_known_by_its_digest(tmp_path):
    name, other = "a" * 250, "a" * 249 + "b"
    left = {}
    for each in (name, other):
        digest = hashlib.sha256(each.encode()).hexdigest()[:16]
        left[each] = tmp_path / f".{'a' * (255 - 22 - 17)}~{digest}.0123456789abcdef.tmp"
        left[each].write_bytes(b"part")
        os.utime(left[each], (0, 0))
    write_safetensors(tmp_path / name, {})
    assert not left[name].exists() and left[other].exists()


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_an_error_names_the_file_and_not_its_temporary(tmp_path, monkeypatch, call):
    def fail(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_safetensors(tmp_path / "a", {})
    assert caught.value.filename == str(tmp_path / "a") and caught.value.errno == errno.ENOSPC
    assert caught.value.filename2 is None


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_folder_that_cannot_be_synced_is_no_failure(tmp_path, monkeypatch, number):
    original = os.fsync

    def fsync(file: int) -> None:
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(number, os.strerror(number))
        original(file)

    monkeypatch.setattr(os, "fsync", fsync)
    write_safetensors(tmp_path / "a", {"x": np.ones(1)})
    assert read_safetensors(tmp_path / "a")[0]["x"] == 1


@POSIX
def test_permissions_are_those_of_any_new_file(tmp_path):
    mask = os.umask(0o027)
    try:
        write_safetensors(tmp_path / "a", {})
    finally:
        os.umask(mask)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
