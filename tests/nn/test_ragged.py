"""Lengths and resets that are none are refused by all that take them, in the same words; and a call that is
refused has changed nothing: no cache, no draw, no reader, no stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import weftnn
from weftnn import data, nn, ops
from weftnn.models import GPT, LanguageModel
from weftnn.nn.attention.key_value_cache import unchanged_if_refused
from weftnn.ragged import check_lengths

B, T, E, S = 2, 5, 8, 4
X = np.random.default_rng(0).normal(size=(B, T, E)).astype(np.float32)
MEMORY = np.random.default_rng(1).normal(size=(B, S, E)).astype(np.float32)
TOKENS = np.ones((B, T), np.int64)


def attention(**options: Any) -> nn.MultiheadAttention:
    return nn.MultiheadAttention(E, 2, rng=0, **options)


def encoder(**options: Any) -> nn.TransformerEncoder:
    return nn.TransformerEncoder([nn.TransformerEncoderLayer(E, 2, 8, 0.5, rng=i, **options) for i in (0, 1)])


def decoder() -> nn.TransformerDecoder:
    return nn.TransformerDecoder([nn.TransformerDecoderLayer(E, 2, 8, 0.5, rng=i) for i in (0, 1)])


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


# ---- a call that is refused changes nothing ----


@pytest.mark.parametrize("layer", [attention(dropout=0.5), nn.DotAttention(dropout=0.5, rng=0)], ids=repr)
def test_draws(layer: nn.Layer) -> None:
    draws = layer.random_state()
    with pytest.raises(ValueError, match="mask"):
        layer(X, mask=np.ones((3, 3), bool))
    assert layer.random_state() == draws
    layer(X)
    assert layer.random_state() != draws


def held(caches: Any) -> list[Any]:
    """All that caches hold, up to each row's own end."""
    found = []
    for cache in caches:
        found.append(
            (len(cache), cache.capacity, cache.begun, np.asarray(cache.offset).tolist(), cache.nbytes)
        )
        if cache.begun:
            keys, values, lengths = cache.read()
            ends = [keys.shape[2]] * len(keys) if lengths is None else lengths
            found += [part[row, :, :end].tobytes() for part in (keys, values) for row, end in enumerate(ends)]
    return found


STEP = X[:, :1]
LONG = np.ones((B, 20, E), np.float32)
REFUSED: dict[str, dict[str, Any]] = {
    "mask": {"mask": np.ones((3, 3), bool)},
    "bias": {"bias": np.ones((3, 3), np.float32)},
    "bias of another dtype": {"bias": np.ones((1, T + 1))},
    "lengths beyond": {"lengths": [1, 99]},
    "lengths of floats": {"lengths": [1.0, 0.5]},
}


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("options", REFUSED.values(), ids=REFUSED)
def test_caches_of_self_attention(options: dict[str, Any], begun: bool) -> None:
    for model in (attention(causal=True), encoder(causal=True)):
        caches = [nn.KeyValueCache(4)] if isinstance(model, nn.MultiheadAttention) else model.make_cache(4)
        given = caches[0] if isinstance(model, nn.MultiheadAttention) else caches
        if begun:
            model.predict(X, lengths=[5, 2], cache=given)
        before = held(caches)
        for x in (STEP, LONG):
            with pytest.raises((ValueError, TypeError)):
                model.predict(x, cache=given, **options)
            assert held(caches) == before
        model.predict(STEP, cache=given)
        assert len(caches[0]) == 1 + T * begun


def test_caches_of_a_stack_where_one_layer_refuses() -> None:
    model = encoder(causal=True)
    caches = [nn.KeyValueCache(8), nn.KeyValueCache(6, fixed=True)]
    model.predict(X, cache=caches)
    before = held(caches)
    with pytest.raises(ValueError, match="steps must be at most 6"):
        model.predict(LONG, cache=caches)
    assert held(caches) == before


@pytest.mark.parametrize(
    "options",
    [
        {"memory_mask": np.ones((3, 3), bool)},
        {"memory_lengths": [1, S + 1]},
        {"memory_lengths": [1.5, 2]},
        {"mask": np.ones((3, 3), bool)},
        {"memory": MEMORY[:1]},
        {"memory": MEMORY.astype(np.float64)},
    ],
    ids=str,
)
@pytest.mark.parametrize("begun", [False, True])
def test_caches_of_a_decoder(options: dict[str, Any], begun: bool) -> None:
    for model in (nn.TransformerDecoderLayer(E, 2, 8, rng=0), decoder()):
        given = model.make_cache(2)
        caches = (
            list(given) if isinstance(model, nn.TransformerDecoderLayer) else [c for g in given for c in g]
        )
        if begun:
            model.predict(STEP, MEMORY, cache=given)
            if "memory" in options:
                continue  # what the first call kept of it is read
        before = held(caches)
        with pytest.raises((ValueError, TypeError)):
            model.predict(STEP, **{"memory": MEMORY, **options}, cache=given)
        assert held(caches) == before
        model.predict(STEP, MEMORY, cache=given)
        assert [len(cache) for cache in caches[:2]] == [1 + begun, S]


def test_lengths_of_a_memory_that_was_kept() -> None:
    layer, cache = attention(), nn.KeyValueCache()
    expected = layer.predict(X, MEMORY, kv_lengths=[3, 0], cache=cache)
    for kept in ({}, {"kv_lengths": [3, 0]}):
        np.testing.assert_array_equal(layer.predict(X, MEMORY, cache=cache, **kept), expected)
    with pytest.raises(
        ValueError, match=r"kv_lengths must be those of the memory in the cache, \[3, 0\], got"
    ):
        layer.predict(X, MEMORY, kv_lengths=[3, 1], cache=cache)
    with pytest.raises(ValueError, match=r"lengths must be in 0\.\.T = 0\.\.5"):
        layer.predict(X, MEMORY, lengths=[6, 1], cache=cache)
    nothing = nn.KeyValueCache()
    layer.predict(X, MEMORY, kv_lengths=[0, 0], cache=nothing)
    y = layer.predict(X, MEMORY, cache=nothing)
    np.testing.assert_array_equal(y, np.broadcast_to(layer.out_proj.bias.data, y.shape))


@pytest.mark.parametrize("kind", ["mask", "bias"])
def test_masks_of_keys_that_are_padding_in_every_row(kind: str) -> None:
    """The cache does not keep such keys; the mask is still of all that were given."""
    lengths, hidden = [3, 1], np.arange(T) != 1
    given = {kind: hidden if kind == "mask" else np.where(hidden, 0, -np.inf).astype(np.float32)}
    layer = attention()
    expected = layer.predict(X, X, kv_lengths=lengths, **given)
    cache = nn.KeyValueCache()
    for _ in range(2):
        y = layer.predict(X, X, kv_lengths=lengths, cache=cache, **given)
        np.testing.assert_allclose(y, expected, 0, 1e-6)
    own = attention(causal=True)
    expected = own.predict(X, lengths=lengths, **given)
    y = own.predict(X, lengths=lengths, cache=nn.KeyValueCache(), **given)
    np.testing.assert_allclose(y, expected, 0, 1e-6)


def test_an_interrupted_call_too() -> None:
    cache = nn.KeyValueCache()
    with pytest.raises(KeyboardInterrupt), unchanged_if_refused([cache]):
        cache.append(X[:, None], X[:, None], [2, 1])
        raise KeyboardInterrupt
    assert (len(cache), cache.begun, cache.nbytes) == (0, False, 0)


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
