"""ONNX Runtime: inference of one recurrent node, with time first, as it wants it."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
import onnx
import onnxruntime

from library import Runner
from problems.recurrent import Recurrent

GATES = {"RNN": (0,), "LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}  # its order, in PyTorch's: i o f g, z r n
OPSET, IR = 14, 8

_threads = 1


def version() -> str:
    return f"onnxruntime {onnxruntime.__version__}"


def set_threads(threads: int) -> None:
    global _threads
    _threads = threads


@singledispatch
def build(case: Any) -> Runner:
    raise TypeError(f"no such case: {case!r}")


@build.register
def _(case: Recurrent) -> Runner:
    arrays = {name.removesuffix("_l0"): array for name, array in case.arrays().items()}
    x = np.ascontiguousarray(arrays["x"].swapaxes(0, 1))
    names = ["Y", "Y_h", "Y_c"] if case.layer == "LSTM" else ["Y", "Y_h"]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = _threads, 1
    # Its threads would go on spinning while another library is measured.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(
        model(case, arrays, names), options, providers=["CPUExecutionProvider"]
    )
    last: list[Any] = []

    def run() -> None:
        last[:] = session.run(names, {"X": x})

    def results() -> dict[str, Any]:
        y, *states = last  # y[T,directions,B,H]
        return {"y": y[:, 0].swapaxes(0, 1), **dict(zip(("h_n", "c_n"), states, strict=False))}

    return Runner(run, results)


def model(case: Recurrent, arrays: dict[str, Any], outputs: list[str]) -> bytes:
    """One node with its weights as constants, so that it may pack them once."""

    def reordered(name: str) -> Any:
        blocks = np.split(arrays[name], len(GATES[case.layer]))
        return np.concatenate([blocks[gate] for gate in GATES[case.layer]])[None]

    constants = {"W": reordered("weight_ih"), "R": reordered("weight_hh")}
    constants["B"] = np.concatenate([reordered("bias_ih"), reordered("bias_hh")], axis=1)
    after = {"linear_before_reset": 1} if case.layer == "GRU" else {}
    node = onnx.helper.make_node(case.layer, ["X", *constants], outputs, hidden_size=case.hidden, **after)
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [node],
        "layer",
        [onnx.helper.make_tensor_value_info("X", kind, (case.time, case.batch, case.input))],
        [onnx.helper.make_tensor_value_info(name, kind, None) for name in outputs],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opset = onnx.helper.make_opsetid("", OPSET)
    serialized: bytes = onnx.helper.make_model(
        graph, opset_imports=[opset], ir_version=IR
    ).SerializeToString()
    return serialized
