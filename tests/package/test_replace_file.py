"""replace_file: whole or not at all, whatever fails, and what stays of the old file."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import stat
import subprocess
import sys
import time

import numpy as np
import pytest

from folders import POSIX
from weftnn.files import read_safetensors, replace_file, write_safetensors


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
