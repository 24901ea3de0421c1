"""Whatever weftnn.ops and nn offer is in the tables that tests run on, every argument of ops included."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import weftnn.nn
import weftnn.ops
from cases import CELLS, OPS, UPDATES, recurrent_case
from loss_cases import LOSSES
from nn_cases import CASES as LAYERS

# Public names that are not ops with a backward: what they are, or where they are tested.
OTHER_OPS = {
    "cells": "the list that the last test of this file reads",
    "recurrent_forward": "what rnn, lstm and gru call",
    "recurrent_backward": "likewise",
    "recurrent_forward_all": "test_recurrent_together.py",
    "recurrent_backward_all": "likewise",
    "grad_norm": "test_determinism.py, test_updates.py",
    "scale_": "test_updates.py",
}
# Arguments that no row of the table sets, and where they are tested.
OTHER_ARGUMENTS = {
    "training": "test_errors.py: inference saves nothing and gives the same bits",
    "accumulate": "test_gradients.py",
    "need_dx": "test_gradients.py",
    "return_weights": "test_attention.py",
    "return_logsumexp": "test_attention.py",
    "out": "test_rotary.py",
}
# Public names of weftnn.nn that compute nothing by themselves.
NOT_LAYERS = {
    "AttentionPositions",
    "Backprop",
    "DecoderCache",
    "GraphWriter",
    "KeyValueCache",
    "Layer",
    "Loss",
    "NoNativeForm",
    "Parameter",
    "StatefulBackprop",
    "init",
    "load",
    "save",
}


def functions(suffix: str) -> set[str]:
    return {name.removesuffix(suffix) for name in weftnn.ops.__all__ if name.endswith(suffix)} - {"recurrent"}


def test_every_op_is_in_the_table() -> None:
    in_table = {case.op for case in OPS}
    assert functions("_forward") == in_table
    assert functions("_backward") == in_table
    assert functions("_update") == {case.op for case in UPDATES}
    gradients = {name for name in weftnn.ops.__all__ if inspect.isclass(getattr(weftnn.ops, name))}
    named = {f"{op}{kind}" for op in in_table for kind in ("_forward", "_backward")}
    updates = {f"{case.op}_update" for case in UPDATES}
    assert set(weftnn.ops.__all__) - gradients - named - updates <= OTHER_OPS.keys()


@pytest.mark.parametrize("op", sorted({case.op for case in OPS}))
def test_every_argument_is_in_the_table(op: str) -> None:
    arguments = inspect.signature(getattr(weftnn.ops, f"{op}_forward")).parameters.keys()
    used = {name for case in OPS if case.op == op for name in case.inputs()}
    assert arguments - used <= OTHER_ARGUMENTS.keys()


@pytest.mark.parametrize("op", sorted({case.op for case in UPDATES}))
def test_every_argument_of_an_update_is_in_the_table(op: str) -> None:
    arguments = inspect.signature(getattr(weftnn.ops, f"{op}_update")).parameters.keys()
    used = {name for case in UPDATES if case.op == op for name in (*case.state, *case.options)}
    assert arguments - used <= {"param", "grad", "step"}


def test_every_gradient_is_of_an_argument() -> None:
    """Gradients come in the order of the forward's arguments, as a NamedTuple of theirs or as dx alone."""
    for case in OPS:
        _, saved = case.forward(inputs := case.inputs())
        grads = case.backward_as_is(saved, case.douts(case.expected(inputs)))
        if isinstance(grads, tuple):
            arguments = [*inspect.signature(getattr(weftnn.ops, f"{case.op}_forward")).parameters]
            places = [arguments.index(field.removeprefix("d")) for field in grads._fields]
            assert places == sorted(places), case.name
            assert type(grads).__name__ in weftnn.ops.__all__


def inside(layer: weftnn.nn.Layer) -> set[str]:
    return {type(child).__name__ for _, child in layer.named_layers()}


def test_every_layer_is_in_the_table() -> None:
    in_table = set().union(*(inside(case.build()[0]) for case in LAYERS))
    losses = {type(make()).__name__ for make, *_ in LOSSES.values()}
    assert set(weftnn.nn.__all__) - NOT_LAYERS <= in_table | losses


def test_every_compiled_cell_is_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of CELLS, between them, run every cell that the kernels list."""
    run, seen = weftnn.ops.recurrent._forward, set()

    def note(call: weftnn.ops.RecurrentCall) -> Any:
        seen.add(call.cell)
        return run(call)

    monkeypatch.setattr(weftnn.ops.recurrent, "_forward", note)
    for cell in CELLS:
        case = recurrent_case(cell, "plain")
        case.forward(case.inputs())
    assert seen == set(weftnn.ops.cells())
