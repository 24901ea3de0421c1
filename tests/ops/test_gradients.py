"""Finite differences of every op in float64 at PyTorch's tolerances, and the options of backward."""

from __future__ import annotations

import numpy as np
import pytest

from cases import CELLS, OPS, RECURRENT, recurrent_case
from gradcheck import ATOL, RTOL, finite_difference, relative_error
from kinds import OpCase, Size

DENSE = [
    case
    for case in OPS
    if case.name in ("linear", "linear-no-bias", "embedding", "layer-norm", "additive-scores")
]
WEIGHT_GRADIENTS = [recurrent_case(cell, "everything") for cell in CELLS] + DENSE
ACTIVATION_GRADIENTS = ("x", "h0", "c0", "q", "k")


@pytest.mark.parametrize("case", OPS, ids=str)
def test_finite_differences(case: OpCase) -> None:
    inputs = case.inputs()
    outputs, saved = case.forward(inputs)
    douts = case.douts(outputs)
    grads = case.backward(saved, douts)
    for name in case.learnable(inputs):
        numeric = finite_difference(lambda moved: case.forward(moved)[0], inputs, name, douts)
        if inputs.get("padding_idx") is not None:
            numeric[inputs["padding_idx"]] = 0  # read, but not learned
        np.testing.assert_allclose(grads[name], numeric, RTOL, ATOL, err_msg=f"d{name}")


@pytest.mark.parametrize("case", RECURRENT, ids=str)
def test_an_absent_output_gradient_is_zero(case: OpCase) -> None:
    outputs, saved = case.forward(case.inputs())
    douts = case.douts(outputs)
    for given in range(len(douts)):
        explicit = [dout if i == given else np.zeros_like(dout) for i, dout in enumerate(douts)]
        absent = [dout if i == given else None for i, dout in enumerate(douts)]
        expected = case.backward(saved, explicit)
        for name, grad in case.backward(saved, absent).items():
            np.testing.assert_array_equal(grad, expected[name], err_msg=f"d{name}")


@pytest.mark.parametrize("case", RECURRENT, ids=str)
def test_an_absent_argument_has_no_gradient(case: OpCase) -> None:
    inputs = case.inputs()
    outputs, saved = case.forward(inputs)
    for name, grad in case.backward(saved, case.douts(outputs)).items():
        if name in ("h0", "c0"):  # zeros went in, and their gradient is asked for by truncated BPTT
            assert grad.shape[0] == len(inputs["x"])
        elif inputs.get(name) is None:
            assert grad is None, name
        else:
            assert grad.shape == inputs[name].shape


@pytest.mark.parametrize("case", WEIGHT_GRADIENTS, ids=str)
def test_accumulate_adds_in_place(case: OpCase) -> None:
    """Two backwards into one set of arrays give the sum, in the arrays themselves."""
    inputs = case.inputs()
    outputs, saved = case.forward(inputs)
    douts = case.douts(outputs)
    once = case.backward_as_is(saved, douts)
    start = [None if g is None else np.full_like(g, 0.5) for g in once]
    into = type(once)(*start)
    result = case.backward_as_is(saved, douts, accumulate=into)
    for field, fresh, given, returned in zip(once._fields, once, into, result, strict=True):
        if fresh is None:
            assert returned is None, field
        elif field.removeprefix("d") in ACTIVATION_GRADIENTS:
            np.testing.assert_array_equal(returned, fresh, err_msg=field)
        else:
            assert returned is given, field
            np.testing.assert_allclose(returned, fresh + 0.5, rtol=1e-14, atol=1e-14, err_msg=field)


@pytest.mark.parametrize("case", WEIGHT_GRADIENTS, ids=str)
def test_accumulate_may_be_partial(case: OpCase) -> None:
    """A None in accumulate means a fresh array for that weight alone."""
    outputs, saved = case.forward(case.inputs())
    douts = case.douts(outputs)
    once = case.backward_as_is(saved, douts)
    last = max(
        i for i, g in enumerate(once) if g is not None and once._fields[i][1:] not in ACTIVATION_GRADIENTS
    )
    into = type(once)(*(np.ones_like(g) if i == last else None for i, g in enumerate(once)))
    result = case.backward_as_is(saved, douts, accumulate=into)
    assert result[last] is into[last]
    np.testing.assert_allclose(result[last], once[last] + 1, rtol=1e-14, atol=1e-14)
    for i, (fresh, returned) in enumerate(zip(once, result, strict=True)):
        if i != last and fresh is not None:
            np.testing.assert_array_equal(returned, fresh, err_msg=once._fields[i])


@pytest.mark.parametrize("case", [recurrent_case(cell, "everything") for cell in CELLS], ids=str)
def test_need_dx(case: OpCase) -> None:
    """Without dx the rest is the same, to the bit."""
    outputs, saved = case.forward(case.inputs())
    douts = case.douts(outputs)
    whole = case.backward(saved, douts)
    without = case.backward(saved, douts, need_dx=False)
    assert without["x"] is None
    for name in whole.keys() - {"x"}:
        np.testing.assert_array_equal(without[name], whole[name], err_msg=f"d{name}")


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("sequence", ["plain", "lengths-reverse", "everything"])
def test_checkpoints_change_nothing(cell: str, sequence: str) -> None:
    """Recomputed steps are the kept ones to the bit; only the weights' sums over time group otherwise."""
    case = recurrent_case(cell, sequence)
    inputs = case.inputs()
    inputs["checkpoint_every"] = None
    outputs, saved = case.forward(inputs)
    douts = case.douts(outputs)
    grads = case.backward(saved, douts)
    for every in (1, 2, 3, 4, 100):
        again, saved = case.forward(inputs | {"checkpoint_every": every})
        for out, expected in zip(again, outputs, strict=True):
            np.testing.assert_array_equal(out, expected)
        for name, grad in case.backward(saved, douts).items():
            if name in ACTIVATION_GRADIENTS:
                np.testing.assert_array_equal(grad, grads[name], err_msg=f"d{name}, checkpoint_every={every}")
            elif grad is not None:
                assert relative_error(grad, grads[name]) <= 1e-14, f"d{name}, checkpoint_every={every}"


@pytest.mark.parametrize("case", OPS, ids=str)
def test_saved_serves_twice(case: OpCase) -> None:
    outputs, saved = case.forward(case.inputs())
    douts = case.douts(outputs)
    first = case.backward(saved, douts)
    for name, grad in case.backward(saved, douts).items():
        np.testing.assert_array_equal(grad, first[name], err_msg=f"d{name}")


@pytest.mark.parametrize("cell", CELLS)
def test_checkpoints_bound_memory(cell: str) -> None:
    """What is saved grows with T / k: one state a checkpoint, not every step's gates."""
    case = recurrent_case(cell, "bare")
    inputs = case.inputs(Size(time=4096, batch=1, input=1, hidden=16, projection=16), np.float32)
    whole = case.forward(inputs)[1].nbytes
    few = case.forward(inputs | {"checkpoint_every": 64})[1].nbytes
    fewer = case.forward(inputs | {"checkpoint_every": 1024})[1].nbytes
    assert fewer < few < whole / 8
