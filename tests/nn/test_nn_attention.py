"""Attention layers beyond their gradients: decoding, padding, positions, weights, what they refuse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from weftnn import nn

B, T, E, N = 2, 9, 12, 4
FLOATS = [np.float32, np.float64]
# Scores and products are summed in other orders for one query than for many: some roundings of order 1.
TOLERANCE = {np.float32: 2e-6, np.float64: 4e-15}
POSITIONS = {
    "none": lambda dtype: None,
    "rotary": lambda dtype: nn.RotaryPositions(2),
    "rotary, interleaved": lambda dtype: nn.RotaryPositions(2, interleaved=True),
    "alibi": lambda dtype: nn.ALiBi(N),
    "relative": lambda dtype: nn.RelativePositions(N, 8, 6, dtype=dtype, rng=0),
}
dtypes = pytest.mark.parametrize("dtype", FLOATS)
positions = pytest.mark.parametrize("place", POSITIONS.values(), ids=POSITIONS)


def normal(*shape: int, dtype: Any = np.float64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def near(a: np.ndarray, b: np.ndarray, dtype: Any, factor: float = 1) -> None:
    np.testing.assert_allclose(a, b, rtol=0, atol=factor * TOLERANCE[dtype] * max(1, abs(b).max()))


def stack(dtype: Any, **options: Any) -> nn.TransformerEncoder:
    layers = [
        nn.TransformerEncoderLayer(
            E, N, 16, activation="swiglu", norm_first=True, causal=True, dtype=dtype, rng=i, **options
        )
        for i in range(2)
    ]
    return nn.TransformerEncoder(layers, nn.LayerNorm(E, dtype=dtype))


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


# ---- positions ----


@dtypes
@positions
def test_only_distances_count(place, dtype):
    """Rotary positions and ALiBi see how far steps are apart: a later start gives the same."""
    layer = nn.MultiheadAttention(
        E, N, causal=True, window=(3, 0), positions=place(dtype), dtype=dtype, rng=0
    )
    x = normal(1, T, E, dtype=dtype)
    later = layer.predict(np.concatenate([normal(1, 20, E, dtype=dtype), x], axis=1))[:, -4:]
    near(later, layer.predict(x)[:, -4:], dtype, 8)


def test_alibi_slopes_are_those_of_the_paper():
    np.testing.assert_array_equal(nn.ALiBi(8).slopes, [2.0**-i for i in range(1, 9)])
    np.testing.assert_allclose(nn.ALiBi(12).slopes[8:], [2 ** -(i / 2) for i in (1, 3, 5, 7)])
    assert nn.ALiBi(1).slopes == 2.0**-8


def test_alibi_never_grows_with_the_batch_nor_causal_with_time():
    assert nn.ALiBi(4).bias(5, 7).shape == (4, 5, 7)
    assert nn.ALiBi(4).bias(5, 7, offset=np.array([0, 3, 9])).shape == (3, 4, 5, 7)
    assert nn.ALiBi(4).causal_bias(7).shape == (4, 1, 7)


def test_alibi_causal_is_the_general_one_with_a_mask():
    x = normal(B, T, E)
    general, causal = (
        nn.MultiheadAttention(E, N, causal=c, positions=nn.ALiBi(N), dtype=np.float64, rng=0) for c in (0, 1)
    )
    mask = np.tril(np.ones((T, T), bool))
    near(causal.predict(x), general.predict(x, mask=mask), np.float64, 4)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_relative_buckets_are_those_of_the_paper(bidirectional):
    def bucket(distance: int) -> int:
        """T5's, one number at a time."""
        first, side = (16 if bidirectional and distance > 0 else 0), 16 if bidirectional else 32
        far = abs(distance) if bidirectional else max(-distance, 0)
        if far < side // 2:
            return first + far
        grown = math.log(far / (side // 2)) / math.log(128 / (side // 2)) * (side - side // 2)
        return first + min(side // 2 + int(grown), side - 1)

    distances = np.arange(-300, 300)
    buckets = nn.RelativePositions(1, bidirectional=bidirectional).buckets(distances)
    np.testing.assert_array_equal(buckets, [bucket(int(distance)) for distance in distances])


def test_sinusoidal_positions_are_those_of_the_paper():
    places, features = np.arange(40)[:, None], np.arange(6)
    angle = places / 10000 ** (features // 2 * 2 / 6)
    expected = np.where(features % 2, np.cos(angle), np.sin(angle))
    layer = nn.SinusoidalPositions(6)
    for dtype in (np.float64, np.float32, np.float64):
        y = layer.predict(np.zeros((1, 30, 6), dtype), offset=10)
        np.testing.assert_allclose(y[0], expected[10:].astype(dtype), rtol=0, atol=1e-15)


# ---- wrong arguments ----

X = np.zeros((B, T, E), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.MultiheadAttention(12, 5), ValueError, "num_heads must divide embed_dim = 12, got 5"),
        (
            lambda: nn.MultiheadAttention(12, 4, num_kv_heads=3),
            ValueError,
            "num_kv_heads must divide num_heads = 4, got 3",
        ),
        (
            lambda: nn.MultiheadAttention(12, 0),
            ValueError,
            "MultiheadAttention: num_heads must be an integer >=",
        ),
        (
            lambda: nn.MultiheadAttention(12, 4, 1.0),
            ValueError,
            "dropout must be a finite number >= 0 and < 1",
        ),
        (
            lambda: nn.MultiheadAttention(E, N)(X[0]),
            ValueError,
            r"MultiheadAttention: x must be \(B, T, E\) with E = 12, got \(9, 12\)",
        ),
        (
            lambda: nn.MultiheadAttention(E, N, kdim=5)(X),
            ValueError,
            r"key must be \(B, S, kdim\) with kdim = 5, got \(2, 9, 12\)",
        ),
        (
            lambda: nn.MultiheadAttention(E, N).predict(X, X, X[:, 1:]),
            ValueError,
            r"must agree in B, key and value in S, got \(2, 9, 12\), \(2, 9, 12\) and \(2, 8, 12\)",
        ),
        (
            lambda: nn.MultiheadAttention(E, N)(X.astype("f8")),
            TypeError,
            "Attention: x must have dtype float32",
        ),
        (
            lambda: nn.MultiheadAttention(E, N)(X, mask=np.ones((3, 3), bool)),
            ValueError,
            "sdpa_forward: mask",
        ),
        (
            lambda: nn.MultiheadAttention(E, N).predict(X, cache=nn.KeyValueCache()),
            ValueError,
            "cache needs causal=True",
        ),
        (
            lambda: nn.MultiheadAttention(E, N, causal=True).predict(X, X, cache=nn.KeyValueCache()),
            ValueError,
            "cache of a memory must not be with causal=True",
        ),
        (
            lambda: nn.MultiheadAttention(E, N, positions=nn.RotaryPositions(4)),
            ValueError,
            "RotaryPositions: dim must be at most the D = 3 features of a head, got 4",
        ),
        (
            lambda: nn.MultiheadAttention(E, N, positions="rotary"),
            TypeError,
            "positions must be RotaryPositions, ALiBi or RelativePositions, got 'rotary'",
        ),
        (
            lambda: nn.MultiheadAttention(E, N, window=(1,)),
            ValueError,
            r"MultiheadAttention: window must be \(left, right\), got \(1,\)",
        ),
        (
            lambda: nn.TransformerEncoder([], E),
            TypeError,
            "TransformerEncoder: norm must be a LayerNorm or None, got 12",
        ),
        (
            lambda: nn.MultiheadAttention(E, N, positions=nn.ALiBi(8)),
            ValueError,
            "ALiBi: num_heads must be 4, got 8",
        ),
        (
            lambda: nn.MultiheadAttention(E, N, positions=nn.RelativePositions(8)),
            ValueError,
            "RelativePositions: num_heads must be 4, got 8",
        ),
        (
            lambda: nn.RelativePositions(4, 32, 8),
            ValueError,
            "RelativePositions: max_distance must be an integer >= 9, got 8",
        ),
        (lambda: nn.RelativePositions(4)(X), ValueError, r"RelativePositions: scores must be \(B, N, T, S\)"),
        (
            lambda: nn.MultiheadAttention(E, N, positions=nn.ALiBi(4))(X, X),
            ValueError,
            r"ALiBi\(4\) is for one sequence",
        ),
        (lambda: nn.RotaryPositions(3), ValueError, "RotaryPositions: dim must be even, got 3"),
        (
            lambda: nn.RotaryPositions(4)(X),
            ValueError,
            r"RotaryPositions: x must be \(B, N, T, D\), got \(2, 9, 12\)",
        ),
        (lambda: nn.ALiBi(4)(X), ValueError, r"ALiBi: scores must be \(B, N, T, S\), got \(2, 9, 12\)"),
        (
            lambda: nn.LearnedPositions(10, E)(X, offset=2),
            ValueError,
            "offset . T must be at most max_len = 10, got offset 2 and T = 9",
        ),
        (
            lambda: nn.LearnedPositions(10, 4)(X),
            ValueError,
            r"LearnedPositions: x must be .* with E = 4",
        ),
        (
            lambda: nn.SinusoidalPositions(4)(X),
            ValueError,
            r"SinusoidalPositions: x must be .* E = 4",
        ),
        (lambda: nn.KeyValueCache(0), ValueError, "KeyValueCache: capacity must be an integer >= 1, got 0"),
        (lambda: nn.KeyValueCache().read(), RuntimeError, "append must come before read"),
        (
            lambda: stack(np.float32).predict(X, cache=[nn.KeyValueCache()]),
            ValueError,
            "TransformerEncoder: cache must be 2 caches, one a layer, got 1",
        ),
        (
            lambda: nn.TransformerEncoderLayer(E, N, activation="tanh"),
            ValueError,
            "FeedForward: activation must be one of 'relu', 'gelu', 'silu', 'swiglu', got 'tanh'",
        ),
        (
            lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(E, N), 6),
            TypeError,
            "TransformerEncoder: layers must be a list of TransformerEncoderLayer, got Transf",
        ),
        (
            lambda: nn.TransformerDecoder([nn.TransformerEncoderLayer(E, N)]),
            TypeError,
            "TransformerDecoder: layers must be a list of TransformerDecoderLayer",
        ),
        (
            lambda: nn.LearnedPositions(10, E)(X.astype("f8")),
            TypeError,
            "LearnedPositions: x must have dtype float32, got float64",
        ),
        (
            lambda: nn.SinusoidalPositions(E)(X.astype(int)),
            TypeError,
            "SinusoidalPositions: x must have dtype float32 or float64, got int64",
        ),
        (
            lambda: nn.MultiheadAttention(E, N)(X, lengths=[1]),
            ValueError,
            r"lengths must be \(B,\) = \(2,\), got shape \(1,\)",
        ),
        (lambda: nn.SwiGLU()(X[..., :3]), ValueError, "swiglu_forward: x must be"),
    ],
)
def test_wrong_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_cache_refuses_what_does_not_go_on():
    layer = nn.MultiheadAttention(E, N, causal=True)
    cache = nn.KeyValueCache()
    layer.predict(X, cache=cache)
    with pytest.raises(ValueError, match="lengths must come with the first steps, got them after 9"):
        layer.predict(X, lengths=[1, 2], cache=cache)
    with pytest.raises(ValueError, match=r"k must go on as \(B, N, T, D\) = \(2, 4, T, 3\) of float32"):
        layer.predict(X[:1], cache=cache)
