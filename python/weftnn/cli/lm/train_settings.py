"""What a training run is told: the settings, their defaults, and how a run remembers them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

__all__ = [
    "DEFAULT_RATES",
    "DEFAULT_STEPS",
    "GPT_DEFAULTS",
    "RESUMABLE",
    "TrainSettings",
    "arguments_of",
    "settings_of",
]


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """What a training run is told. The defaults are the main job: a minute on two cores, English prose.

    None means "not given": learning rate and weight decay then follow the optimizer, the embedding the
    hidden size. heads and positions are a GPT's, which has defaults of its own (`settings_of`).
    """

    text: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    held_out: float | None = None
    # model
    model: str = "gru"
    embedding: int | None = None
    hidden: int = 384
    layers: int = 1
    heads: int | None = None
    positions: str | None = None
    dropout: float = 0.0
    tie_weights: bool = False
    dtype: str = "float32"
    # training
    batch: int = 16
    sequence: int = 64
    optimizer: str = "adamw"
    lr: float | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    clip: float = 1.0
    schedule: str = "cosine"
    warmup: int = 50
    seed: int = 0
    # length
    steps: int | None = None
    epochs: int | None = None
    time_limit: float | None = None
    patience: int | None = None
    # output
    out: str | None = None
    resume: str | None = None
    validate_every: int | None = None
    sample_length: int = 400
    quiet: bool = False
    # machine
    threads: int | None = None
    precision: str = "highest"

    def resolved(self, steps: int | None) -> TrainSettings:
        """Every choice made, as a run remembers them. steps: the length of training, if known."""
        return replace(
            self,
            held_out=None if self.validation else self.held_out_part,
            embedding=None if self.model == "gpt" else self.embedding_size,
            lr=self.rate,
            weight_decay=self.decay,
            momentum=0.9 if self.optimizer == "sgd" and self.momentum is None else self.momentum,
            steps=steps if self.epochs is None else self.steps,
        )

    @property
    def held_out_part(self) -> float:
        return 0.1 if self.held_out is None else self.held_out

    @property
    def rate(self) -> float:
        return DEFAULT_RATES[self.optimizer] if self.lr is None else self.lr

    @property
    def decay(self) -> float:
        if self.weight_decay is not None:
            return self.weight_decay
        return 0.01 if self.optimizer == "adamw" else 0.0

    @property
    def embedding_size(self) -> int:
        if self.embedding is not None:
            return self.embedding
        return self.hidden if self.tie_weights else 128


DEFAULT_STEPS = 1500
GPT_DEFAULTS: dict[str, Any] = {
    "hidden": 128,
    "layers": 4,
    "heads": 4,
    "positions": "rotary",
    "sequence": 64,
}
DEFAULT_RATES = {"adamw": 3e-3, "adam": 3e-3, "rmsprop": 2e-3, "adagrad": 2e-2, "sgd": 0.5}

# What a resumed run may be told anew; the rest belongs to the run.
RESUMABLE = frozenset(
    {"resume", "text", "validation", "lr", "clip", "steps", "epochs", "time_limit", "patience"}
    | {"sample_length", "quiet", "threads"}
)


def settings_of(given: Mapping[str, Any]) -> TrainSettings:
    """The settings of a parsed namespace, whose absent names take their defaults."""
    known = {field.name for field in fields(TrainSettings)}
    values = {name: value for name, value in given.items() if name in known}
    if values.get("model") == "gpt":
        values = GPT_DEFAULTS | values
    for name in ("text", "validation"):
        values[name] = tuple(values.get(name, ()))
    return TrainSettings(**values)


def arguments_of(settings: TrainSettings) -> list[str]:
    """The command line that gives these settings, without texts and folders: how a run remembers them."""
    arguments: list[str] = []
    for name, value in asdict(settings).items():
        option = "--" + name.replace("_", "-")
        if name in ("text", "validation", "out", "resume") or value is None or value is False:
            continue
        arguments += [option] if value is True else [option, str(value)]
    return arguments
