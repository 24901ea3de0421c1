"""Arrays without elements are done with at once, however many rows of nothing they have."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest

import weftnn
from cases import OPS, POINTWISE, ROTARY
from kinds import OpCase, Size
from native import NATIVE, weighted
from nn_cases import CASES
from weftnn import nn, ops

MANY = 2**40
SIZES = {
    "no rows of many steps": Size(time=MANY, batch=0),
    "many rows of no steps": Size(time=0, batch=MANY),
}
EMPTY = (0, MANY), (MANY, 0)  # the first axes of a layer's x
# A context, a loss of no classes, sizes that NumPy has not: whatever the rows.
NEVER_RIGHT = "context", "positions", "class", "Maximum", "array is too big", "must broadcast", "high <= 0"
NO_FEATURES = Size(time=1, batch=MANY, input=0, hidden=0, projection=1)


def attention_over_nothing() -> None:
    """No query and no feature: gradients of many keys, each without an element."""
    k = np.zeros((1, 1, MANY, 0), np.float32)
    out, saved = ops.sdpa_forward(np.zeros((1, 1, 0, 0), np.float32), k, k)
    ops.sdpa_backward(saved, out)


def embedding_of_nothing() -> None:
    weight = np.zeros((3, 0), np.float32)
    y, saved = ops.embedding_forward(np.zeros((0, MANY), np.int64), weight)
    ops.embedding_backward(saved, y)


def ragged_rows_of_nothing() -> None:
    x, w = np.zeros((0, MANY, 4), np.float32), np.ones((2, 4), np.float32)
    y, h_n, saved = ops.rnn_forward(x, w, np.ones((2, 2), np.float32), lengths=np.zeros(0, np.int64))
    ops.rnn_backward(saved, y, h_n)


def run_of(case: OpCase, size: Size) -> Callable[[], object]:
    return lambda: case.run(case.inputs(size, np.float32))


def calls_of(layer: nn.Layer, x: np.ndarray) -> Callable[[], object]:
    def call() -> None:
        layer.predict(x)
        layer(x)

    return call


def tasks() -> Iterator[tuple[str, Callable[[], object]]]:
    """Everything that takes arrays, with such arrays."""
    for function in (attention_over_nothing, embedding_of_nothing, ragged_rows_of_nothing):
        yield function.__name__, function
    for case in OPS:
        for name, size in SIZES.items():
            yield f"{case}, {name}", run_of(case, size)
    for case in POINTWISE + ROTARY:
        yield f"{case}, no features", run_of(case, NO_FEATURES)
    for case in CASES:
        layer, x = case.build(np.float32)
        for shape in EMPTY if x.ndim == 3 and not case.options else ():
            yield f"{case.name} {shape}", calls_of(layer, np.zeros(shape + x.shape[2:], x.dtype))
    for case in NATIVE:
        layer, x = weighted(case, np.float32)
        for shape in EMPTY:
            empty = np.zeros(shape + x.shape[2:], x.dtype)
            yield f"Model of {case.name} {shape}", partial(weftnn.Model(layer).run, empty)


def run_all() -> None:
    """In a process of its own, so that a call that does not come back is an error and no wait."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    done = 0
    for name, task in tasks():
        print(name, flush=True)
        try:
            task()
            done += 1
        except (MemoryError, OverflowError):
            pass  # a state of every row, say, has elements
        except ValueError as error:
            if not any(words in str(error) for words in NEVER_RIGHT):
                raise
    print(f"done: {done}")


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limit of memory")
def test_arrays_without_elements() -> None:
    path = os.pathsep.join(filter(None, sys.path))
    code = "import test_without_elements; test_without_elements.run_all()"
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert found.returncode == 0, found.stdout[-200:] + found.stderr[-2000:]
    assert int(found.stdout.rpartition("done: ")[2]) > 300
