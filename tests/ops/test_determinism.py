"""The same bits for any number of threads, whatever else is in the batch, also when calls overlap."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import weftnn
import weftnn.ops
from attention_cases import ATTENTION, SCORES
from cases import CELLS, POINTWISE, UPDATES, recurrent_case
from kinds import OpCase, Size, UpdateCase, assert_same_bits

Array = Any

# Big enough that a second and a third thread get work: by rows, and by hidden units where rows are too few.
MANY_ROWS = Size(time=9, batch=50, input=40, hidden=131, projection=37)
FEW_ROWS = Size(time=9, batch=2, input=40, hidden=517, projection=131)
# Attention is divided by rows and heads, and where these are few by queries and by keys.
MANY_HEADS = Size(time=67, batch=7, input=19, hidden=33)
FEW_HEADS = Size(time=515, batch=1, input=19, hidden=33)
ELEMENTS = Size(time=101, batch=53, input=67, hidden=131)


def check_threads(case: OpCase, inputs: Mapping[str, Any]) -> None:
    weftnn.set_num_threads(1)
    alone = case.run(inputs)
    for threads in (2, 3, 4, 2):  # 4: two teams of two, where rows are few
        weftnn.set_num_threads(threads)
        assert_same_bits(case.run(inputs), alone, f"{threads} threads")


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("size", [MANY_ROWS, FEW_ROWS], ids=["many-rows", "few-rows"])
@pytest.mark.parametrize("sequence", ["plain", "everything"])
@pytest.mark.parametrize("cell", CELLS)
def test_threads(cell: str, sequence: str, size: Size, dtype: Any) -> None:
    case = recurrent_case(cell, sequence)
    check_threads(case, case.inputs(size, dtype))


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("size", [(33, 17), (64, 48), (16, 64)], ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_one_step_of_few_rows(cell: str, size: tuple[int, int], dtype: Any) -> None:
    """Its weights are not packed: the same bits as in a larger batch, and as the first of two steps."""
    case, per_row = recurrent_case(cell, "plain"), {"x", "h0", "c0", "y", "h_n", "c_n", "dx", "dh0", "dc0"}
    inputs = case.inputs(Size(time=2, batch=40, input=size[0], hidden=size[1], projection=19), dtype)
    one = {**inputs, "x": inputs["x"][:, :1]}
    both, (outputs, _) = case.forward(inputs)[0], case.forward(one)
    np.testing.assert_array_equal(outputs[0], both[0][:, :1], "T = 1 beside T = 2")
    douts = case.douts(outputs)
    expected = {name: array for name, array in case.run(one, douts).items() if name in per_row}
    for rows in (1, 2, 3, 4, 7, 8, 11, 12, 13, 15, 16, 29, 32):
        few = {name: array[:rows] if name in per_row else array for name, array in one.items()}
        for threads in (1, 2, 3):
            weftnn.set_num_threads(threads)
            results = case.run(few, [dout[:rows] for dout in douts])
            own = {name: results[name] for name in expected}
            assert_same_bits(
                own, {n: a[:rows] for n, a in expected.items()}, f"{rows} rows, {threads} threads"
            )


@pytest.mark.parametrize("case", POINTWISE, ids=str)
def test_threads_pointwise(case: OpCase) -> None:
    check_threads(case, case.inputs(ELEMENTS, np.float32))


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("size", [MANY_HEADS, FEW_HEADS], ids=["many-heads", "few-heads"])
@pytest.mark.parametrize("case", SCORES + ATTENTION, ids=str)
def test_threads_attention(case: OpCase, size: Size, dtype: Any) -> None:
    check_threads(case, case.inputs(size, dtype))


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("outputs, inputs", [(33, 17), (7, 700), (130, 48), (1, 1), (65, 1030)])
def test_a_row_of_linear_does_not_see_the_others(outputs: int, inputs: int, dtype: Any) -> None:
    """y and dx of few rows, for which the weight is not packed, are the same bits as among 40."""
    rng = np.random.default_rng(0)
    x, weight, bias, dy = (
        rng.normal(size=shape).astype(dtype)
        for shape in [(40, inputs), (outputs, inputs), outputs, (40, outputs)]
    )

    def run(rows: int) -> dict[str, Array]:
        y, saved = weftnn.ops.linear_forward(x[:rows], weight, bias)
        dx = weftnn.ops.linear_backward(saved, dy[:rows]).dx
        assert dx is not None
        return {"y": y, "dx": dx}

    among_all = run(40)
    for rows in range(1, 11):
        for threads in (1, 2):
            weftnn.set_num_threads(threads)
            expected = {name: array[:rows] for name, array in among_all.items()}
            assert_same_bits(run(rows), expected, f"{rows} rows, {threads} threads")


@pytest.mark.parametrize("case", UPDATES, ids=str)
def test_threads_updates(case: UpdateCase) -> None:
    results = []
    for threads in (1, 2, 3):
        weftnn.set_num_threads(threads)
        arrays = case.arrays((300_007,), np.float32)
        for step in (1, 2):
            case.update(arrays, np.linspace(-1, 1, 300_007, dtype=np.float32), step)
        results.append(arrays)
    assert_same_bits(results[1], results[0], "2 threads")
    assert_same_bits(results[2], results[0], "3 threads")


def test_threads_grad_norm() -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=size).astype(np.float32) for size in (300_007, 1, 0, 70_001)]
    norms = []
    for threads in (1, 2, 3):
        weftnn.set_num_threads(threads)
        norms.append(weftnn.ops.grad_norm(arrays))
    assert norms[0] == norms[1] == norms[2]
    exact = np.sqrt(sum((a.astype(np.float64) ** 2).sum() for a in arrays))
    assert abs(norms[0] - exact) <= 1e-12 * exact  # accumulated in double


PER_ROW = ("x", "h0", "c0", "lengths", "resets", "recurrent_dropout_mask", "zoneout_mask")


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("sequence", ["plain", "everything"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_row_does_not_see_the_others(cell: str, sequence: str, dtype: Any) -> None:
    """A row's outputs and its dx, dh0, dc0 are the same bits alone and in a batch of 37."""
    case = recurrent_case(cell, sequence)
    inputs = case.inputs(Size(time=6, batch=37, input=19, hidden=45, projection=13), dtype)
    outputs, saved = case.forward(inputs)
    douts = case.douts(outputs)
    grads = case.backward(saved, douts)
    for rows in (slice(0, 1), slice(36, 37), slice(5, 7), slice(3, 20)):
        some = {name: value[rows] if name in PER_ROW else value for name, value in inputs.items()}
        few, saved = case.forward(some)
        few_grads = case.backward(saved, [dout[rows] for dout in douts])
        for name, out, whole in zip(case.outputs, few, outputs, strict=True):
            np.testing.assert_array_equal(out, whole[rows], err_msg=f"{name}, rows {rows}")
        for name in {"x", "h0", "c0"} & few_grads.keys():
            np.testing.assert_array_equal(few_grads[name], grads[name][rows], err_msg=f"d{name}, rows {rows}")


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_a_padded_row_is_the_row_cut_off(cell: str, reverse: bool) -> None:
    """Padding that `lengths` declares changes no bit of the outputs."""
    case = recurrent_case(cell, "plain")
    inputs = case.inputs(Size(time=11, batch=4, input=7, hidden=21, projection=9), np.float32) | {
        "reverse": reverse
    }
    padded = case.forward(inputs | {"lengths": np.array([4, 0, 11, 7])})[0]
    for row, length in ((0, 4), (2, 11), (3, 7)):
        only = slice(row, row + 1)
        cut = {name: value[only] if name in PER_ROW else value for name, value in inputs.items()}
        cut["x"] = cut["x"][:, :length]
        y, *states = case.forward(cut)[0]
        np.testing.assert_array_equal(padded[0][only, :length], y)
        np.testing.assert_array_equal(padded[0][only, length:], 0)
        for last, expected in zip(padded[1:], states, strict=True):
            np.testing.assert_array_equal(last[only], expected)


@pytest.mark.parametrize("threads", [(1, 3), (3, 1)], ids=["more", "fewer"])
@pytest.mark.parametrize("cell", CELLS)
def test_backward_on_other_threads_than_forward(cell: str, threads: tuple[int, int]) -> None:
    case = recurrent_case(cell, "everything")
    inputs = case.inputs(MANY_ROWS, np.float32)
    expected = case.run(inputs)
    weftnn.set_num_threads(threads[0])
    outputs, saved = case.forward(inputs)
    weftnn.set_num_threads(threads[1])
    for name, grad in case.backward(saved, case.douts(outputs)).items():
        if grad is not None:
            np.testing.assert_array_equal(grad, expected[f"d{name}"], err_msg=f"d{name}")


def test_calls_from_several_python_threads() -> None:
    """The lock of the interpreter is released, so calls overlap; none may see another's workspace."""
    weftnn.set_num_threads(2)
    jobs = []
    for cell in CELLS:
        case = recurrent_case(cell, "everything")
        jobs.append((case, case.inputs(Size(time=7, batch=9, input=8, hidden=40, projection=11), np.float32)))
    alone = [case.run(inputs) for case, inputs in jobs]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            results = pool.map(lambda job: job[0].run(job[1]), jobs)
            for (case, _), result, expected in zip(jobs, results, alone, strict=True):
                assert_same_bits(result, expected, case.name)
