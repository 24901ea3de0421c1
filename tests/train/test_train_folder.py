"""The folder of a run: one run at a time, refused by name; a reader beside a save gets one checkpoint."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from checkpoints import held_by_another_process, number_in, numbered, small_trainer, source
from weftnn.train import FolderInUseError, Trainer
from weftnn.train import checkpoint as module
from weftnn.train.checkpoint import read_checkpoint, write_checkpoint
from weftnn.train.folder_lock import FolderLock


@contextmanager
def held_by_another_thread(folder: Path) -> Iterator[None]:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with FolderLock(folder):
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        yield
    finally:
        done.set()
        thread.join()


# ---- one run at a time -----------------------------------------------------------------------------------


def test_another_process_is_named_and_its_lock_dies_with_it(tmp_path: Path) -> None:
    trainer = small_trainer()
    with held_by_another_process(tmp_path) as child:
        for save in (
            lambda: trainer.fit(source(), epochs=1, checkpoint_dir=tmp_path, progress=False),
            lambda: trainer.save(tmp_path),
            lambda: trainer.save(tmp_path / "last"),
        ):
            with pytest.raises(FolderInUseError, match=rf"in use by the process {child.pid} on '.*' since 2"):
                save()
        assert trainer.position.step == 0 and not module.exists(tmp_path / "last")
    assert (tmp_path / ".lock").exists()  # it was killed
    trainer.fit(source(), epochs=1, checkpoint_dir=tmp_path, progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "last"]


def test_another_thread_is_refused(tmp_path: Path) -> None:
    with (
        held_by_another_thread(tmp_path),
        pytest.raises(FolderInUseError, match=rf"another thread of this process \(pid {os.getpid()}\) since"),
    ):
        small_trainer().save(tmp_path / "best")
    small_trainer().save(tmp_path / "best")


def test_two_threads_train_into_one_folder(tmp_path: Path) -> None:
    inside, refused = threading.Event(), threading.Event()

    def wait(trainer: Trainer, record: Any) -> None:
        inside.set()
        refused.wait()

    first = small_trainer()
    options: dict[str, Any] = {"epochs": 1, "checkpoint_dir": tmp_path, "progress": False}
    thread = threading.Thread(target=lambda: first.fit(source(), callbacks=[wait], **options))
    thread.start()
    assert inside.wait(60), "the first has not come to its first step"
    second = small_trainer()
    try:
        for overwrite in (False, True):
            with pytest.raises(FolderInUseError):
                second.fit(source(), overwrite=overwrite, **options)
    finally:
        refused.set()
        thread.join()
    assert second.position.step == 0 and second.run_folder is None
    assert read_checkpoint(tmp_path / "last").config["position"]["step"] == first.position.step


def test_a_run_resumed_twice_goes_on_once(tmp_path: Path) -> None:
    """Not at the same time: the second would take the run back to where it was when it was resumed."""
    options: dict[str, Any] = {"checkpoint_dir": tmp_path, "progress": False}
    small_trainer().fit(source(), epochs=1, **options)
    first, second = small_trainer().resume(tmp_path), small_trainer().resume(tmp_path)
    first.fit(source(), epochs=2, **options)
    with pytest.raises(FileExistsError, match=r"holds a run already; go on with it by trainer\.resume"):
        second.fit(source(), epochs=3, **options)
    second.resume(tmp_path).fit(source(), epochs=3, **options)
    back = small_trainer().resume(tmp_path / "best")
    back.fit(source(), epochs=4, **options)
    back.fit(source(), epochs=5, **options)
    assert read_checkpoint(tmp_path / "last").config["position"]["epoch"] == 5


def test_who_trains_in_a_folder_may_save_into_it(tmp_path: Path) -> None:
    def save(trainer: Trainer, record: Any) -> None:
        trainer.save(tmp_path / "last")
        trainer.save(tmp_path / "mine")

    small_trainer().fit(source(), epochs=1, callbacks=[save], checkpoint_dir=tmp_path, progress=False)
    assert read_checkpoint(tmp_path / "mine").config["position"]["epoch"] == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_neither_has_the_lock_nor_keeps_it(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    with FolderLock(tmp_path):
        child = os.fork()
        if not child:
            try:
                FolderLock(tmp_path).__enter__()
            except FolderInUseError:
                os.write(write_end, b"refused")
            os.close(write_end)
            threading.Event().wait()  # until it is killed: after its parent has let go of the lock
        assert os.read(read_end, 100) == b"refused"
    try:
        with FolderLock(tmp_path):
            pass
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_a_lock_that_is_removed_just_then_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening the file and locking it, its holder may let go of it and remove it."""
    original, tries = fcntl.flock, []

    def flock(file: int, operation: int) -> None:
        if not tries:
            (tmp_path / ".lock").unlink()
        tries.append(file)
        original(file, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with FolderLock(tmp_path):
        assert len(tries) == 2 and (tmp_path / ".lock").exists()


def test_a_file_system_without_locks_is_said_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(file: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.warns(
        RuntimeWarning, match=r"cannot be locked \(No locks available\): nothing keeps another"
    ):
        small_trainer().save(tmp_path)
    with pytest.warns(RuntimeWarning), held_by_another_thread(tmp_path), pytest.raises(FolderInUseError):
        small_trainer().save(tmp_path)
    assert read_checkpoint(tmp_path).config["position"]["step"] == 0


def test_a_lock_that_says_nothing_of_its_holder_is_a_lock(tmp_path: Path) -> None:
    for content in ("", "{", "[]", '{"pid": "x", "host": "h", "since": "s"}'):
        with (tmp_path / ".lock").open("w") as file:
            file.write(content)
            file.flush()
            fcntl.flock(file, fcntl.LOCK_EX)
            with pytest.raises(FolderInUseError, match="is in use by another process: only one run"):
                small_trainer().save(tmp_path)


# ---- a reader beside a save ------------------------------------------------------------------------------


@pytest.mark.parametrize("before_read", range(6))
def test_a_save_during_a_read_gives_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before_read: int
) -> None:
    """Before the n-th file is read, a whole save happens."""
    write_checkpoint(tmp_path, numbered(1))
    original, reads = module.read_safetensors, [0]

    def read(path: Path) -> Any:
        reads[0] += 1
        if reads[0] == before_read + 1:
            write_checkpoint(tmp_path, numbered(2))
        return original(path)

    monkeypatch.setattr(module, "read_safetensors", read)
    assert number_in(tmp_path) in (1, 2)


@pytest.mark.parametrize("name", ["model.safetensors", "training.safetensors", "config.json"])
def test_a_mix_of_two_saves_is_never_returned(tmp_path: Path, name: str) -> None:
    for folder, number in (("a", 1), ("b", 2)):
        write_checkpoint(tmp_path / folder, numbered(number))
    (tmp_path / "a" / name).write_bytes((tmp_path / "b" / name).read_bytes())
    with pytest.raises(
        ValueError, match=r"\.safetensors is missing or not of the save that config\.json names"
    ):
        read_checkpoint(tmp_path / "a")


def test_each_save_has_an_id_of_its_own(tmp_path: Path) -> None:
    ids = set()
    for _ in range(3):
        write_checkpoint(tmp_path, numbered(1))
        ids.add(read_checkpoint(tmp_path).config["checkpoint"])
    assert len(ids) == 3


def test_what_was_read_can_be_saved_again(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, numbered(1))
    saved = write_checkpoint(tmp_path / "copy", read_checkpoint(tmp_path))
    assert read_checkpoint(tmp_path / "copy").config["checkpoint"] == saved
    assert number_in(tmp_path / "copy") == 1


def test_what_killed_saves_left_is_cleared_away_by_the_next(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, numbered(1))
    whole = {path.name for path in tmp_path.iterdir()}
    mine = tmp_path / ".mine.tmp"
    for name in (
        "model.safetensors.0123456789abcdef.new",
        ".training.safetensors.0123456789abcdef.new.fedcba9876543210.tmp",
        ".config.json.0123456789abcdef.tmp",
        mine.name,
    ):
        (tmp_path / name).write_bytes(b"part")
    write_checkpoint(tmp_path, numbered(2))
    assert {path.name for path in tmp_path.iterdir()} == whole | {mine.name}
    assert number_in(tmp_path) == 2


def test_a_damaged_config_is_no_obstacle_to_the_next_save(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, numbered(1))
    (tmp_path / "config.json").write_bytes(b"{")
    write_checkpoint(tmp_path, numbered(2))
    assert number_in(tmp_path) == 2
