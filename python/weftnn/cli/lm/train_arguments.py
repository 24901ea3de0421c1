"""The arguments of `weftnn lm train`, with their checks and help."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from weftnn.cli.arguments import Parser, duration, fraction, name, number, one_of, whole
from weftnn.cli.lm.train_settings import DEFAULT_RATES, DEFAULT_STEPS, GPT_DEFAULTS, TrainSettings
from weftnn.models.gpt import POSITIONS

__all__ = ["EXAMPLES", "add_train_arguments"]

EXAMPLES = """\
examples:
  weftnn lm train                                 train a GRU on English prose that every Python carries
  weftnn lm train book.txt letters/               on a file and all files of a folder
  zcat logs.gz | weftnn lm train -                on standard input
  weftnn lm train src/ --model lstm --hidden 512 --layers 2 --dropout 0.2 --epochs 5
  weftnn lm train --model gpt book.txt            a transformer, four layers of four heads
  weftnn lm train book.txt --time-limit 10m --out runs/book
  weftnn lm train --resume runs/book              go on after Ctrl-C, a time limit or a crash
  weftnn lm train --resume runs/book --steps 9000 go on with a run that is complete

A model predicts the next byte from all bytes before it, gpt from those in its context. Its measure is bits
per byte on text that it has not seen: 8 is chance, gzip reaches about 3 on English prose, and less
is better.
"""


def add_train_arguments(parser: Parser) -> None:
    """Declare the arguments. Those that are not given stay out of the namespace."""
    default = TrainSettings()

    text = _adder(parser, "text")
    text(
        "text",
        "text files, folders (all their text files) or - for standard input; without any, "
        "the topics of Python's own help()",
        metavar="TEXT",
        nargs="*",
    )
    text(
        "--held-out",
        "part of the text, at its end, that is kept for validation; 0: none (default 0.1)",
        metavar="F",
        type=fraction(),
    )
    text(
        "--validation",
        "validate on this file or folder instead; may be given several times",
        metavar="TEXT",
        action="append",
    )

    model = _adder(parser, "model")
    model(
        "--model",
        f"a recurrent cell, or a transformer: gpt (default {default.model})",
        metavar="{rnn,lstm,gru,gpt}",
        type=one_of("rnn", "lstm", "gru", "gpt"),
    )
    model(
        "--hidden",
        f"units of a layer (default {default.hidden}; gpt: {GPT_DEFAULTS['hidden']})",
        metavar="N",
        type=whole(1),
    )
    model(
        "--layers",
        f"layers (default {default.layers}; gpt: {GPT_DEFAULTS['layers']})",
        metavar="N",
        type=whole(1, 1000),
    )
    model(
        "--embedding",
        "size of a byte's embedding, not of gpt (default 128; with tied weights, that of --hidden)",
        metavar="N",
        type=whole(1),
    )
    model(
        "--heads",
        f"heads of a layer, of gpt only; they divide --hidden (default {GPT_DEFAULTS['heads']})",
        metavar="N",
        type=whole(1),
    )
    model(
        "--positions",
        "how a byte's position enters, of gpt only: learned vectors, rotary or alibi (default "
        f"{GPT_DEFAULTS['positions']})",
        metavar="{" + ",".join(POSITIONS) + "}",
        type=one_of(*POSITIONS),
    )
    model(
        "--dropout",
        f"share of activations dropped between layers in training (default {default.dropout:g})",
        metavar="P",
        type=fraction(),
    )
    model("--tie-weights", "one matrix for the embedding and the output layer", action="store_true")
    model(
        "--dtype",
        f"type of the weights and of all arithmetic (default {default.dtype})",
        metavar="{float32,float64}",
        type=one_of("float32", "float64"),
    )

    training = _adder(parser, "training")
    training(
        "--batch",
        f"streams of text read side by side; gpt: windows in random order (default {default.batch})",
        metavar="N",
        type=whole(1),
    )
    training(
        "--sequence",
        "bytes of each stream in a step; a recurrent state is carried on, gpt looks back no further: it is "
        f"its context (default {default.sequence})",
        metavar="N",
        type=whole(1),
    )
    training(
        "--optimizer",
        f"{', '.join(DEFAULT_RATES)} (default {default.optimizer})",
        metavar="NAME",
        type=one_of(*DEFAULT_RATES),
    )
    training(
        "--lr",
        f"learning rate, which may change on --resume (default {default.rate:g} for adamw; others follow the "
        "optimizer)",
        metavar="X",
        type=number(above=0),
    )
    training("--momentum", "momentum, of sgd only (default 0.9)", metavar="X", type=fraction())
    training(
        "--weight-decay",
        "weight decay (default 0.01 for adamw, 0 for the others)",
        metavar="X",
        type=number(least=0),
    )
    training(
        "--clip",
        f"largest norm of the gradients, which may change on --resume; 0 is no clipping (default "
        f"{default.clip:g})",
        metavar="X",
        type=number(least=0),
    )
    training(
        "--schedule",
        "course of the learning rate: cosine (falls to 0), constant, step (a tenth after each "
        f"third), plateau (a half when validation stalls) (default {default.schedule})",
        metavar="NAME",
        type=one_of("cosine", "constant", "step", "plateau"),
    )
    training(
        "--warmup",
        f"steps in which the learning rate rises from 0 (default {default.warmup})",
        metavar="N",
        type=whole(0),
    )
    training(
        "--seed",
        f"seed of the initial weights, of dropout and of the cuts (default {default.seed})",
        metavar="N",
        type=whole(0),
    )

    length = _adder(parser, "length of training (what comes first ends it)")
    length(
        "--steps",
        f"updates of the weights (default {DEFAULT_STEPS:,} where no limit is given)",
        metavar="N",
        type=whole(1),
    )
    length("--epochs", "passes through the text", metavar="N", type=whole(1))
    length(
        "--time-limit",
        "such as 90 (seconds), 5m or 1h30m: for training and its validations; reading the text comes "
        "before, the final score and the sample come after; where it is the only limit, cosine follows the "
        "clock",
        metavar="TIME",
        type=duration,
    )
    length("--patience", "end after N validations without a better one", metavar="N", type=whole(1))

    output = _adder(parser, "output")
    output(
        "--out",
        "where the model, the log and the loss curve go (default: a new folder runs/lm-N)",
        metavar="FOLDER",
        type=name,
    )
    output(
        "--resume",
        "go on with the run in this folder, as it was set up but for its length, --lr and --clip",
        metavar="FOLDER",
        type=name,
    )
    output(
        "--validate-every",
        "steps between validations and checkpoints (default: ten a run)",
        metavar="N",
        type=whole(1),
    )
    output(
        "--sample-length",
        f"bytes of the sample at the end (default {default.sample_length})",
        metavar="N",
        type=whole(0),
    )
    output("--quiet", "no progress bar", action="store_true")

    machine = _adder(parser, "machine")
    machine(
        "--threads",
        "threads, up to the processors here (default: all; results do not depend on it)",
        metavar="N",
        type=whole(1),
    )
    machine(
        "--precision",
        f"internal precision of float32 products (default {default.precision})",
        metavar="{highest,high,medium}",
        type=one_of("highest", "high", "medium"),
    )


def _adder(parser: Parser, title: str) -> Callable[..., None]:
    group = parser.add_argument_group(title)

    def add(option: str, help: str, **options: Any) -> None:
        group.add_argument(option, default=argparse.SUPPRESS, help=help, **options)

    return add
