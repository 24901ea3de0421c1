"""Plan: what `Trainer.fit` was asked to do, checked before any work starts."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from weftnn.arguments import check_count, check_number
from weftnn.data import DataSource
from weftnn.train.history import Record

Callback: TypeAlias = Callable[[Any, Record], Any]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The arguments of `Trainer.fit`, explained there. Raises ValueError or TypeError for bad ones."""

    data: DataSource
    epochs: int | None
    steps: int | None
    time_limit: float | None
    validation: DataSource | None
    validate_every: int | None
    log_every: int | None
    log_csv: Path | None
    checkpoint_dir: Path | None
    save_every: int | None
    patience: int | None
    min_delta: float
    monitor: str
    higher_is_better: bool
    callbacks: Sequence[Callback]

    def __post_init__(self) -> None:
        where = "Trainer.fit"
        check_source(where, "data", self.data)
        if self.validation is not None:
            check_source(where, "validation", self.validation)
        counts = ("epochs", "steps", "validate_every", "log_every", "save_every", "patience")
        for name in counts:
            if getattr(self, name) is not None:
                self._take(name, check_count(where, name, getattr(self, name)))
        if self.time_limit is not None:
            self._take("time_limit", check_number(where, "time_limit", self.time_limit, above=0))
        self._take("min_delta", check_number(where, "min_delta", self.min_delta, low=0))
        if self.epochs is None and self.steps is None and self.time_limit is None:
            raise ValueError(f"{where}: give epochs, steps or time_limit, or training would never end")
        if self.validate_every is not None and self.validation is None:
            raise ValueError(f"{where}: validate_every needs validation data")
        if self.save_every is not None and self.checkpoint_dir is None:
            raise ValueError(f"{where}: save_every needs checkpoint_dir")
        for callback in self.callbacks:
            if not callable(callback):
                raise TypeError(f"{where}: callbacks must be functions (trainer, record), got {callback!r}")
        if self.log_csv is not None and self.log_csv.is_dir():
            raise ValueError(f"{where}: log_csv must be a file, but {self.log_csv} is a folder")
        if self.checkpoint_dir is not None:
            self.checkpoint_dir.mkdir(parents=True, exist_ok=True)
            if not os.access(self.checkpoint_dir, os.W_OK | os.X_OK):
                raise PermissionError(f"{where}: cannot write into checkpoint_dir {self.checkpoint_dir}")

    def _take(self, name: str, value: float) -> None:
        """The value that was checked is the one that is used: NumPy's integers overflow."""
        object.__setattr__(self, name, value)

    def reached(self, epoch: int, step: int, seconds: float) -> str | None:
        """The limit that has been reached: "epochs", "steps" or "time"."""
        if self.steps is not None and step >= self.steps:
            return "steps"
        if self.epochs is not None and epoch >= self.epochs:
            return "epochs"
        if self.time_limit is not None and seconds >= self.time_limit:
            return "time"
        return None

    def fraction(self, epochs: float, step: int, seconds: float) -> float:
        """How much of the way to the nearest limit is done."""
        return max(
            step / self.steps if self.steps else 0.0,
            epochs / self.epochs if self.epochs else 0.0,
            seconds / self.time_limit if self.time_limit else 0.0,
        )


def check_source(where: str, name: str, source: Any) -> None:
    """Refuses what gives no batches."""
    if not isinstance(source, DataSource):
        raise TypeError(
            f"{where}: {name} must be a data source with batches(epoch) and a length, such as "
            f"weftnn.data.ArrayDataset, got {type(source).__name__}"
        )
    if len(source) < 1:
        raise ValueError(f"{where}: {name} must hold at least one batch, got none")
