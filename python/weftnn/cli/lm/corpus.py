"""What a run trains on and what it validates on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from weftnn.cli.arguments import CommandError
from weftnn.cli.lm.train_settings import TrainSettings
from weftnn.cli.text import Text, read_text

__all__ = ["Corpus", "check_lengths", "read_corpus"]

_FEWEST_HELD_OUT = 16


@dataclass(frozen=True)
class Corpus:
    """train[N] and held_out[M] or None, ids uint8; `texts` are what they were cut from."""

    train: npt.NDArray[np.uint8]
    held_out: npt.NDArray[np.uint8] | None
    texts: dict[str, Text]


def read_corpus(settings: TrainSettings) -> Corpus:
    """Read the texts and cut off what is held out."""
    text = read_text(settings.text)
    if settings.validation:
        validation = read_text(settings.validation)
        return Corpus(text.ids, validation.ids, {"text": text, "validation": validation})
    cut = text.ids.size - round(text.ids.size * settings.held_out_part)
    return Corpus(text.ids[:cut], text.ids[cut:] if settings.held_out_part else None, {"text": text})


def check_lengths(settings: TrainSettings, corpus: Corpus) -> None:
    """Refuse a text that is too short. Raises CommandError."""
    batch, sequence, size = settings.batch, settings.sequence, corpus.train.size
    too_little_held_out = corpus.held_out is not None and corpus.held_out.size < _FEWEST_HELD_OUT
    if size < (batch + 1) * sequence:
        advice = "give more text"
        if size >= 2 * sequence:
            advice += f", or --batch {size // sequence - 1}"
        elif size >= 2:
            advice += f", or --batch 1 --sequence {size // 2}"
        if size >= 2 and too_little_held_out and not settings.validation:
            advice += " --held-out 0"
        raise CommandError(
            f"the text is too short: {size:,} bytes to train on, but --batch {batch} with --sequence "
            f"{sequence} needs {(batch + 1) * sequence:,}: {advice}"
        )
    if corpus.held_out is not None and too_little_held_out:
        larger = "" if settings.validation else ", a larger --held-out, or --held-out 0 for no validation"
        raise CommandError(
            f"the held-out text is too short: {corpus.held_out.size} bytes, needs {_FEWEST_HELD_OUT}: "
            f"give more text{larger}"
        )
