"""Training: what a trainer has. `Fit` works on it, a snapshot keeps it, a run's folder is claimed for it."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from weftnn.data import DataSource
from weftnn.nn import Layer
from weftnn.optim import Optimizer
from weftnn.train.history import History
from weftnn.train.learner import Learner
from weftnn.train.meter import Meter, element_count
from weftnn.train.plan import check_source
from weftnn.train.position import Position
from weftnn.train.tbptt import Unroll, segments
from weftnn.train.watch import Watch


class Training:
    """What training depends on and where it stands; `Trainer`, which makes it, explains the parts."""

    model: Layer
    loss: Any
    optimizer: Optimizer
    schedule: Any
    base_lr: float
    tbptt: tuple[int, int] | None
    carry_state: bool | None
    history: History
    position: Position
    meter: Meter
    watch: Watch
    unroll: Unroll
    learner: Learner
    run_folder: Path | None = None  # the run's that this trainer began or resumed,
    run_save: str | None = None  # and the id of its `last`, by which another's is noticed
    best: float | None = None

    @property
    def k1(self) -> int | None:
        """Steps of a segment; None takes batches whole."""
        return self.tbptt[0] if self.tbptt else None

    def save(self, folder: str | PathLike[str]) -> None:
        """Saves all this as a checkpoint."""
        raise NotImplementedError

    def evaluate(self, data: DataSource) -> dict[str, float]:
        """Loss, metrics and what is derived from the loss, on data that is not trained on, without dropout.

        The state is carried as in training. Long batches are read in pieces of k1 steps.
        """
        check_source("Trainer.evaluate", "data", data)
        meter = Meter(self.meter.metrics, self.meter.from_loss)
        unroll = Unroll(self.model, carry=self.carry_state)
        is_sum = getattr(self.loss, "reduction", "mean") == "sum"
        for _, batch in segments(data, 0, self.k1):
            prediction = unroll.predict(batch)
            count = element_count(self.loss, batch)
            loss = float(self.loss.predict(prediction, batch.y, batch.weight))
            meter.add(
                loss / (count or 1.0) if is_sum else loss,
                count,
                batch.tokens,
                meter.measure(prediction, batch),
            )
        return meter.means()
