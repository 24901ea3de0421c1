"""What every optimizer update means: PyTorch's formulas, one parameter, new values returned by name."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


def sgd(
    param: Array,
    grad: Array,
    velocity: Array = None,
    *,
    lr: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    maximize: bool = False,
) -> dict[str, Array]:
    g = (-grad if maximize else grad) + weight_decay * param
    if velocity is None:
        return {"param": param - lr * g}
    velocity = momentum * velocity + (1 - dampening) * g
    return {"param": param - lr * (g + momentum * velocity if nesterov else velocity), "velocity": velocity}


def adam(
    param: Array,
    grad: Array,
    m: Array,
    v: Array,
    *,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    step: int,
    max_v: Array = None,
) -> dict[str, Array]:
    g = grad if decoupled else grad + weight_decay * param
    param = param * (1 - lr * weight_decay) if decoupled else param
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    result = {"m": m, "v": v}
    if max_v is not None:
        result["max_v"] = np.maximum(max_v, v)
    v_hat = result.get("max_v", v) / (1 - beta2**step)
    return {"param": param - lr * m / (1 - beta1**step) / (np.sqrt(v_hat) + eps), **result}


def rmsprop(
    param: Array,
    grad: Array,
    square_avg: Array,
    *,
    lr: float,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    momentum_buffer: Array = None,
    grad_avg: Array = None,
) -> dict[str, Array]:
    g = grad + weight_decay * param
    square_avg = alpha * square_avg + (1 - alpha) * g**2
    result = {"square_avg": square_avg}
    variance = square_avg
    if grad_avg is not None:
        result["grad_avg"] = alpha * grad_avg + (1 - alpha) * g
        variance = square_avg - result["grad_avg"] ** 2
    update = g / (np.sqrt(variance) + eps)
    if momentum_buffer is not None:
        update = result["momentum_buffer"] = momentum * momentum_buffer + update
    return {"param": param - lr * update, **result}


def adagrad(
    param: Array,
    grad: Array,
    state_sum: Array,
    *,
    lr: float,
    eps: float = 1e-10,
    weight_decay: float = 0.0,
    lr_decay: float = 0.0,
    step: int = 1,
) -> dict[str, Array]:
    g = grad + weight_decay * param
    state_sum = state_sum + g**2
    param = param - lr / (1 + (step - 1) * lr_decay) * g / (np.sqrt(state_sum) + eps)
    return {"param": param, "state_sum": state_sum}
