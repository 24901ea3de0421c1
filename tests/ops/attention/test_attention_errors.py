"""What sdpa refuses, by name: `sdpa_forward: k must be (B, Nk, S, D) = ..., got ...`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from weftnn.ops import sdpa_backward, sdpa_forward

Array = Any
B, N, NK, T, S, D, DV = 2, 4, 2, 5, 7, 3, 6


def arguments(**changes: Any) -> dict[str, Any]:
    ones = {"q": np.ones((B, N, T, D)), "k": np.ones((B, NK, S, D)), "v": np.ones((B, NK, S, DV))}
    return ones | changes


WRONG: list[tuple[dict[str, Any], str, type[Exception]]] = [
    # shapes
    ({"q": np.ones((N, T, D))}, "q", ValueError),
    ({"q": np.ones((1, B, N, T, D))}, "q", ValueError),
    ({"k": np.ones((NK, S, D))}, "k", ValueError),
    ({"v": np.ones((NK, S, DV))}, "v", ValueError),
    ({"k": np.ones((B + 1, NK, S, D))}, "k", ValueError),
    ({"k": np.ones((B, NK, S, D + 1))}, "k", ValueError),
    ({"v": np.ones((B + 1, NK, S, DV))}, "v", ValueError),
    ({"v": np.ones((B, NK, S + 1, DV))}, "v", ValueError),
    ({"v": np.ones((B, N, S, DV))}, "v", ValueError),
    ({"q": np.ones((B, 3, T, D))}, "[qk]", ValueError),  # heads that do not divide
    ({"k": np.ones((B, 3, S, D)), "v": np.ones((B, 3, S, DV))}, "k", ValueError),
    ({"k": np.ones((B, 8, S, D)), "v": np.ones((B, 8, S, DV))}, "k", ValueError),
    ({"k": np.ones((B, 0, S, D)), "v": np.ones((B, 0, S, DV))}, "k", ValueError),
    # masks and biases that do not broadcast
    *[
        ({name: value(shape)}, name, ValueError)
        for name, value in (("mask", np.ones), ("mask", lambda s: np.ones(s, bool)), ("bias", np.ones))
        for shape in (
            (B, N, T, S + 1),
            (B, N, T + 1, S),
            (B, N + 1, T, S),
            (B + 1, N, T, S),
            (1, B, N, T, S),
            (2, 1, 1, 1, 1),
            (B, NK, T, S),
            (T,),
            (S, T),
        )
    ],
    # dtypes
    ({"mask": np.ones((T, S), np.float32)}, "mask", TypeError),
    ({"mask": np.ones((T, S), np.int64)}, "mask", TypeError),
    ({"mask": np.ones((T, S), np.uint8)}, "mask", TypeError),
    ({"mask": [[True] * S] * T}, "mask", TypeError),
    ({"bias": np.ones((T, S), np.float32)}, "bias", TypeError),
    ({"bias": np.ones((T, S), bool)}, "bias", TypeError),
    ({"k": np.ones((B, NK, S, D), np.float32)}, "k", TypeError),
    ({"v": np.ones((B, NK, S, DV), np.float32)}, "v", TypeError),
    ({"k": None}, "k", TypeError),
    # words and numbers
    ({"causal": "bottom_left"}, "causal", ValueError),
    ({"window": (-2, 0)}, "window", ValueError),
    ({"window": (0, -2)}, "window", ValueError),
    ({"window": (1, 2, 3)}, "window", ValueError),
    ({"window": 3}, "window", ValueError),
    ({"window": (1.5, 0)}, "window's left", TypeError),
    ({"dropout": -0.1, "seed": 0}, "dropout", ValueError),
    ({"dropout": 1.0, "seed": 0}, "dropout", ValueError),
    ({"dropout": float("nan"), "seed": 0}, "dropout", ValueError),
    ({"dropout": 0.1}, "seed", ValueError),
    ({"dropout": 0.1, "seed": -1}, "seed", ValueError),
    ({"dropout": 0.1, "seed": 2**64}, "seed", ValueError),
    ({"dropout": 0.1, "seed": 1.5}, "seed", TypeError),
    ({"dropout": 0.1, "seed": 0, "offset": -1}, "offset", ValueError),
    ({"softcap": -1.0}, "softcap", ValueError),
    ({"softcap": float("inf")}, "softcap", ValueError),
    ({"softcap": "soft"}, "softcap", TypeError),
    ({"scale": float("nan")}, "scale", ValueError),
    ({"scale": float("inf")}, "scale", ValueError),
    ({"scale": "large"}, "scale", TypeError),
    ({"return_weights": "max"}, "return_weights", ValueError),
    # lengths
    ({"kv_lengths": np.array([S, S + 1])}, "kv_lengths", ValueError),
    ({"kv_lengths": np.array([-1, S])}, "kv_lengths", ValueError),
    ({"kv_lengths": np.array([2**64 - 1, 1], np.uint64)}, "kv_lengths", ValueError),
    ({"kv_lengths": np.array([1, 2, 3])}, "kv_lengths", ValueError),
    ({"kv_lengths": np.array([[1, 2]])}, "kv_lengths", ValueError),
    ({"kv_lengths": np.array([1.0, 2.0])}, "kv_lengths", TypeError),
]


def shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    return str({name: shown(v) for name, v in value.items()}) if isinstance(value, dict) else str(value)


@pytest.mark.parametrize(("changes", "name", "error"), WRONG, ids=shown)
def test_what_is_refused(changes: dict[str, Any], name: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"^sdpa_forward: {name} must .*got "):
        sdpa_forward(**arguments(**changes))


def test_errors_show_what_was_expected() -> None:
    with pytest.raises(ValueError, match=r"k must be \(B, Nk, S, D\) = \(2, 2, 7, 3\), got \(2, 2, 7, 4\)"):
        sdpa_forward(**arguments(k=np.ones((B, NK, S, D + 1))))
    with pytest.raises(ValueError, match=r"mask must .*\(2, 4, 5, 7\), got \(7, 5\)"):
        sdpa_forward(**arguments(mask=np.ones((S, T))))


def test_backward() -> None:
    _, saved = sdpa_forward(**arguments())
    for shape in [(B, N, T, D), (B, N, T), (B, NK, T, DV), (B, N, S, DV)]:
        with pytest.raises(ValueError, match=r"^sdpa_backward: dout must .*\(2, 4, 5, 6\), got "):
            sdpa_backward(saved, np.ones(shape))


def pretend(*shape: int) -> Array:
    """An array of any size in no memory: every stride is zero."""
    return np.broadcast_to(np.zeros((), np.float32), shape)


def test_sizes_that_overflow() -> None:
    huge = pretend(2**20, 2**20, 2**20, 1)
    with pytest.raises((ValueError, MemoryError)):
        sdpa_forward(huge, huge, huge)
    long = pretend(1, 1, 2**33, 1)
    with pytest.raises((ValueError, MemoryError)):  # the weights alone do not fit
        sdpa_forward(long, long, pretend(1, 1, 2**33, 0), return_weights=True)
