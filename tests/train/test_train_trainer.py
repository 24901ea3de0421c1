"""The training loop: updates, accumulation, ragged batches, records, stopping, errors before work starts."""

from __future__ import annotations

import csv
import errno
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weftnn import data, nn, optim, train
from weftnn.models import LanguageModel, bits_per_byte
from weftnn.train import csv_log, progress
from weftnn.train.csv_log import CsvLog


def linear_data(rows: int = 64, batch_size: int = 16, **options: Any) -> data.ArrayDataset:
    x = np.random.default_rng(0).normal(size=(rows, 3))
    return data.ArrayDataset((x, x @ np.array([[1.0], [-2.0], [0.5]]) + 0.3), batch_size, **options)


def linear() -> nn.Linear:
    return nn.Linear(3, 1, dtype=np.float64, rng=0)


def trainer_of(model: Any, lr: float = 0.1, **options: Any) -> train.Trainer:
    return train.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=lr), **options)


def weights(model: Any) -> bytes:
    return b"".join(parameter.data.tobytes() for parameter in model.parameters())


def gradients(model: Any) -> np.ndarray:
    return np.concatenate([parameter.grad.ravel() for parameter in model.parameters()])


# ---- updates ---------------------------------------------------------------------------------------------


def test_steps_are_sgd_by_hand() -> None:
    model, twin = linear(), linear()
    source = linear_data(seed=7)
    trainer_of(model, lr=0.2).fit(source, epochs=2, progress=False)
    for epoch in range(2):
        for batch in source.batches(epoch):
            twin.zero_grad()
            y, backprop = twin(batch.x)
            backprop(2 * (y - batch.y) / y.size)
            for parameter in twin.parameters():
                parameter.data[...] -= 0.2 * parameter.grad
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-12)


def test_schedule_sets_the_rate_of_each_step() -> None:
    rates = []
    trainer = trainer_of(linear(), lr=0.4, schedule=lambda step, base: base / (1 + step))
    trainer.fit(
        linear_data(),
        steps=4,
        log_every=1,
        callbacks=[lambda trainer, record: rates.append(record["lr"])],
        progress=False,
    )
    assert rates == [0.4, 0.2, 0.4 / 3, 0.1]


def test_plateau_hears_of_the_validation() -> None:
    model = linear()
    schedule = optim.PlateauLR(factor=0.5, patience=0, threshold=1.0)  # nothing is ever better by 100 %
    history = trainer_of(model, lr=0.1, schedule=schedule).fit(
        linear_data(), epochs=4, validation=linear_data(), progress=False
    )
    assert history["lr"] == [0.1, 0.1, 0.05, 0.025]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_accumulation_is_one_large_batch_however_ragged(reduction: str) -> None:
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(length, 2)) for length in (9, 1, 5, 7, 2, 4)]
    targets = [rng.normal(size=(len(sequence), 1)) for sequence in sequences]
    found = []
    for batch_size, accumulate in ((6, 1), (2, 3), (4, 2), (1, 6)):
        model = nn.Sequential(nn.GRU(2, 5, dtype=np.float64, rng=0), nn.Linear(5, 1, dtype=np.float64, rng=1))
        trainer = train.Trainer(
            model,
            nn.MSELoss(reduction=reduction),
            optim.SGD(model.parameters(), lr=0.0),
            accumulate=accumulate,
        )
        source = data.RaggedBatches(sequences, targets, batch_size)
        history = trainer.fit(source, epochs=1, progress=False)
        assert history.last["step"] == 1 and history.last["tokens"] == 28
        found.append((history.last["loss"], gradients(model)))
    for loss, gradient in found[1:]:
        assert loss == pytest.approx(found[0][0], rel=1e-12)
        np.testing.assert_allclose(gradient, found[0][1], rtol=1e-10, atol=1e-14)


def test_an_epoch_ends_with_an_update_though_accumulation_is_not_full() -> None:
    trainer = trainer_of(linear(), accumulate=3)
    assert trainer.fit(linear_data(), epochs=2, progress=False).last["step"] == 4  # 4 batches: 3 + 1, twice


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_ragged_batch_is_its_sequences_one_by_one(kind: Any) -> None:
    rng = np.random.default_rng(3)
    sequences = [rng.normal(size=(length, 2)) for length in (6, 1, 4, 3)]
    targets = [rng.integers(0, 5, len(sequence)) for sequence in sequences]
    model = nn.Sequential(kind(2, 4, dtype=np.float64, rng=0), nn.Linear(4, 5, dtype=np.float64, rng=1))
    loss = nn.CrossEntropyLoss()
    trainer = train.Trainer(model, loss, optim.SGD(model.parameters(), lr=0.0))
    together = trainer.fit(data.RaggedBatches(sequences, targets, 4), epochs=1, progress=False).last["loss"]
    batched = gradients(model)
    model.zero_grad()
    total = 0.0
    for sequence, target in zip(sequences, targets, strict=True):
        (y, _), backprop = model(sequence[None])
        one, loss_backprop = nn.CrossEntropyLoss(reduction="sum")(y, target[None])
        total += float(one)
        backprop(loss_backprop(1 / 14))
    assert together == pytest.approx(total / 14, rel=1e-12)
    np.testing.assert_allclose(batched, gradients(model), rtol=1e-10, atol=1e-14)


def test_padding_is_never_looked_at() -> None:
    """Garbage in padded places changes no bit of the loss or of the gradients."""
    rng = np.random.default_rng(3)
    x, y, lengths = rng.normal(size=(3, 6, 2)), rng.normal(size=(3, 6, 1)), np.array([6, 2, 4])
    found = []
    for garbage in (0.0, np.nan):
        padding = np.arange(6) >= lengths[:, None]
        x[padding], y[padding] = garbage, garbage
        model = nn.Sequential(
            nn.LSTM(2, 4, dtype=np.float64, rng=0), nn.Linear(4, 1, dtype=np.float64, rng=1)
        )
        history = trainer_of(model, lr=0.0).fit(
            data.ArrayDataset((x, y), 3, shuffle=False, lengths=lengths), epochs=1, progress=False
        )
        found.append((history.last["loss"], gradients(model).tobytes()))
    assert found[0] == found[1]


def test_clipping_by_norm_and_by_value() -> None:
    for options, bound in (({"clip_norm": 0.01}, 0.01), ({"clip_value": 0.003}, 0.006)):
        model = linear()
        before = [parameter.data.copy() for parameter in model.parameters()]
        history = trainer_of(model, lr=1.0, **options).fit(
            linear_data(), steps=1, log_every=1, progress=False
        )
        moved = [a.data - b for a, b in zip(model.parameters(), before, strict=True)]
        assert np.sqrt(sum((part**2).sum() for part in moved)) == pytest.approx(bound, rel=1e-3)
        assert ("grad_norm" in history.last) == ("clip_norm" in options)


def test_seed_alone_decides_what_dropout_drops() -> None:
    def run(model_seed: int, seed: int | None) -> bytes:
        model = nn.Sequential(nn.Dropout(0.5, rng=model_seed), linear())
        trainer_of(model, seed=seed).fit(linear_data(), epochs=1, progress=False)
        return weights(model)

    assert run(1, 5) == run(2, 5) != run(1, 6)
    assert run(1, None) != run(2, None)


# ---- measuring and recording -----------------------------------------------------------------------------


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


def test_progress_prints_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    trainer_of(linear()).fit(linear_data(), epochs=2, validation=linear_data())
    captured = capsys.readouterr()
    assert captured.out == ""
    first, second = captured.err.splitlines()
    assert first.startswith("epoch 1  step 4  loss ") and "validation loss" in second and "tokens/s" in second


def test_progress_is_a_bar_in_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    trainer_of(linear()).fit(linear_data(), epochs=3)
    last = capsys.readouterr().err.split("\r")[-1]
    for word in ("epoch 3", "step 12", "loss", "tokens/s", "left", "100%"):
        assert word in last, last


class Unwritable(io.StringIO):
    """A standard error that goes away after so many writes."""

    def __init__(self, writes: int, error: Exception, terminal: bool) -> None:
        super().__init__()
        self.writes, self.error, self.terminal = writes, error, terminal

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        self.writes -= 1
        if self.writes < 0:
            raise self.error
        return super().write(text)


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("writes", [0, 1, 3])
@pytest.mark.parametrize("error", [OSError(errno.EIO, "gone"), BrokenPipeError(), ValueError("closed file")])
def test_training_goes_on_where_standard_error_goes_away(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, writes: int, error: Exception
) -> None:
    monkeypatch.setattr(sys, "stderr", Unwritable(writes, error, terminal))
    history = trainer_of(linear()).fit(linear_data(), epochs=3, validation=linear_data())
    assert history.stopped == "epochs"
    assert bits_of_a_text() > 0
    trainer_of(linear()).fit(linear_data(), epochs=1)  # nothing is left locked


def bits_of_a_text() -> float:
    model = LanguageModel(hidden_size=4, rng=0)
    return bits_per_byte(model, np.zeros(2000, np.uint8), progress=True)


@pytest.mark.parametrize("closed", [False, True])
def test_training_goes_on_without_standard_error(monkeypatch: pytest.MonkeyPatch, closed: bool) -> None:
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stderr", stream if closed else None)
    assert trainer_of(linear()).fit(linear_data(), epochs=1).stopped == "epochs"
    assert bits_of_a_text() > 0


def test_the_bar_is_as_wide_as_the_terminal_it_is_drawn_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output may be a file, or another terminal of another width."""

    def size(descriptor: int) -> os.terminal_size:
        if descriptor != 77:
            raise OSError(errno.ENOTTY, "not the bar's")
        return os.terminal_size((43, 20))

    stream = Unwritable(10**9, OSError(), terminal=True)
    stream.fileno = lambda: 77  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(os, "get_terminal_size", size)
    monkeypatch.setenv("COLUMNS", "200")
    trainer_of(linear()).fit(linear_data(), epochs=3)
    drawn = stream.getvalue().replace("\n", "\r").split("\r")
    assert max(map(len, drawn)) == 43


def test_a_bar_says_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Unwritable(10**9, OSError(), terminal=True)
    monkeypatch.setattr(sys, "stderr", stream)
    trainer_of(linear()).fit(linear_data(), epochs=1, validation=linear_data())
    assert "validating ..." in stream.getvalue()
    monkeypatch.setattr(progress, "_MOMENT", 0.0)
    bits_of_a_text()
    assert "scoring text" in stream.getvalue()


# ---- stopping --------------------------------------------------------------------------------------------


def test_limits() -> None:
    assert trainer_of(linear()).fit(linear_data(), steps=5, progress=False).stopped == "steps"
    trainer = trainer_of(linear())
    assert trainer.fit(linear_data(), epochs=2, steps=99, progress=False).stopped == "epochs"
    before = weights(trainer.model)
    assert trainer.fit(linear_data(), epochs=2, progress=False).stopped == "epochs"
    assert weights(trainer.model) == before  # limits count from the first step: there was nothing left to do
    assert trainer.fit(linear_data(), epochs=3, progress=False).last["step"] == 12
    assert trainer_of(linear()).fit(linear_data(), time_limit=0.05, progress=False).stopped == "time"


def test_patience_stops_and_best_is_kept(tmp_path: Path) -> None:
    losses = iter([5.0, 3.0, 4.0, 3.5, 2.0, 9.0])
    trainer = trainer_of(linear())
    trainer.evaluate = lambda source: {"loss": next(losses)}  # type: ignore[method-assign]
    history = trainer.fit(
        linear_data(),
        epochs=50,
        validation=linear_data(),
        patience=2,
        checkpoint_dir=tmp_path,
        progress=False,
    )
    assert history.stopped == "patience" and history["validation_loss"] == [5.0, 3.0, 4.0, 3.5]
    assert (history.best, history.best_step) == (3.0, 8)
    assert train.read_checkpoint(tmp_path / "best").config["position"]["step"] == 8
    assert train.read_checkpoint(tmp_path / "last").config["position"]["step"] == 16


def test_watching_another_value_where_higher_is_better() -> None:
    scores = iter([0.1, 0.5, 0.4, 0.3])
    trainer = trainer_of(linear(), metrics={"score": lambda p, t, w: next(scores)})
    source = linear_data(rows=4, batch_size=4)
    history = trainer.fit(
        source, epochs=9, patience=2, monitor="score", higher_is_better=True, progress=False
    )
    assert history.stopped == "patience" and (history.best, history.best_step) == (0.5, 2)


def test_callback_stops() -> None:
    history = trainer_of(linear()).fit(
        linear_data(), epochs=9, callbacks=[lambda trainer, record: record["step"] >= 8], progress=False
    )
    assert history.stopped == "callback" and history.last["step"] == 8


def test_ctrl_c_stops_after_the_step_and_saves(tmp_path: Path) -> None:
    def press(trainer: train.Trainer, record: Any) -> None:
        if record["step"] == 5:
            signal.raise_signal(signal.SIGINT)

    options: dict[str, Any] = {"validation": linear_data(), "progress": False}
    interrupted = trainer_of(linear())
    history = interrupted.fit(
        linear_data(), epochs=3, log_every=1, callbacks=[press], checkpoint_dir=tmp_path, **options
    )
    assert history.interrupted and history.last["step"] == 5
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert train.read_checkpoint(tmp_path / "best").config["position"]["step"] == 4
    resumed = trainer_of(linear()).resume(tmp_path)
    resumed.fit(linear_data(), epochs=3, **options)
    whole = trainer_of(linear())
    whole.fit(linear_data(), epochs=3, **options)
    assert weights(resumed.model) == weights(whole.model)


class Interrupting:
    """A data source in which Ctrl-C is pressed twice, in the middle of an epoch."""

    def __init__(self, source: data.ArrayDataset, after: int) -> None:
        self.source, self.after = source, after

    def __len__(self) -> int:
        return len(self.source)

    def batches(self, epoch: int) -> Iterator[data.Batch]:
        for number, batch in enumerate(self.source.batches(epoch)):
            if epoch == 1 and number == self.after:
                raise KeyboardInterrupt
            yield batch


def test_keyboard_interrupt_at_any_point_keeps_the_checkpoints(tmp_path: Path) -> None:
    history = trainer_of(linear()).fit(
        Interrupting(linear_data(), 2), epochs=5, checkpoint_dir=tmp_path, progress=False
    )
    assert history.interrupted
    for name in ("best", "last"):
        assert train.read_checkpoint(tmp_path / name).config["position"]["step"] == 4


# ---- weights ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [None, np.array([3, 1, 3, 2, 0, 3])], ids=["whole", "ragged"])
@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), nn.CrossEntropyLoss(reduction="sum")], ids=repr)
def test_weights_of_rows_reach_loss_metrics_and_counts(lengths: Any, loss: nn.Loss) -> None:
    """As if they had been written at every step; in batches of 3 rows of 3 steps, where a mix-up fits."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(6, 3, 2)), rng.integers(0, 4, (6, 3))
    y[0, 0] = -100  # ignored
    rows = np.array([1.0, 0.0, 2.0, 0.5, 3.0, 0.25])
    seen: list[tuple[int, ...]] = []

    def shape_of(prediction: Any, target: Any, weight: Any) -> float:
        seen.append(weight.shape)
        return 0.0

    results = []
    for weight in (rows, np.repeat(rows, 3).reshape(6, 3)):
        model = nn.Linear(2, 4, dtype=np.float64, rng=0)
        source = data.ArrayDataset((x, y), 3, shuffle=False, weight=weight, lengths=lengths)
        metrics = {"accuracy": train.accuracy, "shape": shape_of}
        trainer = train.Trainer(model, loss, optim.SGD(model.parameters(), lr=0.1), metrics=metrics)
        history = trainer.fit(source, epochs=2, validation=source, progress=False)
        results.append((weights(model), history.last["loss"], history.last["validation_accuracy"]))
    assert results[0] == results[1]
    assert set(seen) == {(3, 3)}


def test_accuracy_of_weighted_rows() -> None:
    scores = np.eye(3)[None] * np.ones((3, 1, 1))  # every step of every row says its own number
    target = np.array([[0, 1, 2], [0, 0, 0], [1, 2, 0]])  # 3, 1 and 0 of 3 right
    assert train.accuracy(scores, target) == pytest.approx(4 / 9)
    assert train.accuracy(scores, target, np.array([2.0, 1.0, 1.0])) == pytest.approx((2 * 3 + 1) / 12)
    assert train.accuracy(scores, target, np.zeros(3)) == 0
    with pytest.raises(ValueError, match=r"accuracy: weight must be a number or of shape \(3,\) or \(3, 3\)"):
        train.accuracy(scores, target, np.ones((3, 1)))
    with pytest.raises(ValueError, match=r"accuracy: target must be \(...\) = \(3, 3\), got \(3,\)"):
        train.accuracy(scores, target[0])


# ---- numbers that are not finite ------------------------------------------------------------------------


@pytest.mark.parametrize("clip_norm", [None, 1.0])
def test_nan_stops_with_the_step_and_keeps_the_last_good_checkpoint(
    tmp_path: Path, clip_norm: float | None
) -> None:
    x = np.random.default_rng(0).normal(size=(40, 3))
    x[30] = np.nan
    source = data.ArrayDataset((x, x[:, :1].copy()), 4, shuffle=False)
    trainer = trainer_of(linear(), clip_norm=clip_norm)
    with pytest.raises(train.DivergedError) as caught:
        trainer.fit(source, epochs=2, checkpoint_dir=tmp_path, save_every=3, progress=False)
    error = caught.value
    assert error.history.stopped == "diverged" and error.step == 8 and error.checkpoint == tmp_path / "last"
    for part in (
        "the loss became nan at step 8 (epoch 1)",
        str(tmp_path / "last"),
        "lower learning rate (now 0.1)",
        "clip_norm",
    ):
        assert part in str(error)
    kept = train.read_checkpoint(tmp_path / "last")
    assert kept.config["position"]["step"] == 6
    assert all(np.isfinite(array).all() for array in kept.model.values())
    again = trainer_of(linear(), clip_norm=clip_norm).resume(tmp_path, lr=1e-3)
    assert again.position.step == 6 and again.optimizer.lr == again.base_lr == 1e-3


@pytest.mark.parametrize("options", [{}, {"clip_norm": 1.0}, {"clip_value": 1.0}, {"accumulate": 2}], ids=str)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_moves_no_weight(bad: float, options: dict[str, Any]) -> None:
    class Spoilt(nn.Linear):
        """Its gradients are right until the third step, when that of the bias is not."""

        def __call__(self, x: Any) -> Any:
            y, backprop = super().__call__(x)

            def spoilt(dy: Any) -> Any:
                dx = backprop(dy)
                if trainer.position.step == 2:
                    self.bias.grad[0] = bad
                return dx

            return y, spoilt

    model = nn.Sequential(nn.Linear(3, 2, dtype=np.float64, rng=0), Spoilt(2, 1, dtype=np.float64, rng=1))
    steps: list[bytes] = []
    trainer = train.Trainer(model, nn.MSELoss(), optim.Adam(model.parameters()), **options)
    with pytest.raises(train.DivergedError) as caught:
        trainer.fit(
            linear_data(batch_size=8),
            epochs=2,
            log_every=1,
            callbacks=[lambda t, record: steps.append(weights(t.model))],
            progress=False,
        )
    assert len(steps) == 2 and weights(model) == steps[-1]
    error = caught.value
    assert str(error).startswith(
        f"Trainer.fit: the gradient's norm became {bad} at step 3 (epoch 1), first in"
    )
    names = [name for name, parameter in model.named_parameters() if parameter is model[1].bias]
    assert error.parameter == names[0] and error.parameter in str(error) and error.step == 3


def test_clipping_counts_only_what_the_optimizer_holds() -> None:
    model = nn.Sequential(nn.Linear(3, 4, dtype=np.float64, rng=0), nn.Linear(4, 1, dtype=np.float64, rng=1))
    frozen = weights(model[0])
    source = linear_data(shuffle=False)
    trainer = train.Trainer(model, nn.MSELoss(), optim.SGD(model[1].parameters(), lr=0.0), clip_norm=1.0)
    history = trainer.fit(source, steps=1, progress=False)
    batch = next(source.batches(0))
    y, backprop = model(batch.x)
    _, loss_backprop = nn.MSELoss()(y, batch.y)
    model.zero_grad()
    backprop(loss_backprop())
    assert history.last["grad_norm"] == pytest.approx(float(np.linalg.norm(gradients(model[1]))))
    assert weights(model[0]) == frozen


def test_spoilt_weights_are_never_saved(tmp_path: Path) -> None:
    """Loss and gradient of a step are still finite when the step takes the weights to infinity."""
    model = linear()
    trainer_of(model).save(tmp_path / "last")
    trainer = trainer_of(model, lr=1e308).resume(tmp_path, lr=1e308)
    with pytest.raises(train.DivergedError, match="the weights became NaN or infinite") as caught:
        trainer.fit(linear_data(), epochs=1, checkpoint_dir=tmp_path, save_every=1, progress=False)
    assert caught.value.parameter == "weight"
    kept = train.read_checkpoint(tmp_path / "last")
    assert kept.config["position"]["step"] == 0
    assert all(np.isfinite(array).all() for array in kept.model.values())


# ---- bad arguments ---------------------------------------------------------------------------------------


def other_parameters() -> Any:
    return optim.SGD(linear().parameters())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"model": "gru"}, TypeError, "Trainer: model must be a weftnn.nn.Layer, got str"),
        ({"loss": "mse"}, TypeError, "Trainer: loss must be a loss such as"),
        ({"loss": nn.MSELoss(reduction="none")}, ValueError, "must reduce to one number"),
        ({"optimizer": "sgd"}, TypeError, "optimizer must be a weftnn.optim.Optimizer, got str"),
        ({"optimizer": other_parameters()}, ValueError, "got 2 that are not the model's"),
        ({"schedule": 0.1}, TypeError, "schedule must be a function"),
        ({"clip_norm": 0}, ValueError, "Trainer: clip_norm must be a finite number > 0, got 0"),
        ({"clip_value": -1}, ValueError, "Trainer: clip_value must be"),
        ({"metrics": {"accuracy": 1}}, TypeError, "metrics must map names to functions"),
        *(
            ({"metrics": {name: max}}, ValueError, f"must have names of their own, got '{name}'")
            for name in ("loss", "grad_norm", "epoch", "step", "tokens", "seconds", "tokens_per_second", "lr")
        ),
        ({"from_loss": {"step": abs}}, ValueError, "must have names of their own, got 'step'"),
        ({"metrics": {"validation_x": max}}, ValueError, "own, got 'validation_x': so are called those of"),
        ({"metrics": {"x": max}, "from_loss": {"x": abs}}, ValueError, r"of their own, both have \['x'\]"),
        ({"metrics": {3: max}}, TypeError, "the names of metrics must be str, got 3"),
        *(
            ({"metrics": {name: max}}, ValueError, "can stand in the header of a CSV file, got")
            for name in ("", "a\nb", "a,b", 'a"b', " a", "a\x00b", "a;b", "\ud800")
        ),
        ({"carry_state": "yes"}, TypeError, "carry_state must be None, True or False, got 'yes'"),
        ({"accumulate": 0}, ValueError, "Trainer: accumulate must be an integer >= 1, got 0"),
        ({"tbptt": 5}, ValueError, "tbptt needs a model with a state"),
        ({"seed": -1}, ValueError, "Trainer: seed must be an integer >= 0, got -1"),
    ],
)
def test_trainer_refuses(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    model = linear()
    given = {"model": model, "loss": nn.MSELoss(), "optimizer": optim.SGD(model.parameters())} | arguments
    with pytest.raises(error, match=message):
        train.Trainer(**given)


class Empty:
    def __len__(self) -> int:
        return 0

    def batches(self, epoch: int) -> Iterator[data.Batch]:
        return iter(())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ValueError, "give epochs, steps or time_limit, or training would never end"),
        ({"epochs": 0}, ValueError, "Trainer.fit: epochs must be an integer >= 1, got 0"),
        ({"steps": 2.5}, TypeError, "steps must be an integer >= 1, got 2.5"),
        ({"time_limit": 0}, ValueError, "time_limit must be a finite number > 0, got 0"),
        ({"epochs": 1, "data": [1, 2]}, TypeError, "data must be a data source with batches"),
        ({"epochs": 1, "data": Empty()}, ValueError, "data must hold at least one batch, got none"),
        ({"epochs": 1, "validation": Empty()}, ValueError, "validation must hold at least one batch"),
        ({"epochs": 1, "validate_every": 5}, ValueError, "validate_every needs validation data"),
        ({"epochs": 1, "save_every": 5}, ValueError, "save_every needs checkpoint_dir"),
        ({"epochs": 1, "checkpoint_every": 5}, TypeError, "fit.* unexpected keyword .*'checkpoint_every'"),
        ({"epochs": 1, "patience": 0}, ValueError, "patience must be an integer >= 1, got 0"),
        ({"epochs": 1, "min_delta": -1}, ValueError, "min_delta must be a finite number >= 0"),
        ({"epochs": 1, "monitor": "accuracy"}, ValueError, "monitor must be one of 'loss', got 'accuracy'"),
        ({"epochs": 1, "callbacks": [1]}, TypeError, "callbacks must be functions"),
        ({"epochs": 1, "log_csv": "/"}, ValueError, "log_csv must be a file, but / is a folder"),
        ({"epochs": 1, "checkpoint_dir": "/dev/null/run"}, OSError, "/dev/null"),
    ],
)
def test_fit_refuses_before_work_starts(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    trainer = trainer_of(linear())
    before = weights(trainer.model)
    with pytest.raises(error, match=message):
        trainer.fit(**({"data": linear_data(), "progress": False} | arguments))
    assert weights(trainer.model) == before and trainer.position.step == 0


def test_what_user_code_raises_comes_through() -> None:
    def fails(trainer: Any, record: Any) -> None:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        trainer_of(linear()).fit(linear_data(), epochs=1, callbacks=[fails], progress=False)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_no_needless_work_in_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """One update call a parameter and step; nothing is measured or drawn that was not asked for."""
    calls: list[str] = []
    original: Callable[..., Any] = optim.SGD._update

    def counted(self: Any, *arguments: Any) -> None:
        calls.append("update")
        original(self, *arguments)

    monkeypatch.setattr(optim.SGD, "_update", counted)
    trainer_of(linear()).fit(linear_data(), steps=10, progress=False)
    assert len(calls) == 10 * 2
