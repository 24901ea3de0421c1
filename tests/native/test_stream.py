"""weftnn.Model and weftnn.Stream as objects: capacity, copies, files, threads, and what does not fit."""

from __future__ import annotations

import copy
import json
import os
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weftnn
from layouts import LAYOUTS
from native import NATIVE, steps, weighted
from nn_kinds import Case
from weftnn import _core, nn
from weftnn.files import write_safetensors
from weftnn.nn.graph import describe

X = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
REMEMBERS = nn.Sequential(nn.Linear(2, 4, rng=0), nn.MultiheadAttention(4, 2, causal=True, rng=0))
GRU = nn.GRU(2, 3, rng=0)


def test_capacity() -> None:
    stream = weftnn.Stream(REMEMBERS, capacity=3)
    assert stream.capacity == 3
    expected = stream.process(X[:3])
    with pytest.raises(RuntimeError, match="capacity"):
        stream.step(X[3])
    assert stream.position == 3
    stream.reset()
    stream.step(X[0])
    with pytest.raises(RuntimeError, match="capacity"):
        stream.process(X[1:])
    assert stream.position == 1, "none of the steps is done"
    np.testing.assert_array_equal(steps(stream, X[1:3]), expected[1:])
    stream.reset()
    np.testing.assert_array_equal(steps(stream, X[:3]), expected)
    for capacity, error in ((-1, ValueError), (1.5, TypeError)):
        with pytest.raises(error, match="capacity must be an integer >= 0"):
            weftnn.Stream(REMEMBERS, capacity)


def test_without_memory_of_steps_there_is_no_capacity() -> None:
    stream = weftnn.Stream(GRU, capacity=2)
    stream.process(X)
    assert (stream.position, stream.capacity) == (8, 0)


def test_streams_share_a_model_and_nothing_else() -> None:
    model = weftnn.Model(REMEMBERS)
    stream, other = weftnn.Stream(model, 8), weftnn.Stream(model, 8)
    stream.process(X[:3])
    other.process(X[3:6])
    np.testing.assert_array_equal(stream.process(X[3:]), weftnn.Stream(model).process(X)[3:])
    assert not weftnn.Stream(model, 9).assign(stream), "of another capacity"
    assert not weftnn.Stream(REMEMBERS, 8).assign(stream), "of another model, though of the same layer"
    assert copy.deepcopy(stream).position == 8


@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_of_any_layout(layout: str) -> None:
    """Steps and sequences take any strides and any alignment, of features, tokens and lengths."""
    text = nn.Sequential(nn.Embedding(9, 2, rng=0), GRU)
    tokens, lengths = np.arange(8) % 9, np.array([3, 8, 0])
    for layer, one in ((REMEMBERS, X), (text, tokens)):
        many = np.stack([one, one[::-1], one])
        model, stream, other = weftnn.Model(layer), weftnn.Stream(layer), weftnn.Stream(layer)
        expected = model.run(many, lengths)
        np.testing.assert_array_equal(model.run(LAYOUTS[layout](many), LAYOUTS[layout](lengths)), expected)
        np.testing.assert_array_equal(stream.process(LAYOUTS[layout](one)), other.process(one))
    step = weftnn.Stream(REMEMBERS).step
    np.testing.assert_array_equal(step(LAYOUTS[layout](X[:2])[1]), weftnn.Stream(REMEMBERS).step(X[1]))


def test_a_model_is_the_layer_as_it_was() -> None:
    layer = nn.Linear(2, 3, rng=0)
    model, expected = weftnn.Model(layer), layer.predict(X)
    layer.weight.data[...] = 0
    np.testing.assert_array_equal(model.run(X[None])[0], expected)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    nn.save(GRU, path, {"note": "mine"})
    for model in (
        weftnn.Model.load(path),
        weftnn.Model.load(str(path)),
        weftnn.Model.parse(path.read_bytes()),
    ):
        assert (model.inputs, model.outputs, model.context, model.takes_tokens) == (2, 3, 0, False)
        np.testing.assert_array_equal(model.run(X[None]), GRU.predict(X[None])[0])
    stream = weftnn.Stream(path)
    assert (stream.inputs, stream.outputs, stream.takes_tokens) == (2, 3, False)
    assert stream.nbytes > 0


def test_a_small_file_takes_no_gigabytes_unasked(tmp_path: Path) -> None:
    """Five hundred layers of one weight, and a context of millions: who wants that says so."""
    attention = {"op": "attention", "heads": 1, "kv_heads": 1, "in_weight": "i", "out_weight": "o"}
    graph = {"op": "sequential", "layers": [attention | {"causal": True}] * 500}
    description = json.dumps({"format": 1, "context": 2**24, "graph": graph})
    arrays = {"i": np.zeros((48, 16), np.float32), "o": np.zeros((16, 16), np.float32)}
    write_safetensors(tmp_path / "m", arrays, {"weft": description})
    with pytest.raises(MemoryError, match=r"Stream: capacity must be given: the default of 65536 .* MB"):
        weftnn.Stream(tmp_path / "m")
    assert weftnn.Stream(tmp_path / "m", capacity=1000).nbytes > 1000 * 500 * 2 * 16 * 4


def test_a_file_with_tensors_that_its_model_does_not_use(tmp_path: Path) -> None:
    path = tmp_path / "m"
    write_safetensors(path, GRU.state_dict() | {"head.weight": np.ones(2)}, GRU.metadata())
    for load in (weftnn.Model.load, weftnn.Stream, lambda path: weftnn.Model.parse(path.read_bytes())):
        with pytest.warns(weftnn.UnusedTensorsWarning, match=r"does not use.*: head\.weight$") as warned:
            load(path)
        assert [warning.filename for warning in warned] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error", weftnn.UnusedTensorsWarning)
        with pytest.raises(weftnn.UnusedTensorsWarning):
            weftnn.Model.load(path)
        nn.save(GRU, path)
        assert weftnn.Model.load(path).unused_tensors == ()


@pytest.mark.parametrize("case", NATIVE, ids=lambda case: case.name)
def test_what_weft_saves_is_used(case: Case) -> None:
    layer, _ = weighted(case, np.float32)
    assert weftnn.Model(layer).unused_tensors == ()


@pytest.mark.parametrize("call", ["step", "process"])
@pytest.mark.parametrize(("size", "lets_go"), [(16, False), (1024, True)])
def test_long_steps_let_other_threads_run(size: int, lets_go: bool, call: str) -> None:
    """Python does not switch threads by itself for an hour: another one runs only where a step lets it."""
    stream = weftnn.Stream(nn.GRU(size, size, rng=0))
    x = np.zeros(size if call == "step" else (1, size), np.float32)
    may_run, has_run = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: may_run.wait() and has_run.set())
    interval = sys.getswitchinterval()
    thread.start()
    try:
        sys.setswitchinterval(3600)
        may_run.set()
        for _ in range(10_000 if lets_go else 100):
            getattr(stream, call)(x)
            if has_run.is_set():
                break
        assert has_run.is_set() == lets_go
    finally:
        sys.setswitchinterval(interval)
        thread.join()


def test_threads_may_share_a_stream() -> None:
    """Those whose steps keep Python's lock, and those whose steps let go of it."""
    for size, count in ((64, 2000), (600, 20)):
        stream, x = weftnn.Stream(nn.GRU(2, size, rng=0)), np.ones((count, 2), np.float32)

        def work(stream: weftnn.Stream = stream, x: np.ndarray = x) -> None:
            for _ in range(5):
                stream.process(x)
                stream.step(x[0])

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert stream.position == 4 * 5 * (count + 1)
        alone = weftnn.Stream(nn.GRU(2, size, rng=0))
        alone.process(np.ones((stream.position, 2), np.float32))
        np.testing.assert_array_equal(stream.step(x[0]), alone.step(x[0]))


@pytest.mark.parametrize(
    ("layer", "x", "error"),
    [
        (GRU, 1, TypeError),
        (GRU, None, TypeError),
        (GRU, np.ones(2), TypeError),  # float64
        (GRU, np.ones(3, np.float32), ValueError),
        (GRU, np.ones((1, 2), np.float32), ValueError),
        (nn.Embedding(5, 3), np.ones(5, np.float32), TypeError),
        (nn.Embedding(5, 3), 5, ValueError),
        (nn.Embedding(5, 3), -1, ValueError),
        (nn.Embedding(5, 3), 2**40, ValueError),
        (nn.Embedding(5, 3), "a", TypeError),
    ],
)
def test_steps_that_do_not_fit_leave_the_state(layer: nn.Layer, x: Any, error: type[Exception]) -> None:
    stream = weftnn.Stream(layer)
    with pytest.raises(error, match=r"Stream\.step: "):
        stream.step(x)
    with pytest.raises(error, match=r"Stream\.process: "):
        stream.process(x if x is None or isinstance(x, str) else [x])
    assert stream.position == 0


def test_process_reads_no_token_where_one_is_bad() -> None:
    stream = weftnn.Stream(nn.Sequential(nn.Embedding(5, 2, rng=0), GRU))
    expected = copy.copy(stream).process([3, 1, 2])
    stream.step(3)
    with pytest.raises(ValueError, match="token"):
        stream.process([1, 2, 7, 1])
    assert stream.position == 1
    np.testing.assert_array_equal(stream.process([1, 2]), expected[1:])


@pytest.mark.parametrize(
    ("x", "options"),
    [
        (X, {}),
        (X[None, :, :1], {}),
        (X[None], {"lengths": [9]}),
        (X[None], {"lengths": [1, 1]}),
        (X[None], {"threads": -1}),
    ],
)
def test_runs_that_do_not_fit(x: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="run: "):
        weftnn.Model(GRU).run(x, **options)


@pytest.mark.parametrize("layer", [nn.Transformer(4, 2, 1, 1, 4), nn.Sequential(nn.Tanh())], ids=repr)
def test_a_model_without_a_graph_says_why(layer: nn.Layer, tmp_path: Path) -> None:
    nn.save(layer, tmp_path / "m")
    for make in (weftnn.Model, weftnn.Stream, lambda _: weftnn.Model.load(tmp_path / "m")):
        with pytest.raises(ValueError, match="has no native form") as raised:
            make(layer)
        assert str(raised.value).endswith(describe(layer)["obstacle"])


@pytest.mark.parametrize("name", [b"broken", b"broken\xff"])  # a path need not be UTF-8
def test_a_bad_file_is_an_error_with_its_path_and_reason(name: bytes, tmp_path: Path) -> None:
    path = os.path.join(os.fsencode(tmp_path), name)
    Path(os.fsdecode(path)).write_bytes(b"broken")
    with pytest.raises(_core.BadFile) as raised:
        _core.load_model(path)
    assert raised.value.path == os.fsdecode(path)
    assert raised.value.reason == "too short for a safetensors file: 6 bytes"
    assert str(raised.value) == f"load: {os.fsdecode(path)}: {raised.value.reason}"
    with pytest.raises(_core.BadFile) as raised:
        _core.parse_model(b"broken")
    assert raised.value.path == ""


def test_files_that_are_no_models_are_refused(tmp_path: Path) -> None:
    nn.save(GRU, tmp_path / "m", {"weft": "{}"})
    with pytest.raises(ValueError, match=r"Model\.load: .*/m: .*format"):
        weftnn.Model.load(tmp_path / "m")
    (tmp_path / "broken").write_bytes(b"not a model")
    with pytest.raises(ValueError, match=r"Model\.load: .*/broken: not a safetensors file"):
        weftnn.Model.load(tmp_path / "broken")
    with pytest.raises(ValueError, match=r"Model\.parse: "):
        weftnn.Model.parse(b"not a model")
    with pytest.raises(FileNotFoundError, match="none"):
        weftnn.Model.load(tmp_path / "none")
    for other in (3, None):
        with pytest.raises(TypeError):
            weftnn.Stream(other)
