"""Scaled dot-product attention, forward and backward.

    S   = scale q kᵀ
    S   = softcap tanh(S / softcap)     where softcap > 0
    S  += mask (of floats) + bias
    P   = softmax(S)                    over the keys that a query may attend to
    out = dropout(P) v

    dv  = dropout(P)ᵀ dout        dP = dropout(dout vᵀ)        dS    = P (dP - dout . out)
    dk  = scale dSᵀ q             dq = scale dS k              dbias = dS, summed where bias was broadcast
The matrix of scores is never stored: memory grows with T + S, not with T S, forward and backward.

B batch, N query heads, Nk key heads, T queries, S keys, D and E elements of a key and of a value.
Sources: Vaswani et al., "Attention is all you need", 2017; Dao et al., "FlashAttention", 2022; Ainslie et
al., "GQA", 2023 (grouped queries); Beltagy et al., "Longformer", 2020 (windows).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from weftnn import _core
from weftnn.ops.arrays import (
    Array,
    refuse_masked,
    require_array,
    require_gradients,
    require_saved,
    require_shape,
)
from weftnn.ops.bindings import checked_names
from weftnn.ops.dropout import counter
from weftnn.ops.scalars import require_integers, require_numbers
from weftnn.ragged import check_lengths

Causal = bool | Literal["top_left", "bottom_right"]

# What sdpa_forward gives the kernels, in order.
_ARGUMENTS = (
    "q",
    "k",
    "v",
    "bool_mask",
    "float_mask",
    "bias",
    "kv_lengths",
    "scale",
    "softcap",
    "from_end",
    "left",
    "right",
    "dropout",
    "seed",
    "offset",
)
_forward = checked_names(_core.sdpa_forward, sdpa_arguments=_ARGUMENTS)


class SDPAGrads(NamedTuple):
    """Gradients in the order of the forward's arguments; dbias is None where there was no bias."""

    dq: Array
    dk: Array
    dv: Array
    dbias: Array | None


class SDPASaved(NamedTuple):
    """What `sdpa_backward` needs: the forward's arrays (not copied), its result, and two numbers a query."""

    kernel: _core.AttentionSaved
    shapes: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]  # of q, k, v, out
    dtype: np.dtype[Any]
    bias_shape: tuple[int, ...] | None


def sdpa_forward(
    q: Array,
    k: Array,
    v: Array,
    *,
    mask: Array | None = None,
    causal: Causal = False,
    window: tuple[int, int] | None = None,
    scale: float | None = None,
    softcap: float = 0.0,
    dropout: float = 0.0,
    seed: int | None = None,
    offset: int = 0,
    kv_lengths: Array | Sequence[int] | None = None,
    bias: Array | None = None,
    return_weights: bool | Literal["mean"] = False,
    return_logsumexp: bool = False,
    training: bool = True,
) -> tuple[Any, ...]:
    """Attention of queries over keys and values: (out[B,N,T,E], saved), then what was asked for.

    Args:
        q: [B, N, T, D], float32 or float64; all arrays share its dtype. The last axis contiguous, others of
            any stride: [B, T, N, D].swapaxes(1, 2) costs no copy, and results lie in memory likewise.
        k, v: [B, Nk, S, D] and [B, Nk, S, E]; Nk divides N, and each key head serves N / Nk query heads.
        mask: broadcasts to [B, N, T, S]. Of bool: True means attend. Of floats: added to the scores.
        causal: a query attends to no key after its own position. True and "top_left" put query t at key t,
            "bottom_right" the last query at the last key (of the row, with kv_lengths): at key t + S - T.
        window: (left, right), how many keys before and after its own position a query attends to; -1 is all.
        scale: of the products; None is 1 / sqrt(D).
        softcap: scores become softcap tanh(score / softcap) before masks and bias; 0 is none.
        dropout: probability to drop a weight, in [0, 1). It needs a seed.
        seed, offset: of the random numbers, as in `dropout_forward`: element e is that of [B, N, T, S].
        kv_lengths: [B] integers in [0, S]; keys and values from there on are never read.
        bias: broadcasts to [B, N, T, S], added to the scores; it has a gradient.
        return_weights: True appends dropout(P)[B,N,T,S], "mean" its mean over the heads [B,T,S].
        return_logsumexp: appends log(sum over keys of exp(S)) [B,N,T].
        training: False saves nothing, and gives None for saved.

    A query with nothing to attend to gets zeros, a logsumexp of -inf, and zero gradients. Keys and values
    that no query attends to have no effect, even if they are NaN.

    Raises:
        ValueError: a shape or value does not fit; the message names the argument, what it must be and is.
        TypeError: an array has another dtype.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> q = k = np.zeros((1, 1, 3, 2))
        >>> out, saved = ops.sdpa_forward(q, k, np.arange(3.0).reshape(1, 1, 3, 1), causal=True)
        >>> out[0, 0, :, 0]                  # equal scores: the mean of the values so far
        array([0. , 0.5, 1. ])
        >>> ops.sdpa_backward(saved, np.ones((1, 1, 3, 1))).dv[0, 0, :, 0].round(2)
        array([1.83, 0.83, 0.33])
    """
    operation = "sdpa_forward"
    require_array(operation, "q", q, "(B, N, T, D)")
    if q.dtype not in (np.float32, np.float64):
        raise TypeError(f"{operation}: q must be a float32 or float64 array, got {q.dtype}")
    require_array(operation, "k", k, "(B, Nk, S, D)")
    require_array(operation, "v", v, "(B, Nk, S, E)")
    scores = (*q.shape[:3], k.shape[2])
    bool_mask = float_mask = None
    if mask is not None:
        full = _broadcast(operation, "mask", mask, scores)
        if full.dtype == bool:
            bool_mask = full
        elif full.dtype == q.dtype:
            float_mask = full
        else:
            raise TypeError(f"{operation}: mask must have dtype bool or {q.dtype}, got {full.dtype}")
    if kv_lengths is not None:
        kv_lengths = check_lengths(operation, kv_lengths, len(k), k.shape[2], name="kv_lengths", axis="S")
    full_bias = None
    if bias is not None:
        full_bias = _broadcast(operation, "bias", bias, scores)
        if full_bias.dtype != q.dtype:
            raise TypeError(f"{operation}: bias must have dtype {q.dtype}, got {full_bias.dtype}")
    if causal not in (False, True, "top_left", "bottom_right"):
        raise ValueError(
            f"{operation}: causal must be False, True, 'top_left' or 'bottom_right', got {causal!r}"
        )
    left, right = (-1, -1) if window is None else _window(operation, window)
    if causal:
        right = 0
    if dropout and seed is None:
        raise ValueError(f"{operation}: seed must be an int where dropout > 0, got None")
    if return_weights not in (False, True, "mean"):
        raise ValueError(f"{operation}: return_weights must be False, True or 'mean', got {return_weights!r}")
    if scale is None:
        scale = 1 / math.sqrt(q.shape[3]) if q.shape[3] else 1.0
    try:
        out, normalizer, kernel = _forward(
            q,
            k,
            v,
            bool_mask,
            float_mask,
            full_bias,
            kv_lengths,
            scale,
            softcap,
            causal == "bottom_right",
            left,
            right,
            dropout,
            0 if seed is None else counter(operation, "seed", seed),
            counter(operation, "offset", offset),
        )
    except (TypeError, RuntimeError):
        require_numbers(operation, scale=scale, softcap=softcap, dropout=dropout)
        raise
    saved = None
    if training:
        shapes = (q.shape, k.shape, v.shape, out.shape)
        saved = SDPASaved(kernel, shapes, q.dtype, None if bias is None else bias.shape)
    asked: tuple[Any, ...] = ()
    if return_weights:
        weights = kernel.weights(return_weights == "mean")
        asked += (weights[:, 0] if return_weights == "mean" else weights,)
    if return_logsumexp:
        asked += (_logsumexp(normalizer),)
    return (out, saved, *asked)


def sdpa_backward(
    saved: SDPASaved | None, dout: Array, *, out: SDPAGrads | None = None, need_dbias: bool = True
) -> SDPAGrads:
    """Gradients of `sdpa_forward`, given dL/dout[B,N,T,E].

    Args:
        saved: what forward returned; it may be used again, and the forward's arrays must be unchanged.
        dout: as out, of any strides but the last axis contiguous.
        out: arrays of the shapes of q, k and v into which dq, dk and dv are written, such as views of one
            array; they may not overlap each other or anything else.
        need_dbias: False skips dbias, which takes another pass over the scores, and gives None for it.

    Raises:
        ValueError, TypeError: an array does not fit.
    """
    operation = "sdpa_backward"
    require_saved(operation, "sdpa_forward", saved, SDPASaved)
    assert saved is not None
    require_shape(operation, "dout", dout, "(B, N, T, E)", saved.shapes[3])
    given: tuple[Array | None, ...] = (None, None, None)
    require_gradients(operation, "out", out, SDPAGrads)
    if out is not None:
        given = out[:3]
        names = (("out.dq", "(B, N, T, D)"), ("out.dk", "(B, Nk, S, D)"), ("out.dv", "(B, Nk, S, E)"))
        for array, shape, (name, axes) in zip(given, saved.shapes[:3], names, strict=True):
            require_shape(operation, name, array, axes, shape)
    dq, dk, dv = saved.kernel.backward(dout, *given)
    dbias = None
    if saved.bias_shape is not None and need_dbias:
        dbias = np.zeros(saved.bias_shape, saved.dtype)
        lead = (1,) * (4 - dbias.ndim)
        saved.kernel.add_bias_gradient(dout, dbias.reshape(lead + dbias.shape))
    return SDPAGrads(dq, dk, dv, dbias)


def _logsumexp(normalizer: Array) -> Array:
    """m + log sum of (m, sum)[B, N, T, 2]: -inf of the (-inf, 0) of a query without keys."""
    with np.errstate(divide="ignore"):
        return np.asarray(normalizer[..., 0] + np.log(normalizer[..., 1]))


def _broadcast(operation: str, name: str, array: Any, shape: tuple[int, ...]) -> Array:
    """`array` as [B, N, T, S], by strides."""
    refuse_masked(operation, name, array)
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{operation}: {name} must be a NumPy array, got {type(array).__name__}")
    if array.shape == shape:
        return array
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(
            f"{operation}: {name} must broadcast to (B, N, T, S) = {shape}, got {array.shape}"
        ) from None


def _window(operation: str, window: Any) -> tuple[int, int]:
    if not isinstance(window, tuple | list) or len(window) != 2:
        raise ValueError(f"{operation}: window must be (left, right), got {window!r}")
    left, right = window
    sides = {"window's left": left, "window's right": right}
    require_integers(operation, **sides)
    if any(isinstance(side, bool) for side in sides.values()):
        raise TypeError(f"{operation}: window must be two integers, got {window!r}")
    return int(left), int(right)
