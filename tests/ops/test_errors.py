"""Bad arguments are refused by name: `lstm_forward: w_hh must be (4H, H) = (512, 128), got (512, 64)`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import weftnn
import weftnn.ops
from cases import CELLS, OPS, RECURRENT, UPDATES, recurrent_case
from kinds import OpCase, Size, UpdateCase

Array = Any

# One row of the table for each set of arguments that an op may have.
TYPICAL = [recurrent_case(cell, "everything") for cell in CELLS] + [
    case for case in OPS if case not in RECURRENT
]


def refused(case: OpCase, inputs: Mapping[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{case.op}_forward: {message}"):
        case.forward(inputs)


def float_arrays(inputs: Mapping[str, Any]) -> list[str]:
    return [
        name for name, value in inputs.items() if isinstance(value, np.ndarray) and value.dtype.kind == "f"
    ]


def backward_arguments(op: str) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(getattr(weftnn.ops, f"{op}_backward")).parameters


# ---- shapes and dtypes, of every array of every op ---------------------------------------------------------


@pytest.mark.parametrize("case", [case for case in TYPICAL if case.op != "sdpa"], ids=str)
def test_wrong_shapes(case: OpCase) -> None:
    """One more along an axis, or more axes: the error names an argument, what was expected and what came.

    (Attention's shapes: test_attention_errors.py.)
    """
    inputs = case.inputs()
    arrays = [name for name, value in inputs.items() if isinstance(value, np.ndarray)]
    for name in arrays:
        if len(arrays) == 1:
            break  # an activation fits any shape
        for axis in range(inputs[name].ndim):
            if (case.op, name, axis) in (("additive_scores", "q", 1), ("additive_scores", "k", 1)):
                continue  # any number of queries and of keys
            if case.op in ("linear", "embedding", "layer_norm") and (
                axis == 0 or name in ("x", "indices", "weight")
            ):
                continue  # free sizes; the shapes that do not fit together follow below
            if (name == "logits" and axis == 2) or (case.op == "rotary" and name == "x" and axis != 2):
                continue
            longer = np.concatenate([inputs[name], inputs[name].take([0], axis)], axis)
            refused(case, inputs | {name: longer}, ValueError, r"\w+ must .*got .*\d")
        if case in RECURRENT or name in ("weight", "bias"):
            refused(case, inputs | {name: inputs[name][None, None]}, ValueError, rf"{name} must .*got ")


@pytest.mark.parametrize("case", TYPICAL, ids=str)
def test_wrong_dtypes(case: OpCase) -> None:
    inputs = case.inputs()
    for name in float_arrays(inputs):
        for dtype in (np.float16, np.int64, np.complex128, object, np.dtype(">f8")):
            with np.errstate(invalid="ignore"):  # the -inf of a mask as an integer
                wrong = inputs[name].astype(dtype)
            refused(case, inputs | {name: wrong}, TypeError, rf"{name} must .*got ")
        if len(float_arrays(inputs)) > 1:
            other = {name: inputs[name].astype(np.float32)}
            refused(case, inputs | other, TypeError, r"\w+ must .*float(32|64).*got float(32|64)")


@pytest.mark.parametrize("case", TYPICAL, ids=str)
def test_not_an_array(case: OpCase) -> None:
    inputs = case.inputs()
    for name in float_arrays(inputs):
        refused(case, inputs | {name: inputs[name].tolist()}, TypeError, rf"{name} must .*got list")
    first = float_arrays(inputs)[0]
    refused(case, inputs | {first: None}, TypeError, rf"{first} must .*got NoneType")


@pytest.mark.parametrize("case", TYPICAL, ids=str)
def test_backward_checks_what_it_gets(case: OpCase) -> None:
    outputs, saved = case.forward(case.inputs())
    douts = case.douts(outputs)
    for index, name in enumerate(case.outputs):

        def backward(dout: Any, index: int = index) -> None:
            case.backward(saved, [dout if i == index else d for i, d in enumerate(douts)])

        wrong = f"^{case.op}_backward: d{name} must .*got "
        if douts[index].ndim:
            with pytest.raises(ValueError, match=wrong):
                backward(douts[index][..., :-1])
            with pytest.raises(TypeError, match=wrong):
                backward(douts[index].astype(np.float32))
            with pytest.raises(TypeError, match=wrong):
                backward(douts[index].tolist())
    with pytest.raises((ValueError, TypeError), match=f"^{case.op}_backward: saved "):
        case.backward(None, douts)
    with pytest.raises(TypeError, match=f"^{case.op}_backward: saved must .*got "):
        case.backward("something else", douts)


@pytest.mark.parametrize("case", [recurrent_case(cell, "everything") for cell in CELLS], ids=str)
def test_saved_of_another_op(case: OpCase) -> None:
    other = recurrent_case("gru" if case.op != "gru" else "lstm", "plain")
    outputs, _ = case.forward(case.inputs())
    _, saved = other.forward(other.inputs())
    with pytest.raises(
        (TypeError, ValueError), match=f"^{case.op}_backward: saved must .*{other.op}_forward"
    ):
        case.backward(saved, case.douts(outputs))


@pytest.mark.parametrize("case", [recurrent_case(cell, "everything") for cell in CELLS], ids=str)
def test_inference_saves_nothing(case: OpCase) -> None:
    inputs = case.inputs()
    outputs, _ = case.forward(inputs)
    again, saved = case.forward(inputs, training=False)
    assert saved is None
    for out, expected in zip(again, outputs, strict=True):
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("case", [recurrent_case(cell, "everything") for cell in CELLS], ids=str)
def test_accumulate_is_checked(case: OpCase) -> None:
    outputs, saved = case.forward(case.inputs())
    douts = case.douts(outputs)
    grads = case.backward_as_is(saved, douts)
    read_only = np.zeros_like(grads.dw_ih)
    read_only.flags.writeable = False
    for wrong, error in (
        (grads.dw_ih[:-1], ValueError),
        (grads.dw_ih.astype(np.float32), TypeError),
        (np.repeat(grads.dw_ih, 2, axis=1)[:, ::2], ValueError),  # adding to a copy would be lost
        (read_only, ValueError),
    ):
        with pytest.raises(error, match=rf"^{case.op}_backward: (accumulate\.)?dw_ih must "):
            case.backward_as_is(saved, douts, accumulate=grads._replace(dw_ih=wrong))


# ---- values ------------------------------------------------------------------------------------------------

RECURRENT_VALUES: list[tuple[str, Any, type[Exception]]] = [
    ("lengths", np.array([1, -1, 2]), ValueError),
    ("lengths", np.array([1, 5, 2]), ValueError),
    ("lengths", np.array([2**40, 1, 2]), ValueError),
    ("lengths", np.array([2**64 - 1, 1, 2], np.uint64), ValueError),
    ("lengths", np.array([1, 2]), ValueError),
    ("lengths", np.array([[1, 2, 3]]), ValueError),
    ("lengths", np.array([1.0, 2.0, 3.0]), TypeError),
    ("lengths", 3, ValueError),
    ("resets", np.zeros((3, 5), bool), ValueError),
    ("resets", np.zeros(3, bool), ValueError),
    ("resets", np.zeros((3, 4), np.float64), TypeError),
    ("resets", np.zeros((3, 4), np.int64), TypeError),
    ("recurrent_dropout_mask", np.ones((3, 4, 5)), ValueError),
    ("recurrent_dropout_mask", np.ones((4, 4)), ValueError),
    ("recurrent_dropout_mask", np.ones(4), ValueError),
    ("zoneout_mask", np.ones((3, 5, 4)), ValueError),
    ("zoneout_mask", np.ones((3, 4, 4), np.int64), TypeError),
    ("checkpoint_every", 0, ValueError),
    ("checkpoint_every", -3, ValueError),
    ("checkpoint_every", 2.5, TypeError),
    ("checkpoint_every", "often", TypeError),
]


@pytest.mark.parametrize(("name", "value", "error"), RECURRENT_VALUES, ids=lambda v: str(v).replace("\n", ""))
@pytest.mark.parametrize("cell", ["rnn-tanh", "lstm", "gru"])
def test_recurrent_values(cell: str, name: str, value: Any, error: type[Exception]) -> None:
    case = recurrent_case(cell, "plain")
    refused(case, case.inputs() | {name: value}, error, f"{name} must .*got ")


def test_words_and_numbers() -> None:
    x, targets = np.ones((2, 3)), np.array([0, 2])
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any], str, type[Exception]]] = [
        (
            "rnn",
            (np.ones((1, 2, 3)), np.ones((4, 3)), np.ones((4, 4))),
            {"nonlinearity": "sine"},
            "nonlinearity",
            ValueError,
        ),
        ("gelu", (x,), {"approximate": "poly"}, "approximate", ValueError),
        ("dropout", (x, -0.1), {"seed": 0}, "p", ValueError),
        ("dropout", (x, 1.1), {"seed": 0}, "p", ValueError),
        ("dropout", (x, float("nan")), {"seed": 0}, "p", ValueError),
        ("dropout", (x, 0.5), {"seed": -1}, "seed", ValueError),
        ("dropout", (x, 0.5), {"seed": 2**64}, "seed", ValueError),
        ("dropout", (x, 0.5), {"seed": 1.5}, "seed", TypeError),
        ("dropout", (x, 0.5), {"seed": 0, "offset": -1}, "offset", ValueError),
        ("layer_norm", (x,), {"eps": -1.0}, "eps", ValueError),
        ("layer_norm", (x,), {"eps": float("inf")}, "eps", ValueError),
        ("embedding", (np.array([0, 2]), x), {}, "indices", ValueError),
        ("embedding", (np.array([0, -1]), x), {}, "indices", ValueError),
        ("embedding", (np.array([0.0, 1.0]), x), {}, "indices", TypeError),
        ("embedding", (np.array([0, 1]), x), {"padding_idx": 2}, "padding_idx", ValueError),
        ("embedding", (np.array([True, False]), x), {}, "indices", TypeError),
        ("softmax_cross_entropy", (x, np.array([0, 3])), {}, "targets", ValueError),
        ("softmax_cross_entropy", (x, np.array([0, -1])), {}, "targets", ValueError),
        ("softmax_cross_entropy", (x, np.array([0.0, 1.0])), {}, "targets", TypeError),
        ("softmax_cross_entropy", (x, targets), {"label_smoothing": 1.5}, "label_smoothing", ValueError),
        ("softmax_cross_entropy", (x, targets), {"label_smoothing": -0.5}, "label_smoothing", ValueError),
        ("softmax_cross_entropy", (x, targets), {"reduction": "median"}, "reduction", ValueError),
        ("softmax_cross_entropy", (x, targets), {"weight": np.ones(3)}, "weight", ValueError),
        ("linear", (np.array(1.0), np.ones((2, 3))), {}, "x", ValueError),
        ("layer_norm", (np.array(1.0),), {}, "x", ValueError),
    ]
    for op, arguments, options, name, error in calls:
        with pytest.raises(error, match=f"^{op}_forward: {name} must .*got "):
            getattr(weftnn.ops, f"{op}_forward")(*arguments, **options)


def test_what_a_cell_has_no_use_for() -> None:
    """Peepholes count H; coupled weights have three rows of gates, not four."""
    case = recurrent_case("lstm-coupled-peephole", "plain")
    inputs = case.inputs()
    refused(case, inputs | {"coupled": False}, ValueError, r"\w+ must .*4H.*got ")
    refused(
        case,
        inputs | {"w_peephole": inputs["w_peephole"][:2]},
        ValueError,
        r"w_peephole must be \(3, H\) = \(3, 4\)",
    )
    bad = inputs | {"w_hh": inputs["w_hh"][:, :-1]}
    refused(case, bad, ValueError, re.escape("w_hh must be (3H, H) = (12, 4), got (12, 3)"))


# ---- updates -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", UPDATES, ids=str)
def test_updates_check_every_array(case: UpdateCase) -> None:
    arrays = case.arrays((4,), np.float64)
    before = {name: value.copy() for name, value in arrays.items()}
    for name in arrays:
        for value, error in (
            (np.zeros(5), ValueError),
            (np.zeros(4, np.float32), TypeError),
            (np.zeros(4, np.int64), TypeError),
            ([0.0] * 4, TypeError),
        ):
            with pytest.raises(error, match=rf"^{case.op}_update: \w+ must .*got "):
                case.update(arrays | {name: value}, np.zeros(4), 1)
    with pytest.raises(ValueError, match=f"^{case.op}_update: grad must .*got "):
        case.update(arrays, np.zeros((2, 2)), 1)
    frozen = arrays["param"].copy()
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match=f"^{case.op}_update: param must .*writeable"):
        case.update(arrays | {"param": frozen}, np.zeros(4), 1)
    for name, value in before.items():
        np.testing.assert_array_equal(arrays[name], value)


# ---- sizes beyond 64 bits ----------------------------------------------------------------------------------


def pretend(*shape: int, dtype: Any = np.float32) -> Array:
    """An array of any size in no memory: every stride is zero."""
    return np.broadcast_to(np.zeros((), dtype), shape)


@pytest.mark.parametrize("cell", CELLS)
def test_sizes_that_overflow(cell: str) -> None:
    """B T H does not fit 64 bits although x does: an error, not a small allocation and a large write."""
    case = recurrent_case(cell, "bare")
    inputs = case.inputs(Size(input=1, hidden=64, projection=64), np.float32) | {
        "x": pretend(2**30, 2**30, 1)
    }
    with pytest.raises(ValueError, match=f"^{case.op}_forward: .*overflow"):
        case.forward(inputs)


def test_sizes_that_overflow_pointwise() -> None:
    with pytest.raises((ValueError, MemoryError)):
        weftnn.ops.linear_forward(pretend(2**30, 2**30, 1), pretend(2**20, 1))
    with pytest.raises((ValueError, MemoryError)):
        weftnn.ops.embedding_forward(pretend(2**30, 2**29, dtype=np.int64), pretend(1, 2**20))
    with pytest.raises(MemoryError):
        weftnn.ops.relu_forward(pretend(2**30, 2**29))


@pytest.mark.parametrize("threads", [0, -1])
def test_threads(threads: int) -> None:
    with pytest.raises(ValueError, match=f"^set_num_threads: threads must .*got {threads}"):
        weftnn.set_num_threads(threads)


@pytest.mark.parametrize("threads", [1.5, "2", True, None])
def test_threads_of_another_kind(threads: Any) -> None:
    with pytest.raises(TypeError, match=r"^set_num_threads: threads must "):
        weftnn.set_num_threads(threads)


# ---- what is no array, or no gradients, of every op --------------------------------------------------------

NO_ARRAYS: list[Any] = ["abc", 3, 2.5, {"x": 1}, len, [[1.0], [1.0, 2.0]], np.float64(1.0)]


@pytest.mark.parametrize("case", TYPICAL, ids=str)
def test_no_arrays(case: OpCase) -> None:
    inputs = case.inputs()
    for name in float_arrays(inputs):
        for wrong in NO_ARRAYS:
            refused(case, inputs | {name: wrong}, TypeError, rf"{name} must .*got ")


WITH_ACCUMULATE = [case for case in TYPICAL if "accumulate" in backward_arguments(case.op)]


@pytest.mark.parametrize("case", WITH_ACCUMULATE, ids=str)
def test_accumulate_must_be_gradients(case: OpCase) -> None:
    outputs, saved = case.forward(case.inputs())
    douts = case.douts(outputs)
    for wrong in ([], (1, 2), {}, "abc", 3, douts[0]):
        expected = rf"^{case.op}_backward: accumulate must be \w+Grads or None, got "
        with pytest.raises(TypeError, match=expected):
            case.backward_as_is(saved, douts, accumulate=wrong)


def test_other_values_of_other_types() -> None:
    x, targets = np.ones((2, 3)), np.array([0, 1])
    calls: list[tuple[Any, str]] = [
        (lambda: weftnn.ops.embedding_forward(targets, x, padding_idx="0"), "embedding_forward: padding_idx"),
        (lambda: weftnn.ops.embedding_forward(targets, x, padding_idx=x), "embedding_forward: padding_idx"),
        (lambda: weftnn.ops.embedding_forward([[1], [1, 2]], x), "embedding_forward: indices"),
        (lambda: weftnn.ops.dropout_forward(x, 0.5, seed=True), "dropout_forward: seed"),
        (lambda: weftnn.ops.grad_norm(None), "grad_norm: arrays"),
        (lambda: weftnn.ops.grad_norm([x, "x"]), r"grad_norm: arrays\[1\]"),
    ]
    for call, name in calls:
        with pytest.raises(TypeError, match=f"^{name} must be .*got "):
            call()
    with pytest.raises(ValueError, match=r"^gelu_forward: approximate must be .*, got array"):
        weftnn.ops.gelu_forward(x, x)
