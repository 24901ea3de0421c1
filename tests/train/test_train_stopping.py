"""Stopping: limits, patience, callbacks, interrupts, and numbers that are not finite."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linear_trainer import gradients, linear, linear_data, trainer_of, weights
from weftnn import data, nn, optim, train

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
