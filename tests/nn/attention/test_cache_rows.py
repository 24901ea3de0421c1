"""Caches of rows of several lengths: select, room, offsets, readers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ragged_layers import LONG, STEP, E, X, attention, encoder, held
from weftnn import nn
from weftnn.models import GPT, LanguageModel


def test_a_cache_of_rows_of_several_lengths_goes_on_after_select() -> None:
    """Each row as if it were alone, though rows come, go and change places."""
    model = encoder(causal=True)
    cache = model.make_cache(4)
    model.predict(X, lengths=[5, 2], cache=cache)
    order = [1, 0, 1, 1]
    for layer_cache in cache:
        layer_cache.select(order)
    step = np.random.default_rng(3).normal(size=(4, 2, E)).astype(np.float32)
    y = model.predict(step, cache=cache)
    for row, (source, own) in enumerate(zip(order, step, strict=True)):
        alone = model.predict(np.concatenate([X[source, : (5, 2)[source]], own])[None])[0, -2:]
        np.testing.assert_allclose(y[row], alone, 0, 1e-5)
    for layer_cache in cache:
        layer_cache.select([0, 2])
        assert len(layer_cache) == 4
        assert layer_cache.offset.tolist() == [4, 4]
        layer_cache.truncate(3)
        assert len(layer_cache) == 3


def test_after_select_a_fixed_cache_has_the_room_of_its_rows() -> None:
    layer, cache = attention(causal=True), nn.KeyValueCache(8, fixed=True)
    layer.predict(LONG[:, :12], lengths=[6, 2], cache=cache)  # padding takes no room
    cache.select([1])
    assert len(cache) == 2
    for _ in range(6):
        layer.predict(STEP[:1], cache=cache)
    with pytest.raises(ValueError, match="steps must be at most 8, the fixed capacity, got 9"):
        layer.predict(STEP[:1], cache=cache)
    assert len(cache) == 8


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ([2], ValueError),
        ([-1], ValueError),
        ([0.0], TypeError),
        ([[0]], TypeError),
        ([True, False], TypeError),
    ],
    ids=str,
)
def test_rows_that_are_none(rows: Any, error: type[Exception]) -> None:
    cache = nn.KeyValueCache()
    cache.append(X[:, None], X[:, None], [3, 1])
    before = held([cache])
    with pytest.raises(error, match="select: rows must be"):
        cache.select(rows)
    assert held([cache]) == before


def test_the_offset_of_a_cache_is_not_for_writing() -> None:
    cache = nn.KeyValueCache()
    lengths = np.array([3, 1])
    cache.append(X[:, None], X[:, None], lengths)
    lengths[:] = 0
    with pytest.raises(ValueError, match="read-only"):
        cache.offset[0] = 9
    assert cache.offset.tolist() == [3, 1]


def test_an_append_of_what_does_not_go_on() -> None:
    cache = nn.KeyValueCache(4)
    cache.append(X[:, None, :3], X[:, None, :3])
    before = held([cache])
    for k, v in (
        (X[:, None], X[:, None, :4]),
        (X[:, None], X[:1, None]),
        (X[:, None], X[:, None].astype(np.float64)),
        (X[:, None, :, :2], X[:, None]),
    ):
        with pytest.raises(ValueError, match="KeyValueCache: "):
            cache.append(k, v)
        assert held([cache]) == before


@pytest.mark.parametrize(
    "model",
    [GPT(hidden_size=8, num_layers=2, num_heads=2, context=8, rng=0), LanguageModel(hidden_size=8, rng=0)],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize("before", [3, 8])
def test_readers(model: Any, before: int) -> None:
    """Bytes that are none, within a window and where it moves on."""
    text, read, other = np.arange(20)[None], model.reader(), model.reader()
    read(text[:, :before])
    for wrong in (np.array([[1, 256]]), np.array([[-1]]), np.array([[1.5]])):
        with pytest.raises((ValueError, TypeError)):
            read(wrong)
    other(text[:, :before])
    np.testing.assert_array_equal(read(text[:, before : before + 1]), other(text[:, before : before + 1]))


def test_a_reader_of_a_long_prompt() -> None:
    model = LanguageModel(hidden_size=8, rng=0)
    prompt = np.ones((1, 3000), np.int64)
    prompt[0, -1] = 256  # after pieces that are right
    read, other = model.reader(), model.reader()
    with pytest.raises(ValueError, match="embedding_forward: indices"):
        read(prompt)
    np.testing.assert_array_equal(read(prompt[:, :5]), other(prompt[:, :5]))
