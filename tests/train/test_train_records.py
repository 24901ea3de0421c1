"""Measuring and recording: metrics, history, log, plot."""

from __future__ import annotations

import csv
import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linear_trainer import linear, linear_data, trainer_of
from weftnn import data, nn, optim, train
from weftnn.train import csv_log
from weftnn.train.csv_log import CsvLog


def test_metrics_are_means_over_elements() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(21, 3)), rng.integers(0, 4, 21)
    model = nn.Linear(3, 4, dtype=np.float64, rng=0)
    trainer = train.Trainer(
        model,
        nn.CrossEntropyLoss(),
        optim.SGD(model.parameters(), lr=0.0),
        metrics={"accuracy": train.accuracy},
        from_loss={"perplexity": np.exp},
    )
    found = trainer.evaluate(data.ArrayDataset((x, y), 8))
    logits = model.predict(x)
    assert found["accuracy"] == pytest.approx((logits.argmax(axis=1) == y).mean())
    assert found["loss"] == pytest.approx(nn.CrossEntropyLoss().predict(logits, y))
    assert found["perplexity"] == pytest.approx(np.exp(found["loss"]))
    history = trainer.fit(data.ArrayDataset((x, y), 8), epochs=1, progress=False)
    assert history.last["accuracy"] == pytest.approx(found["accuracy"])
    assert history.last["loss"] == pytest.approx(found["loss"], rel=1e-12)


def test_ignored_targets_do_not_count() -> None:
    x, y = np.random.default_rng(0).normal(size=(8, 3)), np.array([0, 1, -100, 2, -100, -100, 1, -100])
    model = nn.Linear(3, 4, dtype=np.float64, rng=0)
    trainer = train.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters()))
    whole = nn.CrossEntropyLoss().predict(model.predict(x), y)
    assert trainer.evaluate(data.ArrayDataset((x, y), 3))["loss"] == pytest.approx(whole, rel=1e-12)


def test_history_csv_and_records(tmp_path: Path) -> None:
    trainer = trainer_of(linear(), clip_norm=1.0)
    history = trainer.fit(
        linear_data(),
        epochs=2,
        validation=linear_data(rows=20),
        log_every=3,
        log_csv=tmp_path / "logs" / "log.csv",
        progress=False,
    )
    assert history["step"] == [3, 4, 6, 8] and history["epoch"] == [1, 1, 2, 2]
    assert len(history["validation_loss"]) == 2
    assert history["tokens"] == [48, 64, 96, 128]
    assert history.stopped == "epochs" and not history.interrupted
    assert history.best == min(history["validation_loss"]) and history.best_step == 8
    with (tmp_path / "logs" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["3", "4", "6", "8"]
    first, second = map(str, history["validation_loss"])
    assert [row["validation_loss"] for row in rows] == ["", first, "", second]
    history.to_csv(tmp_path / "again.csv")
    with (tmp_path / "again.csv").open() as file:
        assert [float(row["loss"]) for row in csv.DictReader(file)] == history["loss"]
    with pytest.raises(KeyError, match="no column 'accuracy'; there are epoch, step"):
        history["accuracy"]


def test_metrics_of_any_other_name_come_back_from_the_file(tmp_path: Path) -> None:
    names = ["top.5", "f1 macro", "Žluť", "losses", "x_validation_"]
    trainer = trainer_of(linear(), metrics={name: lambda p, t, w: 3.0 for name in names})
    history = trainer.fit(linear_data(), epochs=1, log_csv=tmp_path / "log.csv", progress=False)
    with (tmp_path / "log.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert {name: row[name] for name in names} == dict.fromkeys(names, "3.0")
    assert all(history[name] == [3.0] for name in names)


def test_a_log_that_cannot_be_written_ends_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full at the third and the fourth record; what was missed is written when there is room."""
    path = tmp_path / "log.csv"
    original = CsvLog.add

    def full(*arguments: Any, **options: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    def add(log: CsvLog, record: Any) -> None:
        with monkeypatch.context() as patch:
            if record["step"] in (3, 4):
                patch.setattr(csv_log, "csv_text", full)
            original(log, record)

    monkeypatch.setattr(CsvLog, "add", add)
    with pytest.warns(RuntimeWarning, match=rf"log_csv {path} could not be written \(No space left") as told:
        history = trainer_of(linear()).fit(linear_data(), steps=6, log_every=1, log_csv=path, progress=False)
    assert len(told) == 1 and history.stopped == "steps"
    with path.open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3", "4", "5", "6"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_log_that_cannot_be_started_is_named_before_work_starts(tmp_path: Path) -> None:
    trainer = trainer_of(linear())
    trainer_of(linear()).save(tmp_path / "last")
    with pytest.raises(OSError, match="/dev/full"):
        trainer.fit(
            linear_data(),
            steps=1,
            log_csv="/dev/full",
            checkpoint_dir=tmp_path,
            overwrite=True,
            progress=False,
        )
    assert trainer.position.step == 0 and trainer.run_folder is None
    assert train.read_checkpoint(tmp_path / "last")


def test_a_log_into_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["cat", str(tmp_path / "pipe")], stdout=subprocess.PIPE, text=True) as reader:
        trainer_of(linear()).fit(linear_data(), epochs=2, log_csv=tmp_path / "pipe", progress=False)
        assert len(reader.communicate()[0].splitlines()) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_run_that_stops_between_checks_is_checked_at_the_end() -> None:
    history = trainer_of(linear()).fit(linear_data(), steps=6, validation=linear_data(), progress=False)
    assert history["step"] == [4, 6]
    assert len(history["validation_loss"]) == 2


def test_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = trainer_of(linear(), from_loss={"root": np.sqrt}).fit(
        linear_data(), epochs=3, validation=linear_data(), progress=False
    )
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(
        ImportError, match=r"History.plot: needs matplotlib; install it with pip install matplotlib"
    ):
        history.plot(tmp_path / "x.png")
    monkeypatch.undo()
    pytest.importorskip("matplotlib")
    assert history.plot(tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="there is no record with a loss to plot"):
        train.History().plot(tmp_path / "y.png")
