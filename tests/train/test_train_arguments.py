"""The Trainer refuses bad arguments before work starts."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from linear_trainer import linear, linear_data, trainer_of, weights
from weftnn import data, nn, optim, train


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
