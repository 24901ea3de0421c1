"""From settings to the objects that learn: model, optimizer, schedule."""

from __future__ import annotations

import math
import os
import time

from weft import optim
from weft.cli.arguments import CommandError
from weft.cli.train_settings import TrainSettings
from weft.models import LanguageModel
from weft.models.language_model import VOCABULARY
from weft.optim.schedule import Schedule

__all__ = ["ClockCosine", "check_combination", "make_model", "make_optimizer", "make_schedule"]

# Runs are short: the average of squares has to forget the first steps, which 0.999 would do in thousands.
_BETAS = (0.9, 0.99)


def check_combination(settings: TrainSettings) -> None:
    """Refuse settings that contradict each other. Raises CommandError."""
    if settings.tie_weights and settings.embedding not in (None, settings.hidden):
        raise CommandError(
            f"--tie-weights needs --embedding equal to --hidden = {settings.hidden}, got {settings.embedding}"
        )
    if settings.momentum is not None and settings.optimizer != "sgd":
        raise CommandError(f"--momentum is for --optimizer sgd only, got --optimizer {settings.optimizer}")
    if settings.validation and settings.held_out is not None:
        raise CommandError("--validation and --held-out exclude each other: both say what to validate on")
    only_clock = settings.time_limit is not None and settings.steps is None and settings.epochs is None
    if settings.schedule == "step" and only_clock:
        raise CommandError(
            "--schedule step needs --steps or --epochs, --time-limit alone does not tell it when"
        )


def make_model(settings: TrainSettings) -> LanguageModel:
    """The untrained model. Raises CommandError where it does not fit into memory."""
    _check_memory(settings)
    try:
        return LanguageModel(
            settings.model,
            embedding_size=settings.embedding_size,
            hidden_size=settings.hidden,
            num_layers=settings.layers,
            dropout=settings.dropout,
            tie_weights=settings.tie_weights,
            dtype=settings.dtype,
            rng=settings.seed,
        )
    except (MemoryError, OverflowError, ValueError) as error:
        raise CommandError(
            f"a model of --layers {settings.layers} with --hidden {settings.hidden} and an embedding of "
            f"{settings.embedding_size} cannot be made: {error}"
        ) from None


def _check_memory(settings: TrainSettings) -> None:
    """Refuse before allocating: a system that overcommits would kill the process later."""
    if not hasattr(os, "sysconf"):  # Windows
        return
    itemsize = {"float32": 4, "float64": 8}[settings.dtype]
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[settings.model]
    hidden, embedding, layers = settings.hidden, settings.embedding_size, settings.layers
    recurrent = gates * hidden * (embedding + hidden + 2) + (layers - 1) * gates * hidden * (2 * hidden + 2)
    weights = recurrent + VOCABULARY * (embedding + hidden + 1)
    activations = (
        settings.batch * settings.sequence * (embedding + layers * (gates + 2) * hidden + 2 * VOCABULARY)
    )
    # A weight is kept with its gradient and, in most optimizers, two more arrays of its size.
    needed = itemsize * (4 * weights + activations)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise CommandError(
            f"--layers {layers}, --hidden {hidden}, --embedding {embedding}, --batch {settings.batch} and "
            f"--sequence {settings.sequence} need about {needed / 2**30:,.1f} GiB of memory; "
            f"this machine has {memory / 2**30:,.1f}"
        )


def make_optimizer(settings: TrainSettings, model: LanguageModel) -> optim.Optimizer:
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
