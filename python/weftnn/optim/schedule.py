"""Learning-rate schedules: pure functions of the step, `lr = schedule(step, base_lr)`.

`step` counts the optimizer's updates and is 0 at the first; `base_lr` is the optimizer's own rate. Any
function of that form is a schedule. Only `PlateauLR` has state: it follows the validation loss.
"""

from __future__ import annotations

import math
from typing import Any, Protocol, runtime_checkable

from weftnn.arguments import check_choice, check_count, check_number


@runtime_checkable
class Schedule(Protocol):
    """A function that gives the learning rate of a step."""

    def __call__(self, step: int, base_lr: float, /) -> float: ...


class ConstantLR:
    """lr = base_lr, after a linear rise over the first `warmup_steps`.

    >>> [ConstantLR(warmup_steps=2)(step, 1.0) for step in range(4)]
    [0.5, 1.0, 1.0, 1.0]
    """

    def __init__(self, warmup_steps: int = 0) -> None:
        self.warmup_steps = check_count("ConstantLR", "warmup_steps", warmup_steps, low=0)

    def __call__(self, step: int, base_lr: float) -> float:
        return base_lr * _warmup(step, self.warmup_steps)


class StepLR:
    """lr = base_lr * gamma^floor(step / step_size), after a linear rise over the first `warmup_steps`.

    >>> [StepLR(step_size=2, gamma=0.1)(step, 1.0) for step in range(4)]
    [1.0, 1.0, 0.1, 0.1]
    """

    def __init__(self, step_size: int, gamma: float = 0.1, warmup_steps: int = 0) -> None:
        self.step_size = check_count("StepLR", "step_size", step_size)
        self.gamma = check_number("StepLR", "gamma", gamma, above=0)
        self.warmup_steps = check_count("StepLR", "warmup_steps", warmup_steps, low=0)

    def __call__(self, step: int, base_lr: float) -> float:
        rate: float = base_lr * self.gamma ** (step // self.step_size)
        return rate * _warmup(step, self.warmup_steps)


class CosineLR:
    """A linear rise to base_lr over `warmup_steps`, then half a cosine down to `min_lr` at `total_steps`.

        lr = min_lr + (base_lr - min_lr) (1 + cos(pi done)) / 2
        done = (step - warmup_steps) / (total_steps - warmup_steps)

    and min_lr from `total_steps` on. Loshchilov and Hutter, "SGDR", 2017.

    >>> [round(CosineLR(total_steps=4, min_lr=0.2)(step, 1.0), 2) for step in range(6)]
    [1.0, 0.88, 0.6, 0.32, 0.2, 0.2]
    """

    def __init__(self, total_steps: int, warmup_steps: int = 0, min_lr: float = 0.0) -> None:
        self.total_steps = check_count("CosineLR", "total_steps", total_steps)
        self.warmup_steps = check_count("CosineLR", "warmup_steps", warmup_steps, low=0)
        self.min_lr = check_number("CosineLR", "min_lr", min_lr, low=0)
        if self.warmup_steps > self.total_steps:
            raise ValueError(
                f"CosineLR: warmup_steps must be <= total_steps = {total_steps}, got {warmup_steps}"
            )

    def __call__(self, step: int, base_lr: float) -> float:
        if step < self.warmup_steps:
            return base_lr * _warmup(step, self.warmup_steps)
        if step >= self.total_steps:
            return min(self.min_lr, base_lr)
        done = (step - self.warmup_steps) / (self.total_steps - self.warmup_steps)
        low = min(self.min_lr, base_lr)
        return low + (base_lr - low) * 0.5 * (1.0 + math.cos(math.pi * done))


class PlateauLR:
    """Multiplies the rate by `factor` once `patience` checks in a row brought nothing better.

    `Trainer` calls `observe` with the watched value (the validation loss, or without validation the training
    loss of the epoch). Arguments and rule are those of `torch.optim.lr_scheduler.ReduceLROnPlateau`, with the
    relative threshold a part of the best value's magnitude.

    >>> schedule = PlateauLR(factor=0.5, patience=1)
    >>> for loss in (1.0, 0.9, 0.9, 0.9):
    ...     schedule.observe(loss)
    >>> schedule(step=100, base_lr=1.0)
    0.5
    """

    def __init__(
        self,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
        *,
        mode: str = "min",
        warmup_steps: int = 0,
    ) -> None:
        self.factor = check_number("PlateauLR", "factor", factor, above=0, below=1)
        self.patience = check_count("PlateauLR", "patience", patience, low=0)
        self.threshold = check_number("PlateauLR", "threshold", threshold, low=0)
        self.threshold_mode = check_choice("PlateauLR", "threshold_mode", threshold_mode, ("rel", "abs"))
        self.cooldown = check_count("PlateauLR", "cooldown", cooldown, low=0)
        self.min_lr = check_number("PlateauLR", "min_lr", min_lr, low=0)
        self.mode = check_choice("PlateauLR", "mode", mode, ("min", "max"))
        self.warmup_steps = check_count("PlateauLR", "warmup_steps", warmup_steps, low=0)
        self.best: float | None = None
        self.bad_checks = 0
        self.resting = 0
        self.reductions = 0

    def __call__(self, step: int, base_lr: float) -> float:
        rate: float = base_lr * self.factor**self.reductions
        return max(rate, min(self.min_lr, base_lr)) * _warmup(step, self.warmup_steps)

    def observe(self, value: float) -> None:
        """Takes note of the watched value after a check; NaN is never the best."""
        if self._is_better(value):
            self.best, self.bad_checks = float(value), 0
        else:
            self.bad_checks += 1
        if self.resting:
            self.resting -= 1
            self.bad_checks = 0
        if self.bad_checks > self.patience:
            self.reductions += 1
            self.resting, self.bad_checks = self.cooldown, 0

    def _is_better(self, value: float) -> bool:
        if self.best is None:
            return not math.isnan(value)
        part = abs(self.best) if self.threshold_mode == "rel" else 1.0
        margin = self.threshold * part if math.isfinite(self.best) else 0.0  # infinity - infinity is no bound
        return value < self.best - margin if self.mode == "min" else value > self.best + margin

    def state_dict(self) -> dict[str, Any]:
        """The state, fit for JSON."""
        return {
            "best": self.best,
            "bad_checks": self.bad_checks,
            "resting": self.resting,
            "reductions": self.reductions,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what `state_dict` gave; nothing changes unless all of it is right."""
        best = math.nan if state["best"] is None else state["best"]
        if isinstance(best, bool) or not isinstance(best, (int, float)):
            raise TypeError(f"PlateauLR: best must be a number or None, got {best!r:.80}")
        counts = [
            check_count("PlateauLR", name, state[name], low=0)
            for name in ("bad_checks", "resting", "reductions")
        ]
        self.best = None if math.isnan(best) else float(best)  # NaN: a state from before it was no best
        self.bad_checks, self.resting, self.reductions = counts


def _warmup(step: int, warmup_steps: int) -> float:
    """The rise (step + 1) / warmup_steps, never above 1."""
    return min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
