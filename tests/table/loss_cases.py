"""The losses: how each is made, its target, and its value element by element in a line of NumPy."""

from __future__ import annotations

import numpy as np

from weftnn import nn

RNG = np.random.default_rng(0)
P = RNG.normal(0, 2, (4, 3, 5))
T = RNG.normal(0, 2, (4, 3, 5))
BITS = RNG.uniform(0, 1, (4, 3, 5))
SHARES = RNG.dirichlet(np.ones(5), (4, 3))
LOG_SHARES = np.log(SHARES)
CLASSES = RNG.integers(0, 5, (4, 3))
CLASSES[0, 1] = CLASSES[3, 2] = -100
WEIGHT = RNG.uniform(0.1, 2, (4, 3))
WEIGHT[2] = 0


def log_softmax(p):
    return p - p.max(-1, keepdims=True) - np.log(np.exp(p - p.max(-1, keepdims=True)).sum(-1, keepdims=True))


def picked(p, t, smoothing=0.0):
    log_p = log_softmax(p)
    right = np.take_along_axis(log_p, np.where(t < 0, 0, t)[..., None], -1)[..., 0]
    return np.where(t == -100, 0.0, -(1 - smoothing) * right - smoothing * log_p.mean(-1))


def huber(p, t, delta):
    d = abs(p - t)
    return np.where(d <= delta, d**2 / 2, delta * (d - delta / 2))


def binary(p, t, a=1.0):
    q = 1 / (1 + np.exp(-p))
    return -(a * t * np.log(q) + (1 - t) * np.log(1 - q))


# name: how to make the loss, its target, its value element by element
LOSSES = {
    "mse": (nn.MSELoss, T, lambda p, t: (p - t) ** 2),
    "l1": (nn.L1Loss, T, lambda p, t: abs(p - t)),
    "huber": (nn.HuberLoss, T, lambda p, t: huber(p, t, 1.0)),
    "huber, delta": (lambda **o: nn.HuberLoss(2.5, **o), T, lambda p, t: huber(p, t, 2.5)),
    "bce": (nn.BCEWithLogitsLoss, BITS, binary),
    "bce, one weight": (lambda **o: nn.BCEWithLogitsLoss(3.0, **o), BITS, lambda p, t: binary(p, t, 3.0)),
    "bce, weights": (
        lambda **o: nn.BCEWithLogitsLoss([1.0, 2.0, 0.0, 0.5, 3.0], **o),
        BITS,
        lambda p, t: binary(p, t, np.array([1.0, 2.0, 0.0, 0.5, 3.0])),
    ),
    "kl": (nn.KLDivLoss, SHARES, lambda p, t: t * (np.log(t) - p)),
    "kl, log target": (
        lambda **o: nn.KLDivLoss(log_target=True, **o),
        LOG_SHARES,
        lambda p, t: np.exp(t) * (t - p),
    ),
    "cross-entropy": (nn.CrossEntropyLoss, CLASSES, picked),
    "cross-entropy, smooth": (
        lambda **o: nn.CrossEntropyLoss(label_smoothing=0.2, **o),
        CLASSES,
        lambda p, t: picked(p, t, 0.2),
    ),
}
