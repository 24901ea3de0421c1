"""A forked child may call every kernel: its parent's OpenMP threads are not there to be waited for."""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing.connection import Connection

import numpy as np
import pytest

import weft
from cases import recurrent_case
from kinds import Size

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="fork is for POSIX")

CASE = recurrent_case("gru", "everything")
SIZE = Size(time=9, batch=50, input=40, hidden=131)


def gradient_of_weights() -> np.ndarray:
    outputs, saved = CASE.forward(CASE.inputs(SIZE, np.float32))
    return CASE.backward(saved, CASE.douts(outputs))["w_hh"]


def child(sender: Connection) -> None:
    sender.send(gradient_of_weights())


def test_a_forked_child_computes_the_same() -> None:
    weft.set_num_threads(2)
    expected = gradient_of_weights()  # the parent's team of threads exists now
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(sender,), daemon=True)
    process.start()
    answers = receiver.poll(30)
    if not answers:
        process.kill()
    assert answers, "the child hangs"
    np.testing.assert_array_equal(receiver.recv(), expected)
    process.join(30)
    assert process.exitcode == 0
    np.testing.assert_array_equal(gradient_of_weights(), expected)  # and the parent goes on with its threads
