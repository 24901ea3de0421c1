"""What layers say of sequences, and what lengths and resets do to them."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import weftnn
from native import NATIVE, close, weighted
from nn_cases import CASES
from nn_kinds import Case, predicted
from sequence_layers import (
    FLOATS,
    LENGTHS,
    RESETS,
    STACKS,
    E,
    Silent,
    T,
    encoder,
    linear,
    only_y,
    recurrent,
    self_attention,
)
from weftnn import nn
from weftnn.models import GPT, LanguageModel
from weftnn.nn.sequences import READS, options_for, widest


def on_sequences(case: Case) -> bool:
    layer, x = case.build()
    return (
        not isinstance(layer, nn.RNNCell | nn.LSTMCell | nn.GRUCell | nn.AttentionPositions) and x.ndim == 3
    )


SEQUENCES = [case for case in CASES if on_sequences(case)]
each_case = pytest.mark.parametrize("case", SEQUENCES, ids=lambda case: case.name)
each_stack = pytest.mark.parametrize("make", STACKS.values(), ids=STACKS)


# ---- what layers say ----


@each_case
def test_what_a_layer_reads_is_what_it_says(case: Case) -> None:
    """Step t of y moves with step s of x only where `reads` allows it."""
    layer, x = case.build()
    options = {name: value for name, value in case.options.items() if "lengths" not in name}
    randomness = layer.random_state()
    assert layer.reads in READS

    def y(given: np.ndarray) -> np.ndarray:
        layer.load_random_state(randomness)
        return predicted(layer, given, None, options)[0]

    before = y(x)
    for s in range(x.shape[1]):
        moved = x.copy()
        moved[:, s] += 1
        changed = (y(moved) != before).any(axis=(0, 2))
        assert not (layer.reads in ("step", "place") and changed[np.arange(len(changed)) != s].any())
        assert not (layer.reads == "past" and changed[:s].any())


@pytest.mark.parametrize(
    ("layer", "reads"),
    [
        (linear(), "step"),
        (nn.SinusoidalPositions(E), "place"),
        (recurrent(), "past"),
        (recurrent(bidirectional=True), "all"),
        (nn.Bidirectional(recurrent(), recurrent()), "all"),
        (self_attention(), "all"),
        (self_attention(causal=True), "past"),
        (self_attention(window=(2, 0)), "past"),
        (self_attention(window=(0, 1)), "all"),
        (nn.DotAttention(causal=True), "past"),
        (encoder(), "all"),
        (nn.Residual(encoder()), "all"),
        (nn.Sequential(), "step"),
        (nn.Sequential(linear(), recurrent(), nn.SinusoidalPositions(E)), "past"),
        (GPT(hidden_size=8, num_layers=1, num_heads=2), "past"),
        (LanguageModel(hidden_size=8), "past"),
        (nn.Layer(), None),
        (nn.Sequential(linear(), nn.Layer()), None),
    ],
    ids=str,
)
def test_reads(layer: nn.Layer, reads: str | None) -> None:
    assert layer.reads == reads
    assert widest([linear(), layer]) == reads


def test_what_a_layer_takes_is_what_its_call_takes() -> None:
    kinds = {type(case.build()[0]) for case in CASES} | {GPT, LanguageModel}
    assert len(kinds) > 30
    for kind in kinds:
        for name in ("lengths", "resets"):
            takes = getattr(kind, f"takes_{name}") or kind.stateful is True
            for method in (kind.__call__, kind.predict):
                assert (name in inspect.signature(method).parameters) == takes, (kind, name)


# ---- lengths ----


@each_stack
def test_ragged_rows_are_each_row_by_itself(make: Any) -> None:
    """In value and in gradient, with NaN in the padding of x and of dy; y and dx are zero there."""
    dy = np.random.default_rng(1).normal(size=only_y(make().predict(FLOATS)).shape)
    x, expected = FLOATS.copy(), make()
    padding = np.arange(T) >= LENGTHS[:, None]
    x[padding] = dy[padding] = np.nan
    model = make()
    result, backprop = model(x, lengths=LENGTHS)
    y, dx = only_y(result), backprop(dy)
    dx = dx[0] if model.stateful else dx
    assert not y[padding].any()
    assert not dx[padding].any()
    np.testing.assert_array_equal(only_y(model.predict(x, lengths=LENGTHS)), y)
    for row, length in enumerate(LENGTHS):
        if length:
            result, backprop = expected(FLOATS[row : row + 1, :length])
            alone = backprop(dy[row : row + 1, :length])
            np.testing.assert_allclose(y[row, :length], only_y(result)[0], 1e-12, 1e-12)
            np.testing.assert_allclose(
                dx[row, :length], (alone[0] if model.stateful else alone)[0], 1e-12, 1e-12
            )
    for ragged, alone in zip(model.parameters(), expected.parameters(), strict=True):
        np.testing.assert_allclose(ragged.gradient(), alone.gradient(), 1e-12, 1e-12)


@pytest.mark.parametrize("case", NATIVE, ids=lambda case: case.name)
def test_native_models_give_what_predict_gives(case: Case) -> None:
    """With lengths too: past a row's end nothing is read, and y is zero."""
    layer, x = weighted(case)
    if isinstance(layer, nn.RNNCell | nn.LSTMCell | nn.GRUCell):
        return
    layer = nn.Sequential(layer)
    lengths = [x.shape[1], *([0, 1] * len(x))][: len(x)]
    for row, length in zip(x, lengths, strict=True):
        row[length:] = np.nan if x.dtype.kind == "f" else -1
    expected = only_y(layer.predict(x, lengths=lengths))
    y = weftnn.Model(layer).run(x, lengths=lengths)
    np.testing.assert_allclose(y, expected, **close(np.float64, expected))


def test_a_language_model_masks_too() -> None:
    model = LanguageModel(hidden_size=8, dtype="float64", rng=0)
    x = np.full((2, 5), 999)
    x[0, :5], x[1, :2] = 65, 66
    (logits, _), backprop = model(x, lengths=[5, 2])
    np.testing.assert_array_equal(model.predict(x, lengths=[5, 2])[0], logits)
    assert not logits[1, 2:].any()
    dlogits = np.ones_like(logits)
    dlogits[1, 2:] = np.nan
    backprop(dlogits)
    assert all(np.isfinite(parameter.grad).all() for parameter in model.parameters())


class Halves(nn.Layer):
    """Pairs of steps become one: a layer of one's own that changes lengths."""

    reads = "all"
    takes_lengths = True

    def __call__(self, x: np.ndarray, *, lengths: Any = None) -> tuple[np.ndarray, nn.Backprop]:
        y = self.predict(x, lengths=lengths)
        return y, nn.Backprop(self, lambda dy: np.repeat(dy, 2, axis=1), y)

    def predict(self, x: np.ndarray, *, lengths: Any = None) -> np.ndarray:
        y = x[:, ::2] + x[:, 1::2]
        return y if lengths is None else y * (np.arange(y.shape[1]) < lengths[:, None] // 2)[..., None]

    def lengths_after(self, lengths: np.ndarray) -> np.ndarray:
        return lengths // 2


class Sum(nn.Layer):
    """All steps become one vector: no steps are left."""

    reads = "all"
    takes_lengths = True

    def predict(self, x: np.ndarray, *, lengths: Any = None) -> np.ndarray:
        valid = True if lengths is None else (np.arange(x.shape[1]) < lengths[:, None])[..., None]
        return np.where(valid, x, 0).sum(axis=1)

    def lengths_after(self, lengths: np.ndarray) -> None:
        return None


def test_layers_say_how_they_change_lengths() -> None:
    model = nn.Sequential(linear(), Halves(), nn.Residual(encoder()), linear())
    np.testing.assert_array_equal(model.lengths_after(LENGTHS), [2, 0, 3])
    y, backprop = model(FLOATS, lengths=LENGTHS)
    assert not y[0, 2:].any() and not y[1].any()
    np.testing.assert_allclose(y[0, :2], model.predict(FLOATS[:1, :4])[0], 1e-12, 1e-12)
    assert backprop(np.ones_like(y)).shape == FLOATS.shape
    pooled = nn.Sequential(recurrent(), Sum(), linear())
    assert pooled.lengths_after(LENGTHS) is None
    y, _ = pooled.predict(FLOATS, lengths=LENGTHS)
    np.testing.assert_allclose(y[0], pooled.predict(FLOATS[:1, :4])[0][0], 1e-12, 1e-12)


# ---- what is refused ----


class Mean(Silent):
    reads = "all"


@pytest.mark.parametrize("method", ["__call__", "predict"])
@pytest.mark.parametrize(
    ("layer", "given", "message"),
    [
        (
            Silent(),
            "lengths",
            "lengths must be None for Silent, which says neither that it takes them nor which",
        ),
        (Silent(), "resets", "resets must be None for Silent"),
        (Mean(), "lengths", "lengths must be None for Mean, which .* reads past a row's end"),
        (encoder(), "resets", "resets must be None for TransformerEncoder, .* goes on from one sequence"),
        (self_attention(causal=True), "resets", "resets must be None for MultiheadAttention"),
        (nn.SinusoidalPositions(E), "resets", "resets must be None for SinusoidalPositions"),
    ],
    ids=str,
)
def test_lengths_and_resets_are_never_dropped(method: str, layer: nn.Layer, given: str, message: str) -> None:
    """Wherever the layer is; and before anything has run, so that no dropout has drawn."""
    options = {given: LENGTHS if given == "lengths" else RESETS}
    drops = nn.Dropout(0.5, rng=0)
    for model in (
        nn.Sequential(drops, layer),
        nn.Sequential(drops, nn.Residual(layer)),
        nn.Sequential(drops, nn.Sequential(linear(), layer), recurrent()),
        nn.Residual(layer),
        nn.Bidirectional(recurrent(), nn.Sequential(layer, recurrent())),
    ):
        with pytest.raises(TypeError, match=message):
            getattr(model, method)(FLOATS, **options)
    with pytest.raises(TypeError, match=message):
        options_for("Trainer", layer, **{"lengths": None, "resets": None, **options})


def test_resets_reach_what_takes_them_and_leave_single_steps_alone() -> None:
    model = nn.Sequential(linear(), nn.Sequential(nn.Residual(recurrent())), linear())
    y = model.predict(FLOATS, resets=RESETS)[0]
    np.testing.assert_allclose(y[0, 2:], model.predict(FLOATS[:1, 2:])[0][0], 1e-12, 1e-12)
    stepwise = nn.Sequential(linear(), nn.Residual(linear()))
    np.testing.assert_array_equal(stepwise.predict(FLOATS, resets=RESETS), stepwise.predict(FLOATS))
