"""Trainer.resume: everything is checked before anything is taken, and what was killed anywhere goes on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from checkpoints import Crash, break_at
from weftnn import data, nn, optim, train
from weftnn.files import read_safetensors, write_safetensors
from weftnn.train.checkpoint import CONFIG, MODEL, TRAINING, exists, model_file


def text() -> data.TextStream:
    ids = np.random.default_rng(0).integers(0, 9, 200, dtype=np.uint8)
    return data.TextStream(ids, 3, 16)


def trainer(seed: int = 0, **options: Any) -> train.Trainer:
    """With all that has a state: dropout, moments, a plateau schedule, truncated BPTT, a metric."""
    model = nn.Sequential(
        nn.Embedding(9, 4, rng=seed),
        nn.GRU(4, 5, rng=seed),
        nn.Dropout(0.2, rng=seed),
        nn.Linear(5, 9, rng=seed),
    )
    given: dict[str, Any] = {
        "optimizer": optim.Adam(model.parameters(), lr=0.01 + seed),
        "schedule": optim.PlateauLR(patience=0),
        "tbptt": (4, 8),
        "metrics": {"accuracy": train.accuracy},
    } | options
    return train.Trainer(model, nn.CrossEntropyLoss(), given.pop("optimizer"), **given)


def state(trainer: train.Trainer) -> str:
    """All that a resume may change."""
    arrays, scalars = trainer.optimizer.state_dict()
    stream, outline = trainer.unroll.state_dict()
    named = {**trainer.model.state_dict(), **arrays, **stream}
    history = trainer.history
    return repr(
        [
            {name: (array.dtype, array.shape, array.tobytes()) for name, array in named.items()},
            (scalars, outline, trainer.model.random_state(), trainer.base_lr, trainer.optimizer.lr),
            (
                trainer.position,
                trainer.meter.state_dict(),
                trainer.watch.state_dict(),
                trainer.schedule.state_dict(),
            ),
            (trainer.best, trainer.run_folder, history),
        ]
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that stopped in mid-epoch, with a `best` and a `last`."""
    folder = tmp_path_factory.mktemp("saved")
    options: dict[str, Any] = {"validation": text(), "checkpoint_dir": folder, "progress": False}
    trainer().fit(text(), steps=23, validate_every=11, save_every=8, log_every=4, **options)
    assert exists(folder / "best") and exists(folder / "last")
    return folder


@pytest.fixture
def run(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "run"))


def refused(folder: Path, names: Path, message: str | None = None, **options: Any) -> None:
    """The resume raises ValueError that names the file, and changes nothing."""
    other = trainer(seed=1, **options)
    before = state(other)
    with pytest.raises(ValueError, match=message) as caught:
        other.resume(folder)
    assert str(names) in str(caught.value) and str(caught.value).startswith("Trainer.resume: ")
    assert len(str(caught.value)) < 1000
    assert state(other) == before


def test_what_is_whole_is_taken(run: Path) -> None:
    other = trainer(seed=1).resume(run)
    assert other.position.step == 23 and other.optimizer.lr == 0.01 == other.base_lr
    assert (
        other.unroll.kept
        and other.unroll.start is not None
        and other.history.records
        and other.best is not None
    )


# ---- config.json -----------------------------------------------------------------------------------------

WRONG_COUNTS = [
    -1,
    1.5,
    2**63,
    10**400,
    "3",
    "12345678901234567890",
    None,
    True,
    [1],
    float("nan"),
    float("inf"),
]
WRONG_NUMBERS = [-0.5, "1", None, True, [], float("nan"), float("inf"), -float("inf")]
ENTRIES = {
    "position.step": WRONG_COUNTS,
    "position.epoch": WRONG_COUNTS,
    "position.segment": WRONG_COUNTS,
    "position.tokens": WRONG_COUNTS,
    "position.seconds": WRONG_NUMBERS,
    "optimizer.steps": WRONG_COUNTS,
    "optimizer.lr": WRONG_NUMBERS,
    "optimizer.optimizer": ["SGD", None, 3],
    "base_lr": WRONG_NUMBERS,
    "random.2": [None, [], [1], [1, 2, 3], [-1, 0], [0, -1], [2**64, 0], [0, 2**63], ["1", 0], [1.5, 0]],
    "schedule.bad_checks": [-1, 1.5, "1", None],
    "schedule.best": ["x", True, []],
    "stream.rows": [-1, 1.5, "3", 4],
    "stream.kept": [None, "kept", [["nothing"]], [[None, None, None]], [3]],
    "stream.start": ["nothing", 3, None],
    "meter.count": WRONG_NUMBERS,
    "meter.tokens": WRONG_COUNTS,
    "meter.sums": [None, [], {}, {"loss": "x"}, {"loss": None}],
    "watch.monitor": [None, 3],
    "watch.higher_is_better": [None, 1, "no"],
    "watch.best": ["x", float("nan"), True],
    "watch.failures": WRONG_COUNTS,
    "best": ["x", float("nan"), []],
    "best_step": [-1, 1.5, "x"],
    "history": [None, {}, "x", [3], [{}], [{"step": 1}]],
    "checkpoint": [None, "", "../../x", 1.5, "g" * 16, []],
    "format": [None, 0, "1", 2],
}


def changed(run: Path, path: str, change: Callable[[dict[str, Any], str], None], where: str = "last") -> Path:
    file = run / where / CONFIG
    config = json.loads(file.read_text())
    *outer, name = path.split(".")
    entries = config
    for part in outer:
        entries = entries[part]
    change(entries, name)
    file.write_text(json.dumps(config))
    return file


@pytest.mark.parametrize("path", ENTRIES)
def test_an_entry_that_is_wrong(run: Path, path: str) -> None:
    whole = (run / "last" / CONFIG).read_bytes()
    for value in ENTRIES[path]:
        file = changed(run, path, lambda entries, name, value=value: entries.update({name: value}))  # type: ignore[misc]
        # What does not fit the arrays is said of their file.
        refused(run, file.parent if path.startswith(("stream", "optimizer")) else file)
        file.write_bytes(whole)
    trainer(seed=1).resume(run)


@pytest.mark.parametrize(
    "path",
    [
        *["position", "optimizer", "base_lr", "schedule", "random", "stream", "meter", "watch", "best"],
        *["best_step", "tbptt", "accumulate", "history"],
        *(path for path in ENTRIES if "." in path),
    ],
)
def test_an_entry_that_is_missing_or_of_another_kind(run: Path, path: str) -> None:
    whole = (run / "last" / CONFIG).read_bytes()
    file = changed(run, path, lambda entries, name: entries.pop(name))
    refused(run, file.parent)
    file.write_bytes(whole)
    if path not in ("best", "best_step", "schedule", "optimizer.optimizer", "watch.monitor"):
        changed(run, path, lambda entries, name: entries.update({name: "text"}))
        refused(run, file.parent)


def test_a_record_of_the_history_that_is_wrong(run: Path) -> None:
    whole = (run / "last" / CONFIG).read_bytes()
    for name, value in (("step", -1), ("epoch", 1.5), ("seconds", "x"), ("loss", None), ("loss", "low")):
        file = changed(run, "history", lambda entries, key: entries[key][0].update({name: value}))  # noqa: B023
        refused(run, file)
        file.write_bytes(whole)
    nan = changed(run, "history", lambda entries, key: entries[key][0].update({"accuracy": float("nan")}))
    assert nan.exists() and trainer(seed=1).resume(run)  # a metric may be NaN


# ---- arrays ----------------------------------------------------------------------------------------------


def array_damages() -> Iterator[tuple[str, str, Callable[[Any], Any]]]:
    """(file, name of the array, what it becomes; None removes it)."""
    wrong: dict[str, Callable[[Any], Any]] = {
        "missing": lambda array: None,
        "shape": lambda array: np.zeros((*array.shape, 1), array.dtype),
        "dtype": lambda array: array.astype(np.float64),
        "NaN": lambda array: np.full_like(array, np.nan),
    }
    for change in wrong.values():
        yield MODEL, "1.weight_hh_l0", change
        yield TRAINING, "optimizer.0.m", change
    yield MODEL, "1.weight_hh_l0", lambda array: np.full_like(array, np.inf)
    yield MODEL, "another" * 1000, lambda array: np.zeros(1, np.float32)
    yield TRAINING, "optimizer.99.m", lambda array: np.zeros(1, np.float32)
    yield TRAINING, "another" * 1000, lambda array: np.zeros(1, np.float32)
    yield TRAINING, "stream.another" * 1000, lambda array: np.zeros(1, np.float32)
    for change in (wrong["missing"], wrong["NaN"]):
        yield TRAINING, "stream.start.0", change
    for change in (wrong["missing"], lambda array: array[:1], lambda array: array[0]):
        yield TRAINING, "stream.kept.0.0", change


@pytest.mark.parametrize("where", ["last", "best"])
@pytest.mark.parametrize(("file", "name", "change"), list(array_damages()))
def test_an_array_that_is_wrong(run: Path, where: str, file: str, name: str, change: Any) -> None:
    path = run / where / file
    arrays, metadata = read_safetensors(path)
    array = change(arrays.get(name))
    arrays = {key: value for key, value in arrays.items() if key != name}
    write_safetensors(path, arrays if array is None else arrays | {name: array}, metadata)
    refused(run, path)


@pytest.mark.parametrize("where", ["last", "best"])
@pytest.mark.parametrize("name", [MODEL, TRAINING, CONFIG])
def test_a_damaged_file_names_the_whole_checkpoint_beside_it(run: Path, where: str, name: str) -> None:
    file = run / where / name
    file.write_bytes(file.read_bytes()[:-9])
    whole = run / ("best" if where == "last" else "last")
    refused(run, file, f"remove {run / where} to go on from {whole}")
    shutil.rmtree(run / where)
    assert trainer(seed=1).resume(run).history.checkpoint == whole


# ---- what the trainer brings -----------------------------------------------------------------------------


def test_a_wrong_lr_changes_nothing(run: Path) -> None:
    other = trainer(seed=1)
    before = state(other)
    for lr in (-1, float("nan"), "fast"):
        with pytest.raises((ValueError, TypeError), match=r"Trainer\.resume: lr must be"):
            other.resume(run, lr=lr)
    assert state(other) == before


def test_a_schedule_of_ones_own_that_refuses_is_put_back(run: Path) -> None:
    class Own(optim.PlateauLR):
        def load_state_dict(self, state: dict[str, Any]) -> None:
            self.reductions = state["reductions"] + 7
            if "mine" not in state:
                raise ValueError("not mine")

        def state_dict(self) -> dict[str, Any]:
            return super().state_dict() | {"mine": True, "reductions": self.reductions - 7}

    own = Own()
    own.reductions = 9
    refused(run, run / "last" / CONFIG, "not mine", schedule=own)


def test_an_optimizer_of_ones_own_that_refuses_leaves_the_rest(run: Path) -> None:
    class Own(optim.Adam):
        def load_state_dict(self, arrays: Any, scalars: Any) -> None:
            raise ValueError("not mine")

    model = trainer(seed=1).model
    own = Own(model.parameters())
    own.name = "Adam"
    other = train.Trainer(model, nn.CrossEntropyLoss(), own, schedule=optim.PlateauLR(), tbptt=(4, 8))
    before = state(other)
    with pytest.raises(ValueError, match="not mine"):
        other.resume(run)
    assert state(other) == before


# ---- killed anywhere -------------------------------------------------------------------------------------


def fit(trainer: train.Trainer, folder: Path) -> None:
    options: dict[str, Any] = {"validation": text(), "checkpoint_dir": folder, "log_csv": folder / "log.csv"}
    trainer.fit(text(), steps=8, validate_every=4, save_every=4, progress=False, **options)


def test_a_run_killed_at_any_write_goes_on_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The n-th call to the file system is the last of the process, for every n: also between the first `best`
    and the first `last`. Where nothing was saved yet, the same call begins anew."""
    whole = trainer()
    fit(whole, tmp_path / "whole")
    beginnings = set()
    for call in range(1, 400):
        folder = tmp_path / str(call)
        try:
            with monkeypatch.context() as patch:
                count = break_at(patch, call, Crash(), for_ever=True)
                fit(trainer(), folder)
        except Crash:
            pass
        again = trainer(seed=1)
        if exists(folder / "last") or exists(folder / "best"):
            again.resume(folder)
            assert model_file(again.history.checkpoint).exists()
        else:
            again = trainer()
        beginnings.add((exists(folder / "best"), exists(folder / "last"), again.position.step))
        if again.position.step < 8:
            fit(again, folder)
        assert {name: array.tobytes() for name, array in again.model.state_dict().items()} == {
            name: array.tobytes() for name, array in whole.model.state_dict().items()
        }
        shutil.rmtree(folder)
        if count[0] < call:
            break
    else:
        pytest.fail("the run never came to its end")
    assert {(False, False, 0), (True, False, 4), (True, True, 4), (True, True, 8)} <= beginnings


def test_an_overwritten_run_that_is_killed_leaves_nothing_damaged(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = shutil.rmtree

    def killed(folder: Path) -> None:
        for file in sorted(Path(folder).iterdir())[:1]:
            os.unlink(file)
        raise Crash

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(Crash):
        trainer().fit(text(), steps=4, checkpoint_dir=run, overwrite=True, progress=False)
    monkeypatch.setattr(shutil, "rmtree", original)
    assert trainer(seed=1).resume(run).history.checkpoint == run / "best"  # `last` is gone as a whole
