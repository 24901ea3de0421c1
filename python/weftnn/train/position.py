"""Position: where training is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Position:
    """Where training is: updates so far, epochs completed, segments read of the epoch, tokens and seconds."""

    step: int = 0
    epoch: int = 0
    segment: int = 0
    tokens: int = 0
    seconds: float = 0.0
