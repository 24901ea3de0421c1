"""Native models of the layer table: run and step in C++ give what predict gives in Python."""

from __future__ import annotations

import copy
import threading
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import gpt_cases
import weft
from native import NATIVE, STEPPED, can_step, close, has_tables, load, predicted, weighted
from nn_kinds import Case
from stacks import stacks
from weft import nn
from weft.models import GPT, LanguageModel
from weft.models.sampling import sample
from weft.nn.graph import describe

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
ISAS = weft.config.available_isas()


def steps(stream: weft.Stream, x: np.ndarray) -> np.ndarray:
    """y[T,O] of x[T,I] or tokens[T], one by one."""
    return np.stack([stream.step(x_t) for x_t in x])


# ---- the table ---------------------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("case", NATIVE, ids=lambda case: case.name)
def test_run_gives_the_bits_of_predict(case: Case, dtype: Any) -> None:
    layer, x = weighted(case, dtype)
    model, expected = load(layer), predicted(layer, x)
    y = model.run(x)
    assert y.dtype == dtype
    if has_tables(layer):
        np.testing.assert_allclose(y, expected, **close(dtype, expected))
    else:
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("case", NATIVE, ids=lambda case: case.name)
def test_run_of_ragged_rows_is_each_row_by_itself(case: Case) -> None:
    layer, x = weighted(case)
    if x.dtype.kind == "f":
        x = np.concatenate([x, x[:1]])
    lengths = [x.shape[1], *([0, 1] * len(x))][: len(x)]
    for row, length in zip(x, lengths, strict=True):
        row[length:] = np.nan if x.dtype.kind == "f" else 0
    y = load(layer).run(x, lengths=lengths)
    for row, y_row, length in zip(x, y, lengths, strict=True):
        if length:
            expected = predicted(layer, row[None, :length])[0]
            np.testing.assert_allclose(y_row[:length], expected, **close(np.float64, expected))
        assert not y_row[length:].any()


@pytest.mark.parametrize("case", NATIVE, ids=lambda case: case.name)
def test_what_reads_later_steps_says_so(case: Case) -> None:
    layer, _ = weighted(case)
    model = load(layer)
    assert (model.obstacle == "") == can_step(layer)
    if model.obstacle:
        with pytest.raises(ValueError, match=r"later steps|from its end"):
            weft.Stream(model)


@pytest.mark.parametrize("isa", ISAS)
@DTYPES
@pytest.mark.parametrize("case", STEPPED, ids=lambda case: case.name)
def test_steps_give_what_predict_gives(case: Case, dtype: Any, isa: str) -> None:
    layer, x = weighted(case, dtype)
    with weft.config.use_isa(isa):
        stream = weft.Stream(load(layer))
        for row in x:
            expected = predicted(layer, row[None])[0]
            tolerance = close(dtype, expected)  # a step's products sum in another order than a sequence's
            stream.reset()
            one_by_one = steps(stream, row)
            np.testing.assert_allclose(one_by_one, expected, **tolerance)
            assert stream.position == len(row)
            stream.reset()
            np.testing.assert_allclose(stream.process(row), expected, **tolerance)
            assert stream.position == len(row)
            stream.reset()
            np.testing.assert_array_equal(steps(stream, row), one_by_one)


@DTYPES
@pytest.mark.parametrize("case", STEPPED, ids=lambda case: case.name)
def test_a_copy_goes_on_from_the_same_state(case: Case, dtype: Any) -> None:
    layer, x = weighted(case, dtype)
    stream = weft.Stream(load(layer))
    before, after = x[0, : (x.shape[1] + 1) // 2], x[0, x.shape[1] // 2 :]
    stream.process(before)
    other, third = copy.deepcopy(stream), weft.Stream(load(layer))
    expected = steps(stream, after)
    np.testing.assert_array_equal(steps(other, after), expected)
    assert not third.assign(stream), "of another model, though of the same file"
    other.reset()
    steps(other, before)
    np.testing.assert_array_equal(steps(other, after), expected)


def test_one_model_on_every_instruction_set() -> None:
    """Weights are packed for the set that is in use when a stream is made."""
    layer = nn.Sequential(nn.GRU(3, 67, rng=0), nn.Linear(67, 5, rng=0))
    model, x = load(layer), np.random.default_rng(0).normal(size=(1, 9, 3)).astype(np.float32)
    streams = []
    for isa in ISAS:
        with weft.config.use_isa(isa):
            streams.append(weft.Stream(model))
    for isa in ISAS:
        with weft.config.use_isa(isa):
            expected = predicted(layer, x)[0]
            for stream in streams:
                stream.reset()
                np.testing.assert_allclose(steps(stream, x[0]), expected, **close(np.float32, expected))


@settings(max_examples=150)
@given(stacks())
def test_random_stacks(made: tuple[nn.Layer, np.ndarray]) -> None:
    layer, x = made
    model, expected = load(layer), predicted(layer, x)
    tolerance = close(np.float64, expected, 2**20)  # layers in a row magnify a rounding
    np.testing.assert_allclose(model.run(x), expected, **tolerance)
    stream = weft.Stream(model)
    half = x.shape[1] // 2
    np.testing.assert_allclose(stream.process(x[0, :half]), expected[0, :half], **tolerance)
    np.testing.assert_allclose(steps(stream, x[0, half:]), expected[0, half:], **tolerance)


# ---- language models ---------------------------------------------------------------------------------------


LANGUAGE_MODELS = [
    *(gpt_cases.make(dtype=dtype, **kind) for dtype in ("float32", "float64") for kind in gpt_cases.KINDS),
    *(
        LanguageModel(
            cell, embedding_size=6, hidden_size=6, num_layers=2, dtype=dtype, rng=0, tie_weights=True
        )
        for dtype in ("float32", "float64")
        for cell in ("rnn", "lstm", "gru")
    ),
]


@pytest.mark.parametrize("model", LANGUAGE_MODELS, ids=repr)
def test_logits_of_language_models(model: GPT | LanguageModel) -> None:
    native, dtype = load(model), model.head.weight.dtype
    assert (native.inputs, native.outputs, native.takes_tokens) == (256, 256, True)
    assert native.context == model.context
    text = gpt_cases.TEXT[: gpt_cases.C]
    expected = predicted(model, text[None])
    np.testing.assert_allclose(native.run(text[None]), expected, **close(dtype, expected))
    stream = weft.Stream(native)
    np.testing.assert_allclose(steps(stream, text), expected[0], **close(dtype, expected))


@pytest.mark.parametrize("model", LANGUAGE_MODELS, ids=repr)
def test_sampling_by_steps_draws_the_same_text(model: GPT | LanguageModel) -> None:
    expected = bytes(islice(model.generate(b"We", rng=3), 12))
    stream, rng = weft.Stream(load(model)), np.random.default_rng(3)
    logits, drawn = stream.process(list(b"We"))[-1], bytearray()
    while len(drawn) < len(expected):
        drawn.append(int(sample(logits, rng)))
        logits = stream.step(drawn[-1])
    assert bytes(drawn) == expected


# ---- the object --------------------------------------------------------------------------------------------


def small(**options: Any) -> nn.Layer:
    return nn.Sequential(nn.Linear(2, 4, rng=0), nn.MultiheadAttention(4, 2, causal=True, rng=0, **options))


def test_capacity() -> None:
    x = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
    stream = weft.Stream(load(small()), capacity=3)
    assert stream.capacity == 3
    expected = stream.process(x[:3])
    with pytest.raises(RuntimeError, match="capacity"):
        stream.step(x[3])
    assert stream.position == 3
    stream.reset()
    np.testing.assert_array_equal(steps(stream, x[:3]), expected)
    stream.reset()
    with pytest.raises(RuntimeError, match="capacity"):
        stream.process(x)


def test_without_memory_of_steps_there_is_no_capacity() -> None:
    stream = weft.Stream(load(nn.GRU(2, 3)), capacity=2)
    stream.process(np.ones((100, 2), np.float32))
    assert (stream.position, stream.capacity) == (100, 0)


def test_assign() -> None:
    model, x = load(small()), np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)
    stream, other = weft.Stream(model, capacity=8), weft.Stream(model, capacity=8)
    stream.process(x[:3])
    assert other.assign(stream)
    np.testing.assert_array_equal(other.process(x[3:]), stream.process(x[3:]))
    assert not weft.Stream(model, capacity=9).assign(stream), "of another capacity"
    for capacity, error in ((-1, ValueError), (1.5, TypeError)):
        with pytest.raises(error, match="capacity must be an integer >= 0"):
            weft.Stream(model, capacity)


def test_threads_may_share_a_stream() -> None:
    stream, x = weft.Stream(load(nn.GRU(2, 64, rng=0))), np.ones((2000, 2), np.float32)

    def work() -> None:
        for _ in range(5):
            stream.process(x)
            stream.step(x[0])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stream.position == 4 * 5 * 2001


def test_a_model_in_memory(tmp_path: Any) -> None:
    nn.save(nn.GRU(2, 3, rng=0), tmp_path / "m")
    model = weft.Model.parse((tmp_path / "m").read_bytes())
    assert (model.inputs, model.outputs, model.context, model.dtype) == (2, 3, 0, np.float32)
    with pytest.raises(ValueError, match=r"Model\.parse: "):
        weft.Model.parse(b"not a model")


def test_a_stream_of_a_file(tmp_path: Any) -> None:
    nn.save(nn.GRU(2, 3, rng=0), tmp_path / "m")
    stream = weft.Stream(tmp_path / "m")
    assert (stream.inputs, stream.outputs, stream.takes_tokens) == (2, 3, False)
    assert stream.nbytes > 0


@pytest.mark.parametrize(
    ("layer", "x", "error"),
    [
        (nn.GRU(2, 3), 1, TypeError),
        (nn.GRU(2, 3), np.ones(2), TypeError),  # float64
        (nn.GRU(2, 3), np.ones(3, np.float32), ValueError),
        (nn.GRU(2, 3), np.ones((1, 2), np.float32), ValueError),
        (nn.Embedding(5, 3), np.ones(5, np.float32), TypeError),
        (nn.Embedding(5, 3), 5, ValueError),
        (nn.Embedding(5, 3), -1, ValueError),
        (nn.Embedding(5, 3), "a", TypeError),
    ],
)
def test_steps_that_do_not_fit_leave_the_state(layer: nn.Layer, x: Any, error: type[Exception]) -> None:
    stream = weft.Stream(load(layer))
    with pytest.raises(error):
        stream.step(x)
    assert stream.position == 0


def test_process_stops_at_a_bad_token() -> None:
    stream = weft.Stream(load(nn.Embedding(5, 3)))
    with pytest.raises(ValueError, match="token"):
        stream.process([1, 2, 7, 1])


@pytest.mark.parametrize("layer", [nn.Transformer(4, 2, 1, 1, 4), nn.Sequential(nn.Tanh())], ids=repr)
def test_a_file_without_a_graph_says_why(layer: nn.Layer, tmp_path: Any) -> None:
    nn.save(layer, tmp_path / "m")
    with pytest.raises(ValueError, match="has no native form") as raised:
        weft.Model.load(tmp_path / "m")
    assert describe(layer)["obstacle"] in str(raised.value)


def test_a_file_of_another_kind_is_refused(tmp_path: Any) -> None:
    nn.save(nn.GRU(2, 3), tmp_path / "m", {"weft": "{}"})
    with pytest.raises(ValueError, match="graph"):
        weft.Model.load(tmp_path / "m")
    (tmp_path / "broken").write_bytes(b"not a model")
    with pytest.raises(ValueError, match=r"Model\.load: .*broken: not a safetensors file"):
        weft.Model.load(tmp_path / "broken")
    with pytest.raises(FileNotFoundError, match="none"):
        weft.Model.load(tmp_path / "none")
    with pytest.raises(TypeError):
        weft.Stream(3)
