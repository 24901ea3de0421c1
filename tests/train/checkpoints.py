"""Small trainers and checkpoints, what breaks a save, and who holds a folder: for the tests of this room."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weftnn import data, nn, optim, train
from weftnn.train.checkpoint import Checkpoint, read_checkpoint


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


HOLDER = """
import sys
from pathlib import Path
from weftnn.train.folder_lock import FolderLock
with FolderLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == "held\n"
        try:
            yield child
        finally:
            child.kill()
