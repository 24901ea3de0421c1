"""The smallest training: a line through points."""

from __future__ import annotations

from typing import Any

import numpy as np

from weftnn import data, nn, optim, train


def linear_data(rows: int = 64, batch_size: int = 16, **options: Any) -> data.ArrayDataset:
    x = np.random.default_rng(0).normal(size=(rows, 3))
    return data.ArrayDataset((x, x @ np.array([[1.0], [-2.0], [0.5]]) + 0.3), batch_size, **options)


def linear() -> nn.Linear:
    return nn.Linear(3, 1, dtype=np.float64, rng=0)


def trainer_of(model: Any, lr: float = 0.1, **options: Any) -> train.Trainer:
    return train.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=lr), **options)


def weights(model: Any) -> bytes:
    return b"".join(parameter.data.tobytes() for parameter in model.parameters())


def gradients(model: Any) -> np.ndarray:
    return np.concatenate([parameter.grad.ravel() for parameter in model.parameters()])
