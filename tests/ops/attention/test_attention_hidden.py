"""What a place holds that no query may look at reaches no result and no gradient, be it NaN, Inf or 1e30."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import weftnn
import weftnn.config
from attention_cases import ATTENTION, SCORES
from kinds import OpCase, Size, assert_same_bits
from oracle import check_along_directions
from reference_attention import attended

Array = Any
POISONS = [np.nan, np.inf, -np.inf, 1e30]
WHERE = ("mask", "causal", "window", "kv_lengths")


def poisoned(inputs: dict[str, Any], dout: Array, poison: float) -> tuple[dict[str, Any], Array, Array]:
    """(inputs, dout, hidden): poison in keys that no query sees, in their values, in queries that see no key
    and in the bias of what is masked; bool[B, Nk, S], the hidden keys."""
    q, k = inputs["q"], inputs["k"]
    B, N, T, _ = q.shape
    Nk, S = k.shape[1:3]
    seen = attended((B, N, T, S), **{name: inputs[name] for name in WHERE if name in inputs})
    lonely = ~seen.any(axis=3)  # [B, N, T]
    hidden = ~seen.any(axis=2).reshape(B, Nk, N // Nk, S).any(axis=2)
    dirty = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in inputs.items()}
    for name, places in (("q", lonely), ("k", hidden), ("v", hidden)):
        dirty[name][places] = poison
    if "bias" in dirty:
        bias = dirty["bias"]
        whole = np.broadcast_to(seen, seen.shape)
        whole = whole.any(axis=tuple(range(4 - bias.ndim)))
        shared = tuple(axis for axis, n in enumerate(bias.shape) if n == 1)
        bias[~whole.any(axis=shared, keepdims=True).reshape(bias.shape)] = poison
    dout = dout.copy()
    dout[lonely] = poison
    return dirty, dout, hidden


def check(case: OpCase, inputs: dict[str, Any], poison: float) -> None:
    clean = case.run(inputs)
    dout = case.douts([clean["out"]])[0]
    dirty, dirty_dout, hidden = poisoned(inputs, dout, poison)
    result = case.run(dirty, [dirty_dout])
    assert_same_bits(result, clean, f"poison {poison}")
    for name in ("dk", "dv"):
        assert not result[name][hidden].any(), name


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("poison", POISONS, ids=str)
@pytest.mark.parametrize("time", [4, 70])
@pytest.mark.parametrize("case", ATTENTION, ids=str)
def test_every_row(case: OpCase, time: int, poison: float, dtype: Any) -> None:
    check(case, case.inputs(Size(time=time, batch=3, input=9, hidden=17), dtype), poison)


@st.composite
def calls(draw: st.DrawFn) -> tuple[OpCase, dict[str, Any]]:
    """Any shape, with any of the options that say where a query may look."""
    B, Nk, groups, D, Dv = (draw(st.integers(1, high)) for high in (3, 2, 3, 20, 20))
    T, S = draw(st.integers(0, 40)), draw(st.integers(0, 40))
    N = Nk * groups
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    inputs = {
        "q": rng.normal(size=(B, N, T, D)),
        "k": rng.normal(size=(B, Nk, S, D)),
        "v": rng.normal(size=(B, Nk, S, Dv)),
    }
    shapes = st.tuples(*(st.sampled_from([1, n]) for n in (B, N, T, S)))
    shapes = st.tuples(shapes, st.integers(0, 3)).map(lambda pair: pair[0][pair[1] :])
    share = draw(st.floats(0, 1))
    optional = {
        "mask": shapes.flatmap(
            lambda s: st.sampled_from(
                [rng.random(s) < share, np.where(rng.random(s) < share, rng.normal(size=s), -np.inf)]
            )
        ),
        "bias": shapes.map(lambda s: rng.normal(size=s)),
        "causal": st.sampled_from([True, "top_left", "bottom_right"]),
        "window": st.tuples(st.integers(-1, 45), st.integers(-1, 45)),
        "kv_lengths": st.lists(st.integers(0, S), min_size=B, max_size=B).map(np.array),
        "softcap": st.floats(0.5, 5),
        "scale": st.floats(-1, 1),
    }
    for name, values in optional.items():
        if draw(st.booleans()):
            inputs[name] = draw(values)
    if draw(st.booleans()):
        inputs |= {"dropout": draw(st.floats(0, 0.9)), "seed": draw(st.integers(0, 2**64 - 1))}
    return next(case for case in ATTENTION if case.name == "sdpa-plain"), inputs


@settings(max_examples=150)
@given(calls(), st.sampled_from(POISONS), st.sampled_from([np.float32, np.float64]))
def test_any_call(call: tuple[OpCase, dict[str, Any]], poison: float, dtype: Any) -> None:
    case, inputs = call
    for name, value in inputs.items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            inputs[name] = value.astype(dtype)
    check(case, inputs, poison)


@settings(max_examples=150)
@given(calls(), st.integers(1, 4), st.sampled_from(weftnn.config.available_isas()))
def test_any_call_is_the_reference(call: tuple[OpCase, dict[str, Any]], threads: int, isa: str) -> None:
    weftnn.set_num_threads(threads)
    with weftnn.config.use_isa(isa):
        check_along_directions(*call)


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("poison", POISONS, ids=str)
def test_additive_scores(poison: float, dtype: Any) -> None:
    """Scores that get no gradient, as what sdpa hides, change no bit: k past a row's end may be NaN."""
    inputs = SCORES[0].inputs(Size(time=30, batch=3, hidden=37), dtype)
    (scores,), saved = SCORES[0].forward(inputs)
    padding = np.arange(scores.shape[2]) >= np.array([32, 5, 0])[:, None]
    dscores = np.where(padding[:, None], dtype(0), SCORES[0].douts([scores])[0])
    clean = SCORES[0].backward(saved, [dscores])
    dirty = inputs | {"k": inputs["k"].copy()}
    dirty["k"][padding] = poison
    (scores_again,), saved = SCORES[0].forward(dirty)
    seen = np.broadcast_to(~padding[:, None], scores.shape)
    np.testing.assert_array_equal(scores_again[seen], scores[seen])
    assert_same_bits(SCORES[0].backward(saved, [dscores]), clean)
    assert not clean["k"][padding].any()


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("poison", POISONS, ids=str)
def test_a_bad_key_is_seen_by_those_who_look(poison: float, dtype: Any) -> None:
    """In a causal sequence, what comes later changes no bit of what came before, forward or in dq."""
    case = next(case for case in ATTENTION if case.name == "sdpa-causal")
    inputs = case.inputs(Size(time=70, batch=2, hidden=17), dtype)
    clean = case.run(inputs)
    dirty = {name: np.copy(value) for name, value in inputs.items() if name in ("k", "v")}
    for array in dirty.values():
        array[:, :, 41] = poison
    out, saved = weftnn.ops.sdpa_forward(**inputs | dirty)
    np.testing.assert_array_equal(out[:, :, :41], clean["out"][:, :, :41])
    dq = weftnn.ops.sdpa_backward(saved, case.douts([clean["out"]])[0]).dq
    np.testing.assert_array_equal(dq[:, :, :41], clean["dq"][:, :, :41])
    if poison != 1e30:
        assert np.isnan(out[:, :, 41:]).any()
