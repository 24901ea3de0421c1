"""Native models of the layer table: run and step in C++ give what predict gives in Python."""

from __future__ import annotations

import copy
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings

import gpt_cases
import weftnn
from native import NATIVE, STEPPED, can_step, close, has_tables, predicted, steps, weighted
from nn_kinds import Case
from stacks import stacks
from weftnn import nn
from weftnn.models import GPT, LanguageModel
from weftnn.models.sampling import sample
from wide_models import WIDE

DTYPES = (np.float32, np.float64)
ISAS = weftnn.config.available_isas()


# ---- the table ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", NATIVE, ids=lambda case: case.name)
def test_run_gives_the_bits_of_predict(case: Case) -> None:
    for dtype in DTYPES:
        layer, x = weighted(case, dtype)
        model, expected = weftnn.Model(layer), predicted(layer, x)
        y = model.run(x)
        assert y.dtype == model.dtype == dtype
        if has_tables(layer):
            np.testing.assert_allclose(y, expected, **close(dtype, expected))
        else:
            np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("case", NATIVE, ids=lambda case: case.name)
def test_run_of_ragged_rows_is_each_row_by_itself(case: Case) -> None:
    layer, x = weighted(case)
    x = np.concatenate([x, x[:1]])
    lengths = [x.shape[1], *([0, 1] * len(x))][: len(x)]
    for row, length in zip(x, lengths, strict=True):
        row[length:] = np.nan if x.dtype.kind == "f" else -1
    y = weftnn.Model(layer).run(x, lengths=lengths)
    for row, y_row, length in zip(x, y, lengths, strict=True):
        if length:
            expected = predicted(layer, row[None, :length])[0]
            np.testing.assert_allclose(y_row[:length], expected, **close(np.float64, expected))
        assert not y_row[length:].any()


def test_what_reads_later_steps_says_so() -> None:
    for case in NATIVE:
        model = weftnn.Model(weighted(case)[0])
        assert (model.obstacle == "") == (case in STEPPED), case.name
        if model.obstacle:
            with pytest.raises(ValueError, match=r"later steps|from its end"):
                weftnn.Stream(model)


@pytest.mark.parametrize("case", STEPPED, ids=lambda case: case.name)
def test_steps_give_what_predict_gives(case: Case) -> None:
    for dtype in DTYPES:
        layer, x = weighted(case, dtype)
        for isa in ISAS:
            with weftnn.config.use_isa(isa):
                stream = weftnn.Stream(layer)
                for row in x:
                    expected = predicted(layer, row[None])[0]
                    tolerance = close(dtype, expected)  # a step's sums have another order than a sequence's
                    stream.reset()
                    one_by_one = steps(stream, row)
                    np.testing.assert_allclose(one_by_one, expected, **tolerance)
                    stream.reset()
                    np.testing.assert_allclose(stream.process(row), expected, **tolerance)
                    stream.reset()
                    np.testing.assert_array_equal(steps(stream, row), one_by_one)
                    assert stream.position == len(row)


@pytest.mark.parametrize("case", STEPPED, ids=lambda case: case.name)
def test_a_copy_goes_on_from_the_same_state(case: Case) -> None:
    for dtype in DTYPES:
        layer, x = weighted(case, dtype)
        model = weftnn.Model(layer)
        before, after = x[0, : (x.shape[1] + 1) // 2], x[0, x.shape[1] // 2 :]
        stream, assigned = weftnn.Stream(model), weftnn.Stream(model)
        stream.process(before)
        copied = copy.copy(stream)
        assigned.process(after)
        assert assigned.assign(stream)
        expected = steps(stream, after)
        np.testing.assert_array_equal(steps(copied, after), expected)
        np.testing.assert_array_equal(steps(assigned, after), expected)


# ---- larger models, and numbers that are none --------------------------------------------------------------


@pytest.mark.parametrize("name", WIDE)
def test_wide(name: str) -> None:
    layer, shape = WIDE[name]
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    model = weftnn.Model(layer)
    for isa in ISAS:
        with weftnn.config.use_isa(isa):
            expected = predicted(layer, x)
            for threads in (1, 2, 3):
                np.testing.assert_array_equal(model.run(x, threads=threads), expected)
            if can_step(layer):
                y = weftnn.Stream(model).process(x[0])
                np.testing.assert_allclose(y, expected[0], **close(np.float32, expected))


def test_a_stream_keeps_to_weights_that_fit_when_the_instruction_set_changes() -> None:
    layer = nn.Sequential(nn.GRU(3, 67, rng=0), nn.Linear(67, 5, rng=0))
    model, x = weftnn.Model(layer), np.random.default_rng(0).normal(size=(1, 9, 3)).astype(np.float32)
    expected, streams = predicted(layer, x)[0], []
    for isa in ISAS:
        with weftnn.config.use_isa(isa):
            streams.append(weftnn.Stream(model))
    for isa in ISAS:
        with weftnn.config.use_isa(isa):
            for stream in streams:
                stream.reset()
                np.testing.assert_allclose(steps(stream, x[0]), expected, **close(np.float32, expected))


@pytest.mark.parametrize(
    "layer",
    [
        nn.GRU(4, 4, rng=0),
        nn.LSTM(4, 4, proj_size=2, rng=0),
        nn.RNN(4, 4, nonlinearity="relu", rng=0),
        nn.Sequential(nn.Linear(4, 4, rng=0), nn.LayerNorm(4), nn.ReLU()),
        nn.MultiheadAttention(4, 2, causal=True, rng=0),
        nn.MultiheadAttention(4, 2, causal=True, window=(2, 0), rng=0),  # forgets it again
    ],
    ids=repr,
)
def test_what_is_not_a_number_goes_as_far_as_in_predict(layer: nn.Layer) -> None:
    model = weftnn.Model(layer)
    for bad in (np.nan, np.inf, 1e38):
        x = np.random.default_rng(0).normal(size=(1, 9, 4)).astype(np.float32)
        x[0, 3, 1] = bad
        expected = predicted(layer, x)
        np.testing.assert_array_equal(model.run(x), expected)
        np.testing.assert_array_equal(np.isnan(weftnn.Stream(model).process(x[0])), np.isnan(expected[0]))


@settings(max_examples=150)
@given(stacks())
def test_random_stacks(made: tuple[nn.Layer, np.ndarray]) -> None:
    layer, x = made
    model, expected = weftnn.Model(layer), predicted(layer, x)
    tolerance = close(np.float64, expected, 2**20)  # layers in a row magnify a rounding
    np.testing.assert_allclose(model.run(x), expected, **tolerance)
    stream, half = weftnn.Stream(model), x.shape[1] // 2
    np.testing.assert_allclose(stream.process(x[0, :half]), expected[0, :half], **tolerance)
    np.testing.assert_allclose(steps(stream, x[0, half:]), expected[0, half:], **tolerance)


# ---- language models ---------------------------------------------------------------------------------------

LANGUAGE_MODELS = [
    gpt_cases.make(dtype=dtype, **kind) for dtype in ("float32", "float64") for kind in gpt_cases.KINDS
] + [
    LanguageModel(cell, embedding_size=6, hidden_size=6, num_layers=2, dtype=dtype, rng=0, tie_weights=True)
    for dtype in ("float32", "float64")
    for cell in ("rnn", "lstm", "gru")
]


@pytest.mark.parametrize("model", LANGUAGE_MODELS, ids=lambda model: str([*model.config.values()]))
def test_language_models(model: GPT | LanguageModel) -> None:
    native, dtype = weftnn.Model(model), model.head.weight.dtype
    assert (native.inputs, native.outputs, native.takes_tokens) == (256, 256, True)
    assert native.context == model.context
    text = gpt_cases.TEXT[: gpt_cases.C]
    expected = predicted(model, text[None])
    np.testing.assert_allclose(native.run(text[None]), expected, **close(dtype, expected))
    stream = weftnn.Stream(native)
    np.testing.assert_allclose(steps(stream, text), expected[0], **close(dtype, expected))
    if model.context:
        with pytest.raises(RuntimeError, match="capacity"):
            stream.step(0)

    stream.reset()
    rng, logits = np.random.default_rng(3), stream.process(list(b"We"))[-1]
    for drawn in islice(model.generate(b"We", rng=3), 12):  # the same text
        assert int(sample(logits, rng)) == drawn
        logits = stream.step(drawn)
