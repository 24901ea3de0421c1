"""What a model file's graph means (docs/model_format.md), in plain NumPy: compute(graph, tensors, x) -> y.

Nothing but the cells themselves is shared with the layers: a recurrent node names any of ops.cells().
Shapes: B batch, T time, E features, N heads, K heads of keys and values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import reference
import reference_attention
from weftnn import ops

Array = Any
Node = dict[str, Any]
Tensors = Mapping[str, Array]


def compute(node: Node, tensors: Tensors, x: Array) -> Array:
    return OPERATIONS[node["op"]](node, tensors, x)


def sequential(node: Node, tensors: Tensors, x: Array) -> Array:
    for part in node["layers"]:
        x = compute(part, tensors, x)
    return x


def residual(node: Node, tensors: Tensors, x: Array) -> Array:
    return x + compute(node["layer"], tensors, x)


def bidirectional(node: Node, tensors: Tensors, x: Array) -> Array:
    backwards = compute(node["backwards"], tensors, x[:, ::-1])[:, ::-1]
    return np.concatenate([compute(node["forwards"], tensors, x), backwards], axis=-1)


def embedding(node: Node, tensors: Tensors, x: Array) -> Array:
    return tensors[node["weight"]][x]


def linear(node: Node, tensors: Tensors, x: Array) -> Array:
    return reference.linear(x, *weights(node, tensors, "weight", "bias"))


def layer_norm(node: Node, tensors: Tensors, x: Array) -> Array:
    assert x.shape[-1] == node["size"]
    return reference.layer_norm(x, *weights(node, tensors, "weight", "bias"), eps=node["eps"])


def activation(node: Node, tensors: Tensors, x: Array) -> Array:
    name, _, approximate = node["kind"].partition("_")
    function: Callable[..., Array] = getattr(reference, name)
    return function(x, approximate) if approximate else function(x)


def swiglu(node: Node, tensors: Tensors, x: Array) -> Array:
    return reference.swiglu(x)


def recurrent(node: Node, tensors: Tensors, x: Array) -> Array:
    names = ("w_ih", "w_hh", "b_ih", "b_hh", "extra", "w_proj")
    arrays = weights(node, tensors, *names)
    steps = x if x.ndim == 3 else x[:, None]  # a cell by itself is one step
    stay = np.full((len(x), arrays[1].shape[1]), node["zoneout"]) if "zoneout" in node else None
    call = ops.RecurrentCall("graph", node["cell"], steps, *arrays, zoneout_mask=stay, training=False)
    return ops.recurrent_forward(call).y.reshape(*x.shape[:-1], -1)


def learned_positions(node: Node, tensors: Tensors, x: Array) -> Array:
    return x + tensors[node["weight"]][: x.shape[1]]


def sinusoidal_positions(node: Node, tensors: Tensors, x: Array) -> Array:
    angle = angles(x.shape[1], node["size"], node["base"])
    waves = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    return x + waves.reshape(x.shape[1], -1)[:, : node["size"]]


def attention(node: Node, tensors: Tensors, x: Array) -> Array:
    heads, size = node["heads"], x.shape[-1] // node["heads"]
    positions = node.get("positions", {"kind": None})
    all_heads = reference.linear(x, *weights(node, tensors, "in_weight", "in_bias"))
    all_heads = all_heads.reshape(*x.shape[:2], -1, size).swapaxes(1, 2)
    q, k, v = np.split(all_heads, [heads, heads + node["kv_heads"]], axis=1)
    if positions["kind"] == "rotary":
        angle = angles(x.shape[1], positions["dim"], positions["base"])
        turn = np.cos(angle), np.sin(angle), positions["interleaved"]
        q, k = reference.rotary(q, *turn), reference.rotary(k, *turn)
    bias = SCORE_BIASES.get(positions["kind"], lambda *_: None)(positions, tensors, heads, x.shape[1])
    read = reference_attention.sdpa(q, k, v, bias=bias, causal=node["causal"], window=node.get("window"))
    read = read.swapaxes(1, 2).reshape(x.shape)
    return reference.linear(read, *weights(node, tensors, "out_weight", "out_bias"))


def alibi(positions: Node, tensors: Tensors, heads: int, time: int) -> Array:
    below = 2 ** (heads.bit_length() - 1)  # the largest power of two that is not above
    powers = [8 * n / below for n in range(1, below + 1)]
    powers += [4 * n / below for n in range(1, 2 * (heads - below), 2)]
    return -(2.0 ** -np.array(powers))[:, None, None] * abs(distances(time))


def relative(positions: Node, tensors: Tensors, heads: int, time: int) -> Array:
    weight, both = tensors[positions["weight"]], positions["bidirectional"]
    buckets = len(weight) // 2 if both else len(weight)
    exact = buckets // 2

    def bucket(distance: int) -> int:
        d = abs(distance) if both or distance < 0 else 0
        if d >= exact:
            share = np.log(d / exact) / np.log(positions["max_distance"] / exact)
            d = min(exact + int((buckets - exact) * share), buckets - 1)
        return d + buckets if both and distance > 0 else d

    return weight[np.vectorize(bucket)(distances(time))].transpose(2, 0, 1)


def distances(time: int) -> Array:
    return np.arange(time) - np.arange(time)[:, None]


def angles(time: int, size: int, base: float) -> Array:
    return np.arange(time)[:, None] / base ** (np.arange(0, size, 2) / size)


def weights(node: Node, tensors: Tensors, *names: str) -> list[Array]:
    return [tensors[node[name]] if name in node else None for name in names]


SCORE_BIASES: dict[str | None, Callable[..., Array]] = {"alibi": alibi, "relative": relative}
OPERATIONS: dict[str, Callable[[Node, Tensors, Array], Array]] = {
    function.__name__: function
    for function in (
        sequential, residual, bidirectional, embedding, linear, layer_norm, activation, swiglu, recurrent,
        learned_positions, sinusoidal_positions, attention,
    )
}  # fmt: skip
