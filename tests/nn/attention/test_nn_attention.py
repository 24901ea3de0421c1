"""Attention layers: decoding in pieces, padding, products and copies, weights, dropout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from attention_layers import B, E, N, T, dtypes, near, normal, positions, stack
from weftnn import nn

# ---- decoding ----


@dtypes
@positions
@pytest.mark.parametrize("options", [{}, {"window": (3, 0)}, {"num_kv_heads": 2}], ids=str)
def test_steps_in_pieces_are_steps_at_once(options, place, dtype):
    model, x = stack(dtype, positions=place(dtype), **options), normal(B, T, E, dtype=dtype)
    cache = model.make_cache(capacity=2)
    pieces = [model.predict(piece, cache=cache) for piece in np.split(x, [4, 5, 7, 8], axis=1)]
    near(np.concatenate(pieces, axis=1), model.predict(x), dtype, 4)
    assert [len(layer_cache) for layer_cache in cache] == [T, T]


@dtypes
@positions
def test_prompts_of_several_lengths(place, dtype):
    """Each row goes on from its own end as if it were alone."""
    model, lengths = stack(dtype, positions=place(dtype)), [2, 5, 1]
    x = normal(3, T, E, dtype=dtype)
    prompt, rest = x[:, :5].copy(), x[:, 5:]
    for row, length in enumerate(lengths):
        prompt[row, length:] = np.nan
    cache = model.make_cache()
    pieces = [model.predict(prompt, lengths=lengths, cache=cache)]
    pieces += [model.predict(piece, cache=cache) for piece in np.split(rest, [1, 2], axis=1)]
    y = np.concatenate(pieces, axis=1)
    for row, length in enumerate(lengths):
        alone = model.predict(np.concatenate([x[row : row + 1, :length], x[row : row + 1, 5:]], axis=1))[0]
        near(y[row, :length], alone[:length], dtype, 4)
        near(y[row, 5:], alone[length:], dtype, 4)
        assert (y[row, length:5] == 0).all()


@dtypes
def test_a_decoder_reads_its_memory_once(dtype):
    layers = [nn.TransformerDecoderLayer(E, N, 16, dtype=dtype, rng=i) for i in range(2)]
    model = nn.TransformerDecoder(layers, nn.LayerNorm(E, dtype=dtype))
    x, memory = normal(B, T, E, dtype=dtype), normal(B, 5, E, dtype=dtype)
    lengths = [5, 3]
    memory[1, 3:] = np.nan
    cache = model.make_cache()
    expected = model.predict(x, memory, memory_lengths=lengths)
    pieces = [model.predict(x[:, :2], memory, memory_lengths=lengths, cache=cache)]
    for step in range(2, T):
        pieces.append(model.predict(x[:, step : step + 1], np.full_like(memory, np.nan), cache=cache))
    near(np.concatenate(pieces, axis=1), expected, dtype, 4)


def test_a_cache_grows_by_doubling_and_copies_nothing_else():
    cache, k, v = nn.KeyValueCache(4), normal(2, 3, 100, 5), normal(2, 3, 100, 7)
    buffers = set()
    for step in range(100):
        keys, values, lengths = cache.append(k[:, :, step : step + 1], v[:, :, step : step + 1])
        assert keys.base is not None
        buffers.add(keys.base.ctypes.data)
        assert lengths is None
    assert len(cache) == cache.offset == 100
    assert cache.capacity == 128
    assert cache.nbytes == 2 * 3 * 128 * (5 + 7) * 8
    assert len(buffers) <= 6  # 4, 8, 16, 32, 64, 128
    np.testing.assert_array_equal(keys, k)
    np.testing.assert_array_equal(values, v)


def test_a_fixed_cache_is_full_at_its_capacity():
    cache, step = nn.KeyValueCache(3, fixed=True), np.zeros((1, 1, 1, 2))
    for _ in range(3):
        cache.append(step, step)
    with pytest.raises(ValueError, match="steps must be at most 3, the fixed capacity, got 4"):
        cache.append(step, step)
    assert len(cache) == 3
    assert repr(cache) == "KeyValueCache(3, fixed=True): 3 steps"


def test_a_cache_forgets_and_chooses_rows():
    """As a beam search does: rows go on from others, and what was tried is taken back."""
    cache, k = nn.KeyValueCache(), normal(3, 2, 5, 4)
    cache.append(k, k, lengths=[5, 2, 3])
    np.testing.assert_array_equal(cache.offset, [5, 2, 3])
    cache.truncate(4)
    cache.select([2, 0, 0, 1])
    keys, _, lengths = cache.append(k[[0, 0, 0, 0], :, :1], k[[0, 0, 0, 0], :, :1])
    np.testing.assert_array_equal(lengths, [4, 5, 5, 3])
    np.testing.assert_array_equal(keys[0, :, :3], k[2, :, :3])
    np.testing.assert_array_equal(keys[[0, 1, 2, 3], :, [3, 4, 4, 2]], k[[0, 0, 0, 0], :, 0])
    np.testing.assert_array_equal(keys[3, :, :2], k[1, :, :2])


# ---- padding ----


@pytest.mark.parametrize("poison", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.MultiheadAttention(E, N, dtype=np.float64, rng=0),
        lambda: nn.TransformerEncoderLayer(E, N, 8, 0.2, dtype=np.float64, rng=0),
        lambda: nn.TransformerEncoder(
            [nn.TransformerEncoderLayer(E, N, 8, 0.2, norm_first=True, dtype=np.float64, rng=0)],
            nn.LayerNorm(E, dtype=np.float64),
        ),
    ],
)
def test_padding_is_never_read(make, poison):
    """Neither x nor dy past a row's end changes a bit of anything; y and dx are zero there."""
    lengths, results = [4, 0, T], []
    for value in (0.0, poison):
        layer, x, dy = make(), normal(3, T, E), normal(3, T, E, seed=1)
        for row, length in enumerate(lengths):
            x[row, length:] = dy[row, length:] = value
        y, backprop = layer(x, lengths=lengths)
        dx = backprop(dy)
        for row, length in enumerate(lengths):
            assert (y[row, length:] == 0).all()
            assert (dx[row, length:] == 0).all()
        results.append([y, dx, layer.predict(x, lengths=lengths), *(p.grad for p in layer.parameters())])
    for clean, dirty in zip(*results, strict=True):
        np.testing.assert_array_equal(dirty, clean)


@pytest.mark.parametrize("poison", [np.nan, 1e30])
def test_padding_of_a_memory_is_never_read(poison):
    results = []
    for value in (0.0, poison):
        layer = nn.TransformerDecoderLayer(E, N, 8, 0.0, dtype=np.float64, rng=0)
        memory = normal(B, 5, E)
        memory[0, 2:] = memory[1, :] = value
        y, backprop = layer(normal(B, T, E), memory, memory_lengths=[2, 0])
        dx, dmemory = backprop(normal(B, T, E, seed=1))
        assert (dmemory[0, 2:] == 0).all()
        assert (dmemory[1] == 0).all()
        results.append([y, dx, dmemory, *(p.grad for p in layer.parameters())])
    for clean, dirty in zip(*results, strict=True):
        np.testing.assert_array_equal(dirty, clean)


def test_a_step_with_nothing_to_read_gets_the_bias():
    layer = nn.MultiheadAttention(E, N, dtype=np.float64, rng=0)
    layer.out_proj.bias.data[...] = normal(E)
    y = layer.predict(normal(B, T, E), mask=np.arange(T)[:, None] > 3)
    np.testing.assert_array_equal(y[:, :4], np.broadcast_to(layer.out_proj.bias.data, (B, 4, E)))


# ---- self attention without copies ----


def test_self_attention_is_one_product_and_hands_on_views(monkeypatch):
    """q, k and v, and in backward dq, dk and dv, are parts of one array; one linear before, one after."""
    from weftnn import ops

    seen: dict[str, list[Any]] = {"linear": [], "heads": [], "gradients": []}
    linear, forward, backward = ops.linear_forward, ops.sdpa_forward, ops.sdpa_backward
    monkeypatch.setattr(ops, "linear_forward", lambda *a: (seen["linear"].append(a[0]), linear(*a))[1])
    monkeypatch.setattr(ops, "sdpa_forward", lambda *a, **o: (seen["heads"].extend(a), forward(*a, **o))[1])
    monkeypatch.setattr(
        ops, "sdpa_backward", lambda *a, **o: (seen["gradients"].extend(o["out"][:3]), backward(*a, **o))[1]
    )
    x = normal(B, T, E)
    y, backprop = nn.MultiheadAttention(E, N, positions=nn.RotaryPositions(2), dtype=np.float64)(x)
    backprop(np.ones_like(y))
    assert len(seen["linear"]) == 2
    assert seen["linear"][0] is x
    for arrays in (seen["heads"], seen["gradients"]):
        q, k, v = arrays
        assert {array.strides for array in arrays} == {(T * 3 * E * 8, E // N * 8, 3 * E * 8, 8)}
        assert [k.ctypes.data - q.ctypes.data, v.ctypes.data - k.ctypes.data] == [E * 8, E * 8]


def test_gradients_are_one_for_each_array_given():
    """Of an array given twice or thrice it is the sum."""
    layer, x, dy = nn.MultiheadAttention(E, N, dtype=np.float64, rng=0), normal(B, T, E), normal(B, T, E)
    y, backprop = layer(x)
    dx = backprop(dy)
    y_two, backprop = layer(x, x)
    two = backprop(dy)
    y_three, backprop = layer(x, x, x)
    three = backprop(dy)
    assert [len(two), len(three)] == [2, 3]
    for other in (y_two, y_three):
        near(other, y, np.float64)
    for gradients in (two, three):
        near(sum(gradients), dx, np.float64, 4)


# ---- weights, dropout ----


@dtypes
def test_weights_are_what_the_values_are_weighed_by(dtype):
    layer, x = nn.MultiheadAttention(E, N, causal=True, dtype=dtype, rng=0), normal(B, T, E, dtype=dtype)
    (y, weights), _ = layer(x, need_weights=True, average_attn_weights=False)
    assert weights.shape == (B, N, T, T)
    near(weights.sum(-1), np.ones((B, N, T)), dtype)
    assert (weights[..., np.triu(np.ones((T, T), bool), 1)] == 0).all()
    for mean, predicted in (((y, weights.mean(1)), layer.predict(x, need_weights=True)),):
        near(predicted[0], mean[0], dtype)
        near(predicted[1], mean[1], dtype)


def test_dropout_is_drawn_anew_at_each_call_and_never_in_predict():
    layer, x = nn.MultiheadAttention(E, N, 0.5, dtype=np.float64, rng=0), normal(B, T, E)
    state = layer.random_state()
    first, second = layer(x)[0], layer(x)[0]
    assert (first != second).any()
    layer.load_random_state(state)
    np.testing.assert_array_equal(layer(x)[0], first)
    np.testing.assert_array_equal(layer.predict(x), layer.predict(x))
    assert nn.MultiheadAttention(E, N).random_state() == {}
