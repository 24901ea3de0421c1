"""The table of rows: a new one is a line in ROWS.

A row measures weft against every peer that can do the same; with `beside`, against weft itself called
otherwise. The ratio is always the other's time over the row's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from library import Case
from problems.attention import Attention
from problems.cells import Cells
from problems.gpt import GPT
from problems.language_model import LanguageModel
from problems.recurrent import Recurrent


@dataclass(frozen=True)
class Beside:
    """weft once more. `same`: its results must be those of the row."""

    case: Case
    threads: int = 1
    same: bool = True


@dataclass(frozen=True)
class Row:
    case: Case
    threads: int = 1
    beside: dict[str, Beside] = field(default_factory=dict)  # by the name of its column
    memory: bool = False  # peak memory is measured too
    moves: bool = False  # bandwidth limits it, not arithmetic


LAYERS = ("LSTM", "GRU", "RNN")
A, B, C, D, E = (
    (128, 32, 128, 256),
    (35, 20, 650, 650),
    (100, 64, 512, 512),
    (256, 128, 64, 128),
    (50, 16, 1024, 1024),
)
SMALL = ((50, 1, 32, 32), (1000, 1, 64, 64), (200, 8, 32, 64))
RAGGED = ((500, 64, 128, 256), (200, 32, 64, 128))


def layers(*shapes: tuple[int, int, int, int]) -> list[Recurrent]:
    """Training, then inference, of every layer at every shape."""
    return [
        Recurrent(layer, *shape, training=training)
        for training in (True, False)
        for shape in shapes
        for layer in LAYERS
    ]


def ragged() -> list[Recurrent]:
    return [Recurrent(layer, *shape, ragged=True) for shape in RAGGED for layer in ("LSTM", "GRU")]


def padding() -> Iterator[Row]:
    """A dense batch, beside a ragged one with as many valid steps."""
    for case in ragged():
        dense = replace(case, time=round(case.steps() / case.batch), ragged=False)
        yield Row(dense, beside={"ragged": Beside(case, same=False)})


def checkpoints() -> Iterator[Row]:
    """A very long sequence with all of its states kept, beside every k-th."""
    for layer in LAYERS:
        case = Recurrent(layer, 100_000, 8, 128, 128)
        every = {f"every {k}": Beside(replace(case, checkpoint_every=k)) for k in (100, 316)}
        yield Row(case, beside=every, memory=True)


def scaling() -> Iterator[Row]:
    """Two threads, beside one."""
    for case in [*layers(A, B, C, D, E, *SMALL), *ragged(), *float64()]:
        yield Row(case, threads=2, beside={"1 thread": Beside(case)})


def float64() -> list[Recurrent]:
    return [Recurrent(layer, *A, dtype="float64") for layer in ("LSTM", "GRU")]


def attention() -> Iterator[Row]:
    """Training, then inference, of every shape."""
    for training in (True, False):
        yield from (Row(Attention(*shape, training)) for shape in ((8, 8, 512, 64), (1, 8, 4096, 64)))
        causal = ((8, 8, 512, 64), (4, 16, 256, 128), (1, 12, 1024, 64), (1, 8, 4096, 64))
        yield from (Row(Attention(*shape, training, causal=True)) for shape in causal)
        yield Row(Attention(32, 4, 128, 32, training))
        yield Row(Attention(1, 8, 4096, 64, training, window=(256, 0)))
        yield Row(Attention(4, 8, 512, 64, training, causal=True, dtype="float64"))


ROWS: dict[str, list[Row]] = {
    "main": [Row(case) for case in layers(A, B, C, D, E)],
    "small": [Row(case) for case in layers(*SMALL)],
    "ragged": [Row(case) for case in ragged()],
    "padding": list(padding()),
    "float64": [Row(case) for case in float64()],
    "cells": [Row(Cells(layer)) for layer in LAYERS],
    "model": [*[Row(LanguageModel(layer)) for layer in LAYERS], Row(GPT())],
    "attention": list(attention()),
    "decode": [Row(Attention(8, 8, 1, 64, training=False, keys=8192), moves=True)],
    "long": [Row(Attention(1, 8, 16_384, 64, causal=True), threads=2, memory=True)],
    "checkpoint": list(checkpoints()),
    "scaling": list(scaling()),
}
