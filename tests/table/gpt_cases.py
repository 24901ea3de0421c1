"""Small GPTs to test with."""

from __future__ import annotations

from typing import Any

import numpy as np

from weftnn.models import GPT

TEXT = np.frombuffer(("Warp and weft, žluťoučký kůň. " * 4).encode(), np.uint8)
C = 16
KINDS: list[dict[str, Any]] = [
    {"positions": "rotary"},
    {"positions": "learned", "num_layers": 1},
    {"positions": "alibi", "num_heads": 3},
    {"positions": "learned", "tie_weights": True, "num_heads": 1},
]


def make(rng: int = 0, **settings: Any) -> GPT:
    """A small one, with weights so large that a wrong mask or place would show."""
    usual = {"hidden_size": 12, "num_layers": 2, "num_heads": 2, "context": C, "dtype": "float64"}
    model = GPT(**{**usual, "rng": rng, **settings})
    draw = np.random.default_rng(rng + 1)
    for parameter in model.parameters():
        parameter.data[...] += draw.normal(0, 0.3, parameter.shape)
    return model
