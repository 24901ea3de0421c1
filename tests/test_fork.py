"""A forked child may call every kernel, run models and step: its parent's threads are not waited for."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

import weft
from cases import recurrent_case
from kinds import Size
from weft import nn

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="fork is for POSIX")

CASE = recurrent_case("gru", "everything")
SIZE = Size(time=9, batch=50, input=40, hidden=131)


def gradient_of_weights() -> np.ndarray:
    outputs, saved = CASE.forward(CASE.inputs(SIZE, np.float32))
    return CASE.backward(saved, CASE.douts(outputs))["w_hh"]


def child(sender: Connection, compute: Callable[[], np.ndarray]) -> None:
    sender.send(compute())


def assert_same_in_child(compute: Callable[[], np.ndarray], expected: np.ndarray) -> None:
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(sender, compute), daemon=True)
    process.start()
    answers = receiver.poll(30)
    if not answers:
        process.kill()
    assert answers, "the child hangs"
    np.testing.assert_array_equal(receiver.recv(), expected)
    process.join(30)
    assert process.exitcode == 0


def test_a_forked_child_computes_the_same() -> None:
    weft.set_num_threads(2)
    expected = gradient_of_weights()  # the parent's helpers exist now
    assert_same_in_child(gradient_of_weights, expected)
    np.testing.assert_array_equal(gradient_of_weights(), expected)  # and the parent goes on with its threads


def test_models_and_streams_go_on_in_a_forked_child(tmp_path: Path) -> None:
    weft.set_num_threads(2)
    path = tmp_path / "model.safetensors"
    nn.save(nn.Sequential(nn.GRU(4, 96, rng=0), nn.Linear(96, 3, rng=1)), path)
    model = weft.Model.load(path)
    x = np.random.default_rng(0).normal(size=(40, 30, 4)).astype(np.float32)
    stream = weft.Stream(model)
    stream.process(x[0, :10])
    begun = stream.copy()

    def compute() -> np.ndarray:
        """Whole sequences, the rest of a stream that was begun before, and a new stream."""
        rest = begun.copy().process(x[0, 10:])
        return np.concatenate([model.run(x).ravel(), rest.ravel(), weft.Stream(model).process(x[1]).ravel()])

    expected = compute()
    assert_same_in_child(compute, expected)
    np.testing.assert_array_equal(compute(), expected)
