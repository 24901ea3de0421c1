"""Additive attention scores, forward and backward.

    u = tanh(q_t + k_s)               scores_ts = w . u
    e = dscores_ts w (1 - u^2)        dq_t = sum over s of e        dk_s = sum over t of e
                                      dw = sum over all t, s of dscores_ts u

B batch, T queries, S keys, A units. As the `bias` of `sdpa_forward`, these scores are additive attention:
its dbias is their gradient.
Source: Bahdanau, Cho and Bengio, "Neural machine translation by jointly learning to align and translate",
2014.
"""

from __future__ import annotations

from typing import NamedTuple

from weftnn import _core
from weftnn.ops.arrays import (
    Array,
    gradient_to_add_to,
    require_array,
    require_gradients,
    require_saved,
    require_shape,
)


class AdditiveScoresGrads(NamedTuple):
    """Gradients in the order of the forward's arguments."""

    dq: Array | None
    dk: Array | None
    dweight: Array | None


class AdditiveScoresSaved(NamedTuple):
    """What `additive_scores_backward` needs: the forward's arrays, not copied."""

    q: Array
    k: Array
    weight: Array


def additive_scores_forward(q: Array, k: Array, weight: Array) -> tuple[Array, AdditiveScoresSaved]:
    """The scores of every query and key: scores_ts = w . tanh(q_t + k_s), as (scores[B, T, S], saved).

    Args:
        q: [B, T, A], float32 or float64; all arrays share its dtype. Any strides; nothing is copied where the
            last axis is contiguous.
        k: [B, S, A].
        weight: [A].

    Raises:
        ValueError: a shape does not fit.
        TypeError: an argument is no array, or has another dtype.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> q, k = np.array([[[0.0, 1.0]]]), np.array([[[0.0, -1.0], [0.5, 20.0]]])
        >>> scores, saved = ops.additive_scores_forward(q, k, np.array([1.0, 2.0]))
        >>> scores.round(3)
        array([[[0.   , 2.462]]])
        >>> ops.additive_scores_backward(saved, np.ones((1, 1, 2))).dweight.round(3)
        array([0.462, 1.   ])
    """
    operation = "additive_scores_forward"
    require_array(operation, "q", q, "(B, T, A)")
    require_array(operation, "k", k, "(B, S, A)")
    require_array(operation, "weight", weight, "(A,)")
    scores: Array = _core.additive_scores_forward(q, k, weight)
    return scores, AdditiveScoresSaved(q, k, weight)


def additive_scores_backward(
    saved: AdditiveScoresSaved, dscores: Array, *, accumulate: AdditiveScoresGrads | None = None
) -> AdditiveScoresGrads:
    """Gradients of `additive_scores_forward`, given dL/dscores.

    With u = tanh(q_t + k_s) and scores_ts = w . u:  dq_t and dk_s are sums of dscores_ts w (1 - u^2),
    dw is that of dscores_ts u. u is computed again, so that no array of size T S A is stored. Where dscores
    is zero, as it is where attention is masked, q and k are not read.

    Args:
        saved: what forward returned; it may be used again, and the forward's arrays must be unchanged.
        dscores: [B, T, S].
        accumulate: gradients whose dweight is added to in place, instead of a new one.

    Raises:
        ValueError: a shape does not fit.
        TypeError: an argument is no array, or has another dtype.
    """
    operation = "additive_scores_backward"
    require_saved(operation, "additive_scores_forward", saved, AdditiveScoresSaved)
    q, k, weight = saved
    require_shape(operation, "dscores", dscores, "(B, T, S)", (*q.shape[:2], k.shape[1]))
    require_gradients(operation, "accumulate", accumulate, AdditiveScoresGrads)
    given = None if accumulate is None else accumulate.dweight
    dweight = gradient_to_add_to(operation, "dweight", given, "(A,)", weight.shape, q.dtype)
    dq, dk = _core.additive_scores_backward(q, k, weight, dscores, dweight)
    return AdditiveScoresGrads(dq, dk, dweight)
