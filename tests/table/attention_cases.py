"""The table's rows of attention: each option of sdpa alone, each way a bias may broadcast, all at once.

A row's options are drawn for a shape (B, N, T, S). Of a size: T time, S two keys more (or as many as `keys`
says), D hidden, Dv input where a row tells values from keys.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import reference_attention
from kinds import OpCase, Size

Rng = np.random.Generator
Inputs = dict[str, Any]
Shape = tuple[int, int, int, int]
Options = Callable[[Rng, Shape], Inputs]


def given(**options: Any) -> Options:
    return lambda rng, shape: options


NOTHING = given()


def bool_mask(rng: Rng, shape: Shape) -> Inputs:
    """With queries that may look at nothing."""
    mask = rng.random(shape) < 0.6
    mask[..., :1, :] = False
    return {"mask": mask}


def padding_mask(rng: Rng, shape: Shape) -> Inputs:
    """bool[B, 1, 1, S]: one for all heads and queries."""
    B, _, _, S = shape
    return {"mask": rng.random((B, 1, 1, S)) < 0.6}


def float_padding_mask(rng: Rng, shape: Shape) -> Inputs:
    """The same as floats, 0 and -inf."""
    return {"mask": np.where(padding_mask(rng, shape)["mask"], 0.0, -np.inf)}


def float_mask(rng: Rng, shape: Shape) -> Inputs:
    """[N, T, S]: added, with -inf here and there and in every place of one query."""
    mask = np.where(rng.random(shape[1:]) < 0.6, rng.normal(size=shape[1:]), -np.inf)
    mask[:, 1:2] = -np.inf
    return {"mask": mask}


def bias(rng: Rng, shape: Shape, *, broadcast: str = "", axes: int = 4) -> Inputs:
    """A bias of one along the axes whose letters are in `broadcast`, of the last axes only."""
    sizes = [1 if letter in broadcast else n for letter, n in zip("BNTS", shape, strict=True)]
    return {"bias": rng.normal(size=sizes[4 - axes :])}


def kv_lengths(rng: Rng, shape: Shape) -> Inputs:
    """Any order, with a row of nothing and a row to the end where there are rows enough."""
    chosen = rng.integers(0, shape[3] + 1, shape[0])
    chosen[:2] = (0, shape[3])[: shape[0]]
    return {"kv_lengths": rng.permutation(chosen)}


def everything(rng: Rng, shape: Shape) -> Inputs:
    options = bool_mask(rng, shape) | bias(rng, shape, broadcast="B") | kv_lengths(rng, shape)
    options |= {"causal": "bottom_right", "window": (3, 1), "softcap": 2.0, "scale": 0.7}
    return options | {"dropout": 0.25, "seed": 2**40 + 3, "offset": 2**33 + 1}


def both(*options: Options) -> Options:
    return lambda rng, shape: {name: value for each in options for name, value in each(rng, shape).items()}


def sdpa_sample(
    rng: Rng,
    size: Size,
    *,
    options: Options,
    keys: int | None,
    groups: int,
    values: bool,
    features: int | None,
) -> Inputs:
    B, N, T, S = size.batch, 2 * groups, size.time, size.time + 2 if keys is None else keys
    D = size.hidden if features is None else features
    inputs = {
        "q": rng.normal(size=(B, N, T, D)),
        "k": rng.normal(size=(B, N // groups, S, D)),
        "v": rng.normal(size=(B, N // groups, S, size.input if values else size.hidden)),
    }
    return inputs | options(rng, (B, N, T, S))


def sdpa(
    name: str,
    options: Options = NOTHING,
    *,
    keys: int | None = None,
    groups: int = 1,
    values: bool = False,
    features: int | None = None,
) -> OpCase:
    sample = partial(sdpa_sample, options=options, keys=keys, groups=groups, values=values, features=features)
    reference = reference_attention.sdpa
    return OpCase(f"sdpa-{name}", "sdpa", reference, sample, ("q", "k", "v", "bias"), ("out",))


def additive_scores_sample(rng: Rng, size: Size) -> Inputs:
    B, T, A = size.batch, size.time, size.hidden
    return {
        "q": rng.normal(size=(B, T, A)),
        "k": rng.normal(size=(B, T + 2, A)),
        "weight": rng.normal(size=A),
    }


SCORES = [
    OpCase(
        name="additive-scores",
        op="additive_scores",
        reference=reference_attention.additive_scores,
        sample=additive_scores_sample,
        differentiable=("q", "k", "weight"),
        outputs=("scores",),
    )
]

ATTENTION = [
    sdpa("plain"),
    sdpa("values", values=True),
    sdpa("scale", given(scale=0.3)),
    sdpa("no-keys", keys=0),
    sdpa("one-key", keys=1),
    sdpa("causal", given(causal=True)),
    sdpa("causal-more-queries", given(causal=True), keys=2),
    sdpa("causal-bottom-right", given(causal="bottom_right")),
    sdpa("causal-bottom-right-more-queries", given(causal="bottom_right"), keys=2),
    sdpa("window", given(window=(1, 2))),
    sdpa("window-left", given(window=(0, -1))),
    sdpa("window-right", given(window=(-1, 0))),
    sdpa("window-causal", given(window=(2, 1), causal="top_left")),
    sdpa("window-bottom-right", given(window=(1, 1), causal="bottom_right")),
    sdpa("grouped", groups=2),
    sdpa("mask", bool_mask),
    sdpa("mask-padding", padding_mask),
    sdpa("mask-float", float_mask),
    sdpa("mask-float-padding", float_padding_mask),
    sdpa("bias", bias),
    sdpa("bias-for-all-rows", partial(bias, broadcast="B")),
    sdpa("bias-for-all-heads", partial(bias, broadcast="N"), groups=2),
    sdpa("bias-for-all-queries", partial(bias, broadcast="T")),
    sdpa("bias-for-all-keys", partial(bias, broadcast="S")),
    sdpa("bias-of-a-head", partial(bias, broadcast="BTS")),
    sdpa("bias-of-a-row", partial(bias, broadcast="NTS")),
    sdpa("bias-of-a-query-and-key", partial(bias, axes=2), groups=2),
    sdpa("bias-of-a-key", partial(bias, axes=1)),
    sdpa("bias-alone", both(bias, given(scale=1.0)), features=0),
    sdpa("bias-and-mask", both(bias, float_mask, given(causal=True))),
    sdpa("lengths", kv_lengths),
    sdpa("lengths-causal", both(kv_lengths, given(causal=True))),
    sdpa("lengths-bottom-right", both(kv_lengths, given(causal="bottom_right"))),
    sdpa("softcap", given(softcap=0.8)),
    sdpa("softcap-bias", both(given(softcap=1.5), bias)),
    sdpa("dropout", given(dropout=0.4, seed=7)),
    sdpa("dropout-offset", given(dropout=0.1, seed=1, offset=2**33 + 5), groups=2),
    sdpa("everything", everything, groups=2, values=True),
]
