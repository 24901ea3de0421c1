"""Updates: steps, schedules, accumulation, ragged batches, clipping, seeds, weights of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from linear_trainer import gradients, linear, linear_data, trainer_of, weights
from weftnn import data, nn, optim, train

# ---- updates ---------------------------------------------------------------------------------------------


def test_steps_are_sgd_by_hand() -> None:
    model, twin = linear(), linear()
    source = linear_data(seed=7)
    trainer_of(model, lr=0.2).fit(source, epochs=2, progress=False)
    for epoch in range(2):
        for batch in source.batches(epoch):
            twin.zero_grad()
            y, backprop = twin(batch.x)
            backprop(2 * (y - batch.y) / y.size)
            for parameter in twin.parameters():
                parameter.data[...] -= 0.2 * parameter.grad
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-12)


def test_schedule_sets_the_rate_of_each_step() -> None:
    rates = []
    trainer = trainer_of(linear(), lr=0.4, schedule=lambda step, base: base / (1 + step))
    trainer.fit(
        linear_data(),
        steps=4,
        log_every=1,
        callbacks=[lambda trainer, record: rates.append(record["lr"])],
        progress=False,
    )
    assert rates == [0.4, 0.2, 0.4 / 3, 0.1]


def test_plateau_hears_of_the_validation() -> None:
    model = linear()
    schedule = optim.PlateauLR(factor=0.5, patience=0, threshold=1.0)  # nothing is ever better by 100 %
    history = trainer_of(model, lr=0.1, schedule=schedule).fit(
        linear_data(), epochs=4, validation=linear_data(), progress=False
    )
    assert history["lr"] == [0.1, 0.1, 0.05, 0.025]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_accumulation_is_one_large_batch_however_ragged(reduction: str) -> None:
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(length, 2)) for length in (9, 1, 5, 7, 2, 4)]
    targets = [rng.normal(size=(len(sequence), 1)) for sequence in sequences]
    found = []
    for batch_size, accumulate in ((6, 1), (2, 3), (4, 2), (1, 6)):
        model = nn.Sequential(nn.GRU(2, 5, dtype=np.float64, rng=0), nn.Linear(5, 1, dtype=np.float64, rng=1))
        trainer = train.Trainer(
            model,
            nn.MSELoss(reduction=reduction),
            optim.SGD(model.parameters(), lr=0.0),
            accumulate=accumulate,
        )
        source = data.RaggedBatches(sequences, targets, batch_size)
        history = trainer.fit(source, epochs=1, progress=False)
        assert history.last["step"] == 1 and history.last["tokens"] == 28
        found.append((history.last["loss"], gradients(model)))
    for loss, gradient in found[1:]:
        assert loss == pytest.approx(found[0][0], rel=1e-12)
        np.testing.assert_allclose(gradient, found[0][1], rtol=1e-10, atol=1e-14)


def test_an_epoch_ends_with_an_update_though_accumulation_is_not_full() -> None:
    trainer = trainer_of(linear(), accumulate=3)
    assert trainer.fit(linear_data(), epochs=2, progress=False).last["step"] == 4  # 4 batches: 3 + 1, twice


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_ragged_batch_is_its_sequences_one_by_one(kind: Any) -> None:
    rng = np.random.default_rng(3)
    sequences = [rng.normal(size=(length, 2)) for length in (6, 1, 4, 3)]
    targets = [rng.integers(0, 5, len(sequence)) for sequence in sequences]
    model = nn.Sequential(kind(2, 4, dtype=np.float64, rng=0), nn.Linear(4, 5, dtype=np.float64, rng=1))
    loss = nn.CrossEntropyLoss()
    trainer = train.Trainer(model, loss, optim.SGD(model.parameters(), lr=0.0))
    together = trainer.fit(data.RaggedBatches(sequences, targets, 4), epochs=1, progress=False).last["loss"]
    batched = gradients(model)
    model.zero_grad()
    total = 0.0
    for sequence, target in zip(sequences, targets, strict=True):
        (y, _), backprop = model(sequence[None])
        one, loss_backprop = nn.CrossEntropyLoss(reduction="sum")(y, target[None])
        total += float(one)
        backprop(loss_backprop(1 / 14))
    assert together == pytest.approx(total / 14, rel=1e-12)
    np.testing.assert_allclose(batched, gradients(model), rtol=1e-10, atol=1e-14)


def test_padding_is_never_looked_at() -> None:
    """Garbage in padded places changes no bit of the loss or of the gradients."""
    rng = np.random.default_rng(3)
    x, y, lengths = rng.normal(size=(3, 6, 2)), rng.normal(size=(3, 6, 1)), np.array([6, 2, 4])
    found = []
    for garbage in (0.0, np.nan):
        padding = np.arange(6) >= lengths[:, None]
        x[padding], y[padding] = garbage, garbage
        model = nn.Sequential(
            nn.LSTM(2, 4, dtype=np.float64, rng=0), nn.Linear(4, 1, dtype=np.float64, rng=1)
        )
        history = trainer_of(model, lr=0.0).fit(
            data.ArrayDataset((x, y), 3, shuffle=False, lengths=lengths), epochs=1, progress=False
        )
        found.append((history.last["loss"], gradients(model).tobytes()))
    assert found[0] == found[1]


def test_clipping_by_norm_and_by_value() -> None:
    for options, bound in (({"clip_norm": 0.01}, 0.01), ({"clip_value": 0.003}, 0.006)):
        model = linear()
        before = [parameter.data.copy() for parameter in model.parameters()]
        history = trainer_of(model, lr=1.0, **options).fit(
            linear_data(), steps=1, log_every=1, progress=False
        )
        moved = [a.data - b for a, b in zip(model.parameters(), before, strict=True)]
        assert np.sqrt(sum((part**2).sum() for part in moved)) == pytest.approx(bound, rel=1e-3)
        assert ("grad_norm" in history.last) == ("clip_norm" in options)


def test_seed_alone_decides_what_dropout_drops() -> None:
    def run(model_seed: int, seed: int | None) -> bytes:
        model = nn.Sequential(nn.Dropout(0.5, rng=model_seed), linear())
        trainer_of(model, seed=seed).fit(linear_data(), epochs=1, progress=False)
        return weights(model)

    assert run(1, 5) == run(2, 5) != run(1, 6)
    assert run(1, None) != run(2, None)


# ---- weights ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [None, np.array([3, 1, 3, 2, 0, 3])], ids=["whole", "ragged"])
@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), nn.CrossEntropyLoss(reduction="sum")], ids=repr)
def test_weights_of_rows_reach_loss_metrics_and_counts(lengths: Any, loss: nn.Loss) -> None:
    """As if they had been written at every step; in batches of 3 rows of 3 steps, where a mix-up fits."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(6, 3, 2)), rng.integers(0, 4, (6, 3))
    y[0, 0] = -100  # ignored
    rows = np.array([1.0, 0.0, 2.0, 0.5, 3.0, 0.25])
    seen: list[tuple[int, ...]] = []

    def shape_of(prediction: Any, target: Any, weight: Any) -> float:
        seen.append(weight.shape)
        return 0.0

    results = []
    for weight in (rows, np.repeat(rows, 3).reshape(6, 3)):
        model = nn.Linear(2, 4, dtype=np.float64, rng=0)
        source = data.ArrayDataset((x, y), 3, shuffle=False, weight=weight, lengths=lengths)
        metrics = {"accuracy": train.accuracy, "shape": shape_of}
        trainer = train.Trainer(model, loss, optim.SGD(model.parameters(), lr=0.1), metrics=metrics)
        history = trainer.fit(source, epochs=2, validation=source, progress=False)
        results.append((weights(model), history.last["loss"], history.last["validation_accuracy"]))
    assert results[0] == results[1]
    assert set(seen) == {(3, 3)}


def test_accuracy_of_weighted_rows() -> None:
    scores = np.eye(3)[None] * np.ones((3, 1, 1))  # every step of every row says its own number
    target = np.array([[0, 1, 2], [0, 0, 0], [1, 2, 0]])  # 3, 1 and 0 of 3 right
    assert train.accuracy(scores, target) == pytest.approx(4 / 9)
    assert train.accuracy(scores, target, np.array([2.0, 1.0, 1.0])) == pytest.approx((2 * 3 + 1) / 12)
    assert train.accuracy(scores, target, np.zeros(3)) == 0
    with pytest.raises(ValueError, match=r"accuracy: weight must be a number or of shape \(3,\) or \(3, 3\)"):
        train.accuracy(scores, target, np.ones((3, 1)))
    with pytest.raises(ValueError, match=r"accuracy: target must be \(...\) = \(3, 3\), got \(3,\)"):
        train.accuracy(scores, target[0])


# ---- no more than that --------------------------------------------------------------------------------


def test_no_needless_work_in_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """One update call a parameter and step; nothing is measured or drawn that was not asked for."""
    calls: list[str] = []
    original: Callable[..., Any] = optim.SGD._update

    def counted(self: Any, *arguments: Any) -> None:
        calls.append("update")
        original(self, *arguments)

    monkeypatch.setattr(optim.SGD, "_update", counted)
    trainer_of(linear()).fit(linear_data(), steps=10, progress=False)
    assert len(calls) == 10 * 2
