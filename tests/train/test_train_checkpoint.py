"""Checkpoints: exact resume in a new process; crashes and full disks at each point of a save; bad files."""

from __future__ import annotations

import errno
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weftnn import data, nn, optim, train
from weftnn.train import checkpoint as module
from weftnn.train.checkpoint import Checkpoint, read_checkpoint, write_checkpoint

# ---- exact resume ----------------------------------------------------------------------------------------

# Everything that has a state: dropout, moments, a plateau schedule, truncated BPTT with context, accumulation
# over segments, shifted text, metrics.
PROGRAM = """
import hashlib, json, sys
import numpy as np
import weftnn
from weftnn import data, nn, optim, train

weftnn.set_num_threads(1)  # enough for such small layers, and quicker where other work runs beside it
kind, folder, resume, limits = sys.argv[1], sys.argv[2], sys.argv[3] == "resume", json.loads(sys.argv[4])
text = bytes(np.random.default_rng(0).integers(97, 105, 700, dtype=np.uint8))
layer = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[kind]
model = nn.Sequential(
    nn.Embedding(256, 6, rng=1),
    layer(6, 8, 2, dropout=0.2, recurrent_dropout=0.1, zoneout=0.1, rng=2),
    nn.Dropout(0.3, rng=3),
    nn.Linear(8, 256, rng=4),
)
optimizer = {"rnn": optim.RMSprop, "lstm": optim.AdamW, "gru": optim.Adam}[kind](model.parameters(), lr=0.02)
trainer = train.Trainer(
    model,
    nn.CrossEntropyLoss(),
    optimizer,
    schedule=optim.PlateauLR(patience=0, factor=0.7, warmup_steps=10),
    clip_norm=1.0,
    accumulate=2,
    tbptt=(5, 12),
    metrics={"accuracy": train.accuracy},
    seed=9,
)
if resume:
    trainer.resume(folder)
history = trainer.fit(
    data.TextStream(text, 4, 32, seed=1),
    validation=data.TextStream(text[:200], 4, 32),
    checkpoint_dir=folder,
    log_every=3,
    log_csv=folder + "/log.csv",
    progress=False,
    **limits,
)
digest = hashlib.sha256()
for name, array in sorted(model.state_dict().items()):
    digest.update(array.tobytes())
for name, array in sorted(optimizer.state_dict()[0].items()):
    digest.update(array.tobytes())
timed = ("seconds", "tokens_per_second")
records = [{k: v for k, v in record.items() if k not in timed} for record in history.records]
csv = [line.split(",")[:3] for line in open(folder + "/log.csv")]
print(json.dumps({"digest": digest.hexdigest(), "records": records, "best": history.best, "csv": csv}))
"""


def in_new_process(*arguments: str, **options: Any) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_ten_epochs_are_five_and_five_in_a_new_process(kind: str, tmp_path: Path) -> None:
    whole = in_new_process(kind, str(tmp_path / "whole"), "new", '{"epochs": 10}')
    in_new_process(kind, str(tmp_path / "parts"), "new", '{"epochs": 5}')
    parts = in_new_process(kind, str(tmp_path / "parts"), "resume", '{"epochs": 10}')
    assert parts == whole


def test_resume_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    """13 updates of two segments each end inside a batch, inside an epoch."""
    whole = in_new_process("gru", str(tmp_path / "whole"), "new", '{"epochs": 3}')
    first = in_new_process("gru", str(tmp_path / "parts"), "new", '{"steps": 13}')
    position = read_checkpoint(tmp_path / "parts" / "last").config["position"]
    assert position["step"] == 13 and position["segment"] % 7 != 0  # 32 steps are 7 segments
    parts = in_new_process("gru", str(tmp_path / "parts"), "resume", '{"epochs": 3}')
    assert parts["digest"] == whole["digest"]
    assert parts["records"] == whole["records"] and parts["csv"] == whole["csv"]
    assert first["records"][-1]["step"] == 13  # the look at the end of the first part is no part of the whole


# ---- a small trainer -------------------------------------------------------------------------------------


def source() -> data.ArrayDataset:
    x = np.random.default_rng(0).normal(size=(32, 6, 3)).astype(np.float32)
    return data.ArrayDataset((x, x[..., :1].copy()), 8)


def small_trainer(
    hidden: int = 4, layer: Any = nn.GRU, make: Any = optim.Adam, **options: Any
) -> train.Trainer:
    model = nn.Sequential(layer(3, hidden, rng=0), nn.Linear(hidden, 1, rng=1))
    return train.Trainer(model, nn.MSELoss(), make(model.parameters(), lr=0.01), **options)


def weights(trainer: train.Trainer) -> bytes:
    return b"".join(parameter.data.tobytes() for parameter in trainer.model.parameters())


def test_resume_refuses_the_checkpoint_of_another_model_and_changes_nothing(tmp_path: Path) -> None:
    small_trainer().save(tmp_path)
    for other, message in (
        (
            small_trainer(hidden=5),
            r"another model: it has 0\.weight_ih_l0 float32 \(12, 3\), here float32 \(15, 3\)",
        ),
        (small_trainer(layer=nn.LSTM), r"another model"),
        (small_trainer(make=optim.SGD), r"SGD: the state is of another optimizer, Adam"),
    ):
        before = weights(other)
        with pytest.raises(ValueError, match=message) as caught:
            other.resume(tmp_path)
        assert str(tmp_path) in str(caught.value)
        assert weights(other) == before and other.position.step == 0
    dropout = nn.Sequential(nn.GRU(3, 4, rng=0), nn.Linear(4, 1, rng=1), nn.Dropout(0.1, rng=0))
    with pytest.raises(ValueError, match="it has other layers that draw random numbers"):
        train.Trainer(dropout, nn.MSELoss(), optim.Adam(dropout.parameters())).resume(tmp_path)


def test_resume_refuses_another_cutting_in_mid_epoch(tmp_path: Path) -> None:
    trainer = small_trainer(tbptt=2)
    trainer.fit(source(), steps=2, checkpoint_dir=tmp_path, progress=False)
    with pytest.raises(ValueError, match="stands in the middle of an epoch"):
        small_trainer(tbptt=3).resume(tmp_path)


def test_resume_where_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"Trainer\.resume: there is no checkpoint in"):
        small_trainer().resume(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "training.safetensors", "config.json"])
@pytest.mark.parametrize("damage", ["truncated", "garbage", "missing"])
def test_resume_refuses_damaged_files(tmp_path: Path, name: str, damage: str) -> None:
    small_trainer().save(tmp_path)
    path = tmp_path / name
    if damage == "missing":
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] if damage == "truncated" else b"\x80\x04K\x01." * 20)
    other = small_trainer()
    before = weights(other)
    with pytest.raises((ValueError, FileNotFoundError), match=str(tmp_path)):
        other.resume(tmp_path)
    assert weights(other) == before


def test_config_that_lacks_something_is_refused(tmp_path: Path) -> None:
    small_trainer().save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for key in ("position", "optimizer", "random", "stream", "meter", "watch", "history"):
        (tmp_path / "config.json").write_text(json.dumps({k: v for k, v in config.items() if k != key}))
        with pytest.raises(ValueError, match=rf"Trainer\.resume: .* is damaged: KeyError\('{key}'\)"):
            small_trainer().resume(tmp_path)


def test_nothing_is_pickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("pickle")

    for name in ("dump", "dumps", "load", "loads", "Pickler", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    small_trainer().save(tmp_path)
    small_trainer().resume(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "config.json",
        "model.safetensors",
        "training.safetensors",
    ]


def test_model_file_is_a_plain_safetensors_of_the_weights(tmp_path: Path) -> None:
    trainer = small_trainer()
    trainer.save(tmp_path)
    model = nn.Sequential(nn.GRU(3, 4, rng=7), nn.Linear(4, 1, rng=8))
    nn.load(model, tmp_path / "model.safetensors")
    assert [p.data.tobytes() for p in model.parameters()] == [
        p.data.tobytes() for p in trainer.model.parameters()
    ]


def test_a_folder_that_holds_another_run_is_refused_unless_overwritten(tmp_path: Path) -> None:
    small_trainer().fit(source(), epochs=2, checkpoint_dir=tmp_path, progress=False)
    other = small_trainer()
    with pytest.raises(FileExistsError, match=r"holds a run already; go on with it by trainer\.resume\("):
        other.fit(source(), epochs=1, checkpoint_dir=tmp_path, progress=False)
    other.fit(source(), epochs=1, checkpoint_dir=tmp_path, overwrite=True, progress=False)
    assert read_checkpoint(tmp_path / "last").config["position"]["epoch"] == 1
    other.fit(source(), epochs=2, checkpoint_dir=tmp_path, progress=False)  # its own run goes on


def test_best_is_not_replaced_by_a_worse_one_after_a_resume(tmp_path: Path) -> None:
    """The look at the end of a run may find the best; `last` was saved before it and does not know."""
    trainer = small_trainer()
    losses = iter([5.0, 1.0])
    trainer.evaluate = lambda source: {"loss": next(losses)}  # type: ignore[method-assign]
    trainer.fit(source(), steps=6, validation=source(), checkpoint_dir=tmp_path, progress=False)
    assert read_checkpoint(tmp_path / "best").config["best"] == 1.0
    again = small_trainer().resume(tmp_path)
    again.evaluate = lambda source: {"loss": 3.0}  # type: ignore[method-assign]
    history = again.fit(source(), epochs=3, validation=source(), checkpoint_dir=tmp_path, progress=False)
    assert read_checkpoint(tmp_path / "best").config["position"]["step"] == 6
    assert history.best == 1.0


# ---- crashes ---------------------------------------------------------------------------------------------


def numbered(number: int, size: int = 1000) -> Checkpoint:
    """A checkpoint all of whose parts carry one number."""
    return Checkpoint(
        {"weight": np.full(size, number, np.float32)},
        {"state": np.full(size, number, np.float64)},
        {"number": number},
        {},
    )


def number_in(folder: Path) -> int:
    """The number of a checkpoint, after checking that all of its parts agree."""
    found = read_checkpoint(folder)
    number = found.config["number"]
    assert (found.model["weight"] == number).all() and (found.training["state"] == number).all()
    return int(number)


class Crash(BaseException):
    """Stands for the end of the process: nothing that follows it may run."""


FILE_CALLS = [
    (os, "open"), (os, "replace"), (os, "fsync"), (os, "unlink"), (Path, "unlink"), (Path, "mkdir"),
]  # fmt: skip


def break_at(monkeypatch: pytest.MonkeyPatch, call: int, error: BaseException, for_ever: bool) -> list[int]:
    """Lets the file calls from number `call` on fail, or only that one; gives the counter."""
    count = [0]
    for owner, name in FILE_CALLS:
        original = getattr(owner, name)

        def counted(*arguments: Any, original: Any = original, **options: Any) -> Any:
            count[0] += 1
            if count[0] == call or (for_ever and count[0] > call):
                raise error
            return original(*arguments, **options)

        monkeypatch.setattr(owner, name, counted)
    return count


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
from test_train_checkpoint import numbered, write_checkpoint
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
from test_train_checkpoint import number_in, numbered, write_checkpoint
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


@pytest.mark.skipif(os.name != "posix", reason="needs SIGINT for a child")
def test_ctrl_c_in_a_terminal(tmp_path: Path) -> None:
    """SIGINT to a training process: it ends by itself, and training can go on."""
    run = tmp_path / "run"
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "gru", str(run), "new", '{"epochs": 1000000}'],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        while not (module.exists(run / "last") and module.exists(run / "best")):
            assert child.poll() is None, child.communicate()
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        output, errors = child.communicate()
    assert child.returncode == 0, errors
    step = read_checkpoint(run / "last").config["position"]["step"]
    assert json.loads(output)["records"][-1]["step"] <= step
    after = in_new_process("gru", str(run), "resume", json.dumps({"steps": step + 3}))
    assert after["records"][-1]["step"] == step + 3
