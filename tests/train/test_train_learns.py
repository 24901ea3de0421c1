"""Training end to end: each cell learns what can only be learned by remembering."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import weftnn
from weftnn import data, nn, optim, train


def adding_problem(rows: int, steps: int, seed: int) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """(x[N,T,2], y[N,T,1]), weight[N,T]: a number a step, two of them marked; their sum is asked at the end.

    Hochreiter and Schmidhuber, "Long short-term memory", 1997. The error of one that remembers neither
    number is at least 1/6; of one that remembers one of them, 1/12.
    """
    rng = np.random.default_rng(seed)
    row = np.arange(rows)
    first, second = rng.integers(0, steps // 2, rows), rng.integers(steps // 2, steps, rows)
    x = np.zeros((rows, steps, 2), np.float32)
    x[..., 0] = rng.random((rows, steps))
    x[row, first, 1] = x[row, second, 1] = 1
    y = np.zeros((rows, steps, 1), np.float32)
    y[:, -1, 0] = x[row, first, 0] + x[row, second, 0]
    weight = np.zeros((rows, steps), np.float32)
    weight[:, -1] = 1
    return (x, y), weight


@pytest.mark.parametrize(("cell", "steps"), [(nn.RNN, 1500), (nn.LSTM, 800), (nn.GRU, 400)])
def test_adding_problem(cell: Any, steps: int) -> None:
    weftnn.set_num_threads(1)
    model = nn.Sequential(cell(2, 32, rng=0), nn.Linear(32, 1, rng=1))
    trainer = train.Trainer(
        model,
        nn.MSELoss(),
        optim.Adam(model.parameters(), lr=5e-3),
        schedule=optim.CosineLR(total_steps=steps),
        clip_norm=1.0,
    )
    arrays, weight = adding_problem(4096, 12, seed=0)
    held_out, held_out_weight = adding_problem(512, 12, seed=1)
    trainer.fit(data.ArrayDataset(arrays, 64, weight=weight), steps=steps, progress=False)
    loss = trainer.evaluate(data.ArrayDataset(held_out, 512, weight=held_out_weight))["loss"]
    assert loss < 0.04


def echo_stream(steps: int, delay: int) -> data.DataSource:
    """Streams of random bits; the target is the bit of `delay` steps ago."""
    bits = np.random.default_rng(0).integers(0, 2, (32, steps))
    x = np.float32(2 * bits - 1)[..., None]
    y = np.concatenate([np.full((32, delay), -100), bits[:, :-delay]], axis=1)

    class Echo:
        def __len__(self) -> int:
            return steps // 20

        def batches(self, epoch: int) -> Any:
            for start in range(0, steps, 20):
                yield data.Batch(x[:, start : start + 20], y[:, start : start + 20], continues=start > 0)

    return Echo()


def test_truncated_gradients_teach_what_lies_further_back_than_a_segment() -> None:
    """An echo after 5 steps, learned in segments of 2: k2 = 8 reaches it, k2 = 2 does not."""
    weftnn.set_num_threads(1)
    accuracy = {}
    for k2 in (2, 8):
        model = nn.Sequential(nn.GRU(1, 24, rng=0), nn.Linear(24, 2, rng=1))
        trainer = train.Trainer(
            model,
            nn.CrossEntropyLoss(),
            optim.Adam(model.parameters(), lr=1e-2),
            tbptt=(2, k2),
            metrics={"accuracy": train.accuracy},
        )
        source = echo_stream(1200, delay=5)
        trainer.fit(source, epochs=1, progress=False)
        accuracy[k2] = trainer.evaluate(source)["accuracy"]
    assert accuracy[8] > 0.95 > 0.8 > accuracy[2]
