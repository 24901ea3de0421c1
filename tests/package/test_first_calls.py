"""A process whose first calls come from several threads at once computes, and does not hang."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os
import sys
import threading

import numpy as np

import weftnn
from weftnn import nn, ops

weftnn.set_num_threads(2)
rng = np.random.default_rng(0)
x = rng.normal(size=(4, 6, 8)).astype(np.float32)
flat = x.reshape(-1, 8)
w_ih = rng.normal(size=(24, 8)).astype(np.float32)
heads = x[:, None]
tokens = np.arange(6)
layers = [nn.GRU(8, 8), nn.LSTM(8, 8), nn.Linear(8, 8), nn.MultiheadAttention(8, 2)]
calls = [
    *(lambda layer=layer: layer.predict(x) for layer in layers),
    *(lambda layer=layer: weftnn.Model(layer).run(x) for layer in layers),
    lambda: weftnn.Stream(layers[0]).process(x[0]),
    lambda: ops.gru_forward(x, w_ih, w_ih),
    lambda: ops.linear_forward(flat, w_ih),
    lambda: ops.sdpa_forward(heads, heads, heads),
    lambda: ops.additive_scores_forward(x, x, x[0, 0]),
    lambda: ops.embedding_forward(tokens, flat),
    lambda: ops.layer_norm_forward(flat),
    lambda: ops.relu_forward(flat),
    lambda: ops.swiglu_forward(flat),
    lambda: ops.dropout_forward(flat, 0.5, seed=1),
    lambda: ops.rotary_forward(heads, x[0, :, :4], x[0, :, :4]),
    lambda: ops.softmax_cross_entropy_forward(flat[:6], tokens),
    lambda: ops.sgd_update(flat.ravel().copy(), flat.ravel(), lr=0.1),
    lambda: ops.adam_update(*(np.zeros(8, np.float32) for _ in range(4)), lr=0.1, step=1),
    lambda: nn.CrossEntropyLoss().predict(flat[:6], tokens),
    lambda: nn.MSELoss().predict(x, x),
    ops.cells,
    weftnn.show_config,
]
first = int(sys.argv[1])
together = threading.Barrier(8)
failures = []


def work(number):
    together.wait()
    try:
        for call in calls[(first + 3 * number) % len(calls) :][:4]:
            call()
    except BaseException as error:
        failures.append(error)


team = [threading.Thread(target=work, args=(number if sys.argv[2] == "all" else 0,)) for number in range(8)]
sys.setswitchinterval(1e-5)
for thread in team:
    thread.start()
for thread in team:
    thread.join()
assert not failures, failures
print("done")
"""


@pytest.mark.parametrize("which", ["all", "one"])  # each thread's first call another, or the same
def test_no_first_call_waits_for_ever(which: str) -> None:
    for first in range(0, 30, 3):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(first), which], capture_output=True, text=True, timeout=100
        )
        assert done.returncode == 0 and done.stdout == "done\n", done.stderr
