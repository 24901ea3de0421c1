"""The arguments of `weft lm train`: their names, checks, defaults and help, and how a run remembers them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from weft.cli.arguments import Parser, duration, fraction, number, one_of, whole

__all__ = ["DEFAULT_RATES", "TrainSettings", "add_train_arguments", "arguments_of"]


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """What a training run is told. The defaults are the main job: a minute on two cores, English prose.

    None means "not given": the rate then follows the optimizer, the length of training is `steps`' default.
    """

    text: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    held_out: float = 0.1
    # model
    model: str = "gru"
    embedding: int | None = None
    hidden: int = 384
    layers: int = 1
    dropout: float = 0.1
    tie_weights: bool = False
    dtype: str = "float32"
    # training
    batch: int = 16
    sequence: int = 64
    optimizer: str = "adamw"
    lr: float | None = None
    momentum: float = 0.9
    weight_decay: float = 0.01
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

    @property
    def rate(self) -> float:
        return DEFAULT_RATES[self.optimizer] if self.lr is None else self.lr

    @property
    def embedding_size(self) -> int:
        if self.embedding is not None:
            return self.embedding
        return self.hidden if self.tie_weights else 64


DEFAULT_STEPS = 1600
DEFAULT_RATES = {"adamw": 4e-3, "adam": 4e-3, "rmsprop": 1e-3, "adagrad": 2e-2, "sgd": 0.5}

# What a resumed run may be told anew; the rest belongs to the run.
RESUMABLE = frozenset(
    {"resume", "text", "validation", "steps", "epochs", "time_limit", "patience", "threads"}
    | {"sample_length", "quiet"}
)

EXAMPLES = """\
examples:
  weft lm train                                 train a GRU on English prose that every Python carries
  weft lm train book.txt letters/               on a file and all files of a folder
  zcat logs.gz | weft lm train -                on standard input
  weft lm train src/ --model lstm --hidden 512 --layers 2 --dropout 0.2 --epochs 5
  weft lm train book.txt --time-limit 10m --out runs/book
  weft lm train --resume runs/book              go on after Ctrl-C, a time limit or a crash
  weft lm train --resume runs/book --steps 9000 go on with a run that is complete

A model predicts the next byte from all bytes before it. Its measure is bits per byte on text that it has
not seen: 8 is knowing nothing, gzip reaches about 3 on English prose, and less is better.
"""


def add_train_arguments(parser: Parser) -> None:
    """Declare the arguments. Those that are not given stay out of the namespace."""
    default = TrainSettings()

    def add(group: Any, *names: str, help: str, **options: Any) -> None:
        group.add_argument(*names, default=argparse.SUPPRESS, help=help, **options)

    text = parser.add_argument_group("text")
    add(text, "text", nargs="*", metavar="TEXT",
        help="text files, folders (all their text files) or - for standard input; "
             "without any, the topics of Python's own help()")  # fmt: skip
    add(text, "--held-out", type=fraction(), metavar="F",
        help=f"part of the text, at its end, that is kept for validation (default {default.held_out:g})")  # fmt: skip
    add(text, "--validation", action="append", metavar="TEXT",
        help="validate on this file or folder instead; may be given several times")  # fmt: skip

    model = parser.add_argument_group("model")
    add(model, "--model", type=one_of("rnn", "lstm", "gru"), metavar="{rnn,lstm,gru}",
        help=f"the recurrent cell (default {default.model})")  # fmt: skip
    add(model, "--hidden", type=whole(1), metavar="N", help=f"units of a layer (default {default.hidden})")
    add(model, "--layers", type=whole(1), metavar="N", help=f"recurrent layers (default {default.layers})")
    add(model, "--embedding", type=whole(1), metavar="N",
        help="size of a byte's embedding (default 64; with tied weights, that of --hidden)")  # fmt: skip
    add(model, "--dropout", type=fraction(), metavar="P",
        help=f"share of activations dropped between layers while training (default {default.dropout:g})")  # fmt: skip
    add(model, "--tie-weights", action="store_true",
        help="one matrix for the embedding and the output layer")  # fmt: skip
    add(model, "--dtype", type=one_of("float32", "float64"), metavar="{float32,float64}",
        help=f"type of the weights and of all arithmetic (default {default.dtype})")  # fmt: skip

    training = parser.add_argument_group("training")
    add(training, "--batch", type=whole(1), metavar="N",
        help=f"streams of text read side by side (default {default.batch})")  # fmt: skip
    add(training, "--sequence", type=whole(1), metavar="N",
        help=f"bytes of each stream in a step; the state is carried on (default {default.sequence})")  # fmt: skip
    add(training, "--optimizer", type=one_of(*DEFAULT_RATES), metavar="NAME",
        help=f"{', '.join(DEFAULT_RATES)} (default {default.optimizer})")  # fmt: skip
    add(training, "--lr", type=number(above=0), metavar="X",
        help=f"learning rate (default {DEFAULT_RATES['adamw']:g} for adamw; others follow the optimizer)")  # fmt: skip
    add(training, "--momentum", type=fraction(), metavar="X",
        help=f"momentum, of sgd only (default {default.momentum:g})")  # fmt: skip
    add(training, "--weight-decay", type=number(least=0), metavar="X",
        help=f"weight decay (default {default.weight_decay:g} for adamw, 0 for the others)")  # fmt: skip
    add(training, "--clip", type=number(least=0), metavar="X",
        help=f"largest norm of the gradients; 0 is no clipping (default {default.clip:g})")  # fmt: skip
    add(training, "--schedule", type=one_of("cosine", "constant", "step", "plateau"), metavar="NAME",
        help="course of the learning rate: cosine (falls to 0), constant, step (a tenth after each third), "
             f"plateau (a half when validation stalls) (default {default.schedule})")  # fmt: skip
    add(training, "--warmup", type=whole(0), metavar="N",
        help=f"steps in which the learning rate rises from 0 (default {default.warmup})")  # fmt: skip
    add(training, "--seed", type=whole(0), metavar="N",
        help=f"seed of the initial weights and of dropout (default {default.seed})")  # fmt: skip

    length = parser.add_argument_group("length of training (what comes first ends it)")
    add(length, "--steps", type=whole(1), metavar="N",
        help=f"updates of the weights (default {DEFAULT_STEPS:,} where no limit is given)")  # fmt: skip
    add(length, "--epochs", type=whole(1), metavar="N", help="passes through the text")
    add(length, "--time-limit", type=duration, metavar="TIME",
        help="such as 90 (seconds), 5m or 1h30m; where it is the only limit, the schedule follows the clock")  # fmt: skip
    add(length, "--patience", type=whole(1), metavar="N",
        help="end after N validations without a better one")  # fmt: skip

    output = parser.add_argument_group("output")
    add(output, "--out", metavar="FOLDER",
        help="where the model, the log and the loss curve go (default: a new folder runs/lm-N)")  # fmt: skip
    add(output, "--resume", metavar="FOLDER", help="go on with the run in this folder, as it was set up")
    add(output, "--validate-every", type=whole(1), metavar="N",
        help="steps between validations (default: ten validations a run)")  # fmt: skip
    add(output, "--sample-length", type=whole(0), metavar="N",
        help=f"bytes of the sample at the end (default {default.sample_length})")  # fmt: skip
    add(output, "--quiet", action="store_true", help="no progress bar")

    machine = parser.add_argument_group("machine")
    add(machine, "--threads", type=whole(1, 1024), metavar="N",
        help="threads (default: all cores; results do not depend on it)")  # fmt: skip
    add(machine, "--precision", type=one_of("highest", "high", "medium"), metavar="NAME",
        help=f"internal precision of float32 products: highest, high, medium (default {default.precision})")  # fmt: skip


def settings_of(given: Mapping[str, Any]) -> TrainSettings:
    """The settings of a parsed namespace, whose absent names take their defaults."""
    known = {field.name for field in fields(TrainSettings)}
    values = {name: value for name, value in given.items() if name in known}
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
