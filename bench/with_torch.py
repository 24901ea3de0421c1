"""PyTorch, called as its users call it."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import torch

from library import Runner
from problems.attention import Attention
from problems.cells import Cells
from problems.gpt import GPT
from problems.language_model import LanguageModel
from problems.recurrent import Recurrent


def version() -> str:
    return f"torch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()})"


def set_threads(threads: int) -> None:
    torch.set_num_threads(threads)


@singledispatch
def build(case: Any) -> Runner:
    raise TypeError(f"no such case: {case!r}")


@build.register
def _(case: Recurrent) -> Runner:
    return recurrent(case, case.arrays())


def recurrent(case: Recurrent, given: dict[str, Any]) -> Runner:
    arrays = {name: torch.from_numpy(array) for name, array in given.items()}
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


@build.register
def _(case: Attention) -> Runner:
    """A window is a boolean mask: there is no other way to say it."""
    arrays = {name: torch.from_numpy(array) for name, array in case.arrays().items()}
    dout = arrays.pop("dout")
    options = {"attn_mask": torch.from_numpy(case.seen())} if case.window else {"is_causal": case.causal}
    last: dict[str, Any] = {}

    def forward() -> None:
        last["out"] = torch.nn.functional.scaled_dot_product_attention(*arrays.values(), **options)

    def infer() -> None:
        with torch.inference_mode():
            forward()

    def train() -> None:
        for array in arrays.values():
            array.grad = None
        forward()
        last["out"].backward(dout)

    def results() -> dict[str, Any]:
        found = {"out": last["out"]}
        found |= {f"d{name}": array.grad for name, array in arrays.items()} if case.training else {}
        return {name: tensor.detach().numpy() for name, tensor in found.items()}

    for array in arrays.values():
        array.requires_grad_(case.training)
    return Runner(train if case.training else infer, results)


@build.register
def _(case: Cells) -> Runner:
    arrays = {name: torch.from_numpy(array) for name, array in case.arrays().items()}
    xs = [x.requires_grad_() for x in arrays.pop("x")]
    dh = arrays.pop("dh")
    cell = getattr(torch.nn, f"{case.layer}Cell")(case.input, case.hidden, dtype=dh.dtype)
    cell.load_state_dict(arrays)
    last: dict[str, Any] = {}

    def run() -> None:
        cell.zero_grad()
        state, hidden = None, []
        for x in xs:
            x.grad = None
            state = cell(x, state)
            hidden.append(state[0] if case.layer == "LSTM" else state)
        last["h"] = torch.stack(hidden)
        last["h"].backward(dh)

    def results() -> dict[str, Any]:
        found = {"h": last["h"], "dx": torch.stack([x.grad for x in xs])}
        found |= {f"d{name}": parameter.grad for name, parameter in cell.named_parameters()}
        return {name: tensor.detach().numpy() for name, tensor in found.items()}

    return Runner(run, results)


class Model(torch.nn.Module):  # type: ignore[misc]  # torch is Any where it is not installed
    def __init__(self, case: LanguageModel) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(case.vocabulary, case.embedding)
        layer = getattr(torch.nn, case.layer)
        self.rnn = layer(case.embedding, case.hidden, case.layers, batch_first=True)
        self.head = torch.nn.Linear(case.hidden, case.vocabulary)

    def forward(self, tokens: Any) -> Any:
        return self.head(self.rnn(self.embedding(tokens))[0])


class Transformer(torch.nn.Module):  # type: ignore[misc]
    def __init__(self, case: GPT) -> None:
        super().__init__()
        E = case.hidden
        self.embedding = torch.nn.Embedding(case.vocabulary, E)
        self.positions = torch.nn.Embedding(case.time, E)
        layer = torch.nn.TransformerEncoderLayer(
            E, case.heads, 4 * E, 0.0, "gelu", batch_first=True, norm_first=True
        )
        norm = torch.nn.LayerNorm(E)
        self.encoder = torch.nn.TransformerEncoder(layer, case.layers, norm, enable_nested_tensor=False)
        self.head = torch.nn.Linear(E, case.vocabulary)
        self.mask = torch.nn.Transformer.generate_square_subsequent_mask(case.time)

    def forward(self, tokens: Any) -> Any:
        h = self.embedding(tokens) + self.positions.weight
        # is_causal: the mask is only a hint, scaled_dot_product_attention takes its fused causal kernel.
        return self.head(self.encoder(h, mask=self.mask, is_causal=True))


@build.register
def _(case: LanguageModel) -> Runner:
    return training_step(case, Model(case))


@build.register
def _(case: GPT) -> Runner:
    return training_step(case, Transformer(case))


def training_step(case: LanguageModel | GPT, model: Any) -> Runner:
    arrays = {name: torch.from_numpy(array) for name, array in case.arrays().items()}
    tokens = arrays.pop("tokens")
    x, target = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    model.load_state_dict(arrays)
    optimizer = torch.optim.AdamW(model.parameters(), case.learning_rate)
    last: dict[str, Any] = {}

    def run() -> None:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x).flatten(0, 1), target.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        last["loss"] = loss.item()

    def results() -> dict[str, Any]:
        found = {f"d{name}": parameter.grad.numpy().copy() for name, parameter in model.named_parameters()}
        return case.losses(run, last) | found

    return Runner(run, results)
