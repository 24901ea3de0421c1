"""PyTorch, called as its users call it."""

from __future__ import annotations

from typing import Any

import torch

from library import Runner
from problems import Recurrent


def version() -> str:
    return f"torch {torch.__version__}"


def set_threads(threads: int) -> None:
    torch.set_num_threads(threads)


def build(case: Recurrent) -> Runner:
    arrays = {name: torch.from_numpy(array) for name, array in case.arrays().items()}
    x, dy, lengths = arrays.pop("x"), arrays.pop("dy"), case.lengths()
    layer = getattr(torch.nn, case.layer)(case.input, case.hidden, batch_first=True, dtype=x.dtype)
    layer.load_state_dict(arrays)
    last: dict[str, Any] = {}

    def forward() -> None:
        if lengths is None:
            last["y"], last["state"] = layer(x)
            return
        packed, last["state"] = layer(
            torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        )
        last["y"], _ = torch.nn.utils.rnn.pad_packed_sequence(
            packed, batch_first=True, total_length=case.time
        )

    def infer() -> None:
        with torch.inference_mode():
            forward()

    def train() -> None:
        x.grad = None
        layer.zero_grad()
        forward()
        last["y"].backward(dy)

    def results() -> dict[str, Any]:
        states = last["state"] if case.layer == "LSTM" else (last["state"],)
        found = {"y": last["y"], **dict(zip(("h_n", "c_n"), states, strict=False))}
        if case.training:
            found |= {"dx": x.grad}
            found |= {f"d{name}": parameter.grad for name, parameter in layer.named_parameters()}
        return {name: tensor.detach().numpy() for name, tensor in found.items()}

    x.requires_grad_(case.training)
    return Runner(train if case.training else infer, results)
