"""Every instruction set of this machine gives every row's results; WEFT_ISA chooses one or says why not."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import weftnn
import weftnn.config
from attention_cases import ATTENTION, SCORES
from cases import OPS, POINTWISE, UPDATES, recurrent_case
from gradcheck import relative_error
from kinds import OpCase, Size, UpdateCase
from oracle import TOLERANCE, Slopes, check

ISAS = weftnn.config.available_isas()
EVERY_ISA = pytest.mark.parametrize("isa", ISAS)
# Wide enough for a full panel and a remainder on every instruction set.
WIDE = [recurrent_case(cell, "everything") for cell in ("rnn-tanh", "lstm-all", "gru", "gru-reset-before")]


@EVERY_ISA
@pytest.mark.parametrize("case", OPS, ids=str)
def test_every_row(isa: str, case: OpCase) -> None:
    with weftnn.config.use_isa(isa):
        for dtype in TOLERANCE:
            check(case, Size(), dtype)


@pytest.mark.parametrize("case", WIDE + POINTWISE + SCORES + ATTENTION, ids=str)
def test_wide(case: OpCase) -> None:
    truth = Slopes.of(case, case.inputs(Size(time=3, batch=6, input=35, hidden=67, projection=21)))
    for isa in ISAS:
        with weftnn.config.use_isa(isa):
            truth.check()


@EVERY_ISA
@pytest.mark.parametrize("case", UPDATES, ids=str)
def test_updates(isa: str, case: UpdateCase) -> None:
    with weftnn.config.use_isa(isa):
        for dtype, tolerance in TOLERANCE.items():
            arrays = case.arrays((67,), dtype)
            grad = np.linspace(-2, 2, 67).astype(dtype)
            expected = case.expected(arrays, grad, 1)
            case.update(arrays, grad, 1)
            for name, value in arrays.items():
                assert relative_error(value, expected[name]) <= tolerance, name


@pytest.mark.parametrize("case", WIDE, ids=str)
def test_backward_after_the_isa_changed(case: OpCase) -> None:
    """What one instruction set saved, its own backward reads, whatever is chosen by then."""
    inputs = case.inputs(Size(time=3, batch=18, input=35, hidden=67, projection=21))
    for first in ISAS:
        for second in ISAS:
            with weftnn.config.use_isa(first):
                outputs, saved = case.forward(inputs)
                douts = case.douts(outputs)
                expected = case.backward(saved, douts)
            with weftnn.config.use_isa(second):
                for name, grad in case.backward(saved, douts).items():
                    if grad is not None:
                        assert relative_error(grad, expected[name]) <= 1e-12, f"d{name}, {first} to {second}"


def ask(isa: str) -> subprocess.CompletedProcess[str]:
    """A fresh process under WEFT_ISA that prints what it runs on."""
    program = "import weftnn, weftnn.config; print(weftnn.config.get_isa())"
    environment = os.environ | {"WEFT_ISA": isa}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)


@EVERY_ISA
def test_the_variable_chooses(isa: str) -> None:
    answer = ask(isa)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() == isa


def test_the_fastest_is_chosen_by_default() -> None:
    if "WEFT_ISA" in os.environ:
        assert weftnn.config.get_isa() == os.environ["WEFT_ISA"]
    else:
        assert weftnn.config.get_isa() == ISAS[-1]


def test_an_unknown_name_is_an_error_that_lists_the_known() -> None:
    answer = ask("abacus")
    assert answer.returncode != 0
    assert "WEFT_ISA" in answer.stderr
    assert "abacus" in answer.stderr
    assert all(isa in answer.stderr for isa in ISAS)
    with pytest.raises(ValueError, match="abacus"), weftnn.config.use_isa("abacus"):
        pass


def test_use_isa_puts_the_old_one_back() -> None:
    before = weftnn.config.get_isa()
    with pytest.raises(RuntimeError, match="inside"), weftnn.config.use_isa(ISAS[0]):
        assert weftnn.config.get_isa() == ISAS[0]
        raise RuntimeError("inside")
    assert weftnn.config.get_isa() == before
