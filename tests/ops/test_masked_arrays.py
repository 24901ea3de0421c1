"""Masked arrays are refused wherever arrays come in: what is computed would not look at the mask."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import weftnn
import weftnn.ops
from cases import CELLS, OPS, RECURRENT, UPDATES, recurrent_case
from kinds import OpCase, UpdateCase
from loss_cases import LOSSES, WEIGHT, P
from weftnn import data, nn, train

TYPICAL = [recurrent_case(cell, "everything") for cell in CELLS] + [
    case for case in OPS if case not in RECURRENT
]
RAGGED = ("lengths", "resets", "kv_lengths")  # refused where they are checked, if anything is masked


def masked(array: Any) -> Any:
    """The array with its first element masked."""
    array = np.ma.array(array)
    array[(0,) * array.ndim] = np.ma.masked
    return array


def refused(call: Callable[[], Any], name: str) -> None:
    with pytest.raises(TypeError, match=rf"{re.escape(name)} must be a plain array, got a masked array"):
        call()


@pytest.mark.parametrize("case", TYPICAL, ids=str)
def test_ops(case: OpCase) -> None:
    inputs = case.inputs()
    for name, value in inputs.items():
        if isinstance(value, np.ndarray) and value.size and name not in RAGGED:
            refused(lambda name=name, value=value: case.forward(inputs | {name: masked(value)}), name)


@pytest.mark.parametrize("case", UPDATES, ids=str)
def test_updates(case: UpdateCase) -> None:
    arrays, grad = case.arrays((3, 2), np.float64), np.ones((3, 2))
    for name, value in arrays.items():
        refused(lambda name=name, value=value: case.update(arrays | {name: masked(value)}, grad, 1), name)
    refused(lambda: case.update(arrays, masked(grad), 1), "grad")
    refused(lambda: case.update(arrays, masked(np.ones((2, 3))).T, 1), "grad")


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str) -> None:
    make, target, _ = LOSSES[name]
    loss = make(reduction="none")
    first = "logits" if name.startswith("cross") else "prediction"
    refused(lambda: loss(masked(P), target), first)
    refused(lambda: loss(P, masked(target)), "target" + "s" * name.startswith("cross"))
    refused(lambda: loss(P, target, masked(WEIGHT)), "weight")
    values, backprop = loss(P, target)
    refused(lambda: backprop(masked(np.ones_like(values))), "dloss")
    backprop(np.ones_like(values))  # the refused call did not count


X, Y = np.ones((4, 3, 2)), np.ones((4, 3))
TEXT = np.arange(50)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: data.Batch(masked(X), Y), "x"),
        (lambda: data.Batch(X, masked(Y)), "y"),
        (lambda: data.Batch(X, Y, weight=masked(Y)), "weight"),
        (lambda: data.ArrayDataset((masked(X), Y)), "x"),
        (lambda: data.ArrayDataset((X, Y), weight=masked(Y)), "weight"),
        (lambda: data.ArrayDataset((X, Y), lengths=masked(np.ones(4, int))), "lengths"),
        (lambda: data.RaggedBatches([X[0], masked(X[0])], [Y[0], Y[0]]), "sequences[1]"),
        (lambda: data.RaggedBatches([X[0]], [masked(Y[0])]), "targets[0]"),
        (lambda: data.Windows(masked(X[0]), 2), "series"),
        (lambda: data.Windows(X[0], 2, targets=masked(Y[0])), "targets"),
        (lambda: data.TextStream(masked(TEXT), 2, 4), "text"),
        (lambda: data.TextStream(TEXT, 2, 4, starts=masked([0, 3])), "starts"),
        (lambda: data.Standardizer().fit(masked(X)), "x"),
        (lambda: data.Standardizer().fit([X[0], masked(X[0])]), "x"),
        (lambda: data.Standardizer().fit(X).transform(masked(X)), "x"),
        (lambda: data.Standardizer().fit(X).inverse(masked(X)), "x"),
        (lambda: train.accuracy(masked(X), np.ones((4, 3), int)), "prediction"),
        (lambda: train.accuracy(X, masked(np.ones((4, 3), int))), "target"),
        (lambda: train.accuracy(X, np.ones((4, 3), int), masked(Y)), "weight"),
        (lambda: weftnn.ops.grad_norm([X, masked(X)]), "arrays[1]"),
        (lambda: weftnn.ops.scale_(masked(X), 2.0), "array"),
        (lambda: nn.BCEWithLogitsLoss(masked([1.0, 2.0])), "pos_weight"),
        (lambda: weftnn.Model(nn.Linear(2, 1, rng=0)).run(masked(X.astype(np.float32))), "x"),
        (lambda: weftnn.Stream(nn.Linear(2, 1, rng=0)).process(masked(X[0].astype(np.float32))), "x"),
        (lambda: weftnn.Stream(nn.Linear(2, 1, rng=0)).step(masked(np.ones(2, np.float32))), "x"),
    ],
)
def test_everything_else(call: Callable[[], Any], name: str) -> None:
    refused(call, name)
