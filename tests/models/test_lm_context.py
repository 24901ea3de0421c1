"""Texts longer than a GPT's context: windows, the cache, drawing, and its measure."""

from __future__ import annotations

import math
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_cases import KINDS, TEXT, C, make
from weftnn import ops
from weftnn.models import GPT, HeldOutWindows, bits_per_byte
from weftnn.models.context_window import ContextReader, stride, window_start
from weftnn.models.sampling import probabilities
from weftnn.nn.attention.key_value_cache import KeyValueCache


@given(before=st.integers(1, 300), context=st.integers(1, 40))
def test_a_window_ends_where_the_text_does_and_is_at_least_half_full(before: int, context: int) -> None:
    start = window_start(before, context)
    assert start <= window_start(before + 1, context) <= start + stride(context)
    assert 1 <= before - start <= context
    assert before - start >= min(before, context // 2)
    assert start == 0 or start % stride(context) == 0


@pytest.mark.parametrize("context", [1, 2, 5, C])
@pytest.mark.parametrize("prompt", [1, 3, 40])
@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_byte_by_byte_is_the_whole_window(settings: dict[str, Any], prompt: int, context: int) -> None:
    """The same distribution as that of a forward pass over the window, within the context and beyond it."""
    model = make(context=context, **settings)
    read = model.reader()
    logits = read(TEXT[None, :prompt])
    for before in range(prompt, 60):
        window = TEXT[None, window_start(before, context) : before]
        # The same arithmetic in another order of sums: a few units in the last place.
        np.testing.assert_allclose(logits, model.predict(window)[:, -1], rtol=1e-11, atol=1e-12)
        logits = read(TEXT[None, before : before + 1])


def test_rows_are_read_side_by_side() -> None:
    model = make()
    rows = TEXT[:100].reshape(2, 50)
    both, alone = model.reader(), [model.reader(), model.reader()]
    for start in range(0, 50, 5):
        piece = rows[:, start : start + 5]
        expected = np.concatenate([read(row[None]) for read, row in zip(alone, piece, strict=True)])
        np.testing.assert_allclose(both(piece), expected, rtol=1e-11, atol=1e-12)


def test_a_byte_costs_the_same_however_long_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in bytes that go through the model, and in arrays that are made for the cache."""
    read_bytes: list[int] = []
    made: list[tuple[int, ...]] = []
    predict, empty = GPT.predict, np.empty

    def counted(model: GPT, x: np.ndarray, **options: Any) -> np.ndarray:
        read_bytes.append(x.shape[1])
        return predict(model, x, **options)

    def noted(shape: Any, *arguments: Any) -> np.ndarray:
        made.append(shape)
        return empty(shape, *arguments)

    monkeypatch.setattr(GPT, "predict", counted)
    monkeypatch.setattr("weftnn.nn.attention.key_value_cache.np.empty", noted)
    model = make(context=100)
    for _ in islice(model.generate(b"W", rng=0), 1000):
        pass
    buffers = [shape for shape in made if len(shape) == 4 and shape[:2] == (1, 2)]
    assert len(buffers) == 2 * 2 * 2  # keys and values of 2 layers, for 64 bytes and then for 128
    assert set(read_bytes) == {1, 51}  # one byte, or half a window and one
    moves = [index for index, count in enumerate(read_bytes) if count > 1]
    assert moves == list(range(100, 1000, 50))


def test_decoding_reads_the_cache_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """What attention is given are views of the cache's buffers: nothing is copied for a step."""
    model = make()
    cache = model.make_cache()
    model.predict(TEXT[None, :10], cache=cache)
    seen: list[tuple[np.ndarray, np.ndarray]] = []
    forward = ops.sdpa_forward

    def watched(q: np.ndarray, k: np.ndarray, v: np.ndarray, **options: Any) -> Any:
        seen.append((k, v))
        return forward(q, k, v, **options)

    monkeypatch.setattr(ops, "sdpa_forward", watched)
    model.predict(TEXT[None, 10:11], cache=cache)
    assert len(seen) == len(cache)
    for (keys, values), layer_cache in zip(seen, cache, strict=True):
        assert keys.shape[2] == 11
        assert np.shares_memory(keys, layer_cache.read().keys)
        assert np.shares_memory(values, layer_cache.read().values)


def test_more_than_the_context_at_once_is_refused() -> None:
    model = make()
    with pytest.raises(ValueError, match=r"GPT: x must be \(B, T\), .* at most context = 16, got \(1, 17\)"):
        model(TEXT[None, :17])
    with pytest.raises(ValueError, match="at most context = 16"):
        model.predict(TEXT[None, :17])
    cache: list[KeyValueCache] = model.make_cache()
    model.predict(TEXT[None, :10], cache=cache)
    with pytest.raises(ValueError, match=r"got \(1, 7\) with 10 bytes before it"):
        model.predict(TEXT[None, 10:17], cache=cache)
    with pytest.raises(ValueError, match=r"x must be \(B, T\)"):
        model(TEXT[:5])


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_generating_continues_as_its_windows_would(settings: dict[str, Any]) -> None:
    model = make(**settings)
    text = bytearray(b"Warp")
    for byte in islice(model.generate(b"Warp", temperature=0), 50):
        window = text[window_start(len(text), C) :]
        assert byte == int(model.predict(np.frombuffer(window, np.uint8)[None].copy())[0, -1].argmax())
        text.append(byte)


def test_generating_follows_the_seed_and_takes_long_prompts() -> None:
    model, prompt = make(), TEXT.tobytes() * 20
    first = bytes(islice(model.generate(prompt, rng=1, top_k=9, top_p=0.9), 20))
    assert first == bytes(islice(model.generate(prompt, rng=1, top_k=9, top_p=0.9), 20))
    assert first != bytes(islice(model.generate(prompt, rng=2, top_k=9, top_p=0.9), 20))
    with pytest.raises(ValueError, match=r"GPT\.generate: prompt must hold at least one byte"):
        next(model.generate(b""))


# ---- the measure ----


@given(
    size=st.integers(2, 300),
    context=st.integers(1, 40),
    batch_size=st.integers(1, 9),
    first=st.integers(0, 9),
)
def test_windows_score_every_byte_but_the_first_once(
    size: int, context: int, batch_size: int, first: int
) -> None:
    ids = np.arange(first, first + size)
    source = HeldOutWindows(ids, context=context, batch_size=batch_size)
    batches = list(source.batches(0))
    assert len(batches) == len(source)
    scored: list[int] = []
    for batch in batches:
        assert batch.weight is not None and not batch.continues
        assert batch.x.shape[1] <= context
        counted = batch.weight > 0
        np.testing.assert_array_equal(batch.y[counted], batch.x[counted] + 1)  # each target is the next byte
        for row, position in np.argwhere(counted):
            target = int(batch.y[row, position]) - first
            assert batch.x[row, 0] - first == window_start(target, context)
        scored += batch.y[counted].tolist()
    assert sorted(scored) == list(range(first + 1, first + size))


@pytest.mark.parametrize("size", [2, C, C + 1, C + 2, TEXT.size])
def test_bits_per_byte_is_the_mean_surprise_of_one_who_reads_byte_by_byte(size: int) -> None:
    model, text = make(), TEXT[:size]
    read = ContextReader(model)
    surprises = []
    for before in range(1, size):
        chances = probabilities(read(text[None, before - 1 : before]))[0]
        surprises.append(-math.log2(chances[text[before]]))
    assert bits_per_byte(model, text) == pytest.approx(np.mean(surprises), rel=1e-12)
    assert bits_per_byte(model, text, streams=7) == bits_per_byte(model, text)


def test_windows_need_two_bytes() -> None:
    with pytest.raises(ValueError, match="HeldOutWindows: ids must be"):
        HeldOutWindows(np.zeros(1, np.uint8), context=4)
