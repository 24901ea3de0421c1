"""The layers of the table that have a native form, and what their models must give."""

from __future__ import annotations

from typing import Any

import numpy as np

import weftnn
from nn_cases import CASES
from nn_kinds import Case
from weftnn import nn
from weftnn.nn.graph import describe


def weighted(case: Case, dtype: Any = np.float64) -> tuple[nn.Layer, np.ndarray]:
    """A row's layer and x[B,T,F] or tokens[B,T]. A layer without weights has a linear one before it: a file
    must tell sizes and dtype."""
    layer, x = case.build(dtype)
    if not layer.parameters():
        features = x.shape[-1]
        layer = nn.Sequential(nn.Linear(features, features, dtype=dtype, rng=1), layer)
    if x.dtype.kind == "f":
        x = x[:, None] if x.ndim == 2 else x.reshape(-1, *x.shape[-2:]) if x.ndim > 1 else x[None, None]
    return layer, x


def is_cell(layer: nn.Layer) -> bool:
    return isinstance(layer, nn.RNNCell | nn.LSTMCell | nn.GRUCell)


def predicted(layer: nn.Layer, x: np.ndarray) -> np.ndarray:
    """y[B,T,O] of predict, without any option of a call."""
    y = layer.predict(x[:, 0] if is_cell(layer) else x)
    while isinstance(y, tuple):
        y = y[0]
    return y[:, None] if is_cell(layer) else y


def steps(stream: weftnn.Stream, x: np.ndarray) -> np.ndarray:
    """y[T,O] of x[T,I] or tokens[T], one by one."""
    return np.stack([stream.step(x_t) for x_t in x])


def nodes(graph: Any) -> list[dict[str, Any]]:
    """All nodes of a graph, and the parts of nodes that are objects."""
    if isinstance(graph, list):
        return [node for part in graph for node in nodes(part)]
    return [graph, *nodes(list(graph.values()))] if isinstance(graph, dict) else []


def can_step(layer: nn.Layer) -> bool:
    """Whether nothing in it reads later steps."""
    every = nodes(describe(layer)["graph"])
    ahead = [
        n for n in every if n.get("op") == "attention" and not n["causal"] and n.get("window", [0, -1])[1]
    ]
    return not ahead and not any(node.get("op") == "bidirectional" for node in every)


def has_tables(layer: nn.Layer) -> bool:
    """Whether it has sines or logarithms that C++ and NumPy round each in its own way."""
    return any(
        "positions" in n or n.get("op") == "sinusoidal_positions" for n in nodes(describe(layer)["graph"])
    )


def close(dtype: Any, expected: np.ndarray, steps: int = 64) -> dict[str, float]:
    """Tolerances of assert_allclose: so many roundings of the largest value, for sums of another order."""
    return {"rtol": 0, "atol": steps * float(np.finfo(dtype).eps) * float(np.abs(expected).max(initial=1))}


NATIVE = [case for case in CASES if "graph" in describe(weighted(case)[0])]
STEPPED = [case for case in NATIVE if can_step(weighted(case)[0])]
