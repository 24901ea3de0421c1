"""Drawing the next token from a language model's logits.

    P = softmax(logits / temperature)

P is restricted to the k most likely tokens (top-k), then to the smallest set of tokens whose probabilities
add up to p or more (top-p, the nucleus).

logits[..., V], any float dtype; everything is computed in float64, so that the draw for a seed does not
depend on the model's dtype more than the logits themselves do. Pure functions: nothing is written in place.

Source: top-k, Fan, Lewis and Dauphin, "Hierarchical Neural Story Generation", 2018; top-p, Holtzman et al.,
"The Curious Case of Neural Text Degeneration", 2020.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from weftnn.arguments import check_count, check_number

__all__ = ["keep_top_k", "keep_top_p", "probabilities", "sample", "scale_temperature"]

FloatArray = npt.NDArray[np.floating[Any]]
Float64Array = npt.NDArray[np.float64]


def scale_temperature(logits: FloatArray, temperature: float) -> Float64Array:
    """(logits[..., V] - their largest) / temperature; temperature 0 keeps only the most likely token.

    Below 1 the distribution gets sharper, above 1 flatter. The largest is taken away first, which softmax
    does not see, so that a tiny temperature cannot overflow. Raises ValueError for a negative or non-finite
    temperature.

    >>> scale_temperature(np.array([1.0, 2.0]), 0.5)
    array([-2.,  0.])
    >>> scale_temperature(np.array([1.0, 2.0]), 0.0)
    array([-inf,   2.])
    """
    temperature = check_number("scale_temperature", "temperature", temperature, low=0)
    if temperature == 0:
        return keep_top_k(logits, 1)
    logits = _checked(logits, "scale_temperature")
    with np.errstate(over="ignore"):
        return np.asarray((logits - logits.max(axis=-1, keepdims=True)) / temperature)


def keep_top_k(logits: FloatArray, k: int) -> Float64Array:
    """Set all but the k largest of logits[..., V] to -inf; among equals the lower index stays.

    k beyond V keeps everything. Raises ValueError for k < 1.

    >>> keep_top_k(np.array([1.0, 3.0, 2.0]), 2)
    array([-inf,   3.,   2.])
    """
    k = check_count("keep_top_k", "k", k)
    logits = _checked(logits, "keep_top_k")
    order = np.argsort(-logits, axis=-1, kind="stable")
    kept = np.full_like(logits, -np.inf)
    best = order[..., :k]
    np.put_along_axis(kept, best, np.take_along_axis(logits, best, axis=-1), axis=-1)
    return kept


def keep_top_p(logits: FloatArray, p: float) -> Float64Array:
    """Keep the fewest most likely tokens of logits[..., V] whose probabilities add up to p; the rest is -inf.

    The most likely token always stays; p = 1 keeps everything. Raises ValueError unless 0 < p <= 1.

    >>> keep_top_p(np.log(np.array([0.5, 0.1, 0.4])), 0.8).round(2)
    array([-0.69,  -inf, -0.92])
    """
    p = check_number("keep_top_p", "p", p, above=0, high=1)
    logits = _checked(logits, "keep_top_p")
    if p == 1:
        return logits
    order = np.argsort(-logits, axis=-1, kind="stable")
    ordered = np.take_along_axis(probabilities(logits), order, axis=-1)
    # A token stays if the more likely ones before it have not reached p yet.
    stays = np.cumsum(ordered, axis=-1) - ordered < p
    mask = np.zeros_like(stays)
    np.put_along_axis(mask, order, stays, axis=-1)
    return np.where(mask, logits, -np.inf)


def probabilities(logits: FloatArray) -> Float64Array:
    """softmax over the last axis of logits[..., V], in float64.

    >>> probabilities(np.array([0.0, 0.0, -np.inf]))
    array([0.5, 0.5, 0. ])
    """
    logits = _checked(logits, "probabilities")
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), dtype=np.float64)


def sample(
    logits: FloatArray,
    rng: np.random.Generator,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> npt.NDArray[np.int64]:
    """Draw one token for each row of logits[..., V]: int64[...].

    Temperature first, then top-k, then top-p. One uniform number is taken from `rng` for each row, whatever
    the settings. Raises ValueError for settings out of range and for logits that hold NaN.

    >>> rng = np.random.default_rng(0)
    >>> int(sample(np.array([0.0, 5.0, 1.0]), rng, temperature=0))
    1
    """
    kept = scale_temperature(logits, temperature)
    if top_k is not None:
        kept = keep_top_k(kept, top_k)
    if top_p is not None:
        kept = keep_top_p(kept, top_p)
    cumulative = np.cumsum(probabilities(kept), axis=-1)
    draw = rng.random(kept.shape[:-1])[..., None] * cumulative[..., -1:]
    # The first token whose cumulative probability exceeds the draw; it has probability > 0 by construction.
    return np.asarray((cumulative > draw).argmax(axis=-1), dtype=np.int64)


def _checked(logits: FloatArray, function: str) -> Float64Array:
    values = np.array(logits, dtype=np.float64)
    if values.ndim < 1 or values.shape[-1] < 1:
        raise ValueError(
            f"{function}: logits must be [..., V] with V of at least 1, got shape {values.shape}"
        )
    peak = values.max(axis=-1)
    if not np.isfinite(peak).all():
        raise ValueError(
            f"{function}: the largest logit of each row must be finite, got {float(np.ravel(peak)[0])}"
        )
    return values
