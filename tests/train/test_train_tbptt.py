"""Truncated BPTT against full BPTT and against a computation by hand; the carried state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from weftnn import data, nn, optim, train
from weftnn.train.tbptt import cut

B, I, H, O = 3, 2, 4, 2


class Batches:
    """A data source that gives the same list in each epoch."""

    def __init__(self, *batches: data.Batch) -> None:
        self._list = batches

    def __len__(self) -> int:
        return len(self._list)

    def batches(self, epoch: int) -> Any:
        return iter(self._list)


def build(kind: str, seed: int = 0) -> nn.Sequential:
    layer = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[kind]
    return nn.Sequential(
        layer(I, H, dtype=np.float64, rng=seed), nn.Linear(H, O, dtype=np.float64, rng=seed + 1)
    )


def stream(steps: int, parts: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray, Batches]:
    """x, y of one long sequence, and the same as batches that continue each other."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(B, steps, I)), rng.normal(size=(B, steps, O))
    pieces = zip(np.array_split(x, parts, axis=1), np.array_split(y, parts, axis=1), strict=True)
    return x, y, Batches(*(data.Batch(a, b, continues=n > 0) for n, (a, b) in enumerate(pieces)))


def gradients(trainer: train.Trainer) -> np.ndarray:
    return np.concatenate([parameter.grad.ravel() for parameter in trainer.model.parameters()])


def gradients_by_update(source: Any, model: Any, *, lr: float = 0.0, **options: Any) -> list[np.ndarray]:
    seen: list[np.ndarray] = []
    trainer = train.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=lr), **options)
    trainer.fit(
        source,
        epochs=1,
        log_every=1,
        callbacks=[lambda trainer, record: seen.append(gradients(trainer))],
        progress=False,
    )
    return seen


def state_list(state: Any) -> list[np.ndarray]:
    return [array for part in state for array in (part if isinstance(part, tuple) else (part,))]


def by_hand(model: Any, x: np.ndarray, y: np.ndarray, ends: list[int], k2: list[int], lr: float) -> list[Any]:
    """Each segment's gradient, from one call over its window with dy zero outside it, then an SGD step.

    The state is recomputed step by step, so that the state before any step is at hand.
    """
    before: dict[int, Any] = {0: None}
    found = []
    begin = 0
    for end, reach in zip(ends, k2, strict=True):
        first = max(0, begin - reach)
        state = before[first]
        for step in range(first, end):
            _, state = model.predict(x[:, step : step + 1], state)
            before[step + 1] = state
        for parameter in model.parameters():
            parameter.zero_grad()
        (prediction, _), backprop = model(x[:, first:end], before[first])
        _, loss_backprop = nn.MSELoss()(prediction[:, begin - first :], y[:, begin:end])
        dy = np.zeros_like(prediction)
        dy[:, begin - first :] = loss_backprop()
        backprop(dy)
        found.append(np.concatenate([parameter.grad.ravel() for parameter in model.parameters()]))
        for parameter in model.parameters():
            parameter.data[...] -= lr * parameter.grad
        begin = end
    return found


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("k", [11, 50, (11, 11), (11, 30)])
def test_equals_full_bptt_when_k_covers_the_sequence(kind: str, k: Any) -> None:
    x, y, source = stream(11, 1)
    (truncated,) = gradients_by_update(source, build(kind), tbptt=k)
    model = build(kind)
    (prediction, _), backprop = model(x)
    _, loss_backprop = nn.MSELoss()(prediction, y)
    backprop(loss_backprop())
    full = np.concatenate([parameter.grad.ravel() for parameter in model.parameters()])
    np.testing.assert_allclose(truncated, full, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("lr", [0.0, 0.5])
@pytest.mark.parametrize("k", [(4, 4), (3, 6), (2, 5), (5, 7), (1, 6), (4, 100)])
def test_equals_truncation_by_hand(kind: str, lr: float, k: tuple[int, int]) -> None:
    """22 steps in two batches of 11: the segments end with the batches, the gradients reach across them."""
    k1, k2 = k
    x, y, source = stream(22, 2)
    found = gradients_by_update(source, build(kind), lr=lr, tbptt=k)
    ends = [min(start + k1, base + 11) for base in (0, 11) for start in range(base, base + 11, k1)]
    expected = by_hand(build(kind), x, y, ends, [k2 - k1] * len(ends), lr)
    assert len(found) == len(expected) == len(ends)
    for got, want in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-13)


def test_reach_matters() -> None:
    """The test above can tell k2 = 4 from k2 = 8."""
    _, _, source = stream(22, 2)
    short, long = (gradients_by_update(source, build("gru"), tbptt=(4, k2)) for k2 in (4, 8))
    assert np.allclose(short[0], long[0]) and not np.allclose(short[1], long[1], rtol=1e-3)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("options", [{}, {"tbptt": 3}, {"tbptt": (3, 7)}, {"carry_state": True}])
def test_carried_state_equals_one_long_pass(kind: str, options: dict[str, Any]) -> None:
    x, _, source = stream(20, 4)
    model = build(kind)
    trainer = train.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.0), **options)
    trainer.fit(source, epochs=1, progress=False)
    _, state = model.predict(x)
    if trainer.unroll.kept:  # the trainer holds the state before its context
        context = np.concatenate([chunk.x for chunk in trainer.unroll.kept], axis=1)
        assert (context == x[:, -context.shape[1] :]).all()
        _, carried = model.predict(context, trainer.unroll.start)
    else:
        carried = trainer.unroll.start
    for got, want in zip(state_list(carried), state_list(state), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)


def test_carry_state_is_told_or_follows_the_batches() -> None:
    x, y, source = stream(20, 2)
    apart = Batches(*(data.Batch(batch.x, batch.y) for batch in source.batches(0)))
    losses = {}
    for name, batches, carry in (
        ("follows", source, None),
        ("always", apart, True),
        ("apart", apart, None),
        ("never", source, False),
    ):
        model = build("gru")
        trainer = train.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.0), carry_state=carry)
        losses[name] = trainer.evaluate(batches)["loss"]
        history = trainer.fit(batches, epochs=1, progress=False)
        assert history["loss"][0] == pytest.approx(losses[name], rel=1e-12)
    assert losses["follows"] == losses["always"] != losses["apart"] == losses["never"]
    whole = nn.MSELoss().predict(build("gru").predict(x)[0], y)
    assert losses["follows"] == pytest.approx(whole, rel=1e-12)


def test_state_starts_afresh_each_epoch() -> None:
    _, _, source = stream(20, 2)
    model = build("lstm")
    trainer = train.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.0), tbptt=(5, 10))
    history = trainer.fit(source, epochs=2, progress=False)
    first, second = history["loss"]
    assert first == second


@pytest.mark.parametrize("k", [(3, 3), (3, 8), (2, 5)])
def test_ragged_and_reset_sequences_are_cut_rightly(k: tuple[int, int]) -> None:
    """Rows that end, and documents that begin, in mid-segment: each piece equals what one long call gives."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(B, 10, I)), rng.normal(size=(B, 10, O))
    lengths = np.array([10, 4, 7])
    resets = rng.random((B, 10)) < 0.3
    batch = data.Batch(x, y, lengths=lengths, resets=resets)
    model = build("gru")
    whole, last = model.predict(x, lengths=lengths, resets=resets)
    trainer = train.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.0), tbptt=k)
    pieces = [trainer.unroll.forward(segment)[0] for segment in cut(batch, k[0])]
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole, rtol=1e-12, atol=1e-14)
    loss = trainer.evaluate(Batches(batch))["loss"]
    weight = (np.arange(10) < lengths[:, None]).astype(float)
    assert loss == pytest.approx(nn.MSELoss().predict(whole, y, weight), rel=1e-12)
    if k[0] == k[1]:
        np.testing.assert_allclose(
            state_list(trainer.unroll.start)[0], state_list(last)[0], rtol=1e-12, atol=1e-14
        )


def test_pieces_where_every_row_has_ended_are_left_out() -> None:
    batch = data.Batch(np.ones((2, 9, 1)), np.ones((2, 9, 1)), lengths=np.array([2, 5]))
    pieces = list(cut(batch, 3))
    assert [piece.lengths.tolist() for piece in pieces] == [[2, 3], [0, 2]]
    assert [piece.tokens for piece in pieces] == [5, 2]


@pytest.mark.parametrize("k", [None, (2, 5)])
@pytest.mark.parametrize("method", ["forward", "predict"])
def test_a_segment_that_is_refused_leaves_the_carried_state(method: str, k: Any) -> None:
    model = build("gru")
    trainer = train.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.0), tbptt=k)
    x, y, _ = stream(8, 1)
    unroll = trainer.unroll
    unroll.forward(data.Batch(x[:, :4], y[:, :4]))
    before = unroll.state_dict()
    for wrong in (data.Batch(x[:, :, :1], y), data.Batch(x[:2], y[:2], continues=True)):
        with pytest.raises(ValueError, match=r"x must be|must have B = 3 rows"):
            getattr(unroll, method)(wrong)
        arrays, outline = unroll.state_dict()
        assert outline == before[1]
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, before[0][name])


def test_refuses_what_cannot_be_cut() -> None:
    model = build("gru")
    trainer = train.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters()), tbptt=3)
    source = Batches(data.Batch(np.ones((B, 9, I)), np.ones((B, O))))
    with pytest.raises(ValueError, match=r"tbptt needs a target at every step, y\[B,T,...\] with T = 9"):
        trainer.fit(source, epochs=1, progress=False)
    both = nn.GRU(I, H, bidirectional=True, dtype=np.float64, rng=0)
    with pytest.raises(ValueError, match=r"tbptt cuts sequences, .*: GRU reads later steps"):
        train.Trainer(both, nn.MSELoss(), optim.SGD(both.parameters()), tbptt=3)
    _, _, continuing = stream(8, 2)
    wide = nn.Sequential(both, nn.Linear(2 * H, O, dtype=np.float64, rng=0))
    with pytest.raises(
        ValueError, match=r"the state cannot go on from batch to batch: GRU \(at 0\) reads later steps"
    ):
        train.Trainer(wide, nn.MSELoss(), optim.SGD(wide.parameters())).fit(
            continuing, epochs=1, progress=False
        )
    rows = Batches(
        data.Batch(np.ones((B, 4, I)), np.ones((B, 4, O))),
        data.Batch(np.ones((2, 4, I)), np.ones((2, 4, O)), continues=True),
    )
    with pytest.raises(
        ValueError, match="a batch that continues must have B = 3 rows like the one before, got 2"
    ):
        train.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters())).fit(rows, epochs=1, progress=False)


@pytest.mark.parametrize(
    ("k", "error", "message"),
    [
        (0, ValueError, "k1 must be an integer >= 1, got 0"),
        ((4, 2), ValueError, r"tbptt needs k2 >= k1, so that every step is learned from, got \(4, 2\)"),
        ((4, 2, 1), ValueError, r"tbptt must be k or \(k1, k2\)"),
        ("4", TypeError, "k1 must be an integer >= 1, got '4'"),
    ],
)
def test_refuses_bad_k(k: Any, error: type[Exception], message: str) -> None:
    model = build("gru")
    with pytest.raises(error, match=message):
        train.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters()), tbptt=k)
