"""What every op of weft means, in plain NumPy, one step and row at a time: nothing shared with the kernels.

Every function takes complex arrays too: with an input moved by ih along the imaginary axis, the imaginary
part of the result divided by h is the derivative without cancellation (Squire and Trapp, 1998). So these few
lines are at once the specification of forward and, through gradcheck.py, of backward to 1e-15.

Shapes: T time, B batch, I input, H hidden, P projection, V vocabulary, D features.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any  # real or complex NumPy arrays

TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)


# ---- activations -------------------------------------------------------------------------------------------


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def tanh(x: Array) -> Array:
    return np.tanh(x)


def relu(x: Array) -> Array:
    return np.where(x.real > 0, x, 0)


def silu(x: Array) -> Array:
    return x * sigmoid(x)


def erf(x: Array) -> Array:
    """math.erf, with its first-order continuation off the real axis."""
    value = np.vectorize(math.erf, otypes=[float])(x.real)
    return value + 1j * x.imag * TWO_OVER_SQRT_PI * np.exp(-(x.real**2)) if np.iscomplexobj(x) else value


def erfc(x: Array) -> Array:
    """math.erfc, likewise: 1 - erf(x) would lose every digit of the left tail."""
    value = np.vectorize(math.erfc, otypes=[float])(x.real)
    return value - 1j * x.imag * TWO_OVER_SQRT_PI * np.exp(-(x.real**2)) if np.iscomplexobj(x) else value


def gelu(x: Array, approximate: str = "none") -> Array:
    """x Phi(x), or its tanh approximation, written as x sigmoid(2u) = x (1 + tanh u) / 2."""
    if approximate == "tanh":
        return x * sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
    return x * erfc(-x / math.sqrt(2)) / 2


def swiglu(x: Array) -> Array:
    a, b = np.split(x, 2, axis=-1)
    return silu(a) * b


def rotary(x: Array, cos: Array, sin: Array, interleaved: bool = False) -> Array:
    pairs = cos.shape[-1]
    a, b = (
        (slice(0, 2 * pairs, 2), slice(1, 2 * pairs, 2))
        if interleaved
        else (slice(pairs), slice(pairs, 2 * pairs))
    )
    cos, sin = (table[:, None] if table.ndim == 3 else table for table in (cos, sin))
    y = x.copy()
    y[..., a], y[..., b] = x[..., a] * cos - x[..., b] * sin, x[..., b] * cos + x[..., a] * sin
    return y


# ---- recurrent cells ---------------------------------------------------------------------------------------


def unroll(
    step: Callable[..., tuple[Array, ...]],
    x: Array,
    states: list[Array],
    *,
    lengths: Array = None,
    resets: Array = None,
    reverse: bool = False,
    recurrent_dropout_mask: Array = None,
    zoneout_mask: Array = None,
) -> tuple[Array, ...]:
    """y[b, t] is the h computed at time t; states = (h[B,P or H], ...) go in as first, come out as last ones.

    step(x_t, mask, h, ...) -> (h, ...), where mask multiplies h only on its way into the recurrent product.
    """
    y = np.zeros((*x.shape[:2], states[0].shape[1]), states[0].dtype)
    for b in range(x.shape[0]):
        valid = range(x.shape[1] if lengths is None else lengths[b])
        for t in reversed(valid) if reverse else valid:
            fresh = resets is not None and resets[b, t]
            before = [np.zeros_like(s[b]) if fresh else s[b].copy() for s in states]
            mask = 1.0 if recurrent_dropout_mask is None else recurrent_dropout_mask[b]
            after = list(step(x[b, t], mask[t] if np.ndim(mask) == 2 else mask, *before))
            if zoneout_mask is not None:
                m = zoneout_mask[b, t].astype(np.float64)
                after[0] = m * before[0] + (1 - m) * after[0]
            for state, value in zip(states, after, strict=True):
                state[b] = value
            y[b, t] = after[0]
    return (y, *states)


def initial_state(given: Array, batch: int, size: int, *operands: Array) -> Array:
    dtype = np.result_type(*(a for a in (*operands, given) if a is not None))
    return np.zeros((batch, size), dtype) if given is None else given.astype(dtype)


def rnn(
    x: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array = None,
    b_hh: Array = None,
    *,
    h0: Array = None,
    nonlinearity: str = "tanh",
    **sequence: Any,
) -> tuple[Array, ...]:
    """h = f(W x + b_ih + U h + b_hh)"""
    activation = {"tanh": np.tanh, "relu": relu}[nonlinearity]
    bias = sum(b for b in (b_ih, b_hh) if b is not None)

    def step(x_t: Array, mask: Array, h: Array) -> tuple[Array, ...]:
        return (activation(w_ih @ x_t + w_hh @ (mask * h) + bias),)

    h = initial_state(h0, len(x), w_hh.shape[1], x, w_ih, w_hh, b_ih, b_hh)
    return unroll(step, x, [h], **sequence)


def lstm(
    x: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array = None,
    b_hh: Array = None,
    *,
    h0: Array = None,
    c0: Array = None,
    w_peephole: Array = None,
    w_proj: Array = None,
    coupled: bool = False,
    **sequence: Any,
) -> tuple[Array, ...]:
    """c = f c + i tanh(g), h = W_proj (o tanh(c)); peepholes: i and f see the old c, o sees the new one."""
    hidden = len(w_ih) // (3 if coupled else 4)
    bias = sum(b for b in (b_ih, b_hh) if b is not None)
    peephole = np.zeros((3, hidden)) if w_peephole is None else w_peephole

    def step(x_t: Array, mask: Array, h: Array, c: Array) -> tuple[Array, ...]:
        gates = (w_ih @ x_t + w_hh @ (mask * h) + bias).reshape(-1, hidden)
        i = sigmoid(gates[0] + peephole[0] * c)
        f = 1 - i if coupled else sigmoid(gates[1] + peephole[1] * c)
        c = f * c + i * np.tanh(gates[-2])
        h = sigmoid(gates[-1] + peephole[2] * c) * np.tanh(c)
        return h if w_proj is None else w_proj @ h, c

    operands = (x, w_ih, w_hh, b_ih, b_hh, w_peephole, w_proj, h0, c0)
    h = initial_state(h0, len(x), w_hh.shape[1], *operands)
    return unroll(step, x, [h, initial_state(c0, len(x), hidden, *operands)], **sequence)


def gru(
    x: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array = None,
    b_hh: Array = None,
    *,
    h0: Array = None,
    reset_after: bool = True,
    **sequence: Any,
) -> tuple[Array, ...]:
    """h = (1 - z) n + z h, where r multiplies U_n h + b_hn (reset_after), or h before the product."""
    hidden = w_hh.shape[1]
    b_x = np.zeros((3, hidden)) if b_ih is None else b_ih.reshape(3, hidden)
    b_h = np.zeros((3, hidden)) if b_hh is None else b_hh.reshape(3, hidden)
    w_r, w_z, w_n = w_ih.reshape(3, hidden, -1)
    u_r, u_z, u_n = w_hh.reshape(3, hidden, hidden)

    def step(x_t: Array, mask: Array, h: Array) -> tuple[Array, ...]:
        r = sigmoid(w_r @ x_t + b_x[0] + u_r @ (mask * h) + b_h[0])
        z = sigmoid(w_z @ x_t + b_x[1] + u_z @ (mask * h) + b_h[1])
        recurrent = r * (u_n @ (mask * h) + b_h[2]) if reset_after else u_n @ (r * (mask * h)) + b_h[2]
        n = np.tanh(w_n @ x_t + b_x[2] + recurrent)
        return ((1 - z) * n + z * h,)

    h = initial_state(h0, len(x), hidden, x, w_ih, w_hh, b_ih, b_hh)
    return unroll(step, x, [h], **sequence)


# ---- the other layers' ops ---------------------------------------------------------------------------------


def linear(x: Array, weight: Array, bias: Array = None) -> Array:
    y = np.einsum("...i,oi->...o", x, weight)
    return y if bias is None else y + bias


def embedding(indices: Array, weight: Array, *, padding_idx: int | None = None) -> Array:
    """padding_idx only stops the gradient: the row is read like any other."""
    if padding_idx is not None:
        row = np.arange(len(weight))[:, None]
        weight = np.where(row == padding_idx % len(weight), weight.real, weight)
    return weight[indices]


def layer_norm(x: Array, weight: Array = None, bias: Array = None, *, eps: float = 1e-5) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    y = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def softmax_cross_entropy(
    logits: Array,
    targets: Array,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    weight: Array = None,
    reduction: str = "mean",
) -> Array:
    """-sum_v q_v log p_v: q is the target's one-hot vector mixed with label_smoothing of the uniform one."""
    vocabulary = logits.shape[-1]
    counted = np.where(targets == ignore_index, 0.0, 1.0 if weight is None else weight)
    shifted = np.where(targets[..., None] == ignore_index, 0.0, logits - logits.real.max(-1, keepdims=True))
    log_p = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    q = (targets[..., None] == np.arange(vocabulary)) * (1 - label_smoothing) + label_smoothing / vocabulary
    loss = np.where(counted == 0, 0.0, counted * -(q * log_p).sum(-1))
    if reduction == "none":
        return loss
    return loss.sum() / (counted.sum() or 1.0) if reduction == "mean" else loss.sum()
