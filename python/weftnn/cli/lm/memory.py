"""Whether a training run fits into this machine's memory, asked before any of it is taken."""

from __future__ import annotations

import os

from weftnn.cli.arguments import CommandError
from weftnn.cli.lm.train_settings import TrainSettings
from weftnn.models.byte_model import VOCABULARY

__all__ = ["check_memory"]


def check_memory(settings: TrainSettings) -> None:
    """Refuse before allocating: a system that overcommits would kill the process later."""
    if not hasattr(os, "sysconf"):  # Windows
        return
    itemsize = {"float32": 4, "float64": 8}[settings.dtype]
    weights, of_a_step = (_gpt if settings.model == "gpt" else _recurrent)(settings)
    # A weight is kept with its gradient and, in most optimizers, two more arrays of its size.
    needed = itemsize * (4 * weights + settings.batch * settings.sequence * of_a_step)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        embedding = "" if settings.model == "gpt" else f"--embedding {settings.embedding_size}, "
        raise CommandError(
            f"--layers {settings.layers}, --hidden {settings.hidden}, {embedding}--batch {settings.batch} "
            f"and --sequence {settings.sequence} need about {needed / 2**30:,.1f} GiB of memory; "
            f"this machine has {memory / 2**30:,.1f}"
        )


def _recurrent(settings: TrainSettings) -> tuple[int, int]:
    """(weights, numbers kept for backward of a byte)."""
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[settings.model]
    hidden, embedding, layers = settings.hidden, settings.embedding_size, settings.layers
    recurrent = gates * hidden * (embedding + hidden + 2) + (layers - 1) * gates * hidden * (2 * hidden + 2)
    weights = recurrent + VOCABULARY * (embedding + hidden + 1)
    return weights, embedding + layers * (gates + 2) * hidden + 2 * VOCABULARY


def _gpt(settings: TrainSettings) -> tuple[int, int]:
    """The same; a layer keeps 2 norms, q, k, v, what attention read, 2 sums, 4 + 4 that are fed forward."""
    hidden, layers = settings.hidden, settings.layers
    weights = layers * 12 * hidden**2 + (2 * VOCABULARY + settings.sequence) * hidden
    return weights, (2 + 16 * layers) * hidden + 2 * VOCABULARY
