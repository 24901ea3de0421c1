"""`weftnn lm eval`: how well a trained model predicts a text."""

from __future__ import annotations

import argparse
import math
import time

import numpy as np
import numpy.typing as npt

from weftnn.cli.arguments import CommandError, Parser, fraction, name, whole
from weftnn.cli.lm.model_file import describe, load_model
from weftnn.cli.text import read_text
from weftnn.cli.threads import use_threads
from weftnn.models import GPT, ByteModel, bits_per_byte

__all__ = ["add_eval_arguments", "run_eval"]

EXAMPLES = """\
examples:
  weftnn lm eval runs/lm-1 letter.txt              bits per byte over the whole text
  weftnn lm eval runs/lm-1 --held-out 0.1          the default text: its last tenth, and what comes before
  cat *.txt | weftnn lm eval runs/lm-1 - --streams 16

Every byte but the first is scored. A recurrent model's state is carried from the first byte to the last; a
gpt reads windows that overlap by half, so that a byte has at least half a context before it.
"""


def add_eval_arguments(parser: Parser) -> None:
    parser.add_argument(
        "model", metavar="MODEL", type=name, help="a run's folder, or a model's .safetensors file"
    )
    text = parser.add_argument_group("text")
    text.add_argument(
        "text",
        nargs="*",
        default=[],
        metavar="TEXT",
        help="text files, folders or - for standard input; without any, the topics of Python's own help()",
    )
    text.add_argument(
        "--held-out",
        type=fraction(),
        default=0.0,
        metavar="F",
        help="score the last part F of the text apart from what comes before, as training did with 0.1",
    )
    machine = parser.add_argument_group("machine")
    machine.add_argument(
        "--streams",
        type=whole(1),
        metavar="N",
        help="read N parts of the text side by side: faster on long texts, and nearly the same (default 1); "
        "of recurrent models only",
    )
    machine.add_argument(
        "--threads", type=whole(1), metavar="N", help="threads, up to the processors here (default: all)"
    )


def run_eval(arguments: argparse.Namespace) -> int:
    use_threads(arguments.threads)
    model = load_model(arguments.model)
    if arguments.streams is not None and isinstance(model, GPT):
        raise CommandError("--streams is for recurrent models only: a gpt reads many windows at once anyway")
    text = read_text(arguments.text)
    cut = text.ids.size - round(text.ids.size * arguments.held_out)
    parts = [("the whole text", text.ids)]
    if arguments.held_out:
        parts = [(f"held out ({arguments.held_out:.3g})", text.ids[cut:]), ("before it", text.ids[:cut])]
    for part, ids in parts:
        if ids.size < 2:
            raise CommandError(f"the text is too short: {part} has {ids.size} bytes, needs at least 2")
    print(f"model  {describe(model)}")
    print(f"text   {text}")
    for part, ids in parts:
        _report(model, part, ids, arguments.streams or 1)
    return 0


def _report(model: ByteModel, part: str, ids: npt.NDArray[np.uint8], streams: int) -> None:
    start = time.perf_counter()
    bits = bits_per_byte(model, ids, streams=streams, progress=f"scoring {part}")
    if not math.isfinite(bits):
        raise CommandError(f"the model is spoilt: its bits per byte are {bits}", code=1)
    rate = (ids.size - 1) / (time.perf_counter() - start)
    print(f"{part:<16} {bits:.4f} bits per byte  ({ids.size:,} bytes, {rate:,.0f} bytes/s)")
