"""Watch: notices the best value so far, and how long ago that was."""

from __future__ import annotations

import math
from typing import Any

from weftnn.train.stored import best_of, count_of


class Watch:
    """Follows one value: its best so far, and how many checks in a row did not beat it by `min_delta`.

    >>> watch = Watch(patience=2)
    >>> for loss in (3.0, 2.0, 2.5, 2.1):
    ...     watch.observe(loss)
    >>> watch.best, watch.exhausted
    (2.0, True)
    """

    def __init__(
        self,
        monitor: str = "loss",
        patience: int | None = None,
        min_delta: float = 0.0,
        higher_is_better: bool = False,
    ) -> None:
        self.monitor = monitor
        self.patience = patience
        self.min_delta = min_delta
        self.higher_is_better = higher_is_better
        self.best: float | None = None
        self.failures = 0

    def observe(self, value: float) -> None:
        """Takes note of a check."""
        if self.beats(value, self.best, self.min_delta):
            self.best, self.failures = value, 0
        else:
            self.failures += 1

    def beats(self, value: float, best: float | None, by: float = 0.0) -> bool:
        """Whether a value is better than the best, by more than `by`; anything but NaN beats None."""
        if best is None:
            return not math.isnan(value)
        return value > best + by if self.higher_is_better else value < best - by

    @property
    def exhausted(self) -> bool:
        """Whether `patience` checks in a row brought nothing better."""
        return self.patience is not None and self.failures >= self.patience

    def state_dict(self) -> dict[str, Any]:
        """What it follows and the state, fit for JSON."""
        return {
            "monitor": self.monitor,
            "higher_is_better": self.higher_is_better,
            "best": self.best,
            "failures": self.failures,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what `state_dict` gave; nothing changes unless all of it is right."""
        monitor, higher_is_better = state["monitor"], state["higher_is_better"]
        if not isinstance(monitor, str) or not isinstance(higher_is_better, bool):
            raise TypeError(f"config: monitor must be a name, got {monitor!r:.80}, {higher_is_better!r:.80}")
        best, failures = best_of(state, "best"), count_of(state, "failures")
        self.monitor, self.higher_is_better = monitor, higher_is_better
        self.best, self.failures = best, failures

    def is_like(self, other: Watch) -> bool:
        """Whether both follow the same value in the same direction."""
        return (self.monitor, self.higher_is_better) == (other.monitor, other.higher_is_better)
