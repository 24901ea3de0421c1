"""A forked child may call every kernel, run models and step: its parent's threads are not waited for."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

import weftnn
from cases import recurrent_case
from kinds import Size
from weftnn import nn

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
    weftnn.set_num_threads(2)
    expected = gradient_of_weights()  # the parent's helpers exist now
    assert_same_in_child(gradient_of_weights, expected)
    np.testing.assert_array_equal(gradient_of_weights(), expected)  # and the parent goes on with its threads


def test_a_stream_in_the_middle_of_a_step_is_not_the_childs() -> None:
    """It says so, where a wait for the thread that the child has not would never end."""
    stream, x, stop = weftnn.Stream(nn.GRU(1024, 1024, rng=0)), np.zeros(1024, np.float32), threading.Event()

    def step_on() -> None:
        while not stop.is_set():
            stream.step(x)

    thread = threading.Thread(target=step_on)
    thread.start()
    refusals = 0
    try:
        for _ in range(10):
            process = os.fork()
            if process == 0:
                signal.alarm(30)  # ends a child that hangs
                try:
                    stream.step(x)
                except RuntimeError as error:
                    os._exit(7 if "forked" in str(error) else 1)
                os._exit(0)
            status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            assert status in (0, 7)
            refusals += status == 7
    finally:
        stop.set()
        thread.join()
    assert refusals > 0


def test_models_and_streams_go_on_in_a_forked_child(tmp_path: Path) -> None:
    weftnn.set_num_threads(2)
    path = tmp_path / "model.safetensors"
    nn.save(nn.Sequential(nn.GRU(4, 96, rng=0), nn.Linear(96, 3, rng=1)), path)
    model = weftnn.Model.load(path)
    x = np.random.default_rng(0).normal(size=(40, 30, 4)).astype(np.float32)
    stream = weftnn.Stream(model)
    stream.process(x[0, :10])
    begun = stream.copy()

    def compute() -> np.ndarray:
        """Whole sequences, the rest of a stream that was begun before, and a new stream."""
        rest = begun.copy().process(x[0, 10:])
        return np.concatenate(
            [model.run(x).ravel(), rest.ravel(), weftnn.Stream(model).process(x[1]).ravel()]
        )

    expected = compute()
    assert_same_in_child(compute, expected)
    np.testing.assert_array_equal(compute(), expected)
