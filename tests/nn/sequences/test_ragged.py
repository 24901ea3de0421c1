"""Lengths and resets: whoever takes them says the same of the same fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import weftnn
from ragged_layers import MEMORY, TOKENS, B, E, S, T, X, attention, decoder, encoder
from weftnn import data, nn, ops
from weftnn.models import LanguageModel
from weftnn.ragged import check_lengths


def both(layer: nn.Layer, *given: Any, of: str = "lengths") -> list[tuple[nn.Layer, Callable[[Any], Any]]]:
    """A call and predict, as functions of the lengths."""
    return [
        (layer, lambda lengths: layer(*given, **{of: lengths})),
        (layer, lambda lengths: layer.predict(*given, **{of: lengths})),
    ]


def gru_forward(lengths: Any) -> Any:
    weights = np.zeros((3 * E, E), np.float32)
    return ops.gru_forward(X, weights, weights, lengths=lengths)


def sdpa_forward(lengths: Any) -> Any:
    return ops.sdpa_forward(X[:, None], MEMORY[:, None], MEMORY[:, None], kv_lengths=lengths)


TAKERS: list[tuple[Any, int, Callable[[Any], Any]]] = [  # (layer or None, T or S, a call with lengths)
    *[
        (layer, steps, call)
        for steps, calls in (
            (T, both(nn.LSTM(E, 4, 2, dropout=0.5, zoneout=0.1, recurrent_dropout=0.1, rng=0), X)),
            (T, both(nn.GRU(E, 4, bidirectional=True, recurrent_dropout=0.5, rng=0), X)),
            (T, both(nn.Bidirectional(nn.GRU(E, 4), nn.LSTM(E, 4, zoneout=0.5, rng=0)), X)),
            (T, both(nn.Sequential(nn.Dropout(0.5, rng=0), nn.Linear(E, E), encoder()), X)),
            (T, both(nn.Sequential(nn.Dropout(0.5, rng=0)), X)),
            (T, both(nn.Residual(nn.Dropout(0.5, rng=0)), X)),
            (T, both(attention(dropout=0.5), X)),
            (T, both(attention(dropout=0.5), X, of="kv_lengths")),
            (T, both(attention(dropout=0.5), X, MEMORY)),
            (S, both(attention(dropout=0.5), X, MEMORY, of="kv_lengths")),
            (T, both(nn.DotAttention(dropout=0.5, rng=0), X, MEMORY)),
            (S, both(nn.DotAttention(dropout=0.5, rng=0), X, MEMORY, of="kv_lengths")),
            (S, both(nn.BilinearAttention(E, E, 0.5, rng=0), X, MEMORY, of="kv_lengths")),
            (T, both(nn.AdditiveAttention(E, E, 4, 0.5, rng=0), X)),
            (T, both(nn.TransformerEncoderLayer(E, 2, 8, 0.5, rng=0), X)),
            (T, both(encoder(), X)),
            (T, both(nn.TransformerDecoderLayer(E, 2, 8, 0.5, rng=0), X, MEMORY)),
            (S, both(nn.TransformerDecoderLayer(E, 2, 8, 0.5, rng=0), X, MEMORY, of="memory_lengths")),
            (T, both(decoder(), X, MEMORY)),
            (S, both(decoder(), X, MEMORY, of="memory_lengths")),
            (T, both(nn.Transformer(E, 2, 1, 1, 8, 0.5, rng=0), X, MEMORY)),
            (S, both(nn.Transformer(E, 2, 1, 1, 8, 0.5, rng=0), X, MEMORY, of="x_lengths")),
            (T, both(LanguageModel(hidden_size=8, dropout=0.5, rng=0), TOKENS)),
        )
        for layer, call in calls
    ],
    (None, T, gru_forward),
    (None, S, sdpa_forward),
    (None, T, lambda lengths: data.Batch(X, X, lengths=lengths)),
    (None, T, lambda lengths: data.ArrayDataset((X, X), lengths=lengths)),
    (None, T, lambda lengths: weftnn.Model(nn.GRU(E, 4)).run(X, lengths=lengths)),
    (None, T, lambda lengths: weftnn.Model(nn.Sequential(nn.Embedding(5, 4))).run(TOKENS, lengths=lengths)),
    (None, T, lambda lengths: nn.KeyValueCache().append(X[:, None], X[:, None], lengths)),
]
WRONG: list[tuple[Any, type[Exception], str]] = [  # of two rows
    ([1, 99], ValueError, r"lengths must be in 0\.\.[TS] = 0\.\.\d, got \w*lengths\[1\] = 99"),
    ([-1, 2], ValueError, r"got \w*lengths\[0\] = -1"),
    ([1, 2**70], ValueError, r"got \w*lengths\[1\] = 1180591620717411303424"),
    (np.array([2**64 - 1, 1], np.uint64), ValueError, r"got \w*lengths\[0\] = 18446744073709551615"),
    (np.array([1, 2**40]), ValueError, "= 1099511627776"),
    ([1], ValueError, r"lengths must be \(B,\) = \(2,\), got shape \(1,\)"),
    ([1, 2, 3], ValueError, r"got shape \(3,\)"),
    (np.array([[1, 2]]), ValueError, r"got shape \(1, 2\)"),
    (3, ValueError, r"got shape \(\)"),
    ([], ValueError, r"got shape \(0,\)"),
    ([2.7, 1], TypeError, r"lengths must be integers, got \[2.7, 1\]"),
    ([1.0, 2.0], TypeError, "lengths must be integers"),
    (np.array([1.0, 2.0]), TypeError, "lengths must be integers, got float64"),
    (np.array([np.nan, 1]), TypeError, "lengths must be integers, got float64"),
    ([True, 1], TypeError, r"lengths must be integers, got \[True, 1\]"),
    (np.array([True, True]), TypeError, "lengths must be integers, got bool"),
    ([1, None], TypeError, "lengths must be integers"),
    ([[1], [1, 2]], TypeError, "lengths must be integers"),
    (np.array([1, 2.5], object), TypeError, "lengths must be integers"),
    (["1", "2"], TypeError, "lengths must be integers"),
    ("12", TypeError, "lengths must be integers"),
    (np.ma.array([1, 2], mask=[False, True]), TypeError, "lengths must not have masked elements, got 1"),
]


@pytest.mark.parametrize(("layer", "steps", "call"), TAKERS)
def test_lengths_that_are_none(layer: nn.Layer | None, steps: int, call: Callable[[Any], Any]) -> None:
    call([steps, 0])
    draws = layer.random_state() if layer else {}
    for wrong, error, message in [*WRONG, ([steps + 1, 1], ValueError, f"= {steps + 1}$")]:
        with pytest.raises(error, match=message if error is ValueError else "lengths must"):
            call(wrong)
        assert not layer or layer.random_state() == draws


@pytest.mark.parametrize(("wrong", "error", "message"), WRONG, ids=lambda value: str(value)[:40])
def test_the_words(wrong: Any, error: type[Exception], message: str) -> None:
    for name in ("lengths", "kv_lengths"):
        with pytest.raises(error, match=f"^LSTM: .*{message}" if error is ValueError else f"^LSTM: {name}"):
            check_lengths("LSTM", wrong, 2, 5, name=name)


@pytest.mark.parametrize(
    "right",
    [
        [3, 5],
        (3, 5),
        [np.int8(3), np.uint64(5)],
        [np.array(3), 5],
        *[np.array([3, 5], dtype) for dtype in "bBhHiIlLqQ"],
        np.array([3, 5], ">i4"),
        np.array([3, 5], object),
        np.array([3, 0, 5])[::2],
        np.ma.array([3, 5]),
    ],
    ids=repr,
)
def test_lengths_of_every_kind(right: Any) -> None:
    checked = check_lengths("LSTM", right, 2, 5)
    assert checked.dtype == np.int64
    assert checked.tolist() == [3, 5]
    assert not np.shares_memory(checked, np.asarray(right))
    assert check_lengths("LSTM", [], 0, 5).shape == (0,)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (np.zeros((B, T)), TypeError, "resets must have dtype bool, got float64"),
        (np.zeros((B, T), int), TypeError, "resets must have dtype bool, got int64"),
        (np.zeros((B, T - 1), bool), ValueError, r"resets must be \(B, T\) = \(2, 5\), got shape \(2, 4\)"),
        (np.zeros(B, bool), ValueError, r"got shape \(2,\)"),
        ([[True], [True, False]], TypeError, "resets must have dtype bool"),
        (np.ma.array(np.zeros((B, T), bool), mask=True), TypeError, "resets must not have masked elements"),
    ],
    ids=str,
)
def test_resets_that_are_none(wrong: Any, error: type[Exception], message: str) -> None:
    drops = nn.Dropout(0.5, rng=0)
    for layer in (
        nn.GRU(E, 4, recurrent_dropout=0.5, rng=0),
        nn.GRU(E, 4, bidirectional=True),
        nn.Bidirectional(nn.GRU(E, 4), nn.GRU(E, 4)),
        nn.Sequential(drops, nn.GRU(E, 4)),
        nn.Residual(nn.Sequential(drops, nn.GRU(E, E))),
    ):
        draws = layer.random_state()
        for method in (layer, layer.predict):
            with pytest.raises(error, match=message):
                method(X, resets=wrong)
        assert layer.random_state() == draws
    for call in (
        lambda: data.Batch(X, X, resets=wrong),
        lambda: LanguageModel().predict(TOKENS, resets=wrong),
    ):
        with pytest.raises(error, match=message):
            call()
