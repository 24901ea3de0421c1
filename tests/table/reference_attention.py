"""What attention means, in plain NumPy: every score of every query, one softmax over them.

As in reference.py, every function takes complex arrays too, so that it specifies the gradients as well.
Shapes: B batch, N heads, T queries, S keys, D features of a key, Dv of a value.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import reference_philox

Array = Any


def attended(
    shape: tuple[int, ...],
    *,
    mask: Array = None,
    causal: bool | str = False,
    window: tuple[int, int] | None = None,
    kv_lengths: Array = None,
) -> Array:
    """bool[B, N, T, S]: may this query look at this key? With bottom_right the last is at the last key."""
    B, _, T, S = shape
    key = np.arange(S)
    keys = np.full((B, 1, 1, 1), S) if kv_lengths is None else kv_lengths.reshape(B, 1, 1, 1)
    position = np.arange(T)[:, None] + (keys - T if causal == "bottom_right" else 0)
    left, right = (S + T if side == -1 else side for side in window or (-1, -1))
    seen = (key < keys) & (key >= position - left) & (key <= position + (0 if causal else right))
    if mask is not None:
        seen = seen & (mask if mask.dtype == bool else mask > -np.inf)
    return np.broadcast_to(seen, shape)


def additive_scores(q: Array, k: Array, weight: Array) -> Array:
    """scores_ts = w . tanh(q_t + k_s)"""
    return np.tanh(q[:, :, None] + k[:, None]) @ weight


def sdpa(
    q: Array,
    k: Array,
    v: Array,
    *,
    mask: Array = None,
    scale: float | None = None,
    softcap: float = 0.0,
    dropout: float = 0.0,
    seed: int | None = None,
    offset: int = 0,
    bias: Array = None,
    everything: bool = False,
    **where: Any,
) -> Any:
    """out, or with `everything` (out, weights after dropout, logsumexp)."""
    k, v = (np.repeat(x, q.shape[1] // x.shape[1], axis=1) for x in (k, v))
    scores = (q.shape[-1] ** -0.5 if scale is None else scale) * np.einsum("bntd,bnsd->bnts", q, k)
    scores = softcap * np.tanh(scores / softcap) if softcap else scores
    scores = scores if bias is None else scores + bias
    seen = attended(scores.shape, mask=mask, **where)
    if mask is not None and mask.dtype != bool:
        scores = scores + np.where(mask > -np.inf, mask, 0)
    largest = np.max(scores.real, axis=-1, where=seen, initial=-1e300, keepdims=True)
    powers = np.where(seen, np.exp(np.where(seen, scores - largest, 0)), 0)
    total = powers.sum(-1, keepdims=True)
    weights = powers / np.where(total == 0, 1, total)
    kept = reference_philox.keep(weights.size, dropout, seed, offset) if dropout else np.ones(weights.size)
    weights = weights * kept.reshape(weights.shape) / (1 - dropout)
    out = np.einsum("bnts,bnsd->bntd", weights, v)
    with np.errstate(divide="ignore"):  # the logarithm of no keys
        return (out, weights, (np.log(total) + largest)[..., 0]) if everything else out
