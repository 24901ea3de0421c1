"""The Trainer gives layers lengths and resets, and refuses what would read what it must not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sequence_layers import (
    FLOATS,
    LENGTHS,
    RESETS,
    STACKS,
    B,
    E,
    Silent,
    T,
    encoder,
    linear,
    only_y,
    recurrent,
    self_attention,
)
from weftnn import data, nn, optim, train
from weftnn.models import GPT
from weftnn.nn.sequences import masks_padding


class Seen(nn.MSELoss):
    """Keeps the predictions."""

    def __init__(self) -> None:
        super().__init__()
        self.predictions: list[np.ndarray] = []

    def __call__(self, prediction: Any, target: Any, weight: Any = None) -> Any:
        self.predictions.append(prediction.copy())
        return super().__call__(prediction, target, weight)

    def predict(self, prediction: Any, target: Any, weight: Any = None) -> Any:
        return self(prediction, target, weight)[0]


def trainer_of(model: nn.Layer, loss: Any = None, **options: Any) -> train.Trainer:
    return train.Trainer(model, loss or nn.MSELoss(), optim.SGD(model.parameters(), lr=0.0), **options)


@pytest.mark.parametrize(
    "make",
    [*STACKS.values(), encoder, self_attention, lambda: nn.Residual(encoder()), linear, recurrent],
)
def test_the_trainer_gives_lengths(make: Any) -> None:
    model, loss = make(), Seen()
    if not model.parameters():
        return
    rows = [FLOATS[row, :length] for row, length in enumerate(LENGTHS) if length]
    alone = [only_y(model.predict(row[None]))[0] for row in rows]
    ragged = data.RaggedBatches(rows, [np.zeros_like(row) for row in alone], 2, shuffle=False)
    trainer = trainer_of(model, loss)
    mean = trainer.evaluate(ragged)["loss"]
    assert mean == pytest.approx(np.mean(np.concatenate(alone) ** 2), rel=1e-12)
    assert trainer.fit(ragged, epochs=1, progress=False).last["loss"] == pytest.approx(mean, rel=1e-12)
    for prediction in loss.predictions:
        for row, expected in zip(prediction, alone, strict=True):
            np.testing.assert_allclose(row[: len(expected)], expected, 1e-12, 1e-12)


def test_the_trainer_refuses_what_would_read_padding_or_other_sequences() -> None:
    class Alone(nn.Linear):
        reads = None

    silent = Alone(E, E, dtype=np.float64)
    gpt = GPT(hidden_size=8, num_layers=1, num_heads=2)
    for model, batch, name in (
        (silent, data.Batch(FLOATS, FLOATS, lengths=LENGTHS), "lengths must be None for Alone"),
        (encoder(), data.Batch(FLOATS, FLOATS, resets=RESETS), "resets must be None for TransformerEncoder"),
        (gpt, data.Batch(np.ones((B, T), int), np.ones((B, T), int), resets=RESETS), "resets .* for GPT"),
    ):

        class One:
            def __len__(self) -> int:
                return 1

            def batches(self, epoch: int, batch: data.Batch = batch) -> Any:
                return iter([batch])

        trainer = trainer_of(model, nn.CrossEntropyLoss() if model is gpt else None)
        for call in (trainer.evaluate, lambda source, t=trainer: t.fit(source, steps=1, progress=False)):
            with pytest.raises(TypeError, match=f"Trainer: {name}"):
                call(One())


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (recurrent(bidirectional=True), r"GRU \(at 0\) reads later steps"),
        (nn.Bidirectional(recurrent(), recurrent()), r"Bidirectional \(at 0\) reads later steps"),
        (
            nn.Residual(nn.Sequential(recurrent(), nn.GRU(E, E // 2, bidirectional=True))),
            r"GRU \(at 0.layer.1\) reads later steps",
        ),
        (nn.Sequential(recurrent(), encoder()), r"TransformerEncoder \(at 0.1\) reads later steps"),
        (self_attention(positions=nn.ALiBi(2)), r"MultiheadAttention \(at 0\) reads later steps"),
        (self_attention(causal=True), r"MultiheadAttention \(at 0\) reads earlier steps, and has no state"),
        (nn.DotAttention(), r"DotAttention \(at 0\) reads later steps"),
        (nn.SinusoidalPositions(E), r"SinusoidalPositions \(at 0\) counts steps from where a call begins"),
        (nn.Residual(Silent()), r"Silent \(at 0.layer\) does not say which steps it reads"),
    ],
    ids=str,
)
def test_what_a_cut_would_change_is_not_cut(layer: nn.Layer, message: str) -> None:
    model = nn.Sequential(layer, recurrent())
    for options in ({"tbptt": 3}, {"tbptt": (2, 4)}, {"carry_state": True}):
        with pytest.raises(ValueError, match=f"Trainer: {next(iter(options))} cuts sequences, .*{message}"):
            trainer_of(model, **options)


class Own(nn.Layer):
    """A layer of one's own with a state."""

    stateful = True

    def __init__(self, rnn: nn.Layer) -> None:
        self.blocks = [linear(), rnn]


class Sure(Own):
    reads = "past"


def test_a_layer_with_a_state_is_what_is_inside_it_unless_it_says_otherwise() -> None:
    for layer in (Own(recurrent()), Sure(recurrent(bidirectional=True))):
        trainer_of(layer, tbptt=3)
    for wrong in (recurrent(bidirectional=True), Silent(), self_attention()):
        with pytest.raises(ValueError, match=rf"tbptt cuts .*: {type(wrong).__name__} \(at blocks.1\)"):
            trainer_of(Own(wrong), tbptt=3)


@pytest.mark.parametrize("options", [{"tbptt": 3}, {"carry_state": True}], ids=str)
def test_what_a_cut_does_not_change_is_cut(options: dict[str, Any]) -> None:
    model = nn.Sequential(linear(), nn.Dropout(0.0), nn.Residual(recurrent()), nn.Tanh(), linear())
    whole = model.predict(FLOATS)[0]
    trainer = trainer_of(model, **options)
    loss = trainer.evaluate(data.ArrayDataset((FLOATS, np.zeros_like(FLOATS)), B))["loss"]
    assert loss == pytest.approx(np.mean(whole**2), rel=1e-12)
    with pytest.raises(ValueError, match=f"{next(iter(options))} needs a model with a state"):
        trainer_of(encoder(), **options)


def test_masking_is_left_to_the_layers_that_do_it() -> None:
    assert [masks_padding(layer) for layer in (linear(), recurrent(), encoder())] == [False, True, True]
