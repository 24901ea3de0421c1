"""JAX: `jit` of a `lax.scan` over the cell, and of its vector-Jacobian product.

Time comes first and weights are [in, out], which suits it best; neither transposition is timed. Every case
is compiled in several ways and the fastest is kept: the input's projection as one product before the scan or
step by step within it, and the loop unrolled more or less.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial, singledispatch
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from library import Runner
from problems.recurrent import Recurrent

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)  # allows float64; arrays keep the dtype that they have

WAYS = [(hoisted, unroll) for hoisted in (True, False) for unroll in (1, 4)]
Arrays = dict[str, Any]


def version() -> str:
    return f"jax {jax.__version__}"


def set_threads(threads: int) -> None:
    """XLA takes as many as the process may use processors: library.py has seen to that."""


@singledispatch
def build(case: Any) -> Runner:
    raise TypeError(f"no such case: {case!r}")


@build.register
def _(case: Recurrent) -> Runner:
    arrays = {name.removesuffix("_l0"): array for name, array in case.arrays().items()}
    xs, dy = (jnp.asarray(arrays.pop(name).swapaxes(0, 1)) for name in ("x", "dy"))
    weights = {name: jnp.asarray(array.T) for name, array in arrays.items()}
    call = train if case.training else infer_alone
    given = (weights, xs, dy) if case.training else (weights, xs)
    run = fastest([jax.jit(partial(call, case.layer, hoisted, unroll)) for hoisted, unroll in WAYS], given)
    last: Arrays = {}

    def run_once() -> None:
        last["found"] = jax.block_until_ready(run(*given))

    def results() -> Arrays:
        (ys, state), *gradients = last["found"]
        found = {"y": ys.swapaxes(0, 1), **{f"{name}_n": part[None] for name, part in state.items()}}
        if gradients:
            dweights, dx = gradients[0]
            found |= {"dx": dx.swapaxes(0, 1), **{f"d{name}_l0": dw.T for name, dw in dweights.items()}}
        return {name: np.asarray(array) for name, array in found.items()}

    return Runner(run_once, results)


def fastest(ways: list[Callable[..., Any]], given: tuple[Any, ...]) -> Callable[..., Any]:
    """Of several functions the one with the shortest run, each called for a quarter of a second at least."""
    return min(ways, key=lambda way: shortest_run(way, given))


def shortest_run(function: Callable[..., Any], given: tuple[Any, ...]) -> float:
    jax.block_until_ready(function(*given))  # compiles
    taken: list[float] = []
    begin = time.perf_counter()
    while len(taken) < 2 or time.perf_counter() - begin < 0.25:
        start = time.perf_counter()
        jax.block_until_ready(function(*given))
        taken.append(time.perf_counter() - start)
    return min(taken)


def train(layer: str, hoisted: bool, unroll: int, weights: Arrays, xs: Any, dy: Any) -> Any:
    """((y, state), (dL/dweights, dx))."""
    forward = partial(infer, layer, hoisted, unroll)
    y, backward, state = jax.vjp(forward, weights, xs, has_aux=True)
    return (y, state), backward(dy)


def infer_alone(layer: str, hoisted: bool, unroll: int, weights: Arrays, xs: Any) -> Any:
    """((y, state),)."""
    return (infer(layer, hoisted, unroll, weights, xs),)


def infer(layer: str, hoisted: bool, unroll: int, weights: Arrays, xs: Any) -> Any:
    """(y[T,B,H], last state) of xs[T,B,I]."""
    cell, H = CELLS[layer], weights["weight_hh"].shape[0]
    zero = jnp.zeros((xs.shape[1], H), xs.dtype)
    first = {"h": zero, "c": zero} if layer == "LSTM" else {"h": zero}

    def project(x: Any) -> Any:
        return x @ weights["weight_ih"] + weights["bias_ih"]

    def step(state: Arrays, x: Any) -> tuple[Arrays, Any]:
        state = cell(
            x if hoisted else project(x), state["h"] @ weights["weight_hh"] + weights["bias_hh"], state
        )
        return state, state["h"]

    state, y = jax.lax.scan(step, first, project(xs) if hoisted else xs, unroll=unroll)
    return y, state


# ---- the state after a step, of the input's and the state's projections p and q ----


def rnn(p: Any, q: Any, state: Arrays) -> Arrays:
    return {"h": jnp.tanh(p + q)}


def lstm(p: Any, q: Any, state: Arrays) -> Arrays:
    i, f, g, o = jnp.split(p + q, 4, axis=1)
    c = jax.nn.sigmoid(f) * state["c"] + jax.nn.sigmoid(i) * jnp.tanh(g)
    return {"h": jax.nn.sigmoid(o) * jnp.tanh(c), "c": c}


def gru(p: Any, q: Any, state: Arrays) -> Arrays:
    (p_r, p_z, p_n), (q_r, q_z, q_n) = jnp.split(p, 3, axis=1), jnp.split(q, 3, axis=1)
    z = jax.nn.sigmoid(p_z + q_z)
    n = jnp.tanh(p_n + jax.nn.sigmoid(p_r + q_r) * q_n)
    return {"h": (1 - z) * n + z * state["h"]}


CELLS = {"RNN": rnn, "LSTM": lstm, "GRU": gru}
