"""Crashes, kills and full disks at each point of a save leave a whole checkpoint."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from checkpoints import Crash, break_at, number_in, numbered, small_trainer, source
from weftnn.train.checkpoint import read_checkpoint, write_checkpoint


@pytest.mark.parametrize("left_behind", [False, True])
def test_a_crash_at_any_call_leaves_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_behind: bool
) -> None:
    """The n-th call to the file system is the last, for every n, and the next save works. With `left_behind`
    the save before it was broken off too."""
    seen = set()
    for call in range(1, 200):
        folder = tmp_path / str(call)
        write_checkpoint(folder, numbered(1))
        if left_behind:
            with monkeypatch.context() as patch, pytest.raises(Crash):
                break_at(patch, 4, Crash(), for_ever=True)
                write_checkpoint(folder, numbered(7))
            assert number_in(folder) == 1
        try:
            with monkeypatch.context() as patch:
                count = break_at(patch, call, Crash(), for_ever=True)
                write_checkpoint(folder, numbered(2))
        except Crash:
            pass
        seen.add(number_in(folder))
        write_checkpoint(folder, numbered(3))
        assert number_in(folder) == 3
        assert not list(folder.glob("*.new"))
        if count[0] < call:
            break
    else:
        pytest.fail("the save never ran through")
    assert seen == {1, 2} and call > 10


def test_a_full_disk_at_any_call_keeps_the_old_checkpoint_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_checkpoint(tmp_path, numbered(1))
    current = 1
    for call in range(1, 200):
        full = OSError(errno.ENOSPC, "No space left on device")
        try:
            with monkeypatch.context() as patch:
                count = break_at(patch, call, full, for_ever=False)
                write_checkpoint(tmp_path, numbered(current + 1))
            current += 1
        except OSError as error:
            assert error.errno == errno.ENOSPC and "could not save the checkpoint" in str(error)
            assert "No space left on device" in str(error)
            assert Path(error.filename).is_relative_to(tmp_path) and error.filename in error.strerror
            switched = number_in(tmp_path) > current
            assert ("the new one is whole" if switched else "before it is whole") in str(error)
        found = number_in(tmp_path)
        assert found in (current, current + 1)
        current = found
        if count[0] < call:
            break
    assert call > 10


def test_a_file_that_may_not_grow_keeps_the_old_checkpoint(tmp_path: Path) -> None:
    """A real failure of the operating system in mid-write."""
    program = """
import resource, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from checkpoints import numbered
from weftnn.train.checkpoint import write_checkpoint
write_checkpoint(Path(sys.argv[1]), numbered(1))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_checkpoint(Path(sys.argv[1]), numbered(2, size=40_000))
except OSError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), *sys.path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "could not save the checkpoint" in done.stdout and "is whole" in done.stdout, done
    assert number_in(tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir() if path.suffix in (".new", ".tmp")] == []


def test_fit_reports_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = small_trainer()
    trainer.fit(source(), epochs=1, checkpoint_dir=tmp_path, progress=False)
    step = trainer.position.step

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="could not save the checkpoint"):
        trainer.fit(source(), epochs=2, checkpoint_dir=tmp_path, progress=False)
    monkeypatch.undo()
    assert read_checkpoint(tmp_path / "last").config["position"]["step"] == step


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_random_in_a_loop(tmp_path: Path) -> None:
    """A child saves without pause and is killed, again and again; the next one starts from what is there."""
    program = """
import os, random, signal, sys, time
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from checkpoints import number_in, numbered
from weftnn.train.checkpoint import write_checkpoint
folder = Path(sys.argv[1])
write_checkpoint(folder, numbered(1, size=200_000))
random.seed(0)
last = 1
for kill in range(30):
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        while True:
            last += 1
            write_checkpoint(folder, numbered(last, size=200_000))
            os.write(write_end, b".")
    os.read(read_end, 1)  # it does save, however slowly
    time.sleep(random.uniform(0.001, 0.06))  # somewhere in a later save; where does not matter
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(read_end)
    os.close(write_end)
    found = number_in(folder)
    assert found > last, (found, last)
    last = found
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), *sys.path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
