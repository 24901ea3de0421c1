"""A call that is refused or interrupted changes nothing: no draw, no cache."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ragged_layers import LONG, MEMORY, STEP, E, S, T, X, attention, decoder, encoder, held
from weftnn import nn
from weftnn.nn.attention.key_value_cache import unchanged_if_refused


@pytest.mark.parametrize("layer", [attention(dropout=0.5), nn.DotAttention(dropout=0.5, rng=0)], ids=repr)
def test_draws(layer: nn.Layer) -> None:
    draws = layer.random_state()
    with pytest.raises(ValueError, match="mask"):
        layer(X, mask=np.ones((3, 3), bool))
    assert layer.random_state() == draws
    layer(X)
    assert layer.random_state() != draws


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
