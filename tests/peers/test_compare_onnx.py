"""The onnx package's 18 node tests of RNN, LSTM and GRU, and ONNX Runtime where those tests use no option.

Gates there: LSTM i o f c, GRU z r h. B holds W's biases, then R's. P holds peepholes i o f. Time is first.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import weftnn.ops
from gradcheck import relative_error

pytestmark = pytest.mark.compare
onnx = pytest.importorskip("onnx")

Array = Any
GATES = {"RNN": [0], "LSTM": [0, 2, 3, 1], "GRU": [1, 0, 2]}  # onnx's place of each of weft's gates
PEEPHOLES = [0, 2, 1]
INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
# float32 against float32 of another order of sums: 2e-6 each way.
TOLERANCE = 4e-6
DEFAULTS: dict[str, Any] = {
    "direction": b"forward",
    "hidden_size": None,  # the weights say it
    "layout": 0,
    "linear_before_reset": 0,
    "input_forget": 0,
    "activations": None,
}
ACTIVATIONS = {"RNN": [b"Tanh"], "LSTM": [b"Sigmoid", b"Tanh", b"Tanh"], "GRU": [b"Sigmoid", b"Tanh"]}


def reordered(weight: Array, order: list[int]) -> Array:
    """The blocks of rows in weft's order."""
    return np.concatenate([np.split(weight, len(order))[gate] for gate in order])


def run_direction(
    kind: str, x: Array, given: Mapping[str, Array], options: dict[str, Any], direction: int
) -> Any:
    """One direction with its own W, R, B, P, initial states; x is batch-first."""
    order = GATES[kind]
    reverse = options["direction"] == b"reverse" or direction == 1
    arguments: dict[str, Any] = {"reverse": reverse, "lengths": given.get("sequence_lens")}
    if "B" in given:
        arguments["b_ih"], arguments["b_hh"] = (reordered(b, order) for b in np.split(given["B"], 2))
    if "initial_h" in given:
        arguments["h0"] = given["initial_h"]
    w, r = reordered(given["W"], order), reordered(given["R"], order)
    if kind == "RNN":
        word = {b"Tanh": "tanh", b"Relu": "relu"}[options["activations"][direction]]
        return weftnn.ops.rnn_forward(x, w, r, nonlinearity=word, **arguments)[:-1]
    if kind == "GRU":
        return weftnn.ops.gru_forward(x, w, r, reset_after=bool(options["linear_before_reset"]), **arguments)[
            :-1
        ]
    if "initial_c" in given:
        arguments["c0"] = given["initial_c"]
    if "P" in given:
        arguments["w_peephole"] = given["P"].reshape(3, -1)[PEEPHOLES]
    if options["input_forget"]:
        arguments["coupled"] = True
        w, r = (np.delete(a.reshape(4, -1, a.shape[1]), 1, axis=0).reshape(-1, a.shape[1]) for a in (w, r))
        for name in {"b_ih", "b_hh"} & arguments.keys():
            arguments[name] = np.delete(arguments[name].reshape(4, -1), 1, axis=0).ravel()
    return weftnn.ops.lstm_forward(x, w, r, **arguments)[:-1]


def run_node(node: Any, arrays: list[Array]) -> dict[str, Array]:
    """An ONNX recurrent node by weft: (Y, Y_h, Y_c) in the node's layout."""
    kind = node.op_type
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    assert attributes.keys() <= DEFAULTS.keys(), (
        f"options that weft does not have: {attributes.keys() - DEFAULTS.keys()}"
    )
    options = DEFAULTS | attributes
    directions = 2 if options["direction"] == b"bidirectional" else 1
    options["activations"] = options["activations"] or ACTIVATIONS[kind] * directions
    if kind != "RNN":
        assert options["activations"] == ACTIVATIONS[kind] * directions
    given = dict(zip((n for n in node.input if n), arrays, strict=True))
    given = {INPUTS[i]: given[name] for i, name in enumerate(node.input) if name}
    batch_first = bool(options["layout"])
    x = given["X"] if batch_first else given["X"].swapaxes(0, 1)
    results = []
    for d in range(directions):
        own = {
            name: value if name == "sequence_lens" else value[d]
            for name, value in given.items()
            if name != "X"
        }
        for name in {"initial_h", "initial_c"} & given.keys():
            own[name] = given[name][:, d] if batch_first else given[name][d]
        results.append(run_direction(kind, x, own, options, d))
    axis = 1 if batch_first else 0
    y = np.stack([result[0] for result in results], axis=2)  # [B, T, D, H]
    outputs = {"Y": y if batch_first else y.transpose(1, 2, 0, 3)}
    for index, name in enumerate(("Y_h", "Y_c")[: len(results[0]) - 1], start=1):
        outputs[name] = np.stack([result[index] for result in results], axis=axis)
    return outputs


def node_tests() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other operators' cases overflow on purpose
        from onnx.backend.test.case.node import collect_testcases

        cases = collect_testcases(None)
    return [c for c in cases if c.model.graph.node[0].op_type in GATES and len(c.model.graph.node) == 1]


NODE_TESTS = node_tests()


def test_there_are_18() -> None:
    assert len(NODE_TESTS) == 18


@pytest.mark.parametrize("case", NODE_TESTS, ids=lambda case: case.name)
def test_node(case: Any) -> None:
    node = case.model.graph.node[0]
    for inputs, expected in case.data_sets:
        results = run_node(node, inputs)
        names = [name for name in node.output if name]
        for name, right in zip(names, expected, strict=True):
            slot = ("Y", "Y_h", "Y_c")[list(node.output).index(name)]
            assert results[slot].dtype == right.dtype
            assert relative_error(results[slot], right) <= TOLERANCE, slot


OPTIONS = [
    ("RNN", {"direction": "bidirectional", "activations": ["Relu", "Tanh"]}),
    ("RNN", {"direction": "reverse"}),
    ("GRU", {"direction": "bidirectional", "linear_before_reset": 1}),
    ("GRU", {"direction": "bidirectional", "linear_before_reset": 0}),
    ("LSTM", {"direction": "bidirectional"}),
    ("LSTM", {"direction": "reverse", "peepholes": True}),
    ("LSTM", {"direction": "forward", "input_forget": 1}),
    ("LSTM", {"direction": "bidirectional", "input_forget": 1, "peepholes": True}),
]


@pytest.mark.parametrize(("kind", "options"), OPTIONS, ids=str)
def test_against_onnx_runtime(kind: str, options: dict[str, Any]) -> None:
    """Ragged lengths, biases, initial states and the options that the node tests do not use."""
    runtime = pytest.importorskip("onnxruntime")
    options = dict(options)
    rng = np.random.default_rng(5)
    T, B, I, H = 7, 4, 3, 5
    G, D = len(GATES[kind]), 2 if options["direction"] == "bidirectional" else 1
    arrays = {
        "X": rng.normal(size=(T, B, I)),
        "W": rng.uniform(-0.5, 0.5, (D, G * H, I)),
        "R": rng.uniform(-0.5, 0.5, (D, G * H, H)),
        "B": rng.uniform(-0.5, 0.5, (D, 2 * G * H)),
        "sequence_lens": np.array([7, 2, 5, 1]),
        "initial_h": rng.uniform(-1, 1, (D, B, H)),
    }
    if kind == "LSTM":
        arrays["initial_c"] = rng.uniform(-1, 1, (D, B, H))
        if options.pop("peepholes", False):
            arrays["P"] = rng.uniform(-0.5, 0.5, (D, 3 * H))
    arrays = {
        name: a.astype(np.int32 if name == "sequence_lens" else np.float32) for name, a in arrays.items()
    }
    outputs = ["Y", "Y_h", "Y_c"] if kind == "LSTM" else ["Y", "Y_h"]
    node = onnx.helper.make_node(kind, list(arrays), outputs, hidden_size=H, **options)
    float_info = {
        name: onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for name, a in arrays.items()
    }
    results = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs]
    graph = onnx.helper.make_graph([node], "node", list(float_info.values()), results)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 14)], ir_version=8)
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    right = session.run(outputs, arrays)
    actual = run_node(node, list(arrays.values()))
    for name, value in zip(outputs, right, strict=True):
        assert relative_error(actual[name], value) <= TOLERANCE, name


def test_what_weft_does_not_have() -> None:
    """clip (of the gates' inputs) and other activations: refused by name, not passed over."""
    x = np.zeros((1, 1, 2), np.float32)
    w, r = np.zeros((1, 12, 2), np.float32), np.zeros((1, 12, 3), np.float32)
    for option in ({"clip": 1.0}, {"activation_alpha": [0.5]}):
        node = onnx.helper.make_node("LSTM", ["X", "W", "R"], ["Y"], hidden_size=3, **option)
        with pytest.raises(AssertionError, match="options that weft does not have"):
            run_node(node, [x, w, r])
    hard = onnx.helper.make_node(
        "LSTM", ["X", "W", "R"], ["Y"], hidden_size=3, activations=["HardSigmoid", "Tanh", "Tanh"]
    )
    with pytest.raises(AssertionError):
        run_node(hard, [x, w, r])
