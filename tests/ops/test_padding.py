"""What lies past a row's end, before a reset or under an ignored label reaches no result, be it NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import weftnn.ops
from cases import CELLS, RECURRENT, recurrent_case
from gradcheck import relative_error
from kinds import OpCase, Size, assert_same_bits

PADDED = [case for case in RECURRENT if case.name.endswith(("/lengths", "/lengths-reverse", "/everything"))]


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("poison", [np.nan, np.inf, 1e30], ids=str)
@pytest.mark.parametrize("case", PADDED, ids=str)
def test_padding_is_not_read(case: OpCase, poison: float, dtype: Any) -> None:
    """NaN in x, in the masks and in dy past a row's end changes no bit, and dx is zero there."""
    inputs = case.inputs(Size(time=5, batch=6, input=3, hidden=9, projection=5), dtype)
    clean = case.run(inputs)
    padding = np.arange(5) >= inputs["lengths"][:, None]
    dirty = {
        name: np.copy(value) if isinstance(value, np.ndarray) else value for name, value in inputs.items()
    }
    for name in {"x", "recurrent_dropout_mask", "zoneout_mask"} & dirty.keys():
        if name == "x" or dirty[name].ndim == 3:
            dirty[name][padding] = poison
    if "resets" in dirty:
        dirty["resets"][padding] ^= True
    douts = case.douts([clean[name] for name in case.outputs])
    douts[0][padding] = poison
    result = case.run(dirty, douts)
    assert_same_bits(result, clean)
    assert not result["dx"][padding].any()
    assert not result["y"][padding].any()


@pytest.mark.parametrize("cell", CELLS)
def test_a_row_without_steps_passes_its_state_on(cell: str) -> None:
    case = recurrent_case(cell, "lengths")
    inputs = case.inputs()
    inputs["lengths"] = np.zeros(3, np.int64)
    result = case.run(inputs)
    douts = case.douts([result[name] for name in case.outputs])
    for index, state in enumerate(("h", "c")[: len(case.outputs) - 1], start=1):
        np.testing.assert_array_equal(result[f"{state}_n"], inputs[f"{state}0"])
        np.testing.assert_array_equal(result[f"d{state}0"], douts[index])
    for name in result.keys() - {"h_n", "c_n", "dh0", "dc0"}:
        assert not result[name].any(), name


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_reset_forgets_even_nan(cell: str, reverse: bool) -> None:
    """Zeroed means zero, not multiplied by zero: a diverged episode does not spoil the next one."""
    case = recurrent_case(cell, "plain")
    inputs = case.inputs(Size(time=5)) | {"reverse": reverse, "resets": np.zeros((3, 5), bool)}
    inputs["resets"][:, 4 if reverse else 0] = True
    expected = case.run(inputs)
    for name in {"h0", "c0"} & inputs.keys():
        inputs[name] = np.full_like(inputs[name], np.nan)
    result = case.run(inputs)
    assert_same_bits(result, expected)
    assert not result["dh0"].any()


@pytest.mark.parametrize("cell", CELLS)
def test_resets_are_sequences_apart(cell: str) -> None:
    """A row with a reset is two rows, one after the other, in outputs and in gradients."""
    case = recurrent_case(cell, "bare")
    inputs = case.inputs(Size(time=7, batch=2))
    joined = case.run(inputs | {"resets": np.arange(7) == np.array([[3], [3]])})
    pieces = []
    for piece in (slice(0, 3), slice(3, 7)):
        outputs, saved = case.forward(inputs | {"x": inputs["x"][:, piece]})
        douts = case.douts([joined[name] for name in case.outputs])
        last = piece.stop == 7
        grads = case.backward(
            saved, [douts[0][:, piece], *(d if last else np.zeros_like(d) for d in douts[1:])]
        )
        pieces.append((outputs, grads))
    (first, first_grads), (second, second_grads) = pieces
    np.testing.assert_array_equal(joined["y"], np.concatenate([first[0], second[0]], axis=1))
    np.testing.assert_array_equal(joined["h_n"], second[1])
    assert relative_error(joined["dx"], np.concatenate([first_grads["x"], second_grads["x"]], axis=1)) < 1e-14
    assert relative_error(joined["dw_hh"], first_grads["w_hh"] + second_grads["w_hh"]) < 1e-14


@pytest.mark.parametrize("weighted", [False, True], ids=["ignored", "weight-zero"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy_does_not_read_what_does_not_count(reduction: str, weighted: bool) -> None:
    logits = np.random.default_rng(0).normal(size=(4, 5))
    targets = np.array([1, 2, 3, 4])
    options: dict[str, Any] = {"reduction": reduction}
    dirty = logits.copy()
    dirty[1] = np.nan
    if weighted:
        options["weight"] = np.array([1.0, 0.0, 2.0, 1.0])
    else:
        targets[1] = options["ignore_index"] = -7
    loss, saved = weftnn.ops.softmax_cross_entropy_forward(dirty, targets, **options)
    expected, clean = weftnn.ops.softmax_cross_entropy_forward(logits, targets, **options)
    np.testing.assert_array_equal(loss, expected)
    dloss = np.ones_like(loss)
    gradient = weftnn.ops.softmax_cross_entropy_backward(saved, dloss)
    np.testing.assert_array_equal(gradient, weftnn.ops.softmax_cross_entropy_backward(clean, dloss))
    assert not gradient[1].any()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_cross_entropy_of_nothing_is_zero(reduction: str) -> None:
    logits = np.ones((3, 4))
    targets = np.full(3, -100)
    loss, saved = weftnn.ops.softmax_cross_entropy_forward(logits, targets, reduction=reduction)
    assert loss == 0.0
    assert not weftnn.ops.softmax_cross_entropy_backward(saved).any()
