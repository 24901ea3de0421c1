"""THE table: every op of weftnn.ops is a row here (layers: nn_cases.py), and the tests here run on rows.

A new cell is one line in CELLS, and so for the other lists (attention's: attention_cases.py);
test_complete.py fails while anything is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import reference
import reference_philox
import reference_updates
from attention_cases import ATTENTION, SCORES
from kinds import OpCase, Size, UpdateCase

Rng = np.random.Generator
Inputs = dict[str, Any]

# ---- recurrent ops: each cell times each way to run a sequence ---------------------------------------------


def recurrent_sample(
    rng: Rng, size: Size, *, gates: int, cell: Inputs, sequence: Callable[[Rng, Size], Inputs] | None
) -> Inputs:
    """x, weights as PyTorch starts them, initial states; cell's options may be shapes to be filled in."""
    T, B, I, H = size.time, size.batch, size.input, size.hidden
    S = size.projection if "w_proj" in cell else H  # the size of h
    bound = H**-0.5

    def weight(*shape: int) -> np.ndarray:
        return rng.uniform(-bound, bound, shape)

    inputs = {
        "x": rng.normal(size=(B, T, I)),
        "w_ih": weight(gates * H, I),
        "w_hh": weight(gates * H, S),
        "b_ih": weight(gates * H),
        "b_hh": weight(gates * H),
        "h0": rng.uniform(-1, 1, (B, S)),
    }
    shapes = {"c0": (B, H), "w_peephole": (3, H), "w_proj": (S, H)}
    for name, value in cell.items():
        inputs[name] = weight(*shapes[name]) if name in shapes else value
    if sequence is None:
        return {name: value for name, value in inputs.items() if name not in ("b_ih", "b_hh", "h0", "c0")}
    return inputs | sequence(rng, Size(T, B, I, S))


def lengths(rng: Rng, size: Size) -> Inputs:
    """Any order, with a row of nothing and a row to the end where there are rows enough."""
    chosen = rng.integers(0, size.time + 1, size.batch)
    chosen[:2] = (0, size.time)[: size.batch]
    return {"lengths": rng.permutation(chosen)}


def resets(rng: Rng, size: Size) -> Inputs:
    return {"resets": rng.random((size.batch, size.time)) < 0.3}


def recurrent_dropout(rng: Rng, size: Size, *, per_step: bool) -> Inputs:
    shape = (size.batch, size.time, size.hidden) if per_step else (size.batch, size.hidden)
    return {"recurrent_dropout_mask": (rng.random(shape) < 0.75) / 0.75}


def zoneout(rng: Rng, size: Size, *, binary: bool) -> Inputs:
    mask = rng.random((size.batch, size.time, size.hidden))
    return {"zoneout_mask": mask < 0.4 if binary else mask}


def everything(rng: Rng, size: Size) -> Inputs:
    options = lengths(rng, size) | resets(rng, size) | zoneout(rng, size, binary=False)
    return options | recurrent_dropout(rng, size, per_step=True) | {"reverse": True, "checkpoint_every": 2}


LSTM_ARGUMENTS = {"c0": None}

CELLS: dict[str, tuple[str, int, Inputs]] = {  # name: op, gates, options
    "rnn-tanh": ("rnn", 1, {}),
    "rnn-relu": ("rnn", 1, {"nonlinearity": "relu"}),
    "lstm": ("lstm", 4, LSTM_ARGUMENTS),
    "lstm-peephole": ("lstm", 4, LSTM_ARGUMENTS | {"w_peephole": None}),
    "lstm-coupled": ("lstm", 3, LSTM_ARGUMENTS | {"coupled": True}),
    "lstm-projection": ("lstm", 4, LSTM_ARGUMENTS | {"w_proj": None}),
    "lstm-coupled-peephole": ("lstm", 3, LSTM_ARGUMENTS | {"coupled": True, "w_peephole": None}),
    "lstm-peephole-projection": ("lstm", 4, LSTM_ARGUMENTS | {"w_peephole": None, "w_proj": None}),
    "lstm-all": ("lstm", 3, LSTM_ARGUMENTS | {"coupled": True, "w_peephole": None, "w_proj": None}),
    "gru": ("gru", 3, {}),
    "gru-reset-before": ("gru", 3, {"reset_after": False}),
}

SEQUENCES: dict[str, Callable[[Rng, Size], Inputs] | None] = {
    "bare": None,  # no bias, no initial state
    "plain": lambda rng, size: {},
    "reverse": lambda rng, size: {"reverse": True},
    "lengths": lengths,
    "lengths-reverse": lambda rng, size: lengths(rng, size) | {"reverse": True},
    "resets": resets,
    "resets-reverse": lambda rng, size: resets(rng, size) | {"reverse": True},
    "dropout": partial(recurrent_dropout, per_step=False),
    "dropout-steps": partial(recurrent_dropout, per_step=True),
    "zoneout": partial(zoneout, binary=True),
    "zoneout-float": partial(zoneout, binary=False),
    "checkpoint": lambda rng, size: {"checkpoint_every": 3},
    "checkpoint-lengths": lambda rng, size: lengths(rng, size) | {"checkpoint_every": 1},
    "everything": everything,
}

OUTPUTS = {"rnn": ("y", "h_n"), "lstm": ("y", "h_n", "c_n"), "gru": ("y", "h_n")}
RECURRENT_ARGUMENTS = ("x", "w_ih", "w_hh", "b_ih", "b_hh", "h0", "c0", "w_peephole", "w_proj")


def recurrent_case(cell: str, sequence: str) -> OpCase:
    op, gates, options = CELLS[cell]
    return OpCase(
        name=f"{cell}/{sequence}",
        op=op,
        reference=getattr(reference, op),
        sample=partial(recurrent_sample, gates=gates, cell=options, sequence=SEQUENCES[sequence]),
        differentiable=RECURRENT_ARGUMENTS,
        outputs=OUTPUTS[op],
    )


RECURRENT = [recurrent_case(cell, sequence) for cell in CELLS for sequence in SEQUENCES]

# ---- pointwise and dense ops -------------------------------------------------------------------------------


def activation(name: str, **options: Any) -> OpCase:
    return OpCase(
        name="-".join([name, *map(str, options.values())]),
        op=name,
        reference=getattr(reference, name),
        sample=lambda rng, size: {"x": 3 * rng.normal(size=(size.batch, size.time, size.input)), **options},
    )


def linear_sample(rng: Rng, size: Size, *, bias: bool) -> Inputs:
    inputs = {
        "x": rng.normal(size=(size.batch, size.time, size.input)),
        "weight": rng.normal(size=(size.hidden, size.input)),
    }
    return inputs | ({"bias": rng.normal(size=size.hidden)} if bias else {})


def embedding_sample(rng: Rng, size: Size, **options: Any) -> Inputs:
    indices = rng.integers(0, size.hidden, (size.batch, size.time))
    return {"indices": indices, "weight": rng.normal(size=(size.hidden, size.input)), **options}


def layer_norm_sample(rng: Rng, size: Size, *, weight: bool, bias: bool) -> Inputs:
    inputs = {"x": 2 * rng.normal(size=(size.batch, size.time, size.hidden)) + 1, "eps": 1e-3}
    inputs |= {"weight": rng.normal(size=size.hidden)} if weight else {}
    return inputs | ({"bias": rng.normal(size=size.hidden)} if bias else {})


def cross_entropy_sample(rng: Rng, size: Size, *, weighted: bool, ignored: bool, **options: Any) -> Inputs:
    shape = (size.batch, size.time)
    targets = rng.integers(0, size.hidden, shape)
    if ignored:
        options = {"ignore_index": -1, **options}
        targets[rng.random(shape) < 0.4] = -1
    weight = {"weight": rng.uniform(0.0, 2.0, shape) * (rng.random(shape) < 0.8)} if weighted else {}
    return {"logits": 3 * rng.normal(size=(*shape, size.hidden)), "targets": targets, **weight, **options}


def cross_entropy(name: str, *, weighted: bool = False, ignored: bool = False, **options: Any) -> OpCase:
    return OpCase(
        name=f"cross-entropy-{name}",
        op="softmax_cross_entropy",
        reference=reference.softmax_cross_entropy,
        sample=partial(cross_entropy_sample, weighted=weighted, ignored=ignored, **options),
        differentiable=("logits",),
        outputs=("loss",),
    )


def layer_norm(name: str, *, weight: bool, bias: bool) -> OpCase:
    sample = partial(layer_norm_sample, weight=weight, bias=bias)
    return OpCase(name, "layer_norm", reference.layer_norm, sample, ("x", "weight", "bias"))


def linear(name: str, *, bias: bool) -> OpCase:
    return OpCase(
        name, "linear", reference.linear, partial(linear_sample, bias=bias), ("x", "weight", "bias")
    )


def embedding(name: str, **options: Any) -> OpCase:
    return OpCase(name, "embedding", reference.embedding, partial(embedding_sample, **options), ("weight",))


def dropout(name: str, **options: Any) -> OpCase:
    def sample(rng: Rng, size: Size) -> Inputs:
        return {"x": rng.normal(size=(size.batch, size.time, size.input)), **options}

    return OpCase(name, "dropout", reference_philox.dropout, sample)


def swiglu_sample(rng: Rng, size: Size) -> Inputs:
    return {"x": 3 * rng.normal(size=(size.batch, size.time, 2 * size.hidden))}


def rotary_sample(rng: Rng, size: Size, *, rows: bool, rest: int, **options: Any) -> Inputs:
    """rest: features that do not turn; rows: each row of the batch with places of its own."""
    B, T, pairs = size.batch, size.time, size.hidden
    angle = rng.normal(size=(B, T, pairs) if rows else (T, pairs))
    x = rng.normal(size=(B, size.projection, T, 2 * pairs + rest))
    return {"x": x, "cos": np.cos(angle), "sin": np.sin(angle), **options}


def rotary(name: str, *, rows: bool = False, rest: int = 0, **options: Any) -> OpCase:
    sample = partial(rotary_sample, rows=rows, rest=rest, **options)
    return OpCase(name, "rotary", reference.rotary, sample)


POINTWISE = [
    linear("linear", bias=True),
    linear("linear-no-bias", bias=False),
    embedding("embedding"),
    embedding("embedding-padding", padding_idx=0),
    layer_norm("layer-norm", weight=True, bias=True),
    layer_norm("layer-norm-no-bias", weight=True, bias=False),
    layer_norm("layer-norm-plain", weight=False, bias=False),
    activation("relu"),
    activation("gelu"),
    activation("gelu", approximate="tanh"),
    activation("silu"),
    activation("sigmoid"),
    activation("tanh"),
    OpCase("swiglu", "swiglu", reference.swiglu, swiglu_sample),
    dropout("dropout", p=0.3, seed=2**40 + 5),
    dropout("dropout-offset", p=0.7, seed=1, offset=2**33 + 7),
    dropout("dropout-none", p=0.0, seed=1),
    cross_entropy("mean"),
    cross_entropy("sum", reduction="sum"),
    cross_entropy("none", reduction="none"),
    cross_entropy("smoothed", label_smoothing=0.1),
    cross_entropy("ignored", ignored=True),
    cross_entropy("weighted", weighted=True),
    *(
        cross_entropy(f"all-{how}", weighted=True, ignored=True, label_smoothing=0.2, reduction=how)
        for how in ("mean", "sum", "none")
    ),
]

ROTARY = [
    rotary("rotary"),
    rotary("rotary-interleaved", interleaved=True),
    rotary("rotary-rows-rest", rows=True, rest=3),
    rotary("rotary-interleaved-rows-rest", interleaved=True, rows=True, rest=1),
]

OPS = RECURRENT + POINTWISE + ROTARY + SCORES + ATTENTION

# ---- optimizer updates -------------------------------------------------------------------------------------


def update(name: str, op: str, *state: str, stepped: bool = False, **options: Any) -> UpdateCase:
    return UpdateCase(name, op, getattr(reference_updates, op), state, options, stepped)


ADAM = {"lr": 1e-2, "beta1": 0.8, "beta2": 0.95, "eps": 1e-6, "stepped": True}

UPDATES = [
    update("sgd", "sgd", lr=0.1),
    update("sgd-decay-maximize", "sgd", lr=0.1, weight_decay=0.02, maximize=True),
    update("sgd-momentum", "sgd", "velocity", lr=0.1, momentum=0.9, weight_decay=0.1),
    update("sgd-nesterov", "sgd", "velocity", lr=0.1, momentum=0.9, nesterov=True),
    update("sgd-dampening", "sgd", "velocity", lr=0.1, momentum=0.9, dampening=0.5),
    update("adam", "adam", "m", "v", **ADAM),
    update("adam-decay", "adam", "m", "v", **ADAM, weight_decay=0.1),
    update("adamw", "adam", "m", "v", **ADAM, weight_decay=0.1, decoupled=True),
    update("adam-amsgrad", "adam", "m", "v", "max_v", **ADAM),
    update("rmsprop", "rmsprop", "square_avg", lr=0.01, alpha=0.9, eps=1e-6, weight_decay=0.1),
    update(
        "rmsprop-momentum",
        "rmsprop",
        "square_avg",
        "momentum_buffer",
        lr=0.01,
        alpha=0.9,
        eps=1e-6,
        momentum=0.9,
    ),
    update("rmsprop-centred", "rmsprop", "square_avg", "grad_avg", lr=0.01, alpha=0.9, eps=1e-3),
    update("adagrad", "adagrad", "state_sum", lr=0.1, eps=1e-8, weight_decay=0.1, lr_decay=0.1, stepped=True),
]
