"""`weftnn lm sample`: text from a trained model, shown byte by byte as it is drawn."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import closing
from itertools import islice
from typing import Any

from weftnn.cli.arguments import CommandError, Parser, fraction, name, number, whole
from weftnn.cli.lm.model_file import load_model
from weftnn.cli.text import read_standard_input
from weftnn.cli.threads import use_threads
from weftnn.cli.utf8_writer import Utf8Writer

__all__ = ["add_sample_arguments", "run_sample"]

EXAMPLES = """\
examples:
  weftnn lm sample runs/lm-1
  weftnn lm sample runs/lm-1 --prompt "The value of" --temperature 0.7 --length 1000
  weftnn lm sample runs/lm-1 --top-k 20 --top-p 0.9 --seed 7
  head -c 500 letter.txt | weftnn lm sample runs/lm-1 --prompt -

Temperature below 1 is safer text, above 1 is wilder; 0 always takes the most likely byte. The same seed
gives the same text. A gpt looks back over its context; when that is full, it goes on from its last half.
"""


def add_sample_arguments(parser: Parser) -> None:
    parser.add_argument(
        "model", metavar="MODEL", type=name, help="a run's folder, or a model's .safetensors file"
    )
    text = parser.add_argument_group("text")
    text.add_argument(
        "--prompt",
        metavar="TEXT",
        help="text to continue; - reads it from standard input (default: a new line)",
    )
    text.add_argument("--length", type=whole(1), default=500, metavar="N", help="bytes to draw (default 500)")
    drawing = parser.add_argument_group("drawing")
    drawing.add_argument(
        "--temperature", type=number(least=0), default=0.8, metavar="X", help="0 or more (default 0.8)"
    )
    drawing.add_argument("--top-k", type=whole(1), metavar="K", help="draw from the K most likely bytes only")
    drawing.add_argument(
        "--top-p",
        type=fraction(zero=False, one=True),
        metavar="P",
        help="draw from the fewest bytes whose probabilities add up to P",
    )
    drawing.add_argument("--seed", type=whole(0), metavar="N", help="seed (default: another text every time)")
    machine = parser.add_argument_group("machine")
    machine.add_argument(
        "--threads", type=whole(1), metavar="N", help="threads, up to the processors here (default: all)"
    )


def run_sample(arguments: argparse.Namespace) -> int:
    use_threads(arguments.threads)
    model = load_model(arguments.model)
    prompt = _prompt(arguments.prompt)
    drawn = model.generate(
        prompt or b"\n",
        rng=arguments.seed,
        temperature=arguments.temperature,
        top_k=arguments.top_k,
        top_p=arguments.top_p,
    )
    with closing(Utf8Writer(sys.stdout)) as writer:
        writer.write(prompt)
        try:
            for byte in islice(drawn, arguments.length):
                writer.write(bytes([byte]))
        except ValueError as error:
            raise CommandError(f"the model cannot be sampled: {error}", code=1) from None
    return 0


def _prompt(given: Any) -> bytes:
    if given is None:
        return b""
    if given != "-":
        return os.fsencode(given)
    return read_standard_input()
