"""What ops promise of arrays: any strides, any leading axes, inputs only read, nothing too small."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import weftnn
from cases import CELLS, OPS, POINTWISE, RECURRENT, UPDATES, recurrent_case
from gradcheck import relative_error
from kinds import OpCase, Size, UpdateCase, assert_same_bits
from layouts import LAYOUTS
from weftnn import ops

Array = Any


# ---- strides -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", OPS, ids=str)
def test_strides(case: OpCase, layout: str) -> None:
    """Inputs and gradients of outputs in any layout give the bits that contiguous ones give."""

    def rearrange(value: Any) -> Any:
        return LAYOUTS[layout](value) if isinstance(value, np.ndarray) and value.ndim else value

    inputs = case.inputs()
    expected = case.run(inputs)
    douts = case.douts([expected[name] for name in case.outputs])
    strided = {name: rearrange(value) for name, value in inputs.items()}
    assert_same_bits(case.run(strided, tuple(rearrange(dout) for dout in douts)), expected)


@pytest.mark.parametrize("case", OPS, ids=str)
def test_broadcast_gradients(case: OpCase) -> None:
    """dy of stride 0, as from a sum of the outputs."""
    inputs = case.inputs()
    ones = tuple(np.ones(out.shape) for out in case.forward(inputs)[0])
    views = tuple(np.broadcast_to(np.ones(()), one.shape) for one in ones)
    assert_same_bits(case.run(inputs, views), case.run(inputs, ones))


def any_truth(value: Any) -> Any:
    """The same bools, true ones as any byte but zero: what a view of a file or of other numbers may hold."""
    if not isinstance(value, np.ndarray) or value.dtype != np.bool_:
        return value
    return (value * np.random.default_rng(3).integers(1, 256, value.shape)).astype(np.uint8).view(np.bool_)


MASKED = [case for case in OPS if any(any_truth(v) is not v for v in case.inputs().values())]


@pytest.mark.parametrize("case", MASKED, ids=str)
def test_bools_of_any_byte(case: OpCase) -> None:
    inputs = case.inputs()
    odd = {name: any_truth(value) for name, value in inputs.items()}
    assert_same_bits(case.run(odd), case.run(inputs))


@pytest.mark.parametrize("case", OPS, ids=str)
def test_numbers_of_the_other_byte_order(case: OpCase) -> None:
    """Integers are converted, as any other integers are; arrays of floats are of one dtype, or refused."""
    inputs = case.inputs()
    swapped = {
        name: value.astype(value.dtype.newbyteorder()) if isinstance(value, np.ndarray) else value
        for name, value in inputs.items()
    }
    integers = {n: v for n, v in swapped.items() if isinstance(v, np.ndarray) and v.dtype.kind in "iu"}
    assert_same_bits(case.run(inputs | integers), case.run(inputs))
    with pytest.raises(TypeError, match=rf"{case.op}_forward: .*>f8|{case.op}_forward: .*big-endian"):
        case.forward(swapped)


# ---- what is written has a place for each of its elements --------------------------------------------------


def stacked(like: Array) -> Array:
    """An array of that shape whose rows all begin one element after the row before."""
    return np.lib.stride_tricks.as_strided(np.zeros(like.size), like.shape, (8,) * like.ndim)


def write_dweight(into: Array) -> None:
    saved = ops.linear_forward(np.ones((2, 4)), np.ones((3, 4)))[1]
    ops.linear_backward(saved, np.ones((2, 3)), accumulate=ops.LinearGrads(None, into, None))


def write_table(into: Array) -> None:
    saved = ops.embedding_forward(np.array([0, 2]), np.ones((3, 4)))[1]
    ops.embedding_backward(saved, np.ones((2, 4)), accumulate=ops.EmbeddingGrads(into))


def write_dw_ih(into: Array) -> None:
    saved = ops.rnn_forward(np.ones((2, 2, 4)), np.ones((3, 4)), np.ones((3, 3)))[2]
    grads = ops.RNNGrads(None, into, None, None, None, None)
    ops.rnn_backward(saved, np.ones((2, 2, 3)), accumulate=grads)


def write_turned(into: Array) -> None:
    x = np.ones((1, 1, 3, 4))
    ops.rotary_forward(x, np.ones((3, 2)), np.ones((3, 2)), out=into.reshape(x.shape))


def write_dq(into: Array) -> None:
    q = np.ones((1, 1, 3, 4))
    out, saved = ops.sdpa_forward(q, q, q)
    ops.sdpa_backward(
        saved, out, out=ops.SDPAGrads(into[None, None], np.zeros_like(q), np.zeros_like(q), None)
    )


@pytest.mark.parametrize("write", [write_dweight, write_table, write_dw_ih, write_turned, write_dq])
def test_an_array_that_overlaps_itself_is_not_written(write: Callable[[Array], None]) -> None:
    write(np.zeros((3, 4)))
    overlapping = stacked(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="must not overlap itself"):
        write(overlapping)
    assert not overlapping.any()


# ---- inputs are never written, and may be the same array ---------------------------------------------------


@pytest.mark.parametrize("case", OPS, ids=str)
def test_inputs_are_not_written(case: OpCase) -> None:
    """They may be read-only, and are what they were; so are the outputs after the backward pass."""
    inputs = case.inputs()
    before = {name: np.copy(value) for name, value in inputs.items() if isinstance(value, np.ndarray)}
    outputs, saved = case.forward(inputs)
    douts = case.douts(outputs)
    arrays = [*(inputs[name] for name in before), *douts, *outputs]
    after_forward = [array.copy() for array in (*douts, *outputs)]
    for array in arrays:
        array.flags.writeable = False
    case.backward(saved, douts)
    case.forward(inputs)
    assert_same_bits(inputs, before)
    for array, was in zip((*douts, *outputs), after_forward, strict=True):
        np.testing.assert_array_equal(array, was)


@pytest.mark.parametrize("case", OPS, ids=str)
def test_the_gradient_may_be_the_output_itself(case: OpCase) -> None:
    outputs, saved = case.forward(case.inputs())
    copies = tuple(out.copy() for out in outputs)
    expected = case.backward(saved, copies)
    for name, grad in case.backward(saved, outputs).items():
        np.testing.assert_array_equal(grad, expected[name], err_msg=f"d{name}")


@pytest.mark.parametrize("cell", CELLS)
def test_arguments_may_share_memory(cell: str) -> None:
    """One array for both biases, for both weights, and a state that is a slice of x."""
    case = recurrent_case(cell, "plain")
    inputs = case.inputs(Size(input=4, hidden=4, projection=4))
    inputs["b_hh"], inputs["w_hh"] = inputs["b_ih"], inputs["w_ih"]
    inputs["h0"] = inputs["x"][:, 1]
    apart = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in inputs.items()}
    assert_same_bits(case.run(inputs), case.run(apart))


@pytest.mark.parametrize("case", RECURRENT, ids=str)
def test_results_do_not_share_memory(case: OpCase) -> None:
    """Every result is the caller's own: none is a view of another or of an input."""
    inputs = case.inputs()
    results = list(case.run(inputs).values())
    given = [value for value in inputs.values() if isinstance(value, np.ndarray)]
    for i, result in enumerate(results):
        assert not any(np.may_share_memory(result, other) for other in (*given, *results[:i]))


def test_lengths_may_be_reused() -> None:
    """A loader that writes the next batch's lengths into its array does not disturb a backward to come."""
    case = recurrent_case("lstm-all", "everything")
    inputs = case.inputs(Size(time=12, batch=5)) | {"lengths": np.array([12, 1, 9, 0, 12])}
    expected = case.run(inputs)
    outputs, saved = case.forward(inputs)
    inputs["lengths"][:] = (0, 1, 0, 2, 0)
    for name, grad in case.backward(saved, case.douts(outputs)).items():
        np.testing.assert_array_equal(grad, expected[f"d{name}"], err_msg=f"d{name}")


def test_releasing_memory_leaves_what_is_saved() -> None:
    """release_memory gives back workspaces at rest, not what a backward to come needs."""
    case = recurrent_case("lstm-all", "everything")
    inputs = case.inputs(Size(time=12, batch=5))
    expected = case.run(inputs)
    outputs, saved = case.forward(inputs)
    weftnn.release_memory()
    for name, grad in case.backward(saved, case.douts(outputs)).items():
        np.testing.assert_array_equal(grad, expected[f"d{name}"], err_msg=f"d{name}")


# ---- nothing is too small ----------------------------------------------------------------------------------

SMALL = {
    "no rows": Size(batch=0),
    "no steps": Size(time=0),
    "neither": Size(time=0, batch=0),
    "all ones": Size(time=1, batch=1, input=1, hidden=1, projection=1),
}


@pytest.mark.parametrize("small", SMALL)
@pytest.mark.parametrize("case", OPS, ids=str)
def test_empty_and_smallest(case: OpCase, small: str) -> None:
    """Shapes as ever; where there is nothing to do, weight gradients are zero and states pass through."""
    inputs = case.inputs(SMALL[small])
    result = case.run(inputs)
    for name, expected in zip(case.outputs, case.expected(inputs), strict=True):
        assert result[name].shape == expected.shape
        assert relative_error(result[name], expected) <= 1e-12, name
    for name in case.learnable(inputs):
        assert result[f"d{name}"].shape == inputs[name].shape
    if small != "all ones":
        for name in case.learnable(inputs):
            if name.startswith(("w", "b")):
                assert not result[f"d{name}"].any(), name


@pytest.mark.parametrize("case", UPDATES, ids=str)
def test_empty_updates(case: UpdateCase) -> None:
    arrays = case.arrays((0,), np.float32)
    case.update(arrays, np.zeros(0, np.float32), 1)


@pytest.mark.parametrize("case", UPDATES, ids=str)
def test_updates_of_arrays_that_overlap(case: UpdateCase) -> None:
    """Any two that share an element are refused, and none has changed; neighbours in one array are not."""
    names, size = [*case.arrays((1,), np.float64), "grad"], 5
    for first, second in itertools.combinations(names, 2):
        memory = np.linspace(1, 2, (len(names) + 1) * size)
        pieces = {name: memory[i * size :][:size] for i, name in enumerate(names)}
        case.update({name: pieces[name] for name in names[:-1]}, pieces["grad"], 1)
        pieces[second] = memory[(names.index(first) + 1) * size - 1 :][:size]  # its first is the other's last
        before = memory.copy()
        with pytest.raises(ValueError, match=rf"{case.op}_update: \w+ must not overlap \w+$"):
            case.update({name: pieces[name] for name in names[:-1]}, pieces["grad"], 1)
        np.testing.assert_array_equal(memory, before)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", UPDATES, ids=str)
def test_layouts_of_updates(case: UpdateCase, layout: str) -> None:
    """A gradient in any layout; what is updated is C-contiguous and aligned, or refused and as it was."""
    grad = np.random.default_rng(0).normal(size=(3, 4))
    expected, arrays = case.arrays(grad.shape, np.float64), case.arrays(grad.shape, np.float64)
    case.update(expected, grad, 1)
    case.update(arrays, LAYOUTS[layout](grad), 1)
    assert_same_bits(arrays, expected)
    for name in arrays:
        start = case.arrays(grad.shape, np.float64)
        with pytest.raises(ValueError, match=f"{name} must be C-contiguous and aligned"):
            case.update(start | {name: LAYOUTS[layout](start[name])}, grad, 1)
        assert_same_bits(start, case.arrays(grad.shape, np.float64))


@pytest.mark.parametrize("case", POINTWISE, ids=str)
def test_any_number_of_axes(case: OpCase) -> None:
    """Ops on the last axis take any axes before it: as one long list of rows they give the same bits."""
    inputs = case.inputs(Size(time=4, batch=3))
    result = case.run(inputs)
    leading = {"x", "logits", "indices", "targets"} | ({"weight"} if "logits" in inputs else set())

    def flat(value: Any) -> Any:
        return value.reshape(-1, *value.shape[2:])

    def deep(value: Any) -> Any:
        return value.reshape(3, 2, 1, 2, *value.shape[2:])

    for reshape in (flat, deep):
        again = {name: reshape(value) if name in leading else value for name, value in inputs.items()}
        douts = tuple(
            reshape(d) if d.ndim > 1 else d for d in case.douts([result[name] for name in case.outputs])
        )
        other = case.run(again, douts)
        for name, value in result.items():
            np.testing.assert_array_equal(other[name].reshape(value.shape), value, err_msg=name)
