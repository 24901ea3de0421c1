"""Threads that help: they rest when there is nothing to do, and long calls end where Ctrl-C asks for it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import weftnn
import weftnn.config
from weftnn import ops

F = np.float32


def test_idle_threads_take_no_processor() -> None:
    """In processor time, which a busy machine does not lengthen."""
    weftnn.set_num_threads(4)
    x, w = np.ones((512, 256), F), np.ones((256, 256), F)
    ops.linear_forward(x, w)
    before = time.process_time()
    for _ in range(20):
        ops.linear_forward(x[:64], w)
        time.sleep(0.02)
    assert time.process_time() - before < 0.2  # of 0.4 seconds on the clock, or more


INTERRUPTED = """
import os
import signal
import threading

import numpy as np

import weftnn
from weftnn import nn, ops

F = np.float32
weftnn.set_num_threads({threads})
steps = np.broadcast_to(np.zeros((1, 1, 512), F), (2, 100_000, 512))
square = np.zeros((2048, 512), F)
heads = np.zeros((1, 8, 40_000, 16), F)
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    {call}
except KeyboardInterrupt:
    print("interrupted")
else:
    print("ended")
"""


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "call",
    [
        "ops.lstm_forward(steps[:1], square, square, training=False)",
        "ops.lstm_forward(steps, square, square, training=False)",
        "ops.sdpa_forward(heads, heads, heads)",
        "weftnn.Model(nn.GRU(512, 512)).run(steps)",
        "weftnn.Stream(nn.GRU(512, 512)).process(steps[0])",
    ],
)
def test_ctrl_c_ends_a_long_call(call: str, threads: int) -> None:
    program = INTERRUPTED.format(call=call, threads=threads)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.stdout == "interrupted\n", done.stderr


def test_a_stream_that_was_interrupted_is_as_before() -> None:
    program = """
import os, signal, threading
import numpy as np
import weftnn
from weftnn import nn
stream = weftnn.Stream(nn.GRU(512, 512, rng=0))
steps = np.tile(np.random.default_rng(0).normal(size=(100, 512)).astype(np.float32), (1000, 1))
stream.process(steps[:3])
before = stream.copy()
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    stream.process(steps)
except KeyboardInterrupt:
    assert stream.position == 3
    assert (stream.step(steps[3]) == before.step(steps[3])).all()
    print("as before")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.stdout == "as before\n", done.stderr


def test_the_instruction_set_may_change_while_others_compute() -> None:
    """A call runs to its end on one; workspaces are large enough for whichever that is."""
    isas = weftnn.config.available_isas()
    rng = np.random.default_rng(0)
    before, stop, failures = weftnn.config.get_isa(), threading.Event(), []

    def array(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(F) * F(0.1)

    def change() -> None:
        while not stop.is_set():
            for isa in isas:
                weftnn._core.set_isa(isa)

    changing = threading.Thread(target=change)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    changing.start()
    try:
        for _ in range(300):
            H, B, T, inputs = (int(n) for n in rng.integers(1, 40, size=4))
            x, w_ih, w_hh = array(B, T, inputs), array(4 * H, inputs), array(4 * H, H)
            y, h_n, _, saved = ops.lstm_forward(x, w_ih, w_hh)
            grads = ops.lstm_backward(saved, np.ones_like(y))
            q, v = array(1, 2, T * 5, H), array(1, 2, T * 5, inputs)
            out, kept = ops.sdpa_forward(q, q, v)
            dq = ops.sdpa_backward(kept, out).dq
            rows, _ = ops.linear_forward(x, array(H, inputs))
            if not all(np.isfinite(a).all() for a in (y, h_n, grads.dx, grads.dw_hh, out, dq, rows)):
                failures.append((H, B, T, inputs))
    finally:
        stop.set()
        changing.join()
        sys.setswitchinterval(interval)
        weftnn._core.set_isa(before)
    assert not failures
