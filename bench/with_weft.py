"""weft, called as its users call it."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np

import weftnn
import weftnn.models
from library import Runner
from problems.attention import Attention
from problems.cells import Cells
from problems.gpt import GPT
from problems.language_model import LanguageModel
from problems.recurrent import Recurrent


def version() -> str:
    return f"weft {weftnn.__version__} ({weftnn.config.get_isa()})"


def set_threads(threads: int) -> None:
    weftnn.set_num_threads(threads)


@singledispatch
def build(case: Any) -> Runner:
    raise TypeError(f"no such case: {case!r}")


@build.register
def _(case: Recurrent) -> Runner:
    arrays = case.arrays()
    x, dy, lengths = arrays.pop("x"), arrays.pop("dy"), case.lengths()
    kind = getattr(weftnn.nn, case.layer)
    layer = kind(case.input, case.hidden, checkpoint_every=case.checkpoint_every, dtype=case.dtype)
    layer.load_state_dict(arrays)
    last: dict[str, Any] = {}

    def infer() -> None:
        last["y"], last["state"] = layer.predict(x, lengths=lengths)

    def train() -> None:
        layer.zero_grad()
        (last["y"], last["state"]), backprop = layer(x, lengths=lengths)
        last["dx"], _ = backprop(dy)

    def results() -> dict[str, Any]:
        states = last["state"] if case.layer == "LSTM" else (last["state"],)
        found = {"y": last["y"], **dict(zip(("h_n", "c_n"), states, strict=False))}
        if case.training:
            found |= {"dx": last["dx"]}
            found |= {f"d{name}": parameter.grad for name, parameter in layer.named_parameters()}
        return found

    return Runner(train if case.training else infer, results)


@build.register
def _(case: Attention) -> Runner:
    arrays = case.arrays()
    dout = arrays.pop("dout")
    last: dict[str, Any] = {}

    def infer() -> None:
        last["out"], _ = weftnn.ops.sdpa_forward(
            **arrays, causal=case.causal, window=case.window, training=False
        )

    def train() -> None:
        last["out"], saved = weftnn.ops.sdpa_forward(**arrays, causal=case.causal, window=case.window)
        grads = weftnn.ops.sdpa_backward(saved, dout)
        last.update(dq=grads.dq, dk=grads.dk, dv=grads.dv)

    return Runner(train if case.training else infer, lambda: dict(last))


@build.register
def _(case: Cells) -> Runner:
    arrays = case.arrays()
    xs, dh = list(arrays.pop("x")), arrays.pop("dh")
    cell = getattr(weftnn.nn, f"{case.layer}Cell")(case.input, case.hidden, dtype=case.dtype)
    cell.load_state_dict(arrays)
    last: dict[str, Any] = {}

    def run() -> None:
        cell.zero_grad()
        state, hidden, steps = None, [], []
        for x in xs:
            state, backprop = cell(x, state)
            hidden.append(state[0] if case.layer == "LSTM" else state)
            steps.append(backprop)
        dx, dstate = [], np.zeros_like(dh[0])
        dstate = (dstate, dstate) if case.layer == "LSTM" else dstate
        for given, backprop in zip(reversed(dh), reversed(steps), strict=True):
            more = (dstate[0] + given, dstate[1]) if case.layer == "LSTM" else dstate + given
            dx_t, dstate = backprop(more)
            dx.append(dx_t)
        last["h"], last["dx"] = np.stack(hidden), dx

    def results() -> dict[str, Any]:
        found = {"h": last["h"], "dx": np.stack(last["dx"][::-1])}
        return found | {f"d{name}": parameter.grad for name, parameter in cell.named_parameters()}

    return Runner(run, results)


@build.register
def _(case: LanguageModel) -> Runner:
    model = weftnn.models.LanguageModel(
        case.layer.lower(),
        embedding_size=case.embedding,
        hidden_size=case.hidden,
        num_layers=case.layers,
    )
    return training_step(case, model)


@build.register
def _(case: GPT) -> Runner:
    model = weftnn.models.GPT(
        hidden_size=case.hidden,
        num_layers=case.layers,
        num_heads=case.heads,
        context=case.time,
        positions="learned",
    )
    return training_step(case, model)


def training_step(case: LanguageModel | GPT, model: weftnn.models.ByteModel) -> Runner:
    arrays = case.arrays()
    tokens = arrays.pop("tokens")
    x, target = tokens[:, :-1], tokens[:, 1:]
    model.load_state_dict(arrays)
    optimizer = weftnn.optim.AdamW(model.parameters(), case.learning_rate)
    loss_function = weftnn.nn.CrossEntropyLoss()
    last: dict[str, Any] = {}

    def run() -> None:
        optimizer.zero_grad()
        result, backprop = model(x)
        scores = result[0] if model.stateful else result
        last["loss"], loss_backprop = loss_function(scores, target)
        backprop(loss_backprop())
        weftnn.optim.clip_grad_norm(model.parameters(), 1.0)
        optimizer.step()

    def results() -> dict[str, Any]:
        found = {f"d{name}": np.array(parameter.grad) for name, parameter in model.named_parameters()}
        return case.losses(run, last) | found

    return Runner(run, results)
