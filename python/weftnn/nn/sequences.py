"""Which steps of a sequence a layer reads, and which sequences it may therefore be given.

A layer's `reads` says which steps of x step t of y depends on:

    "step"      x[t] alone                           (Linear, LayerNorm, activations)
    "place"     x[t], and t itself                   (SinusoidalPositions, LearnedPositions)
    "past"      x[0], ..., x[t]                      (GRU, causal attention)
    "all"       later steps too                      (bidirectional layers, attention)
    None        unknown: the worst is assumed

`takes_lengths` and `takes_resets` say what its call takes beside x. A layer that is not told where a row
ends, where another sequence begins within a row, or where a sequence was cut between two calls, may compute
wrong numbers. These are right without being told:

                       layers that read
    a row's end        step, place, past: padding comes after all valid steps
    another sequence   step
    a cut              step, or past where a state carries the past over
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from weftnn.nn.layer import Layer

READS = ("step", "place", "past", "all")


def widest(layers: Iterable[Layer]) -> str | None:
    """What layers one after the other read: as much as the one that reads most.

    >>> from weftnn.nn import GRU, Linear
    >>> widest([Linear(2, 2), GRU(2, 2), Linear(2, 2)])
    'past'
    """
    found = [layer.reads for layer in layers]
    if None in found:
        return None
    return max((reads for reads in found if reads is not None), key=READS.index, default="step")


def masks_padding(layer: Layer) -> bool:
    """Whether it takes lengths itself: then its y is zero past a row's end, and it reads nothing there."""
    return layer.stateful or layer.takes_lengths


def options_for(where: str, layer: Layer, lengths: Any, resets: Any) -> dict[str, Any]:
    """Those of lengths and resets, where they are given, that a layer is to be called with.

    Raises TypeError for a layer that takes none of them, and without them would read what it must not.

    >>> from weftnn.nn import GRU, Linear
    >>> [options_for("Sequential", layer, [3, 1], None) for layer in (Linear(2, 2), GRU(2, 2))]
    [{}, {'lengths': [3, 1]}]
    """
    options = {}
    if lengths is not None:
        if masks_padding(layer):
            options["lengths"] = lengths
        elif layer.reads not in ("step", "place", "past"):
            raise TypeError(_refusal(where, "lengths", layer, "reads past a row's end"))
    if resets is not None:
        if layer.stateful or layer.takes_resets:
            options["resets"] = resets
        elif layer.reads != "step":
            raise TypeError(_refusal(where, "resets", layer, "goes on from one sequence into the next"))
    return options


def why_not_to_cut(model: Layer, path: str = "") -> str | None:
    """The layer by which a cut between two calls changes the result, and why; None: there is none.

    A layer that says what it reads speaks for those inside it; for a silent one with a state, they speak.

    >>> from weftnn.nn import GRU, Linear, Sequential
    >>> why_not_to_cut(Sequential(GRU(2, 2), Linear(2, 2)))
    >>> why_not_to_cut(Sequential(GRU(2, 2, bidirectional=True), Linear(4, 2)))
    'GRU (at 0) reads later steps'
    """
    if model.transparent or (model.reads is None and model.stateful):
        children = ((f"{path}.{name}" if path else name, child) for name, child in model.named_children())
        return next(filter(None, (why_not_to_cut(child, at) for at, child in children)), None)
    effect = _effect_of_a_cut(model)
    at = f" (at {path})" if path else ""
    return None if effect is None else f"{type(model).__name__}{at} {effect}"


def _effect_of_a_cut(layer: Layer) -> str | None:
    match layer.reads:
        case "all":
            return "reads later steps"
        case "past":
            return None if layer.stateful else "reads earlier steps, and has no state that brings them along"
        case "place":
            return "counts steps from where a call begins"
        case "step":
            return None
    return "does not say which steps it reads (see weftnn.nn.Layer.reads)"


def _refusal(where: str, name: str, layer: Layer, effect: str) -> str:
    refusal = f"{where}: {name} must be None for {type(layer).__name__}, which"
    if layer.reads is None:
        return (
            f"{refusal} says neither that it takes them nor which steps it reads (see weftnn.nn.Layer.reads)"
        )
    return f"{refusal} does not take them and without them {effect}"
