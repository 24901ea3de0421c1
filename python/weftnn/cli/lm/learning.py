"""From settings to the objects that learn: model, optimizer, schedule."""

from __future__ import annotations

import math
import time
from typing import Any

from weftnn import optim
from weftnn.cli.arguments import CommandError
from weftnn.cli.lm.memory import check_memory
from weftnn.cli.lm.train_settings import TrainSettings
from weftnn.models import GPT, ByteModel, LanguageModel
from weftnn.optim.schedule import Schedule

__all__ = ["ClockCosine", "check_combination", "make_model", "make_optimizer", "make_schedule"]

# Runs are short: the average of squares has to forget the first steps, which 0.999 would do in thousands.
_BETAS = (0.9, 0.99)


def check_combination(settings: TrainSettings) -> None:
    """Refuse settings that contradict each other. Raises CommandError."""
    _check_model(settings)
    if settings.tie_weights and settings.embedding not in (None, settings.hidden):
        raise CommandError(
            f"--tie-weights needs --embedding equal to --hidden = {settings.hidden}, got {settings.embedding}"
        )
    if settings.momentum is not None and settings.optimizer != "sgd":
        raise CommandError(f"--momentum is for --optimizer sgd only, got --optimizer {settings.optimizer}")
    if settings.validation and settings.held_out is not None:
        raise CommandError("--validation and --held-out exclude each other: both say what to validate on")
    if "-" in settings.text and "-" in settings.validation:
        raise CommandError("standard input (-) can be read only once, as the text or by --validation")
    only_clock = settings.time_limit is not None and settings.steps is None and settings.epochs is None
    if settings.schedule == "step" and only_clock:
        raise CommandError(
            "--schedule step needs --steps or --epochs, --time-limit alone does not tell it when"
        )


def _check_model(settings: TrainSettings) -> None:
    """Refuse what the model does not have."""
    if settings.model != "gpt":
        for name in ("heads", "positions"):
            if getattr(settings, name) is not None:
                raise CommandError(f"--{name} is for --model gpt only, got --model {settings.model}")
        return
    assert settings.heads is not None
    if settings.embedding is not None:
        raise CommandError("--embedding is not for --model gpt: its embedding has the size of --hidden")
    if settings.hidden % settings.heads:
        raise CommandError(f"--heads must divide --hidden = {settings.hidden}, got {settings.heads}")
    if settings.positions == "rotary" and settings.hidden // settings.heads % 2:
        raise CommandError(
            "--positions rotary needs an even number of units a head, "
            f"got --hidden {settings.hidden} for --heads {settings.heads}"
        )


def make_model(settings: TrainSettings) -> ByteModel:
    """The untrained model. Raises CommandError where it does not fit into memory."""
    check_memory(settings)
    made: dict[str, Any] = {
        "hidden_size": settings.hidden,
        "num_layers": settings.layers,
        "dropout": settings.dropout,
        "tie_weights": settings.tie_weights,
        "dtype": settings.dtype,
        "rng": settings.seed,
    }
    try:
        if settings.model == "gpt":
            assert settings.heads is not None and settings.positions is not None
            return GPT(
                num_heads=settings.heads, context=settings.sequence, positions=settings.positions, **made
            )
        return LanguageModel(settings.model, embedding_size=settings.embedding_size, **made)
    except (MemoryError, OverflowError, ValueError) as error:
        embedding = "" if settings.model == "gpt" else f" and an embedding of {settings.embedding_size}"
        raise CommandError(
            f"a model of --layers {settings.layers} with --hidden {settings.hidden}{embedding} "
            f"cannot be made: {error}"
        ) from None


def make_optimizer(settings: TrainSettings, model: ByteModel) -> optim.Optimizer:
    parameters, rate, decay = model.parameters(), settings.rate, settings.decay
    match settings.optimizer:
        case "sgd":
            momentum = 0.9 if settings.momentum is None else settings.momentum
            return optim.SGD(parameters, rate, momentum=momentum, weight_decay=decay)
        case "adam":
            return optim.Adam(parameters, rate, _BETAS, weight_decay=decay)
        case "rmsprop":
            return optim.RMSprop(parameters, rate, weight_decay=decay)
        case "adagrad":
            return optim.Adagrad(parameters, rate, weight_decay=decay)
        case _:
            return optim.AdamW(parameters, rate, _BETAS, weight_decay=decay)


def make_schedule(settings: TrainSettings, total_steps: int | None) -> Schedule:
    """The course of the learning rate over total_steps, or over the time limit where that is None."""
    warmup = settings.warmup
    if settings.schedule == "constant":
        return optim.ConstantLR(warmup_steps=warmup)
    if settings.schedule == "plateau":
        return optim.PlateauLR(factor=0.5, patience=2, warmup_steps=warmup)
    if settings.schedule == "step" and total_steps is not None:
        return optim.StepLR(-(-total_steps // 3), gamma=0.1, warmup_steps=warmup)
    if total_steps is not None:
        return optim.CosineLR(total_steps, warmup_steps=min(warmup, total_steps))
    assert settings.time_limit is not None
    return ClockCosine(settings.time_limit, warmup)


class ClockCosine:
    """Half a cosine from base_lr to 0 over `seconds`, counted from the first step, after a warm-up in steps.

    For training that only a time limit ends; it makes the result depend on the machine's speed.
    """

    def __init__(self, seconds: float, warmup_steps: int) -> None:
        self.seconds = seconds
        self.warmup_steps = warmup_steps
        self.start: float | None = None

    def __call__(self, step: int, base_lr: float) -> float:
        now = time.monotonic()
        self.start = now if self.start is None else self.start
        done = min(1.0, (now - self.start) / self.seconds)
        warm = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        return base_lr * warm * 0.5 * (1.0 + math.cos(math.pi * done))
