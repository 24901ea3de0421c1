"""weft, called as its users call it."""

from __future__ import annotations

from typing import Any

import weft
from library import Runner
from problems import Recurrent


def version() -> str:
    return weft.show_config()


def set_threads(threads: int) -> None:
    weft.set_num_threads(threads)


def build(case: Recurrent) -> Runner:
    arrays = case.arrays()
    x, dy, lengths = arrays.pop("x"), arrays.pop("dy"), case.lengths()
    layer = getattr(weft.nn, case.layer)(case.input, case.hidden, dtype=case.dtype)
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
