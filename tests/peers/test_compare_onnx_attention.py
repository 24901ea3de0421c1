"""The onnx package's node tests of Attention, all but those of 16-bit numbers, which ops do not take.

There, causal puts query t at key t plus the number of keys that came before: of a past given beside the new
keys, or of a cache with nonpad_kv_seqlen valid keys, whose last T are the queries' own.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from gradcheck import relative_error
from weftnn.ops import sdpa_forward

pytestmark = pytest.mark.compare
onnx = pytest.importorskip("onnx")

Array = Any
INPUTS = ("Q", "K", "V", "attn_mask", "past_key", "past_value", "nonpad_kv_seqlen")
TOLERANCE = 4e-6  # float32 against float32 of another order of sums: 2e-6 each way


def heads(x: Array, count: int | None) -> Array:
    """[B, T, N D] as [B, N, T, D], by strides."""
    return x if count is None else x.reshape(*x.shape[:2], count, -1).swapaxes(1, 2)


def padded(array: Array, keys: int, axis: int, value: Any) -> Array:
    """As many keys as asked for: cut, or with `value` behind."""
    array = array.take(range(min(keys, array.shape[axis])), axis)
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, keys - array.shape[axis])
    return np.pad(array, widths, constant_values=value)


def run_node(node: Any, arrays: list[Array]) -> dict[str, Array]:
    """An ONNX Attention node by weft: Y and, where it is the weights, qk_matmul_output."""
    options = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    given = dict(zip((name for name in node.input if name), arrays, strict=True))
    given = {INPUTS[i]: given[name] for i, name in enumerate(node.input) if name}
    q = heads(given["Q"], options.get("q_num_heads"))
    k, v = (heads(given[name], options.get("kv_num_heads")) for name in "KV")
    mask, lengths, causal = given.get("attn_mask"), given.get("nonpad_kv_seqlen"), options.get("is_causal")
    window = (options.get("left_window_size", -1), options.get("right_window_size", -1))
    if past := "past_key" in given:
        k, v = (np.concatenate([given[f"past_{name}"], x], 2) for name, x in (("key", k), ("value", v)))
    T, S = q.shape[2], k.shape[2]
    if mask is not None:  # a mask may end early, and hides what is behind
        mask = padded(mask, S, -1, False if mask.dtype == bool else -np.inf)
    if past and causal:  # the last query at key P + T: bottom_right of so many keys
        keys = given["past_key"].shape[2] + T
        mask = padded(np.ones((1, S), bool) if mask is None else mask, keys, -1, False)
        k, v = (padded(x, keys, 2, 0) for x in (k, v))
    assert causal or window == (-1, -1) or not (past or lengths is not None), "a shift without causal"
    out, _, weights = sdpa_forward(
        q,
        k,
        v,
        mask=mask,
        kv_lengths=lengths,
        causal=bool(causal) and ("bottom_right" if past or lengths is not None else "top_left"),
        window=window,
        scale=options.get("scale"),
        softcap=options.get("softcap", 0.0),
        return_weights=True,
    )
    results = {"Y": out if "q_num_heads" not in options else out.swapaxes(1, 2).reshape(len(out), T, -1)}
    return results | ({"qk_matmul_output": weights} if options.get("qk_matmul_output_mode") == 3 else {})


def node_tests() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other operators' cases overflow on purpose
        from onnx.backend.test.case.node import collect_testcases

        cases = collect_testcases(None)
    cases = [
        c for c in cases if c.model.graph.node[0].op_type == "Attention" and len(c.model.graph.node) == 1
    ]
    return [case for case in cases if case.data_sets[0][0][0].dtype == np.float32]


NODE_TESTS = node_tests()


def test_there_are_most_of_them() -> None:
    assert len(NODE_TESTS) >= 80


@pytest.mark.parametrize("case", NODE_TESTS, ids=lambda case: case.name)
def test_node(case: Any) -> None:
    node = case.model.graph.node[0]
    for inputs, expected in case.data_sets:
        results = run_node(node, inputs)
        slots = [
            slot for slot, name in zip(("Y", "k", "v", "qk_matmul_output"), node.output, strict=False) if name
        ]
        right = dict(zip(slots, expected, strict=True))
        for name, value in results.items():
            assert value.dtype == right[name].dtype
            assert relative_error(value, right[name]) <= TOLERANCE, name
